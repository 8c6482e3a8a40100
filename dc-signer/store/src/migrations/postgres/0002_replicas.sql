-- Which signers work on this database, and with which keys, so that none is left behind by a zone that moves on.
CREATE TABLE replicas (
    -- Random, a new one for each process.
    id                    BYTEA   NOT NULL PRIMARY KEY,
    node                  TEXT    NOT NULL,
    seen                  BIGINT  NOT NULL,
    -- It has stopped, and said so.
    stopped               BIGINT  NOT NULL DEFAULT 0,
    -- What its clock said when it last believed it.
    clock                 BIGINT,
    -- SHA-256 of the delegation certificates whose keys it has, one after the other.
    keys                  BYTEA   NOT NULL
);
