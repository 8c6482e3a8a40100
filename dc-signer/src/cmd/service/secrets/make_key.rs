//! `dc-signer secrets make-key`: a key-encryption key in a token.

use std::fmt;
use std::path::PathBuf;

use dc_pki::keys::TokenUri;
use dc_pki::sealing::SealingKey;
use dc_pki::secret::SecretSource;
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::print;
use crate::cmd::passphrase::Pin;

/// It is for HMAC-SHA-256, sensitive and not extractable, takes the name that its URI gives it, and has been used before it counts as made.
/// No key is ever overwritten.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// The place of the new key: its pkcs11: URI with token, object and module-path
    #[arg(value_name = "URI", value_parser = TokenUri::of_secret_key)]
    key: TokenUri,
    /// Put the key from this file there, 64 hexadecimal digits that others may not read, so that several tokens have the same one; keep
    /// the file where no computer is, or destroy it
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    #[command(flatten)]
    pin: Pin,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let Self {
            key: uri,
            from,
            pin,
            json,
        } = self;
        let unlock = pin.unlock().unwrap_or_default();
        let key = match from {
            None => SealingKey::generate_in_token(&uri, &unlock)?,
            Some(path) => {
                let digits = SecretSource::File(path)
                    .read()
                    .map_err(dc_pki::Error::Secret)?;
                SealingKey::import_into_token(&uri, &digits, &unlock)?
            }
        };
        let made = Made { uri, key };
        match json {
            true => print(&made.to_json()),
            false => print(&made),
        }
    }
}

struct Made {
    uri: TokenUri,
    key: SealingKey,
}

impl Made {
    /// `{key, id, token}`.
    fn to_json(&self) -> Value {
        json!({
            "key": self.uri.to_string(),
            "id": self.key.id().to_string(),
            "token": self.uri.token(),
        })
    }
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { uri, key } = self;
        writeln!(
            f,
            "the key-encryption key {} is in the token {}, which it cannot leave",
            key.id(),
            uri.token()
        )?;
        writeln!(f)?;
        writeln!(
            f,
            "Have it in the configuration of every signer, and run 'dc-signer secrets seal'; or, in the place of another key, as next_key, and"
        )?;
        writeln!(f, "run 'dc-signer secrets reseal':")?;
        writeln!(f, "  [secrets]")?;
        write!(f, "  key = \"{uri}\"")
    }
}

const HELP: &str = "\
Examples:
  dc-signer secrets make-key --pin-file pin \\
    'pkcs11:token=hsm;object=secrets?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=credential:hsm-pin'
  dc-signer secrets make-key --pin-file pin --from secrets.key 'pkcs11:token=spare;object=secrets?module-path=/usr/lib/module.so'";
