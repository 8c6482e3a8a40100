-- Until when credentials of the forms that a zone issued before may be valid: as long as there are both forms under one wildcard,
-- the unnamed ones can be used for every device's name. What was changed before this migration is not known.
ALTER TABLE zones ADD COLUMN other_forms_until INTEGER;
