//! `dc-signer keys list`: the keys in tokens.

use std::fmt;
use std::path::PathBuf;

use dc_pki::Sha256;
use dc_pki::keys::{self, StoredKey, Token, TokenState};
use serde_json::{Value, json};

use super::made::algorithm;
use super::used::Used;
use crate::cmd::passphrase::Pin;
use crate::cmd::table::Table;
use crate::cmd::{Error, print};

/// List the private keys in tokens, and which delegation certificates have them
///
/// Without a PIN it shows the tokens, and of their keys only what they show to everybody, which is mostly nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
#[command(mut_args(pin_for_one))]
pub(super) struct Args {
    /// The PKCS#11 module of the tokens' maker, as module-path in URIs
    #[arg(long, value_name = "FILE")]
    module: PathBuf,
    /// The name of the one token that is meant
    #[arg(long, value_name = "LABEL")]
    token: Option<String>,
    /// Say of each key which certificate here has it: a folder with chain.pem, or one of such folders, as DATA/delegations is
    #[arg(long, value_name = "DIR")]
    delegations: Vec<PathBuf>,
    #[command(flatten)]
    pin: Pin,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// A PIN is tried with the one token that it is for.
fn pin_for_one(arg: clap::Arg) -> clap::Arg {
    match arg.get_id().as_str().starts_with("pin_") {
        true => arg.requires("token"),
        false => arg,
    }
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let unlock = self.pin.unlock();
        let tokens = keys::list_tokens(&self.module, self.token.as_deref(), unlock.as_ref())?;
        let listed = Listed {
            used: Used::among(&self.delegations)?,
            is_logged_in: unlock.is_some(),
            module: self.module,
            tokens,
        };
        match self.json {
            true => print(&listed.to_json()),
            false => print(&listed),
        }
    }
}

struct Listed {
    module: PathBuf,
    tokens: Vec<Token>,
    used: Vec<Used>,
    is_logged_in: bool,
}

impl Listed {
    /// `{module, tokens: [{token, serial, model, state, keys: [{label, id, algorithm, extractable, always_inside, spki_sha256, uri,
    /// used: [{folder, zone}]}]}]}`.
    fn to_json(&self) -> Value {
        let tokens = self.tokens.iter().map(|token| {
            json!({
                "token": token.label,
                "serial": token.serial,
                "model": token.model,
                "state": state(token.state).0,
                "keys": token.keys.iter().map(|key| self.key(key)).collect::<Vec<_>>(),
            })
        });
        json!({
            "module": self.module.display().to_string(),
            "tokens": tokens.collect::<Vec<_>>(),
        })
    }

    fn key(&self, key: &StoredKey) -> Value {
        let used = self.used_by(key).map(|used| {
            json!({
                "folder": used.folder.display().to_string(),
                "zone": used.zone.as_ref().map(ToString::to_string),
            })
        });
        json!({
            "label": key.label,
            "id": hex(&key.id),
            "algorithm": key.spki.as_deref().map(algorithm),
            "extractable": key.extractable,
            "always_inside": key.always_inside,
            "spki_sha256": key.spki.as_deref().map(|spki| Sha256::of(spki).to_string()),
            "uri": key.uri.as_ref().map(ToString::to_string),
            "used": used.collect::<Vec<_>>(),
        })
    }

    fn used_by(&self, key: &StoredKey) -> impl Iterator<Item = &Used> {
        let used = self.used.iter();
        used.filter(|used| used.has(key.spki.as_deref()))
    }

    fn row(&self, token: &Token, key: &StoredKey) -> [String; 7] {
        let used: Vec<String> = { self.used_by(key) }
            .map(|used| match &used.zone {
                Some(zone) => format!("{zone} ({})", used.folder.display()),
                None => used.folder.display().to_string(),
            })
            .collect();
        let spki = key.spki.as_deref();
        [
            token.label.clone(),
            key.label.clone(),
            hex(&key.id),
            spki.map_or_else(|| "no public half".to_owned(), algorithm),
            leaves(key).to_owned(),
            spki.map_or_else(String::new, |spki| Sha256::of(spki).to_string()),
            used.join(", "),
        ]
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tokens = Table::new(["TOKEN", "SERIAL", "MODEL", "STATE"]);
        for token in &self.tokens {
            let (word, next) = state(token.state);
            let label = match token.label.as_str() {
                "" => "-",
                label => label,
            };
            tokens.row(
                [label, &token.serial, &token.model, &format!("{word}{next}")].map(str::to_owned),
            );
        }
        let mut table = Table::new([
            "TOKEN",
            "KEY",
            "ID",
            "ALGORITHM",
            "CAN LEAVE IT",
            "SPKI SHA-256",
            "CERTIFICATE OF",
        ]);
        let mut count = 0;
        for token in &self.tokens {
            for key in &token.keys {
                count += 1;
                table.row(self.row(token, key));
            }
        }
        write!(f, "{tokens}")?;
        match (count, self.is_logged_in) {
            (0, true) => write!(f, "\n\nno private key"),
            (0, false) => write!(
                f,
                "\n\nno private key that everybody may see: name a token and give its PIN (--token, --pin-file)"
            ),
            _ => write!(f, "\n\n{table}"),
        }
    }
}

/// In a word, with what to do.
fn state(state: TokenState) -> (&'static str, &'static str) {
    match state {
        TokenState::Usable => ("usable", ""),
        TokenState::NotInitialised => (
            "not initialised",
            ": 'pkcs11-tool --init-token' gives it a name",
        ),
        TokenState::NoUserPin => (
            "no user PIN",
            ": its security officer sets one with 'pkcs11-tool --init-pin'",
        ),
        TokenState::PinLocked => (
            "PIN locked",
            ": its security officer sets a new one with 'pkcs11-tool --init-pin'",
        ),
        TokenState::LastTry => (
            "last try",
            ": one more wrong PIN locks it; log in once by hand with 'pkcs11-tool --login --test'",
        ),
        TokenState::FewTries => ("few tries", ": a wrong PIN was given"),
        _ => ("unknown", ""),
    }
}

fn leaves(key: &StoredKey) -> &'static str {
    match (key.extractable, key.always_inside) {
        (Some(true), _) => "yes",
        (Some(false), Some(true)) => "no, and never could",
        (Some(false), _) => "no, but it was outside",
        (None, _) => "unknown",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const HELP: &str = "\
Examples:
  dc-signer keys list --module /usr/lib/softhsm/libsofthsm2.so
  dc-signer keys list --module /usr/lib/softhsm/libsofthsm2.so --token hsm --pin-file pin \\
    --delegations /var/lib/dc-signer/delegations";
