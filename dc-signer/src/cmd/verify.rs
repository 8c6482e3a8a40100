//! `dc-signer verify`: what a peer would say to a credential, check by check.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dc_core::DelegatedCredential;
use dc_core::pem::StoredCredential;
use dc_inspect::ParsedCertificate;
use dc_inspect::check::{self, Peer, Verdict};
use dc_inspect::display;
use dc_pki::keys::PemKey;
use dc_pki::time::Moment;
use dc_pki::{clock, files, names, trust};
use pki_types::{ServerName, UnixTime};
use serde_json::{Value, json};

use super::Error;
use super::role::Role;
use super::{print, provider};

/// Verify credentials as a peer would, and show every check
///
/// Does all that needs no connection, in the order of RFC 9345 §4.1.3, and goes on after the first
/// check that fails. Without --name the credential's own name is wanted; without --roots the chain is
/// not checked.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    /// A device's identity folder, with chain.pem, credential.pem and perhaps key.pem
    #[arg(value_name = "DIR", required_unless_present_all = ["chain", "credential"], conflicts_with_all = ["chain", "credential"])]
    identity: Option<PathBuf>,
    /// The certificates that the server sends, the delegation certificate first (PEM)
    #[arg(long, value_name = "FILE", requires = "credential")]
    chain: Option<PathBuf>,
    /// The credentials, in PEM or one bare
    #[arg(long, value_name = "FILE", requires = "chain")]
    credential: Option<PathBuf>,
    /// The root certificates that the client trusts (PEM)
    #[arg(long, value_name = "FILE")]
    roots: Option<PathBuf>,
    /// The name that the client wants to reach
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// When to check: RFC 3339, as 2026-11-24T08:00:00Z, or seconds since 1970 [default: now]
    #[arg(long, value_name = "TIME")]
    now: Option<Moment>,
    /// Which end of the connection the credential is to be for
    #[arg(long, value_enum, default_value_t = Role::Server)]
    role: Role,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let now = match self.now {
            Some(moment) => moment.0,
            None => clock::now()?,
        };
        let peer = self.peer(now)?;
        let files = self.files();
        let chain = ParsedCertificate::chain(trust::read_chain(&files.chain)?);
        let credentials = read_credentials(&files.credential)?;
        let key = files.key.as_deref().map(PemKey::read).transpose()?;
        let rows: Vec<Row> = credentials
            .iter()
            .map(|stored| Row::new(&peer, &chain, stored, key.as_ref()))
            .collect::<Result<_, _>>()?;
        let refused = rows.iter().filter(|row| row.verdict.fault().is_some());
        let (refused, of) = (refused.count(), rows.len());
        let report = Report { rows, now };
        match self.json {
            true => print(&report.to_json())?,
            false => print(&report)?,
        }
        match refused {
            0 => Ok(()),
            refused => Err(Error::WouldBeRefused { refused, of }),
        }
    }

    fn peer(&self, now: UnixTime) -> Result<Peer, Error> {
        let name = self.name.as_deref().map(names::parse).transpose()?;
        let wanted = name.and_then(|name| ServerName::try_from(name.to_string()).ok());
        let roots = self.roots.as_deref().map(trust::read_roots).transpose()?;
        Ok(Peer {
            provider: provider(),
            role: self.role.into(),
            wanted,
            roots: roots.map(Arc::new),
            now,
        })
    }

    fn files(&self) -> Files {
        if let Some(folder) = &self.identity {
            let key = folder.join("key.pem");
            return Files {
                chain: folder.join("chain.pem"),
                credential: folder.join("credential.pem"),
                // What the signer has written has no key, and one that only the device may read is not
                // for us.
                key: fs::File::open(&key).is_ok().then_some(key),
            };
        }
        Files {
            chain: self.chain.clone().unwrap_or_default(),
            credential: self.credential.clone().unwrap_or_default(),
            key: None,
        }
    }
}

struct Files {
    chain: PathBuf,
    credential: PathBuf,
    key: Option<PathBuf>,
}

fn read_credentials(path: &Path) -> Result<Vec<StoredCredential>, dc_pki::Error> {
    dc_core::pem::read(&files::read(path)?).map_err(|source| dc_pki::Error::BadCredential {
        path: path.into(),
        source,
    })
}

/// A credential and what a client says to it.
struct Row {
    credential: display::Credential,
    verdict: Verdict,
}

impl Row {
    fn new(
        peer: &Peer,
        chain: &[ParsedCertificate],
        stored: &StoredCredential,
        key: Option<&PemKey>,
    ) -> Result<Self, Error> {
        let credential = DelegatedCredential::decode(stored.form, &stored.bytes)
            .map_err(|source| dc_pki::Error::Refused { source })?;
        let verdict = peer.check(chain, Ok(&credential));
        let certificate = chain.first().and_then(|first| first.delegation().ok());
        let algorithms = peer.provider.signature_verification_algorithms.all;
        let role = certificate
            .and_then(|certificate| dc_core::find_role(&credential, certificate, algorithms).ok());
        let credential = display::Credential::of(&credential, certificate).with_role(role);
        Ok(Self {
            verdict: match key {
                Some(key) => check::verify_key(verdict, &credential.spki, key.spki()),
                None => verdict,
            },
            credential,
        })
    }

    fn title(&self) -> String {
        let form = self.credential.form;
        match &self.credential.unique_name {
            Some(name) => format!("{form} credential of {name}"),
            None => format!("{form} credential"),
        }
    }
}

struct Report {
    rows: Vec<Row>,
    now: UnixTime,
}

impl Report {
    /// `{now, accepted, credentials: [{…, verdict}]}`.
    fn to_json(&self) -> Value {
        let object = |row: &Row| {
            let mut object = row.credential.to_json(self.now);
            if let Value::Object(members) = &mut object {
                members.insert("verdict".to_owned(), row.verdict.to_json());
            }
            object
        };
        json!({
            "now": Moment(self.now).to_string(),
            "accepted": self.rows.iter().all(|row| row.verdict.fault().is_none()),
            "credentials": self.rows.iter().map(object).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, row) in self.rows.iter().enumerate() {
            let before = if at == 0 { "" } else { "\n\n" };
            writeln!(f, "{before}{}, at {}", row.title(), Moment(self.now))?;
            writeln!(f, "{}", row.verdict)?;
            match row.verdict.fault() {
                None => f.write_str("accepted")?,
                Some(fault) => write!(f, "refused: {fault}")?,
            }
        }
        Ok(())
    }
}

const HELP: &str = "\
The numbers are those of RFC 9345 §4.1.3. (3), that the handshake is signed with the credential's
key and scheme, needs a connection: see 'dc-signer probe'.

Examples:
  dc-signer verify device --roots vendor/root.pem
  dc-signer verify device --name k3v.cpe.example.com --now 2026-12-01T00:00:00Z
  dc-signer verify --chain chain.pem --credential credential.pem --role client

Exit status: 0 every credential is accepted; 1 one is refused, or something cannot be read; 2 wrong
usage.";
