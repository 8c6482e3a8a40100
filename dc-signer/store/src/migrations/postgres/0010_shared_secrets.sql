-- What all signers of this database share, so that none makes secrets of its own.
CREATE TABLE shared_secrets (
    -- 'codes', 'lists' or 'names'.
    purpose               TEXT    NOT NULL,
    -- Counts up from 1 within a purpose; the highest is used for what is new.
    version               BIGINT  NOT NULL,
    -- A hash under the secret itself: it tells two secrets apart, and nothing about them.
    fingerprint           BYTEA   NOT NULL,
    -- The secret, sealed with the key-encryption key; none if it is in the data folder of each signer.
    sealed                BYTEA,
    since                 BIGINT  NOT NULL,
    -- When an older version ends; none if nothing ends it.
    until                 BIGINT,
    PRIMARY KEY (purpose, version)
);

-- Delegation certificates that every signer of this database can sign with.
CREATE TABLE shared_delegations (
    certificate_sha256    BYTEA   NOT NULL PRIMARY KEY,
    chain                 BYTEA   NOT NULL,
    -- Where the key is, if it is in a token or a process: the contents of key.uri or key.keyd.
    location              TEXT,
    -- The contents of key.pem, or of that place, sealed with the key-encryption key.
    sealed                BYTEA
);
