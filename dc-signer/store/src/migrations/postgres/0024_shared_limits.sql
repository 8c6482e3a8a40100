-- How often devices came lately, for all signers together: each has a moment at which nothing that was counted matters any more.
CREATE TABLE limits_used (
    -- SHA-256 of the device's enrolment key.
    key       BYTEA  NOT NULL PRIMARY KEY,
    -- In milliseconds since 1970.
    full_at   BIGINT NOT NULL,
    -- The exchange that wrote it.
    exchange  BIGINT NOT NULL
);
CREATE INDEX limits_exchange ON limits_used (exchange);

-- The number of the last exchange: they have one order.
CREATE TABLE limits_exchanges (
    one       BIGINT  NOT NULL PRIMARY KEY CHECK (one = 1),
    number    BIGINT  NOT NULL
);
INSERT INTO limits_exchanges (one, number) VALUES (1, 0);
