//! Faults of PEM files, and what to do about each.

use alloc::boxed::Box;
use core::fmt;

use super::Error;

/// A fault in a line of a PEM file.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PemFault {
    /// A second block of a kind of which there has to be one.
    Another {
        /// Its label.
        label: &'static str,
    },
    /// A line was meant to begin or to end a block, and is not `-----BEGIN LABEL-----` or `-----END LABEL-----`.
    BadBoundary,
    /// Something else than base64 in a block.
    Base64,
    /// A line has a boundary in it, and something besides that is no sentence about it.
    BesideBoundary,
    /// The base64 of a block is not whole.
    CutOff,
    /// The file is not text.
    Der {
        /// The label that was looked for in it.
        label: &'static str,
    },
    /// There is DER before, between or behind the blocks.
    DerBesides,
    /// A block has nothing in it.
    Empty,
    /// A private key that takes a passphrase.
    Encrypted,
    /// An END without a BEGIN.
    MissingBegin,
    /// A BEGIN without an END.
    MissingEnd,
    /// A block begins in the line in which another ends.
    RunTogether,
    /// A block of a kind that is not taken.
    UnknownLabel {
        /// The label that it has.
        label: Box<str>,
    },
    /// The file is text of two bytes a character.
    Utf16,
    /// An END that says another label than the BEGIN.
    WrongEnd,
}

impl PemFault {
    pub(crate) fn at(self, line: usize) -> Error {
        Error::MalformedPem { line, fault: self }
    }
}

impl fmt::Display for PemFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Another { label } => {
                return write!(f, "a second block {label}: leave the one that is meant");
            }
            Self::BadBoundary => {
                "the line is not whole: '-----BEGIN LABEL-----' or '-----END LABEL-----' is expected, on a line of its own"
            }
            Self::Base64 => "a character that is not base64: get a whole copy of the file",
            Self::BesideBoundary => {
                "something stands beside '-----BEGIN LABEL-----' or '-----END LABEL-----', as a comment, a line number or quotes do: leave that alone in its line, or take a block out that is commented out"
            }
            Self::CutOff => "the base64 of the block ends too early: get a whole copy of the file",
            Self::Der { label } => {
                let tool = match *label {
                    "CERTIFICATE" => "x509",
                    "CERTIFICATE REQUEST" => "req",
                    _ => "pkey",
                };
                return write!(
                    f,
                    "the file is DER and not PEM: write it anew with 'openssl {tool} -inform DER'"
                );
            }
            Self::DerBesides => {
                "DER begins there, which would be passed over: write that as PEM too, with 'openssl x509 -inform DER' if it is a certificate"
            }
            Self::Empty => "the block is empty: get a whole copy of the file",
            Self::Encrypted => {
                "the private key takes a passphrase, and none is asked for here: use a key that takes none, readable by its user alone"
            }
            Self::MissingBegin => "an END without a BEGIN: get a whole copy of the file",
            Self::MissingEnd => "a BEGIN without an END: get a whole copy of the file",
            Self::RunTogether => {
                "a block begins in the line in which another ends: put a line break between the two"
            }
            Self::UnknownLabel { label } => return unknown(label, f),
            Self::Utf16 => "the file is UTF-16: save it as UTF-8 or ASCII",
            Self::WrongEnd => {
                "the END says another label than the BEGIN: get a whole copy of the file"
            }
        })
    }
}

/// Advice for labels of other programs.
fn unknown(label: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (wanted, command) = match label {
        "OPENSSH PRIVATE KEY" => ("PRIVATE KEY", "ssh-keygen -p -m PKCS8 -f FILE"),
        "TRUSTED CERTIFICATE" => ("CERTIFICATE", "openssl x509"),
        "PKCS7" | "PKCS #7 SIGNED DATA" | "CMS" => ("CERTIFICATE", "openssl pkcs7 -print_certs"),
        _ if label.ends_with("PRIVATE KEY") => {
            return write!(
                f,
                "a private key '{label}' is not taken: use PKCS#8, SEC1 or PKCS#1"
            );
        }
        _ => {
            return write!(
                f,
                "a block '{label}' is not known here: take it out of the file"
            );
        }
    };
    write!(
        f,
        "a block {label} is not taken: make {wanted} of it with '{command}'"
    )
}
