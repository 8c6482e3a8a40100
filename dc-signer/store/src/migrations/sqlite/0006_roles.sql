-- The ends of connections that a zone's devices get credentials for: 'server', or 'both' for clients too.
ALTER TABLE zones ADD COLUMN roles TEXT NOT NULL DEFAULT 'server';
