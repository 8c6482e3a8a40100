-- How many devices somebody has retired lately is counted in the audit log, which nobody can change unnoticed.
CREATE INDEX audit_retired ON audit (actor, time) WHERE action = 'retire';
