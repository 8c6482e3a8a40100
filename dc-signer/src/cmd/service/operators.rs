//! `dc-signer operators`: who may manage devices over HTTP.

use std::fmt;
use std::path::PathBuf;

use clap::Subcommand;
use dc_signer::authority::operators::{new_token, read_certificates};
use dc_signer::server::listener::spki_sha256;
use dc_store::registry::{Access, Operator, OperatorName, Role, Sha256};
use zeroize::Zeroizing;

use super::error::Error;
use super::place::{Place, act};
use super::print;
use crate::cmd::table::Table;

/// Manage the operators who manage devices over HTTP
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Add an operator, or change one; prints a new token unless a certificate is given
    Add(Add),
    /// List the operators
    List(Place),
    /// Keep an operator out from now on
    Disable(Disable),
}

#[derive(Debug, clap::Args)]
struct Add {
    /// What the audit log calls them: a-z, 0-9, '.', '_' and '-'
    name: OperatorName,
    /// viewer looks, operator also manages devices, admin also manages zones
    #[arg(long)]
    role: Role,
    /// Their client certificate (PEM): it lets them in until it ends, and no token is made. The next one has to be
    /// added too; requests that change something also have the header X-Requested-With
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Args)]
struct Disable {
    /// What the audit log calls them
    name: OperatorName,
    #[command(flatten)]
    place: Place,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        match self.what {
            What::Add(add) => add.run(),
            What::List(place) => list(&place),
            What::Disable(disable) => disable.run(),
        }
    }
}

impl Add {
    fn run(self) -> Result<(), Error> {
        let (access, token) = self.access()?;
        let operator = Operator {
            name: self.name.clone(),
            role: self.role,
            access,
            disabled: false,
        };
        self.place.with_store(async |store| {
            store.put_operator(&operator, &act()?).await?;
            print(&Added { operator, token })
        })
    }

    fn access(&self) -> Result<(Access, Option<Zeroizing<String>>), Error> {
        let Some(path) = &self.certificate else {
            let token = new_token()?;
            let sha256 = Sha256::of(token.as_bytes());
            return Ok((Access::Token(sha256), Some(token)));
        };
        let chain = read_certificates(path)?;
        let first = chain.first().filter(|first| spki_sha256(first).is_some());
        let first = first.ok_or_else(|| dc_pki::Error::MissingPem {
            path: path.clone(),
            label: "CERTIFICATE",
        })?;
        let hash = Sha256::of(first);
        Ok((Access::Certificate(hash), None))
    }
}

impl Disable {
    fn run(self) -> Result<(), Error> {
        self.place.with_store(async |store| {
            store.disable_operator(&self.name, &act()?).await?;
            print(&format!("{} is kept out from now on", self.name))
        })
    }
}

fn list(place: &Place) -> Result<(), Error> {
    place.with_store(async |store| print(&table(&store.operators().await?)))
}

/// An operator who was added, and the one time that the token is shown.
struct Added {
    operator: Operator,
    token: Option<Zeroizing<String>>,
}

impl fmt::Display for Added {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operator, token } = self;
        let article = match operator.role {
            Role::Viewer => "a",
            Role::Operator | Role::Admin => "an",
        };
        let (name, role) = (&operator.name, operator.role);
        write!(f, "{name} may do what {article} {role} may")?;
        match token {
            None => write!(f, ", with the certificate, until it ends"),
            Some(token) => write!(
                f,
                ", with this token, which is shown once and kept nowhere:\n{}",
                token.as_str()
            ),
        }
    }
}

fn table(operators: &[Operator]) -> Table<4> {
    let mut table = Table::new([
        &format!("{:23}", "NAME"),
        "ROLE    ",
        "ACCESS     ",
        "STATE",
    ]);
    for operator in operators {
        let access = match operator.access {
            Access::Token(_) => "token",
            Access::Certificate(_) => "certificate",
        };
        let state = match operator.disabled {
            true => "disabled",
            false => "enabled",
        };
        let (name, role) = (operator.name.as_str(), operator.role.as_str());
        table.row([name, role, access, state].map(str::to_owned));
    }
    table
}

const HELP: &str = "\
Examples:
  dc-signer operators add noc --role operator --config /etc/dc-signer/config.toml
  dc-signer operators add alice --role admin --certificate alice.pem --config /etc/dc-signer/config.toml
  dc-signer operators list --config /etc/dc-signer/config.toml";
