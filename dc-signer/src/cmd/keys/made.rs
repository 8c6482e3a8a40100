//! The answer about a key that was made, or put into a token.

use std::fmt;

use dc_pki::Sha256;
use dc_pki::keys;
use dc_pki::text::scheme_name;
use serde_json::{Value, json};

/// A key that is there now.
#[derive(Debug)]
pub(super) struct Made<'a> {
    /// Its URI, or the path of its file.
    pub(super) place: &'a str,
    pub(super) spki: &'a [u8],
    /// Its token; none if it is in a file.
    pub(super) token: Option<String>,
    /// The file that it came from.
    pub(super) came_from: Option<String>,
}

impl Made<'_> {
    /// `{key, algorithm, spki_sha256, token, extractable, came_from}`.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "key": self.place,
            "algorithm": algorithm(self.spki),
            "spki_sha256": Sha256::of(self.spki).to_string(),
            "token": self.token,
            "extractable": self.token.is_none(),
            "came_from": self.came_from,
        })
    }

    fn kept(&self) -> String {
        match (&self.token, &self.came_from) {
            (None, _) => "encrypted, and readable by its owner only".to_owned(),
            (Some(token), None) => format!("made in the token {token}, which it cannot leave"),
            (Some(token), Some(file)) => {
                format!("copied from {file} into the token {token}, which this copy cannot leave")
            }
        }
    }
}

impl fmt::Display for Made<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "key:        {}", self.place)?;
        writeln!(f, "            {}", self.kept())?;
        writeln!(f, "algorithm:  {}", algorithm(self.spki))?;
        writeln!(f, "SPKI:       SHA-256 {}", Sha256::of(self.spki))?;
        writeln!(f)?;
        writeln!(
            f,
            "The request for its certificate, and where the key is beside it:"
        )?;
        write!(
            f,
            "  dc-signer csr --zone ZONE --out DIR --key '{}'",
            self.place
        )
    }
}

/// The scheme that a key signs with.
pub(super) fn algorithm(spki: &[u8]) -> String {
    let scheme = keys::scheme(spki).map(|scheme| dc_core::SignatureScheme(scheme.into()));
    scheme.map_or_else(
        || "unknown".to_owned(),
        |scheme| scheme_name(scheme).to_string(),
    )
}
