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
    /// Why our server cannot use this credential with a client of this library.
    fn why_no_credential(self, case: &Case) -> Option<&'static str> {
        let keys = (case.credential_key, case.delegation_key);
        match (self, keys) {
            _ if case.backend == Backend::Ring && keys.0 == "P-521" => Some(NO_P521),
            (Self::Nss, ("Ed25519", _) | (_, "Ed25519")) => Some("NSS has no Ed25519"),
            (Self::Nss, (_, "RSA")) => {
                Some("NSS would abort: it has no rsa_pss_rsae in extension 34")
            }
            _ => None,
        }
    }

    /// Why a server of this library does not start with this.
    fn why_not_served(self, case: &Case) -> Option<&'static str> {
        match (self, case.credential_key, case.delegation_key) {
            (Self::Nss, "Ed25519", _) | (Self::Nss, _, "Ed25519") => Some("NSS has no Ed25519"),
            _ => None,
        }
    }
}

/// When a client of this library meets our server.
pub(crate) fn of_our_server(library: Library, case: &Case) -> Expected {
    match library.why_no_credential(case) {
        Some(because) => both(Verdict::Certificate, Verdict::Certificate, because),
        None => both(Verdict::Credential, Verdict::Credential, ""),
    }
}

/// When our client meets a server of this library.
pub(crate) fn of_our_client(library: Library, case: &Case) -> Expected {
    if let Some(because) = library.why_not_served(case) {
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

/// It does not come to that: the server serves its certificate instead.
pub(crate) fn certificate(because: &'static str) -> Expected {
    both(Verdict::Certificate, Verdict::Certificate, because)
}

/// It does not come to that: the server gives up, without a word.
pub(crate) fn gives_up(because: &'static str) -> Expected {
    both(Verdict::Closed, Verdict::Closed, because)
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
