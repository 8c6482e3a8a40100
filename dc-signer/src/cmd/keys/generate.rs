//! `dc-signer keys generate`: a new key in a token, or in an encrypted file.

use clap::ValueEnum;
use dc_pki::keys::{self, KeyType};

use super::made::Made;
use crate::cmd::passphrase::{Passphrase, Pin};
use crate::cmd::place::Place;
use crate::cmd::{Error, print};

/// Make a delegation key in a token, which it cannot leave, or in a new file, encrypted
///
/// A key in a token is sensitive and not extractable, takes the name that its URI gives it, and has signed something
/// before it counts as made. No key is ever overwritten.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// The place of the new key: its pkcs11: URI with token, object and module-path, or the path of a file
    #[arg(value_name = "URI|FILE")]
    key: Place,
    /// The type of the new key
    #[arg(long, value_enum, default_value_t = Algorithm::P256)]
    algorithm: Algorithm,
    #[command(flatten)]
    pin: Pin,
    #[command(flatten)]
    passphrase: Passphrase,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Algorithm {
    /// ECDSA P-256: every client and every CA takes it
    P256,
    /// ECDSA P-384
    P384,
    /// Ed25519: for a CA of your own; public CAs refuse it
    Ed25519,
    /// RSA with 2048 bits, in a token only: slow to sign
    #[value(name = "rsa-2048")]
    Rsa2048,
    /// RSA with 3072 bits, in a token only
    #[value(name = "rsa-3072")]
    Rsa3072,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let kind = KeyType::from(self.algorithm);
        let (place, spki, token) = match &self.key {
            Place::Token(uri) => {
                let unlock = self
                    .pin
                    .unlock()
                    .unwrap_or_else(|| self.passphrase.unlock());
                let spki = keys::generate_in_token(uri, kind, &unlock)?;
                (uri.to_string(), spki, Some(uri.token()))
            }
            Place::File(path) => {
                let spki = keys::generate_in_file(path, kind, &self.passphrase.unlock())?;
                (path.display().to_string(), spki, None)
            }
        };
        let made = Made {
            place: &place,
            spki: &spki,
            token,
            came_from: None,
        };
        match self.json {
            true => print(&made.to_json()),
            false => print(&made),
        }
    }
}

impl From<Algorithm> for KeyType {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::P256 => Self::P256,
            Algorithm::P384 => Self::P384,
            Algorithm::Ed25519 => Self::Ed25519,
            Algorithm::Rsa2048 => Self::Rsa2048,
            Algorithm::Rsa3072 => Self::Rsa3072,
        }
    }
}

const HELP: &str = "\
Examples:
  dc-signer keys generate --pin-file pin \\
    'pkcs11:token=hsm;object=cpe-1?module-path=/usr/lib/softhsm/libsofthsm2.so'
  dc-signer keys generate --passphrase-fd 3 vendor/key.pem 3< passphrase";
