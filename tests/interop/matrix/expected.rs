//! How each right cell should end. What decides is what both ends have in common; the peers' limits are theirs.

use super::cell::{Backend, Case, Expected, Verdict};

/// What a peer's TLS library can do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Library {
    BoringSsl,
    Nss,
    Tlslite,
}

impl Library {
    /// Whether our server sends such a credential to a client of this library.
    pub(crate) fn takes(self, delegation: &str, credential: &str) -> bool {
        self.why_no_credential(delegation, credential).is_none()
    }

    /// Whether a server of this library starts with such a credential.
    pub(crate) fn serves(self, delegation: &str, credential: &str) -> bool {
        self.why_not_served(delegation, credential).is_none()
    }

    fn why_no_credential(self, delegation: &str, credential: &str) -> Option<&'static str> {
        match (self, delegation, credential) {
            (Self::Nss, "Ed25519", _) | (Self::Nss, _, "Ed25519") => Some("NSS has no Ed25519"),
            (Self::Nss, "RSA", _) => {
                Some("NSS would abort: it has no rsa_pss_rsae in extension 34")
            }
            _ => None,
        }
    }

    fn why_not_served(self, delegation: &str, credential: &str) -> Option<&'static str> {
        match (self, delegation, credential) {
            (Self::Nss, "Ed25519", _) | (Self::Nss, _, "Ed25519") => Some("NSS has no Ed25519"),
            _ => None,
        }
    }
}

/// When a client of this library meets our server.
pub(crate) fn of_our_server(library: Library, case: &Case) -> Expected {
    let without = case.backend == Backend::Ring && case.credential_key == "P-521";
    let why = match without {
        true => Some(NO_P521),
        false => library.why_no_credential(case.delegation_key, case.credential_key),
    };
    match why {
        Some(because) => both(Verdict::Certificate, Verdict::Certificate, because),
        None => credential(),
    }
}

/// When our client meets a server of this library.
pub(crate) fn of_our_client(library: Library, case: &Case) -> Expected {
    if let Some(because) = library.why_not_served(case.delegation_key, case.credential_key) {
        return both(Verdict::NotServed, Verdict::NotServed, because);
    }
    let without = case.backend == Backend::Ring && case.credential_key == "P-521";
    let (client, because) = match without {
        true => (Verdict::Certificate, NO_P521),
        false => (Verdict::Credential, ""),
    };
    let server = match library {
        // The one that says what it has used.
        Library::BoringSsl => client.clone(),
        _ => Verdict::Accepted,
    };
    both(client, server, because)
}

/// What is wrong is refused with this alert.
pub(crate) fn refusal(alert: &str) -> Expected {
    both(Verdict::Refused, Verdict::alert(alert), "")
}

/// Nothing stands in the way of the credential.
pub(crate) fn credential() -> Expected {
    both(Verdict::Credential, Verdict::Credential, "")
}

/// It does not come to that: the server serves its certificate instead.
pub(crate) fn certificate(because: &'static str) -> Expected {
    both(Verdict::Certificate, Verdict::Certificate, because)
}

/// The server's library refuses to start with it.
pub(crate) fn not_served(because: &'static str) -> Expected {
    both(Verdict::NotServed, Verdict::NotServed, because)
}

fn both(client: Verdict, server: Verdict, because: &'static str) -> Expected {
    Expected {
        client,
        server,
        because,
    }
}

const NO_P521: &str = "our ring provider has no P-521";
