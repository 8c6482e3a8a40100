-- What takes two operators is read from the log itself, and so are the names that an operator has taken away.
CREATE INDEX audit_approval ON audit (seq) WHERE action = 'change-approval';
CREATE INDEX audit_new_name ON audit (actor, time) WHERE action = 'new-name';
-- Whether somebody imported a certificate by hand.
CREATE INDEX audit_imports ON audit (credential_sha256) WHERE action = 'import-slot';
