-- The registry, as of the first version. Times are seconds since 1970, hashes 32 bytes.
--
-- Migrations only add (expand); what is not used any more goes two versions later (contract), so that
-- replicas of two versions can work side by side.

CREATE TABLE zones (
    zone                  TEXT   NOT NULL PRIMARY KEY,
    forms                 TEXT   NOT NULL,
    renew_issued_before   INTEGER,
    -- How often the list of withdrawn names changed.
    withdrawn_sequence    INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE slots (
    zone                  TEXT   NOT NULL REFERENCES zones,
    number                INTEGER NOT NULL,
    state                 TEXT   NOT NULL,
    certificate_sha256    BLOB    NOT NULL,
    not_before            INTEGER NOT NULL,
    not_after             INTEGER NOT NULL,
    since                 INTEGER NOT NULL,
    PRIMARY KEY (zone, number),
    UNIQUE (zone, certificate_sha256)
);
-- Whatever replicas do, only one slot of a zone is active.
CREATE UNIQUE INDEX slots_active ON slots (zone) WHERE state = 'active';

CREATE TABLE devices (
    id                    BLOB    NOT NULL PRIMARY KEY,
    external_id           TEXT   NOT NULL UNIQUE,
    state                 TEXT   NOT NULL,
    zone                  TEXT   NOT NULL REFERENCES zones,
    name                  TEXT   NOT NULL UNIQUE,
    slot                  INTEGER NOT NULL,
    epoch                 INTEGER NOT NULL,
    enrolment_key         BLOB  UNIQUE,
    next_key              BLOB  UNIQUE,
    next_key_since        INTEGER,
    manufacturer          TEXT,
    serial                TEXT,
    credential_sha256     BLOB ,
    credential_spki       BLOB ,
    issued                INTEGER,
    expires               INTEGER,
    possible_clone        INTEGER NOT NULL DEFAULT 0,
    created               INTEGER NOT NULL,
    changed               INTEGER NOT NULL,
    UNIQUE (manufacturer, serial)
);
CREATE INDEX devices_expires ON devices (state, zone, expires);
CREATE INDEX devices_clones ON devices (zone) WHERE possible_clone = 1;

-- Every name that a device has or had. None is ever given out again.
CREATE TABLE names (
    name                  TEXT   NOT NULL PRIMARY KEY,
    device                BLOB    NOT NULL REFERENCES devices,
    zone                  TEXT   NOT NULL REFERENCES zones,
    given                 INTEGER NOT NULL,
    withdrawn             INTEGER,
    -- When the last credential ended that was issued for it before it was withdrawn.
    withdrawn_until       INTEGER
);
CREATE INDEX names_device ON names (device);
CREATE INDEX names_withdrawn ON names (zone, withdrawn_until) WHERE withdrawn IS NOT NULL;

CREATE TABLE codes (
    id                    BLOB    NOT NULL PRIMARY KEY,
    device                BLOB    NOT NULL REFERENCES devices,
    mac                   BLOB    NOT NULL,
    expires               INTEGER NOT NULL,
    tries                 INTEGER NOT NULL DEFAULT 0,
    used_by               BLOB 
);
CREATE INDEX codes_device ON codes (device);
CREATE INDEX codes_expires ON codes (expires);

-- The answers of the last hour, for devices that did not get theirs.
CREATE TABLE answers (
    device                BLOB    NOT NULL,
    key                   BLOB    NOT NULL,
    request               BLOB    NOT NULL,
    answer                BLOB    NOT NULL,
    expires               INTEGER NOT NULL,
    PRIMARY KEY (device, key)
);
CREATE INDEX answers_expires ON answers (expires);

-- Issue rows are in one table a week, issues_<week>, that is dropped whole.
CREATE TABLE issue_weeks (
    week                  INTEGER NOT NULL PRIMARY KEY
);

CREATE TABLE refused (
    hour                  INTEGER NOT NULL,
    reason                TEXT   NOT NULL,
    requests              INTEGER NOT NULL,
    PRIMARY KEY (hour, reason)
);

CREATE TABLE operators (
    name                  TEXT   NOT NULL PRIMARY KEY,
    role                  TEXT   NOT NULL,
    token_sha256          BLOB  UNIQUE,
    key_sha256            BLOB  UNIQUE,
    disabled              INTEGER NOT NULL DEFAULT 0,
    CHECK ((token_sha256 IS NULL) <> (key_sha256 IS NULL))
);

CREATE TABLE audit (
    seq                   INTEGER NOT NULL PRIMARY KEY,
    time                  INTEGER NOT NULL,
    node                  TEXT   NOT NULL,
    actor                 TEXT   NOT NULL,
    action                TEXT   NOT NULL,
    name                  TEXT,
    spki_sha256           BLOB ,
    credential_sha256     BLOB ,
    zone                  TEXT,
    expires               INTEGER,
    prev_hash             BLOB    NOT NULL
);
CREATE INDEX audit_acts ON audit (name, seq) WHERE action <> 'issue';

-- The end of the audit log. Whoever writes locks this row first, so that all writes have one order.
CREATE TABLE audit_head (
    one                   INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    seq                   INTEGER NOT NULL,
    hash                  BLOB    NOT NULL
);
INSERT INTO audit_head (one, seq, hash) VALUES (1, 0, zeroblob(32));
