-- The renewal of each zone's delegation certificate: when the next one is ordered, and how the last try ended.
CREATE TABLE renewals (
    zone                  TEXT    NOT NULL PRIMARY KEY,
    -- SHA-256 of the certificate that the times are of; none before a zone's first.
    certificate_sha256    BYTEA,
    order_at              BIGINT NOT NULL DEFAULT 0,
    -- When the CA is asked next when it wants the certificate to be renewed.
    ask_at                BIGINT,
    -- After a try that failed, when to try again.
    try_at                BIGINT,
    -- How often the next one was ordered, and since when it fails.
    attempts              BIGINT NOT NULL DEFAULT 0,
    failing_since         BIGINT,
    tried                 BIGINT,
    error                 TEXT,
    -- The process that orders now, and until when nobody else does.
    holder                BYTEA,
    holder_node           TEXT,
    held_until            BIGINT
);
