//! `dc-signer operators`: who may manage devices over HTTP and on the command line.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use dc_pki::clock;
use dc_pki::files::{self, Access as Readers, NewFile, Staged};
use dc_pki::time::{Moment, Span};
use dc_signer::authority::operators::{ends, new_token, read_certificates};
use dc_signer::server::listener::valid;
use dc_store::owner;
use dc_store::registry::{Access, Error as Registry, Operator, OperatorName, Reason, Role, Sha256};
use pki_types::UnixTime;
use zeroize::Zeroizing;

use super::error::Error;
use super::place::{Acting, Place, Why};
use super::print;
use crate::cmd::table::Table;

/// Manage the operators who manage devices, over HTTP and on the command line
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Add(Add),
    /// List the operators, and when their tokens and certificates end
    List(Place),
    Renew(Renew),
    /// Keep an operator out from now on
    Disable(Named),
    /// Let an operator in again who was kept out
    Enable(Named),
}

/// Add an operator, or change one; prints a new token unless a certificate is given
///
/// The first one of a database needs nobody's credential, and has to be an admin: the others are added by one.
#[derive(Debug, clap::Args)]
struct Add {
    /// What the audit log calls them: a-z, 0-9, '.', '_' and '-'
    name: OperatorName,
    /// viewer looks, operator also manages devices, admin also manages zones and operators
    #[arg(long)]
    role: Role,
    #[command(flatten)]
    new: New,
    /// The reason or a ticket, for the audit log; only the first operator needs none
    #[arg(long, value_name = "TEXT")]
    reason: Option<Reason>,
    #[command(flatten)]
    acting: Acting,
}

/// Get another token, or give one to another operator; the one of now is good for a day longer (operators.overlap)
#[derive(Debug, clap::Args)]
struct Renew {
    /// Whose [default: your own]; another's takes an admin and a reason
    name: Option<OperatorName>,
    #[command(flatten)]
    new: New,
    /// The reason or a ticket, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<Reason>,
    #[command(flatten)]
    acting: Acting,
}

/// The token or certificate that lets an operator in, and for how long.
#[derive(Debug, clap::Args)]
struct New {
    /// Their client certificate (PEM): it lets them in until it ends, and no token is made. Requests that change
    /// something also have the header X-Requested-With
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// How long they are let in, such as 30d [default: operators.valid]; a certificate never beyond its own end
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    valid: Option<Duration>,
    /// Write the token to this file, which only its owner may read, instead of printing it
    #[arg(long, value_name = "FILE", conflicts_with = "certificate")]
    save_token: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Named {
    /// What the audit log calls them
    name: OperatorName,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    acting: Acting,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        match self.what {
            What::Add(add) => add.run(),
            What::List(place) => list(&place),
            What::Renew(renew) => renew.run(),
            What::Disable(named) => named.switch(false),
            What::Enable(named) => named.switch(true),
        }
    }
}

impl Add {
    fn run(self) -> Result<(), Error> {
        let reason = self.reason.as_ref();
        self.acting
            .with_operators(true, Role::Admin, reason, async |open, config, who| {
                let act = who.act()?;
                let limit = ends(&config.operators, self.new.valid, act.at)?;
                let made = self.new.make(limit)?;
                let name = self.name.clone();
                let operator = Operator::new(name, self.role, made.access, Some(made.ends));
                let is_first = open.store.operators().await?.is_empty();
                if is_first && operator.role != Role::Admin {
                    return Err(Error::FirstIsAdmin);
                }
                open.store.put_operator(&operator, &act).await?;
                made.show(&operator)
            })
    }
}

impl Renew {
    fn run(self) -> Result<(), Error> {
        let reason = self.reason.as_ref();
        self.acting
            .with_operators(false, Role::Viewer, reason, async |open, config, who| {
                let act = who.act()?;
                let limit = ends(&config.operators, self.new.valid, act.at)?;
                let made = self.new.make(limit)?;
                let own = who.caller().name();
                let name = self.name.as_ref().or(own).ok_or(Registry::UnknownOperator);
                let name = name.map_err(dc_store::Error::from)?;
                let next = (made.access, made.ends);
                let renewed = match who.caller().operator() {
                    Some(me) => open.authority.renew_access(name, next, me, &act).await?,
                    None => {
                        let (store, next) = (&open.store, (made.access, Some(made.ends)));
                        store.renew_operator(name, next, act.at, &act).await?
                    }
                };
                made.show(&renewed)
            })
    }
}

impl Named {
    fn switch(self, on: bool) -> Result<(), Error> {
        let why = Some(&self.why.reason);
        self.acting
            .with_operators(false, Role::Admin, why, async |open, _, who| {
                let (name, act) = (&self.name, who.act()?);
                match on {
                    true => open.store.enable_operator(name, &act).await?,
                    false => open.store.disable_operator(name, &act).await?,
                }
                print(&match on {
                    true => format!("{name} is let in again"),
                    false => format!("{name} is kept out from now on"),
                })
            })
    }
}

