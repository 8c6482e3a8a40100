//! ACME (RFC 8555): a client, and a small CA with STAR (RFC 8739) and delegation (RFC 9115).
