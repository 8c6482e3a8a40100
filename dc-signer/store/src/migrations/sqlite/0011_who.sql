-- Why somebody did it, and what they looked at; none if nobody was to say, or the record is older.
ALTER TABLE audit ADD COLUMN reason TEXT;
ALTER TABLE audit ADD COLUMN scope TEXT;

-- When a token or certificate ends (none: it was made before they did), and the one before while both are good.
ALTER TABLE operators ADD COLUMN expires INTEGER;
ALTER TABLE operators ADD COLUMN previous_token_sha256 BLOB;
ALTER TABLE operators ADD COLUMN previous_key_sha256 BLOB;
ALTER TABLE operators ADD COLUMN previous_expires INTEGER;
CREATE UNIQUE INDEX operators_previous_token ON operators (previous_token_sha256);
CREATE UNIQUE INDEX operators_previous_key ON operators (previous_key_sha256);

-- Acts that wait for a second operator; the number is that of the audit record that asks.
CREATE TABLE approvals (
    number      INTEGER NOT NULL PRIMARY KEY,
    what        TEXT NOT NULL,
    reason      TEXT NOT NULL,
    asked_by    TEXT NOT NULL,
    asked       INTEGER NOT NULL,
    ends        INTEGER NOT NULL,
    state       TEXT NOT NULL,
    decided_by  TEXT
);

-- How many devices each operator has retired, by day since 1970.
CREATE TABLE retired (
    actor   TEXT NOT NULL,
    day     INTEGER NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (actor, day)
);

-- Acts without an operator's credential; the number is that of the audit record.
CREATE TABLE break_glass (
    number  INTEGER NOT NULL PRIMARY KEY,
    time    INTEGER NOT NULL,
    actor   TEXT NOT NULL
);
