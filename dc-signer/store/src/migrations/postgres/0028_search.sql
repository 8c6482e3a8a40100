-- What operators look devices up by. A renewal writes the last of these alone.

-- Unique names by their start, byte by byte whatever the server's language is.
CREATE INDEX names_search ON names (name COLLATE "C");
-- Pages of the states that few devices are in. Word for word the condition of the statements.
CREATE INDEX devices_rare ON devices (state, external_id) WHERE state <> 'active';
CREATE INDEX devices_credential ON devices (credential_sha256);
