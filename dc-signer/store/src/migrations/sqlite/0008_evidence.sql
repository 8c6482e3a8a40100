-- Evidence: checkpoints that are signed for the audit log, and weeks of it that are in files.

-- The form of records that a signer can read: 2 with 'detail_sha256'. Who is older than this migration reads the first.
ALTER TABLE replicas ADD COLUMN format INTEGER NOT NULL DEFAULT 1;

-- Whose turn it is to sign, so that of several signers one does. Nothing is believed of the note here but its signature.
CREATE TABLE checkpoints (
    one                   INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    holder                TEXT    NOT NULL,
    until                 INTEGER NOT NULL,
    note                  TEXT
);

-- Parts of the log, one behind the other, whose issuances are in a file. What stands here is in a 'tidy' record too.
CREATE TABLE archives (
    first                 INTEGER NOT NULL PRIMARY KEY,
    last                  INTEGER NOT NULL,
    -- The hash of the last record, and the right edge of the Merkle tree up to it: 32 bytes for each root.
    hash                  BLOB    NOT NULL,
    tree                  BLOB    NOT NULL,
    -- The issuances that are in the file alone; and the records that are here still, with a hash over theirs.
    removed               INTEGER NOT NULL,
    kept                  INTEGER NOT NULL,
    kept_sha256           BLOB    NOT NULL,
    -- The record that says so.
    record                INTEGER NOT NULL
);
