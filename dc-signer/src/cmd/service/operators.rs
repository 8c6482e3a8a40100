//! `dc-signer operators`: who may manage devices over HTTP and on the command line.

mod list;
mod saved;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use dc_pki::time::Moment;
use dc_signer::authority::approvals::Outcome;
use dc_signer::authority::grants::Grant;
use dc_signer::authority::json;
use dc_signer::authority::operators::{ends, new_token, read_certificates};
use dc_signer::config::Config;
use dc_signer::server::listener::valid;
use dc_store::registry::{
    Access, Approval, Error as Registry, Operator, OperatorName, Reason, Role, Sha256,
};
use dc_store::{Act, owner};
use pki_types::UnixTime;
use serde_json::json;
use zeroize::Zeroizing;

use super::approvals;
use super::error::Error;
use super::place::{Acting, Actor, Open, Why};
use super::print;
use saved::Saved;

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
    List(list::Args),
    Renew(Renew),
    /// Keep an operator out from now on
    Disable(Disable),
    Enable(Enable),
}

/// Add an operator, or change one; prints a new token unless a certificate is given
///
/// The first one of a database needs nobody's credential, and has to be an admin: the others are added by one. If anything takes two
/// operators, so does this, but for a viewer: the token lets nobody in before another admin agrees.
#[derive(Debug, clap::Args)]
struct Add {
    /// The name that the audit log has for them: a-z, 0-9, '.', '_' and '-'
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
///
/// If anything takes two operators, giving one to another does too, if they could agree to something.
#[derive(Debug, clap::Args)]
struct Renew {
    /// Whose [default: your own]; another's takes an admin
    name: Option<OperatorName>,
    #[command(flatten)]
    new: New,
    #[command(flatten)]
    why: Why,
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
    /// How long they are let in, such as 30d, and at most operators.max_valid [default: operators.valid]; a certificate never beyond
    /// its own end
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    valid: Option<Duration>,
    /// Write the token to this file, which only its owner may read, instead of printing it; no file is overwritten, but by
    /// renew one with a token of the same operator
    #[arg(long, value_name = "FILE", conflicts_with = "certificate")]
    save_token: Option<PathBuf>,
    /// Print the operator as JSON, with the token unless it is written to a file, or what waits for a second operator
    #[arg(long)]
    json: bool,
}

/// Let an operator in again who was kept out, with a new token or another certificate
///
/// The token or certificate of before lets nobody in any more: it may be why they were kept out. If anything takes two operators, this does
/// too, but for a viewer.
#[derive(Debug, clap::Args)]
struct Enable {
    /// The name that the audit log has for them
    name: OperatorName,
    #[command(flatten)]
    new: New,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, clap::Args)]
struct Disable {
    /// The name that the audit log has for them
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
            What::List(list) => list.run(),
            What::Renew(renew) => renew.run(),
            What::Disable(disable) => disable.run(),
            What::Enable(enable) => enable.run(),
        }
    }
}

impl Add {
    fn run(self) -> Result<(), Error> {
        let reason = self.reason.as_ref();
        self.acting
            .with_operators(true, Role::Admin, reason, async |open, config, who| {
                let is_first = open.store.operators().await?.is_empty();
                if is_first && self.role != Role::Admin {
                    return Err(Error::FirstIsAdmin);
                }
                let made = self.new.make(config, &who.act()?, None)?;
                let (name, ends) = (self.name.clone(), Some(made.ends));
                let operator = Operator::new(name, self.role, made.access, ends);
                made.give(&Grant::Add(operator), open, who, &self.acting)
                    .await
            })
    }
}

impl Renew {
    fn run(self) -> Result<(), Error> {
        let reason = Some(&self.why.reason);
        self.acting
            .with_operators(false, Role::Viewer, reason, async |open, config, who| {
                let own = who.caller().name();
                let name = self.name.as_ref().or(own).ok_or(Registry::UnknownOperator);
                let name = name.map_err(dc_store::Error::from)?.clone();
                let operators = open.store.operators().await?;
                let whose = operators.iter().find(|operator| operator.name == name);
                let made = self.new.make(config, &who.act()?, whose)?;
                let grant = Grant::Renew(name, (made.access, made.ends));
                made.give(&grant, open, who, &self.acting).await
            })
    }
}

impl Enable {
    fn run(self) -> Result<(), Error> {
        let reason = Some(&self.why.reason);
        self.acting
            .with_operators(false, Role::Admin, reason, async |open, config, who| {
                let made = self.new.make(config, &who.act()?, None)?;
                let grant = Grant::Enable(self.name.clone(), (made.access, made.ends));
                made.give(&grant, open, who, &self.acting).await
            })
    }
}

