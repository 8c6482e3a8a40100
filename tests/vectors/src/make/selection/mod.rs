//! `selection.json`.

mod answers;
mod held;
mod lists;
mod offers;

use std::collections::BTreeMap;

use self::held::held;
use super::credentials::schemes;
use super::{NAME, NOW};
use crate::format::selection::{Answer, SelectionVector, Selections};
use crate::format::{Extension, Hex, Role};

/// Makes the file.
pub(super) fn all() -> Selections {
    let mut book = Book::default();
    answers::add(&mut book);
    lists::add(&mut book);
    Selections {
        description: "What a peer that holds credentials sends in answer to an offer, and what a client offers; see ../vectors.md".to_owned(),
        held: held(),
        selections: book.0,
        offers: offers::all(),
    }
}

/// The vectors so far.
#[derive(Default)]
struct Book(BTreeMap<String, SelectionVector>);

impl Book {
    fn add(&mut self, id: &str, vector: SelectionVector) {
        assert!(self.0.insert(id.to_owned(), vector).is_none(), "{id} twice");
    }
}

/// A server with a credential of each form and a certificate key, and a client that offers both forms: the named one is sent.
fn good(section: &str, note: &str) -> SelectionVector {
    SelectionVector {
        note: note.to_owned(),
        section: section.to_owned(),
        role: Role::Server,
        tls13: true,
        server_name: Some(NAME.to_owned()),
        extensions: vec![
            list(SIGNATURE_ALGORITHMS, &schemes()),
            list(RFC9345, &schemes()),
            list(NAMED, &schemes()),
        ],
        second_extensions: None,
        held: vec![held::UNNAMED.to_owned(), held::NAMED.to_owned()],
        certificate: true,
        named_without_server_name: false,
        now: NOW,
        answer: Answer::Credential(held::NAMED.to_owned()),
    }
}

/// An extension with a SignatureSchemeList.
fn list(kind: u16, schemes: &[u16]) -> Extension {
    let items: Vec<u8> = schemes
        .iter()
        .flat_map(|scheme| scheme.to_be_bytes())
        .collect();
    let length = u16::try_from(items.len()).unwrap().to_be_bytes();
    extension(kind, &[&length[..], &items].concat())
}

fn extension(kind: u16, data: &[u8]) -> Extension {
    Extension {
        kind,
        data: Hex(data.to_vec()),
    }
}

const SIGNATURE_ALGORITHMS: u16 = 13;
const RFC9345: u16 = 34;
const NAMED: u16 = 0xff22;
