-- The registry, as of the first version. Times are seconds since 1970, hashes 32 bytes.
--
-- Migrations only add (expand); what is not used any more goes two versions later (contract), so that
-- replicas of two versions can work side by side.

CREATE TABLE zones (
    zone                  TEXT   NOT NULL PRIMARY KEY,
    forms                 TEXT   NOT NULL,
    renew_issued_before   BIGINT,
    -- How often the list of withdrawn names changed.
    withdrawn_sequence    BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE slots (
    zone                  TEXT   NOT NULL REFERENCES zones,
    number                BIGINT NOT NULL,
    state                 TEXT   NOT NULL,
    certificate_sha256    BYTEA NOT NULL,
    not_before            BIGINT NOT NULL,
    not_after             BIGINT NOT NULL,
    since                 BIGINT NOT NULL,
    PRIMARY KEY (zone, number),
    UNIQUE (zone, certificate_sha256)
);
-- Whatever replicas do, only one slot of a zone is active.
CREATE UNIQUE INDEX slots_active ON slots (zone) WHERE state = 'active';

CREATE TABLE devices (
    id                    BYTEA NOT NULL PRIMARY KEY,
    external_id           TEXT   COLLATE "C" NOT NULL UNIQUE,
    state                 TEXT   NOT NULL,
    zone                  TEXT   NOT NULL REFERENCES zones,
    name                  TEXT   NOT NULL UNIQUE,
    slot                  BIGINT NOT NULL,
    epoch                 BIGINT NOT NULL,
    enrolment_key         BYTEA UNIQUE,
    next_key              BYTEA UNIQUE,
    next_key_since        BIGINT,
    manufacturer          TEXT,
    serial                TEXT,
    credential_sha256     BYTEA,
    credential_spki       BYTEA,
    issued                BIGINT,
    expires               BIGINT,
    possible_clone        BIGINT NOT NULL DEFAULT 0,
    created               BIGINT NOT NULL,
    changed               BIGINT NOT NULL,
    UNIQUE (manufacturer, serial)
);
CREATE INDEX devices_expires ON devices (state, zone, expires);
CREATE INDEX devices_clones ON devices (zone) WHERE possible_clone = 1;

-- Every name that a device has or had. None is ever given out again.
CREATE TABLE names (
    name                  TEXT   NOT NULL PRIMARY KEY,
    device                BYTEA NOT NULL REFERENCES devices,
    zone                  TEXT   NOT NULL REFERENCES zones,
    given                 BIGINT NOT NULL,
    withdrawn             BIGINT,
    -- When the last credential ended that was issued for it before it was withdrawn.
    withdrawn_until       BIGINT
);
CREATE INDEX names_device ON names (device);
CREATE INDEX names_withdrawn ON names (zone, withdrawn_until) WHERE withdrawn IS NOT NULL;

CREATE TABLE codes (
    id                    BYTEA NOT NULL PRIMARY KEY,
    device                BYTEA NOT NULL REFERENCES devices,
    mac                   BYTEA NOT NULL,
    expires               BIGINT NOT NULL,
    tries                 BIGINT NOT NULL DEFAULT 0,
    used_by               BYTEA
);
CREATE INDEX codes_device ON codes (device);
CREATE INDEX codes_expires ON codes (expires);

-- The answers of the last hour, for devices that did not get theirs.
CREATE TABLE answers (
    device                BYTEA NOT NULL,
    key                   BYTEA NOT NULL,
    request               BYTEA NOT NULL,
    answer                BYTEA NOT NULL,
    expires               BIGINT NOT NULL,
    PRIMARY KEY (device, key)
)
-- An answer is a little over 2 kB, beyond which rows are compressed; for an hour that is not worth it.
WITH (toast_tuple_target = 8160);
CREATE INDEX answers_expires ON answers (expires);

-- Issue rows are in one table a week, issues_<week>, that is dropped whole.
CREATE TABLE issue_weeks (
    week                  BIGINT NOT NULL PRIMARY KEY
);

CREATE TABLE refused (
    hour                  BIGINT NOT NULL,
    reason                TEXT   NOT NULL,
    requests              BIGINT NOT NULL,
    PRIMARY KEY (hour, reason)
);

CREATE TABLE operators (
    name                  TEXT   NOT NULL PRIMARY KEY,
    role                  TEXT   NOT NULL,
    token_sha256          BYTEA UNIQUE,
    key_sha256            BYTEA UNIQUE,
    disabled              BIGINT NOT NULL DEFAULT 0,
    CHECK ((token_sha256 IS NULL) <> (key_sha256 IS NULL))
);

CREATE TABLE audit (
    seq                   BIGINT NOT NULL PRIMARY KEY,
    time                  BIGINT NOT NULL,
    node                  TEXT   NOT NULL,
    actor                 TEXT   NOT NULL,
    action                TEXT   NOT NULL,
    name                  TEXT,
    spki_sha256           BYTEA,
    credential_sha256     BYTEA,
    zone                  TEXT,
    expires               BIGINT,
    prev_hash             BYTEA NOT NULL
);
CREATE INDEX audit_acts ON audit (name, seq) WHERE action <> 'issue';

-- The end of the audit log. Whoever writes locks this row first, so that all writes have one order.
CREATE TABLE audit_head (
    one                   BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    seq                   BIGINT NOT NULL,
    hash                  BYTEA NOT NULL
);
INSERT INTO audit_head (one, seq, hash) VALUES (1, 0, decode(repeat('00', 32), 'hex'));