impl Disable {
    fn run(self) -> Result<(), Error> {
        let why = Some(&self.why.reason);
        self.acting
            .with_operators(false, Role::Admin, why, async |open, _, who| {
                let (name, act) = (&self.name, who.act()?);
                let me = who.caller().name();
                match open.authority.keep_out_or_ask(name, me, &act).await? {
                    Outcome::Done(_) => print(&format!("{name} is kept out from now on")),
                    Outcome::Waits(approval) => {
                        Err(approvals::waits_for(&approval, &self.acting, false))
                    }
                }
            })
    }
}

/// Something that lets an operator in.
struct Made {
    access: Access,
    ends: UnixTime,
    token: Option<Zeroizing<String>>,
    /// Where the token goes, written already under another name.
    saved: Option<Saved>,
    json: bool,
}

impl New {
    /// Makes a token, or reads the certificate. A file with a token of `whose` is one that may be replaced.
    fn make(&self, config: &Config, act: &Act, whose: Option<&Operator>) -> Result<Made, Error> {
        let limit = ends(&config.operators, self.valid, act.at)?;
        if let Some(path) = &self.certificate {
            return of_certificate(path, limit, self.json);
        }
        let token = new_token()?;
        let save = |path| Saved::write(path, &token, whose);
        let saved = self.save_token.as_deref().map(save).transpose()?;
        Ok(Made {
            access: Access::Token(Sha256::of(token.as_bytes())),
            ends: limit,
            token: Some(token),
            saved,
            json: self.json,
        })
    }
}

fn of_certificate(path: &Path, limit: UnixTime, json: bool) -> Result<Made, Error> {
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
        saved: None,
        json,
    })
}

impl Made {
    async fn give(
        self,
        grant: &Grant,
        open: &Open,
        who: &Actor,
        acting: &Acting,
    ) -> Result<(), Error> {
        let (me, act) = (who.caller().operator(), who.act()?);
        let given = open.authority.grant_or_ask(grant, me, &act).await?;
        let Self {
            token, saved, json, ..
        } = self;
        let saved = saved.map(Saved::keep).transpose()?;
        let token = token.filter(|_| saved.is_none());
        match given {
            Outcome::Done(operator) if json => print(&json!({
                "operator": json::Operator::from(&operator),
                "token": token.as_deref(),
            })),
            Outcome::Done(operator) => print(&Shown {
                operator: &operator,
                token,
                saved,
            }),
            Outcome::Waits(approval) => Err(waits_with(&approval, acting, token, saved, json)),
        }
    }
}

/// Says that an operator waits for a second one's yes, and shows the one time what will let them in.
fn waits_with(
    approval: &Approval,
    acting: &Acting,
    token: Option<Zeroizing<String>>,
    saved: Option<PathBuf>,
    json: bool,
) -> Error {
    if let (true, Some(token)) = (json, &token) {
        let mut waiting = approvals::as_json(approval, acting);
        waiting["token"] = json!(token.as_str());
        return print(&waiting).map_or_else(|error| error, |()| Error::Waits);
    }
    let error = approvals::waits_for(approval, acting, json);
    let shown = match (token, saved) {
        _ if json => Ok(()),
        (Some(token), _) => print(&format!(
            "then this token lets them in, which is shown once and kept nowhere:\n{}",
            token.as_str()
        )),
        (None, Some(path)) => print(&format!(
            "then the token in {} lets them in",
            path.display()
        )),
        (None, None) => Ok(()),
    };
    shown.map_or_else(|error| error, |()| error)
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

const HELP: &str = "\
Every act on the command line is an operator's, as over HTTP: have the path of your token's file in DC_SIGNER_TOKEN_FILE, or
give --token-file with each command.

Examples:
  dc-signer operators add alice --role admin --save-token ~/.dc-signer-token --config /etc/dc-signer/config.toml
  export DC_SIGNER_TOKEN_FILE=~/.dc-signer-token
  dc-signer operators add noc --role operator --valid 30d --reason NOC-4711 --config /etc/dc-signer/config.toml
  dc-signer operators add bob --role admin --certificate bob.pem --reason NOC-4711 --config /etc/dc-signer/config.toml
  dc-signer operators renew --save-token ~/.dc-signer-token --reason 'every quarter' --config /etc/dc-signer/config.toml
  dc-signer operators disable bob --reason 'lost the laptop' --config /etc/dc-signer/config.toml
  dc-signer operators enable bob --save-token bob.token --reason 'has a new laptop' --config /etc/dc-signer/config.toml
  dc-signer operators list --config /etc/dc-signer/config.toml";
