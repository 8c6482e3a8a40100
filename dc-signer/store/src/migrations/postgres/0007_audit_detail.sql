-- SHA-256 of what an act set that no other column of its record says; none if there is nothing, or the record is older.
ALTER TABLE audit ADD COLUMN detail_sha256 BYTEA;
