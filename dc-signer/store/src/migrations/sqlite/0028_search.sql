-- What operators look devices up by. A renewal writes the last of these alone.

-- Pages of the states that few devices are in. Word for word the condition of the statements.
CREATE INDEX devices_rare ON devices (state, external_id) WHERE state <> 'active';
CREATE INDEX devices_credential ON devices (credential_sha256);
