//! `handshakes.json`.

mod certificate_verify;
mod entries;
mod keys;
mod policies;
mod reuse;
mod scene;
mod sessions;

use std::collections::BTreeMap;

use self::scene::Scene;
use crate::format::handshakes::{HandshakeVector, Handshakes};

/// Makes the file.
pub(super) fn all() -> Handshakes {
    let mut book = Book::default();
    policies::add(&mut book);
    entries::add(&mut book);
    certificate_verify::add(&mut book);
    keys::add(&mut book);
    Handshakes {
        description: "What a peer makes of handshakes, sessions and connections; see ../vectors.md"
            .to_owned(),
        handshakes: book.0,
        sessions: sessions::all(),
        reuse: reuse::all(),
    }
}

/// The vectors so far.
#[derive(Default)]
struct Book(BTreeMap<String, HandshakeVector>);

impl Book {
    fn add(&mut self, id: &str, scene: &Scene) {
        assert!(
            self.0.insert(id.to_owned(), scene.vector()).is_none(),
            "{id} twice"
        );
    }
}
