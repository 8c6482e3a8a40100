//! `credentials.json`.

mod certificate;
mod keys;
mod names;
mod offers;
mod signed;
mod structure;
mod time;

use std::collections::BTreeMap;

use super::certificates::{certificates, root};
use super::draft::{Draft, form_name, role_name};
use super::keys::{ED448, ED25519, P256, P384, P521, PSS, RSAE};
use super::{files, requests};
use crate::format::credentials::{CredentialVector, Credentials};
use crate::format::{Form, Hex, Offer, Role};

/// Makes the file.
pub(super) fn all() -> Credentials {
    let credentials = credentials();
    Credentials {
        description: "Delegated credentials (RFC 9345) and named delegated credentials, files that carry them, and requests for them; see ../vectors.md".to_owned(),
        default_offer: offer(),
        root: Hex(root()),
        certificates: certificates(),
        files: files::all(&credentials),
        credentials,
        requests: requests::all(),
    }
}

fn credentials() -> BTreeMap<String, CredentialVector> {
    let mut book = Book::default();
    for role in [Role::Server, Role::Client] {
        for form in [Form::Rfc9345, Form::Named] {
            let good = Draft::new(role, form);
            book.add("valid", &good);
            structure::add(&good, &mut book);
            signed::add(&good, &mut book);
            time::add(&good, &mut book);
            keys::add(&good, &mut book);
            certificate::add(&good, &mut book);
            offers::add(&good, &mut book);
            if form == Form::Named {
                names::add(&good, &mut book);
            }
        }
    }
    book.0
}

/// The vectors so far.
#[derive(Default)]
struct Book(BTreeMap<String, CredentialVector>);

impl Book {
    /// Adds a credential that is signed as it should be.
    fn add(&mut self, id: &str, draft: &Draft) {
        self.add_bytes(id, draft, draft.signed());
    }

    fn add_bytes(&mut self, id: &str, draft: &Draft, credential: Vec<u8>) {
        let id = format!("{}-{}-{id}", role_name(draft.role), form_name(draft.form));
        let vector = draft.vector(credential);
        assert!(self.0.insert(id.clone(), vector).is_none(), "{id} twice");
    }
}

/// All schemes that are good for something, so that no more than a few vectors are refused for not having been offered.
pub(super) fn schemes() -> Vec<u16> {
    [&[P256, P384, P521, ED25519, ED448][..], &PSS, &RSAE].concat()
}

/// Both forms with all schemes.
pub(super) fn offer() -> Offer {
    Offer {
        rfc9345: Some(schemes()),
        named: Some(schemes()),
        signature_algorithms: schemes(),
    }
}
