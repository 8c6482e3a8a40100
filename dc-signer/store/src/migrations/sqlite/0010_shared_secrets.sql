-- What all signers of this database share, so that none makes secrets of its own.
CREATE TABLE shared_secrets (
    -- 'codes', 'lists' or 'names'.
    purpose               TEXT    NOT NULL,
    -- Counts up from 1 within a purpose; the highest is used for what is new.
    version               INTEGER NOT NULL,
    -- A hash under the secret itself: it tells two secrets apart, and nothing about them.
    fingerprint           BLOB    NOT NULL,
    -- The secret, sealed with the key-encryption key; none if it is in the data folder of each signer.
    sealed                BLOB,
    since                 INTEGER NOT NULL,
    -- When an older version ends; none if nothing ends it.
    until                 INTEGER,
    PRIMARY KEY (purpose, version)
);

-- Delegation certificates that every signer of this database can sign with.
CREATE TABLE shared_delegations (
    certificate_sha256    BLOB    NOT NULL PRIMARY KEY,
    chain                 BLOB    NOT NULL,
    -- Where the key is, if it is in a token or a process: the contents of key.uri or key.keyd.
    location              TEXT,
    -- The contents of key.pem, or of that place, sealed with the key-encryption key.
    sealed                BLOB
);
