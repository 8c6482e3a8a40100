//! `dc-signer csr`: a vendor's request to its CA.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use dc_core::{DELEGATION_USAGE_OID, SignatureScheme};
use dc_inspect::delegation_csr::{self, KeySource, NewKey, Written};
use dc_pki::keys::KeyLocation;
use dc_pki::names::ZoneName;
use dc_pki::text::scheme_name;
use serde_json::{Value, json};

use super::Error;
use super::passphrase::Passphrase;
use super::place::Place;
use super::print;
use super::role::Role;

/// Make a key, and the request for a delegation certificate that goes to a CA
///
/// Asks for *.ZONE, keyUsage digitalSignature, the extKeyUsage of the roles and DelegationUsage
/// (RFC 9345 §4.2). The key is readable by its owner only and never overwritten.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
// A new key is not encrypted.
#[command(mut_args(only_with_key))]
pub(crate) struct Args {
    /// The zone of the devices' names: the certificate is to be for *.ZONE
    #[arg(long, value_name = "ZONE")]
    zone: String,
    /// Which end of connections devices are to be: server, client, or both as server,client
    #[arg(
        long,
        value_enum,
        value_name = "ROLE",
        value_delimiter = ',',
        default_value = "server"
    )]
    role: Vec<Role>,
    /// The folder for request.csr and key.pem, made if there is none; chain.pem comes here later
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The type of the new key; for RSA make one yourself and give it with --key
    #[arg(long, value_enum, default_value_t = Algorithm::P256, conflicts_with = "key")]
    algorithm: Algorithm,
    /// Use the private key in this file (PEM; ECDSA P-256 or P-384, Ed25519, RSA), or in a token by its pkcs11: URI, and leave
    /// it there
    #[arg(long, value_name = "FILE|URI")]
    key: Option<Place>,
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
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let zone = ZoneName::parse(&self.zone)?;
        let unlock = self.passphrase.unlock();
        let location = match &self.key {
            Some(Place::Token(uri)) => Some(KeyLocation::Token(uri.clone())),
            _ => None,
        };
        let source = match (&self.key, &location) {
            (Some(Place::File(path)), _) => KeySource::File {
                path,
                unlock: &unlock,
            },
            (_, Some(location)) => KeySource::Elsewhere {
                location,
                unlock: &unlock,
            },
            (_, None) => KeySource::New(self.algorithm.into()),
        };
        let roles = Role::ALL.into_iter();
        // Once each, in one order, however they were given.
        let roles: Vec<_> = roles.filter(|role| self.role.contains(role)).collect();
        let asked: Vec<_> = roles.iter().copied().map(dc_core::Role::from).collect();
        let written = delegation_csr::write(&self.out, &zone, &asked, source)?;
        let made = Made {
            zone,
            roles,
            folder: &self.out,
            from: self.key.as_ref(),
            written,
        };
        match self.json {
            true => print(&made.to_json()),
            false => print(&made),
        }
    }
}

fn only_with_key(arg: clap::Arg) -> clap::Arg {
    match arg.get_id().as_str().starts_with("passphrase") {
        true => arg.requires("key"),
        false => arg,
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
    roles: Vec<Role>,
    folder: &'a Path,
    /// The place of the key, unless it is new.
    from: Option<&'a Place>,
    written: Written,
}

impl Made<'_> {
    /// `{zone, names, roles, request, key, key_is_new, key_uri, algorithm}`.
    fn to_json(&self) -> Value {
        json!({
            "zone": self.zone.to_string(),
            "names": [self.zone.wildcard()],
            "roles": self.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(),
            "request": self.written.request.display().to_string(),
            "key": self.written.key.display().to_string(),
            "key_is_new": self.from.is_none(),
            "key_uri": match self.from {
                Some(Place::Token(uri)) => Some(uri.to_string()),
                _ => None,
            },
            "algorithm": scheme_name(self.written.scheme),
        })
    }

    fn is_for(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// The CA's word for the certificate, and the purposes in it.
    fn kind(&self) -> (&'static str, &'static str) {
        match (self.is_for(Role::Server), self.is_for(Role::Client)) {
            (true, true) => (
                "certificate for TLS servers and clients",
                "serverAuth and clientAuth",
            ),
            (false, true) => ("TLS client certificate", "clientAuth"),
            (_, false) => ("TLS server certificate", "serverAuth"),
        }
    }

    fn key_note(&self) -> &'static str {
        match self.from {
            None => "new, readable by its owner only",
            Some(Place::File(_)) => "left as it was",
            Some(Place::Token(_)) => {
                "which says where the key is, and stays beside the certificate"
            }
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
        let (kind, purposes) = self.kind();
        writeln!(f, "  a {kind} for {wildcard}, with")?;
        writeln!(f, "  - keyUsage digitalSignature, extKeyUsage {purposes}")?;
        writeln!(
            f,
            "  - the extension DelegationUsage, {DELEGATION_USAGE_OID}: value NULL (05 00), not critical"
        )?;
        if self.written.scheme == SignatureScheme::ED25519 {
            writeln!(f, "  - an Ed25519 key, which public CAs refuse")?;
        }
        if self.is_for(Role::Client) {
            writeln!(f, "Most public CAs refuse clientAuth: ask one of your own.")?;
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
        if let Some(Place::File(_)) = self.from {
            writeln!(
                f,
                "  have the key beside it, as {folder}/key.pem (mode 0600)"
            )?;
        }
        writeln!(f, "  dc-signer inspect {folder}")?;
        write!(
            f,
            "  dc-signer issue --delegation {folder} --csr device.csr --out device{}",
            if self.is_for(Role::Server) {
                ""
            } else {
                " --role client"
            }
        )
    }
}

const HELP: &str = "\
Examples:
  dc-signer csr --zone cpe.example.com --out vendor
  dc-signer csr --zone cpe.example.com --out vendor --key vendor/key.pem     (ask again)
  dc-signer csr --zone cpe.example.com --out vendor --role server,client

For a key in a token, which 'dc-signer keys generate' makes there:
  dc-signer csr --zone cpe.example.com --out vendor \
    --key 'pkcs11:token=hsm;object=cpe-1?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/pin'

For an RSA key:
  openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem
  dc-signer csr --zone cpe.example.com --out vendor --key rsa.pem";
