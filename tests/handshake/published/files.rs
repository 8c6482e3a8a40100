//! The files of vectors.

use std::path::Path;
use std::sync::LazyLock;

use dc_vectors::format::credentials::Credentials;
use dc_vectors::format::handshakes::Handshakes;
use dc_vectors::format::selection::Selections;

pub(super) static CREDENTIALS: LazyLock<Credentials> =
    LazyLock::new(|| serde_json::from_str(&text("credentials.json")).unwrap());

pub(super) static SELECTIONS: LazyLock<Selections> =
    LazyLock::new(|| serde_json::from_str(&text("selection.json")).unwrap());

pub(super) static HANDSHAKES: LazyLock<Handshakes> =
    LazyLock::new(|| serde_json::from_str(&text("handshakes.json")).unwrap());

fn text(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/vectors");
    std::fs::read_to_string(folder.join(name)).unwrap()
}
