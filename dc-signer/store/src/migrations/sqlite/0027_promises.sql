-- Times that signers keep for devices which they could not serve at once, so that any of them serves each at its time.
CREATE TABLE promises (
    -- SHA-256 of the device's enrolment key.
    key       BLOB   NOT NULL PRIMARY KEY,
    -- In seconds since 1970, by the server's clock.
    at        INTEGER NOT NULL,
    -- The exchange that wrote it.
    exchange  INTEGER NOT NULL
);
CREATE INDEX promises_exchange ON promises (exchange);

-- The number of the last exchange: they have one order.
CREATE TABLE promises_exchanges (
    one       INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    number    INTEGER NOT NULL
);
INSERT INTO promises_exchanges (one, number) VALUES (1, 0);
