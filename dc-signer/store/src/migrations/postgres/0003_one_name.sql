-- One name, one device: how long credentials for a device's name are valid, whichever box has them, and what the device showed
-- when it was given the last one.

-- When the last of them ends.
ALTER TABLE devices ADD COLUMN held_until BIGINT;
-- From when on the box that took the name over gets credentials; none if it waits for nobody's.
ALTER TABLE devices ADD COLUMN free_from BIGINT;
-- Whether the name stays withdrawn until then.
ALTER TABLE devices ADD COLUMN stays_withdrawn BIGINT NOT NULL DEFAULT 0;
-- Not known, 32 zero bytes for nothing, or the hash of a credential.
ALTER TABLE devices ADD COLUMN shown_sha256 BYTEA;

-- The credential that a device was given last need not be the one that ends last; but none lives longer than seven days.
UPDATE devices SET held_until = issued + 604800 WHERE issued IS NOT NULL;
-- These were replaced and have not been given one since: what is noted is another box's.
UPDATE devices SET free_from = held_until + 1, credential_sha256 = NULL, credential_spki = NULL, issued = NULL, expires = NULL
    WHERE enrolment_key IS NULL AND issued IS NOT NULL;
