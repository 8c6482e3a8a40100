-- Which key-encryption keys a signer has: 16 bytes each, one behind the other; none if it is of an older version.
ALTER TABLE replicas ADD COLUMN sealing BYTEA;
