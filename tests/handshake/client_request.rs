//! CertificateRequest on the wire (RFC 9345 §4.1.2).
