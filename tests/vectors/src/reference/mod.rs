//! A verifier of everything that the vectors show, written for this from RFC 9345 and the draft alone: slow, and so plain
//! that each rule is one line. It shares nothing with dc-core.
//!
//! Every rule is a value of [`Rule`]. A reference that keeps all of them has to agree with every vector; one in which a rule
//! is broken must not.

mod alert;
mod bytes;
mod certificate;
mod check;
mod credential;
mod der;
mod files;
mod handshake;
mod issuer;
mod key;
mod mismatch;
mod name;
mod offering;
mod path;
mod rule;
mod rules;
mod selection;
mod session;
mod signature;
mod signed;
mod structure;

#[cfg(test)]
mod tests;

use std::fmt;

use self::mismatch::{Check, Mismatch, compare_said};
pub use self::rule::Rule;
pub use self::signature::Signatures;
use crate::published::{Kind, Published};

/// A verifier, in which at most one rule is broken.
#[derive(Clone, Copy, Debug)]
pub struct Reference<'a> {
    broken: Option<Rule>,
    signatures: &'a Signatures,
}

/// A vector that came out differently from what is listed.
#[derive(Clone, Debug)]
pub struct Difference<'a> {
    /// The kind of the vector.
    pub kind: Kind,
    /// Its name.
    pub name: &'a str,
    /// What came out instead of what.
    pub what: String,
    /// True if an application or its peer sees it; false if only the word for the fault differs.
    pub is_seen: bool,
}

impl<'a> Reference<'a> {
    /// A verifier that keeps all rules, or all but one.
    #[must_use]
    pub fn new(broken: Option<Rule>, signatures: &'a Signatures) -> Self {
        Self { broken, signatures }
    }

    fn keeps(&self, rule: Rule) -> bool {
        self.broken != Some(rule)
    }

    /// All vectors that come out differently from what is listed.
    #[must_use]
    pub fn differences<'v>(&self, files: &'v Published) -> Vec<Difference<'v>> {
        let mut all = Vec::new();
        let mut add = |kind, name: &'v String, check: Check| {
            if let Err(Mismatch { what, is_seen }) = check {
                all.push(Difference {
                    kind,
                    name,
                    what,
                    is_seen,
                });
            }
        };
        let credentials = &files.credentials;
        for (name, vector) in &credentials.credentials {
            add(
                Kind::Credential,
                name,
                self.check_credential(vector, credentials),
            );
        }
        for (name, vector) in &credentials.files {
            add(Kind::File, name, self.check_file(vector, credentials));
        }
        for (name, vector) in &credentials.requests {
            add(Kind::Request, name, self.check_request(vector, credentials));
        }
        for (name, vector) in &files.selection.selections {
            add(Kind::Selection, name, self.check_selection(vector, files));
        }
        for (name, vector) in &files.selection.offers {
            add(Kind::Offer, name, self.check_offer(vector));
        }
        for (name, vector) in &files.handshakes.handshakes {
            add(
                Kind::Handshake,
                name,
                self.check_handshake(vector, &credentials.root),
            );
        }
        for (name, vector) in &files.handshakes.sessions {
            let check = compare_said(vector.resumes, self.resumes(vector));
            add(Kind::Session, name, check);
        }
        for (name, vector) in &files.handshakes.server_sessions {
            let result = compare_said(vector.resumes, self.server_resumes(vector));
            add(Kind::ServerSession, name, result);
        }
        for (name, vector) in &files.handshakes.reuse {
            let check = compare_said(vector.authoritative, self.authoritative(vector));
            add(Kind::Reuse, name, check);
        }
        all
    }
}

impl Difference<'_> {
    /// True if both are of the same vector.
    #[must_use]
    pub fn is_about(&self, other: &Self) -> bool {
        (self.kind, self.name) == (other.kind, other.name)
    }
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind, name, what, ..
        } = self;
        write!(f, "{kind} {name}: {what}")
    }
}
