//! Rows of the demo: an attempt, the outcome that it should have, and the one that it has.

use dc_core::{Form, UniqueName};
use dc_rustls::client::Peer;

use super::client::{Accepted, Attempt};

/// One thing that was tried.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Row {
    /// The attempt.
    pub(super) scenario: &'static str,
    /// The outcome that it should have.
    pub(super) expected: String,
    /// The outcome that it has.
    pub(super) got: String,
    /// True if they are the same.
    pub(super) ok: bool,
}

impl Row {
    /// Compares an attempt to reach `wanted` with what is expected of it.
    pub(super) fn new(
        scenario: &'static str,
        expected: &Expected,
        wanted: &UniqueName<'_>,
        attempt: &Attempt,
    ) -> Self {
        Self {
            scenario,
            expected: expected.text(),
            got: match attempt {
                Ok(accepted) => outcome(accepted),
                Err(error) => error.to_string(),
            },
            ok: expected.is(wanted, attempt),
        }
    }
}

/// The outcome that an attempt should have.
pub(super) enum Expected {
    /// A connection, with whom this says, made by a full handshake.
    Accepted(Proof),
    /// A connection in a session that was made with this device.
    Resumed,
    /// No connection, for this reason.
    Refused(&'static str, fn(&dc_rustls::Error) -> bool),
}

/// The proof that a peer gave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Proof {
    /// A named credential for exactly the wanted name.
    Named,
    /// A credential without a name.
    Rfc9345,
    /// The key of a certificate.
    Certificate,
}

impl Expected {
    fn text(&self) -> String {
        match self {
            Self::Accepted(proof) => format!("accepted: {}", proof.text()),
            Self::Resumed => format!("accepted: {}, resumed", Proof::Named.text()),
            Self::Refused(reason, _) => format!("refused: {reason}"),
        }
    }

    fn is(&self, wanted: &UniqueName<'_>, attempt: &Attempt) -> bool {
        match (self, attempt) {
            (Self::Accepted(expected), Ok(Accepted { peer, resumed })) => {
                !resumed && proof(peer, Some(wanted)) == Some(*expected)
            }
            (Self::Resumed, Ok(Accepted { peer, resumed })) => {
                *resumed && proof(peer, Some(wanted)) == Some(Proof::Named)
            }
            (Self::Refused(_, is), Err(error)) => is(error),
            _ => false,
        }
    }
}

impl Proof {
    fn text(self) -> &'static str {
        match self {
            Self::Named => "named credential",
            Self::Rfc9345 => "RFC 9345 credential",
            Self::Certificate => "plain certificate",
        }
    }
}

fn outcome(accepted: &Accepted) -> String {
    let what = proof(&accepted.peer, None).map_or("something unknown", Proof::text);
    let how = if accepted.resumed { ", resumed" } else { "" };
    format!("accepted: {what}{how}")
}

/// The proof of a peer, unless it has another name than the one that was wanted.
fn proof(peer: &Peer, wanted: Option<&UniqueName<'_>>) -> Option<Proof> {
    match peer {
        Peer::Certificate => Some(Proof::Certificate),
        Peer::Delegated {
            form: Form::Rfc9345,
            unique_name: None,
            ..
        } => Some(Proof::Rfc9345),
        Peer::Delegated {
            form: Form::Named,
            unique_name: Some(name),
            ..
        } if wanted.is_none_or(|wanted| wanted == name) => Some(Proof::Named),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(expected: Expected, attempt: Attempt) -> bool {
        let wanted = "k3v.cpe.example.com".try_into().unwrap();
        Row::new("tried", &expected, &wanted, &attempt).ok
    }

    fn certificate() -> Attempt {
        Ok(Accepted {
            peer: Peer::Certificate,
            resumed: false,
        })
    }

    #[test]
    fn a_weaker_proof_than_expected_is_wrong() {
        assert!(ok(Expected::Accepted(Proof::Certificate), certificate()));
        assert!(!ok(Expected::Accepted(Proof::Named), certificate()));
        assert!(!ok(Expected::Resumed, certificate()));
    }

    #[test]
    fn a_refusal_for_another_reason_is_wrong() {
        let error = || Err(dc_rustls::Error::KeyMismatch);
        assert!(ok(Expected::Refused("any reason", |_| true), error()));
        assert!(!ok(Expected::Refused("another", |_| false), error()));
        assert!(!ok(Expected::Accepted(Proof::Certificate), error()));
    }

    #[test]
    fn a_connection_that_should_be_refused_is_wrong() {
        assert!(!ok(
            Expected::Refused("any reason", |_| true),
            certificate()
        ));
    }
}
