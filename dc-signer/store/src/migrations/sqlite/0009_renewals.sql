-- The renewal of each zone's delegation certificate: when the next one is ordered, and how the last try ended.
CREATE TABLE renewals (
    zone                  TEXT    NOT NULL PRIMARY KEY,
    -- SHA-256 of the certificate that the times are of; none before a zone's first.
    certificate_sha256    BLOB,
    order_at              INTEGER NOT NULL DEFAULT 0,
    -- When the CA is asked next when it wants the certificate to be renewed.
    ask_at                INTEGER,
    -- After a try that failed, when to try again.
    try_at                INTEGER,
    -- How often the next one was ordered, and since when it fails.
    attempts              INTEGER NOT NULL DEFAULT 0,
    failing_since         INTEGER,
    tried                 INTEGER,
    error                 TEXT,
    -- The process that orders now, and until when nobody else does.
    holder                BLOB,
    holder_node           TEXT,
    held_until            INTEGER
);
