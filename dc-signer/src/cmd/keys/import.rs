//! `dc-signer keys import`: a key from a file into a token.

use std::path::PathBuf;

use dc_pki::keys::{self, TokenUri};

use super::made::Made;
use crate::cmd::passphrase::{Passphrase, Pin};
use crate::cmd::{Error, print};

/// Put a delegation key from a PEM file into a token, which that copy cannot leave
///
/// Only for a key whose certificate is in use: whoever has seen the file, or a copy of it, has the key, whatever the token says.
/// For a new certificate make a key in the token, with 'keys generate'. The file stays.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// The file with the key (PEM; ECDSA P-256 or P-384, Ed25519, RSA; also encrypted)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The place of the key from now on: its pkcs11: URI with token, object and module-path
    #[arg(value_name = "URI")]
    to: TokenUri,
    #[command(flatten)]
    pin: Pin,
    #[command(flatten)]
    passphrase: Passphrase,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let Self {
            file,
            to,
            pin,
            passphrase,
            json,
        } = self;
        let passphrase = passphrase.unlock();
        let put = keys::read_signer_with(&file, &passphrase, |key| {
            let pin = pin.unlock().unwrap_or_default();
            Some(keys::import_into_token(&to, key, &pin))
        });
        let spki = put.map_err(keys::ask_for_passphrase)??;
        let place = to.to_string();
        let made = Made {
            place: &place,
            spki: &spki,
            token: Some(to.token()),
            came_from: Some(file.display().to_string()),
        };
        eprintln!(
            "warning: this key was in a file, and the token protects only its own copy: remove {} and every backup of it, and make the next key in the token ('dc-signer keys generate')",
            file.display()
        );
        match json {
            true => print(&made.to_json()),
            false => print(&made),
        }
    }
}

const HELP: &str = "\
Example:
  dc-signer keys import vendor/key.pem --pin-file pin \\
    'pkcs11:token=hsm;object=cpe-1?module-path=/usr/lib/softhsm/libsofthsm2.so'";