/// Something that lets an operator in.
struct Made {
    access: Access,
    ends: UnixTime,
    token: Option<Zeroizing<String>>,
    /// Where the token goes, written already under another name.
    staged: Option<(PathBuf, Staged)>,
}

impl New {
    fn make(&self, limit: UnixTime) -> Result<Made, Error> {
        if let Some(path) = &self.certificate {
            return of_certificate(path, limit);
        }
        let token = new_token()?;
        let staged = self.save_token.as_deref().map(|path| stage(path, &token));
        Ok(Made {
            access: Access::Token(Sha256::of(token.as_bytes())),
            ends: limit,
            token: Some(token),
            staged: staged.transpose()?,
        })
    }
}

/// The file is whoever's runs this.
fn stage(path: &Path, token: &str) -> Result<(PathBuf, Staged), Error> {
    let _invoker = owner::as_invoker()?;
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let name = path.file_name().and_then(|name| name.to_str());
    let file = NewFile {
        name: name.ok_or_else(|| Error::NoFileName { path: path.into() })?,
        contents: token.as_bytes(),
        access: Readers::Owner,
    };
    let staged = files::stage(folder.unwrap_or_else(|| Path::new(".")), &file)?;
    Ok((path.into(), staged))
}

fn of_certificate(path: &Path, limit: UnixTime) -> Result<Made, Error> {
    let _invoker = owner::as_invoker()?;
    let chain = read_certificates(path)?;
    let first = chain.first();
    let times = first.and_then(|first| Some((first, valid(first)?)));
    let (first, times) = times.ok_or_else(|| dc_pki::Error::MissingPem {
        path: path.into(),
        label: "CERTIFICATE",
    })?;
    Ok(Made {
        access: Access::Certificate(Sha256::of(first)),
        ends: limit.min(*times.end()),
        token: None,
        staged: None,
    })
}

impl Made {
    fn show(self, operator: &Operator) -> Result<(), Error> {
        let Self { token, staged, .. } = self;
        let saved = match staged {
            Some((path, staged)) => {
                let _invoker = owner::as_invoker()?;
                staged.replace()?;
                Some(path)
            }
            None => None,
        };
        print(&Shown {
            operator,
            token: token.filter(|_| saved.is_none()),
            saved,
        })
    }
}

fn list(place: &Place) -> Result<(), Error> {
    place.with_store(async |store| print(&table(&store.operators().await?, clock::now()?)))
}

/// An operator, and the one time that the token is shown.
struct Shown<'a> {
    operator: &'a Operator,
    token: Option<Zeroizing<String>>,
    saved: Option<PathBuf>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operator,
            token,
            saved,
        } = self;
        let article = match operator.role {
            Role::Viewer => "a",
            Role::Operator | Role::Admin => "an",
        };
        let (name, role) = (&operator.name, operator.role);
        write!(f, "{name} may do what {article} {role} may")?;
        if let Some(ends) = operator.expires {
            write!(f, ", until {}", Moment(ends))?;
        }
        if let Some(previous) = &operator.previous {
            let until = Moment(previous.expires);
            write!(f, "; what let them in before is good until {until}")?;
        }
        match (token, saved) {
            (Some(token), _) => write!(
                f,
                ", with this token, which is shown once and kept nowhere:\n{}",
                token.as_str()
            ),
            (None, Some(path)) => write!(f, ", with the token in {}", path.display()),
            (None, None) => write!(f, ", with the certificate"),
        }
    }
}

fn table(operators: &[Operator], now: UnixTime) -> Table<5> {
    let mut table = Table::new([
        &format!("{:23}", "NAME"),
        "ROLE    ",
        "ACCESS     ",
        "STATE   ",
        "ENDS",
    ]);
    for operator in operators {
        let state = match operator.disabled {
            true => "disabled",
            false => "enabled",
        };
        let ends = match operator.expires {
            Some(end) if end <= now => format!("{}, which is over", Moment(end)),
            Some(end) => format!("{}, in {}", Moment(end), Span::about(now, end)),
            None => "never: renew it, so that it does".to_owned(),
        };
        table.row([
            operator.name.to_string(),
            operator.role.to_string(),
            operator.access.kind().to_owned(),
            state.to_owned(),
            ends,
        ]);
    }
    table
}

const HELP: &str = "\
Every act on the command line is an operator's, as over HTTP: have the path of your token's file in DC_SIGNER_TOKEN_FILE, or
give --token-file with each command.

Examples:
  dc-signer operators add alice --role admin --save-token ~/.dc-signer-token --config /etc/dc-signer/config.toml
  export DC_SIGNER_TOKEN_FILE=~/.dc-signer-token
  dc-signer operators add noc --role operator --valid 30d --reason NOC-4711 --config /etc/dc-signer/config.toml
  dc-signer operators add bob --role admin --certificate bob.pem --reason NOC-4711 --config /etc/dc-signer/config.toml
  dc-signer operators renew --save-token ~/.dc-signer-token --config /etc/dc-signer/config.toml
  dc-signer operators disable bob --reason 'left the company' --config /etc/dc-signer/config.toml
  dc-signer operators list --config /etc/dc-signer/config.toml";
