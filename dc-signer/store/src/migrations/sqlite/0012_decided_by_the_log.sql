-- What became of acts that take two operators, and acts without a credential, are read from the log itself.
CREATE INDEX audit_approvals ON audit (seq) WHERE action IN ('approve', 'refuse-approval', 'finish-approval');
CREATE INDEX audit_break_glass ON audit (seq) WHERE action = 'break-glass';
