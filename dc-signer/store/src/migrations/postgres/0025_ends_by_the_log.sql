-- Acts of whoever had no operator's credential, which somebody has to be told of.
CREATE INDEX audit_root ON audit (seq) WHERE actor LIKE 'root:%' AND action <> 'export';
-- Whether, and by whom, a delegation certificate was used or ended.
CREATE INDEX audit_slots ON audit (credential_sha256, seq) WHERE action IN ('activate-slot', 'drain-slot', 'end-slot');
