-- Lists of withdrawn names have higher numbers after an older copy of the database was accepted: since when is in the audit log.
CREATE INDEX audit_accepted ON audit (seq) WHERE action = 'accept-older';
