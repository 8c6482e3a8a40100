//! `dc-signer probe`: everything about one handshake.

mod report;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, ValueEnum};
use dc_inspect::check::Peer;
use dc_inspect::probe::{self, Settings, Target};
use dc_pki::{clock, trust};
use dc_rustls::client::{Identity, IdentityStore};
use pki_types::ServerName;

use self::report::Report;
use super::Error;
use super::{print, provider};

/// Connect to a server and show what was offered, what it sent, and whether a client accepts it
///
/// Shows a credential also when it is refused. Sends no data, and connects a second time to see
/// whether sessions are resumed.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    /// Where to connect, such as router.example.com:443 or [2001:db8::1]:443
    #[arg(value_name = "HOST:PORT")]
    target: Target,
    /// The name to reach, wherever HOST is; it goes into server_name
    #[arg(long, value_name = "NAME", value_parser = server_name)]
    name: ServerName<'static>,
    /// Which credentials to offer to understand
    #[arg(long, value_enum, default_value_t = Offer::Named)]
    offer: Offer,
    /// Present the credentials of this identity folder ('issue --role client') if the server asks for one; needs TLS 1.3
    #[arg(long, value_name = "DIR")]
    identity: Option<PathBuf>,
    /// The root certificates to trust (PEM); without them the chain is shown and called unknown
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// Application protocols to offer, the favourite first, such as h2,http/1.1
    #[arg(long, value_name = "PROTOCOLS", value_delimiter = ',')]
    alpn: Vec<String>,
    /// How long to wait for the connection, and again for the handshake
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = timeout)]
    timeout: Duration,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Offer {
    /// None, as any TLS client: the server has to have a certificate
    None,
    /// Those of RFC 9345, as Firefox does; a certificate is accepted too
    Rfc9345,
    /// One with the wanted name, which the server has to have
    Named,
    /// Both forms; a certificate is accepted too
    Both,
}

impl Args {
    /// Checks that a credential can be for the name at all.
    ///
    /// Fails with an error of wrong usage if only one with a unique name is offered, and the name is an address.
    pub(super) fn check_usage(&self) -> Result<(), clap::Error> {
        match (&self.name, self.offer) {
            (ServerName::IpAddress(_), Offer::Named) => Err(super::Cli::command().error(
                ErrorKind::ArgumentConflict,
                format!(
                    "no credential with a unique name is for an address: give the device's name, '--name NAME' ({} may be the address), or probe the address with '--offer rfc9345' or '--offer none'",
                    self.target
                ),
            )),
            (_, Offer::None) if self.identity.is_some() => Err(super::Cli::command().error(
                ErrorKind::ArgumentConflict,
                "a client that offers to understand no credentials presents none: give --identity with another --offer, such as '--offer both'",
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn run(self) -> Result<(), Error> {
        let now = clock::now()?;
        let roots = self.root.as_deref().map(trust::read_roots).transpose()?;
        let roots = roots.map(Arc::new);
        let settings = Settings {
            name: self.name.clone(),
            offer: match self.offer {
                Offer::None => probe::Offer::Nothing,
                Offer::Rfc9345 => probe::Offer::Rfc9345,
                Offer::Named => probe::Offer::Named,
                Offer::Both => probe::Offer::Both,
            },
            alpn: self
                .alpn
                .iter()
                .map(|name| name.clone().into_bytes())
                .collect(),
            identity: self.identity.as_deref().map(load).transpose()?,
            roots: roots.clone(),
            timeout: self.timeout,
            provider: provider(),
        };
        let probe = probe::probe(&self.target, &settings)?;
        let peer = Peer {
            provider: provider(),
            role: dc_core::Role::Server,
            wanted: Some(self.name),
            roots,
            now,
        };
        let report = Report::new(&self.target, &probe, &peer);
        let is_refused = report.refusal().is_some();
        let hint = report.hint();
        let has_answered = probe.seen.is_some() || probe.chosen.is_some();
        match self.json {
            true => print(&report.to_json())?,
            false if has_answered => print(&report)?,
            // There is nothing to show of who said nothing.
            false => {}
        }
        match probe.result {
            Err(source) if !has_answered => {
                let target = self.target.clone();
                let source = probe::Error::NoHandshake { target, source };
                Err(match hint {
                    Some(hint) => Error::ProbeRefused {
                        source: source.into(),
                        hint,
                    },
                    None => source.into(),
                })
            }
            _ if is_refused => Err(Error::WouldBeRefused { refused: 1, of: 1 }),
            _ => Ok(()),
        }
    }
}

/// The credentials of a client's identity folder, checked.
fn load(folder: &Path) -> Result<Arc<IdentityStore>, Error> {
    let identities = IdentityStore::new(provider());
    Identity::load(folder)
        .and_then(|identity| identities.install(identity))
        .map_err(|source| Error::ClientIdentity {
            folder: folder.into(),
            source,
        })?;
    Ok(identities)
}

fn server_name(text: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(text.to_owned())
        .map_err(|_| "give a DNS name, as k3v.cpe.example.com, or an IP address".to_owned())
}

fn timeout(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if !time.is_zero() => Ok(time),
        Ok(_) => Err("give a time above 0".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

const HELP: &str = "\
Examples:
  dc-signer probe 192.168.1.1:443 --name k3v.cpe.example.com --root vendor/root.pem
  dc-signer probe router.example.com:443 --name k3v.cpe.example.com --offer both --json
  dc-signer probe cloud.example.com:443 --name cloud.example.com --offer both --identity device-client
  dc-signer probe www.example.com:443 --name www.example.com --offer none --alpn h2,http/1.1

With --identity, two seconds are left for the server's refusal of its client, which comes behind the
handshake.

With --offer named, the default, a server that has only a certificate is refused, as clients of
home servers do. A server sends its named credential only to a client that asks for exactly that name,
so --name is the device's name, also where HOST is an address.

Exit status: 0 accepted; 1 refused, or no connection, with one line that says why; 2 wrong usage.";
