-- Why somebody did it, and what they looked at; none if nobody was to say, or the record is older.
ALTER TABLE audit ADD COLUMN reason TEXT;
ALTER TABLE audit ADD COLUMN scope TEXT;

-- When a token or certificate ends (none: it was made before they did), and the one before while both are good.
ALTER TABLE operators ADD COLUMN expires BIGINT;
ALTER TABLE operators ADD COLUMN previous_token_sha256 BYTEA;
ALTER TABLE operators ADD COLUMN previous_key_sha256 BYTEA;
ALTER TABLE operators ADD COLUMN previous_expires BIGINT;
CREATE UNIQUE INDEX operators_previous_token ON operators (previous_token_sha256);
CREATE UNIQUE INDEX operators_previous_key ON operators (previous_key_sha256);

-- Acts that wait for a second operator; the number is that of the audit record that asks.
CREATE TABLE approvals (
    number      BIGINT NOT NULL PRIMARY KEY,
    what        TEXT NOT NULL,
    reason      TEXT NOT NULL,
    asked_by    TEXT NOT NULL,
    asked       BIGINT NOT NULL,
    ends        BIGINT NOT NULL,
    state       TEXT NOT NULL,
    decided_by  TEXT
);

-- How many devices each operator has retired, by day since 1970.
CREATE TABLE retired (
    actor   TEXT NOT NULL,
    day     BIGINT NOT NULL,
    count   BIGINT NOT NULL,
    PRIMARY KEY (actor, day)
);

-- Acts without an operator's credential; the number is that of the audit record.
CREATE TABLE break_glass (
    number  BIGINT NOT NULL PRIMARY KEY,
    time    BIGINT NOT NULL,
    actor   TEXT NOT NULL
);
