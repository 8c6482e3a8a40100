//! `dc-signer csr`: a vendor's request to its CA.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use dc_core::{DELEGATION_USAGE_OID, SignatureScheme};
use dc_inspect::delegation_csr::{self, KeySource, NewKey, Written};
use dc_pki::names::ZoneName;
use dc_pki::text::scheme_name;
use serde_json::{Value, json};

use super::Error;
use super::print;

/// Make a key, and the request for a delegation certificate that goes to a CA
///
/// Asks for *.ZONE, keyUsage digitalSignature and DelegationUsage (RFC 9345 §4.2). The key is readable
/// by its owner only and never overwritten.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    /// The zone of the devices' names: the certificate is to be for *.ZONE
    #[arg(long, value_name = "ZONE")]
    zone: String,
    /// The folder for request.csr and key.pem, made if there is none; chain.pem comes here later
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The type of the new key; for RSA make one yourself and give it with --key
    #[arg(long, value_enum, default_value_t = Algorithm::P256, conflicts_with = "key")]
    algorithm: Algorithm,
    /// Use the private key in this file (PEM; ECDSA P-256 or P-384, Ed25519, RSA), and leave it there
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
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
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let zone = ZoneName::parse(&self.zone)?;
        let source = match &self.key {
            Some(path) => KeySource::File(path),
            None => KeySource::New(self.algorithm.into()),
        };
        let written = delegation_csr::write(&self.out, &zone, source)?;
        let made = Made {
            zone,
            folder: &self.out,
            is_new: self.key.is_none(),
            written,
        };
        match self.json {
            true => print(&made.to_json()),
            false => print(&made),
        }
    }
}

impl From<Algorithm> for NewKey {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::P256 => Self::P256,
            Algorithm::P384 => Self::P384,
            Algorithm::Ed25519 => Self::Ed25519,
        }
    }
}

struct Made<'a> {
    zone: ZoneName,
    folder: &'a Path,
    is_new: bool,
    written: Written,
}

impl Made<'_> {
    /// `{zone, names, request, key, key_is_new, algorithm}`.
    fn to_json(&self) -> Value {
        json!({
            "zone": self.zone.to_string(),
            "names": [self.zone.wildcard()],
            "request": self.written.request.display().to_string(),
            "key": self.written.key.display().to_string(),
            "key_is_new": self.is_new,
            "algorithm": scheme_name(self.written.scheme),
        })
    }

    fn key_note(&self) -> &'static str {
        match self.is_new {
            true => "new, readable by its owner only",
            false => "left as it was",
        }
    }
}

impl fmt::Display for Made<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.folder.display();
        let key = self.written.key.display();
        let wildcard = self.zone.wildcard();
        writeln!(f, "request:  {}", self.written.request.display())?;
        writeln!(f, "key:      {key}, {}", self.key_note())?;
        writeln!(f)?;
        writeln!(
            f,
            "Tell the CA, because most ignore what a request asks for:"
        )?;
        writeln!(f, "  a TLS server certificate for {wildcard}, with")?;
        writeln!(f, "  - keyUsage digitalSignature")?;
        writeln!(
            f,
            "  - the extension DelegationUsage, {DELEGATION_USAGE_OID}: value NULL (05 00), not critical"
        )?;
        if self.written.scheme == SignatureScheme::ED25519 {
            writeln!(f, "  - an Ed25519 key, which public CAs refuse")?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "When the answer comes, with its intermediates and without the root:"
        )?;
        writeln!(
            f,
            "  save it as {folder}/chain.pem, the certificate for {wildcard} first"
        )?;
        if !self.is_new {
            writeln!(
                f,
                "  have the key beside it, as {folder}/key.pem (mode 0600)"
            )?;
        }
        writeln!(f, "  dc-signer inspect {folder}")?;
        write!(
            f,
            "  dc-signer issue --delegation {folder} --csr device.csr --out device"
        )
    }
}

const HELP: &str = "\
Examples:
  dc-signer csr --zone cpe.example.com --out vendor
  dc-signer csr --zone cpe.example.com --out vendor --key vendor/key.pem     (ask again)

For an RSA key:
  openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem
  dc-signer csr --zone cpe.example.com --out vendor --key rsa.pem";
