//! Acts at the machine itself: the command line proves who acts by the same tokens and certificates as the API.
//!
//! Whoever has the database and root can do without; what this gives is a log in which nobody's name stands who did not act, and in
//! which acts without a credential stand out.

use std::path::PathBuf;

use pki_types::UnixTime;

use super::operators::Authenticated;
use super::{Act, Error};
use dc_store::Store;
use dc_store::registry::{Access, OperatorName, Reason, Role};

/// The credential that somebody at the machine shows before an act.
#[derive(Clone, Debug)]
pub enum Claim {
    /// An operator's token, or a certificate whose key they have.
    Operator(Access),
    /// No credential, with the reason why there is none.
    Root(Reason),
    /// A token in the file that the environment names, which is not there.
    Absent(PathBuf),
    /// Nothing.
    Nothing,
}

/// Whoever acts at the machine, with the right to it: only [`Claim::check`] makes one.
#[derive(Clone, Debug)]
pub struct Caller {
    actor: String,
    operator: Option<Authenticated>,
    reason: Option<Reason>,
}

/// An act at the machine that is not allowed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// The file that the environment names is not there.
    #[error(
        "{}: DC_SIGNER_TOKEN_FILE names this file for your token, and it is not there: give --token-file FILE, set the variable to where your token is, or ask an admin for 'dc-signer operators renew NAME --save-token FILE'",
        .path.display()
    )]
    Absent {
        /// The file.
        path: PathBuf,
    },
    /// The database cannot be asked, the credential has ended, or the role is too low.
    #[error(transparent)]
    Authority(#[from] Error),
    /// Nobody is an operator yet.
    #[error(
        "nobody is an operator of this database yet, and acts are done by operators: make the first one with 'dc-signer operators add NAME --role admin --config FILE'"
    )]
    NoOperators,
    /// No credential was shown.
    #[error(
        "this takes an operator's credential, whose name the audit log gets; the user's name is not enough any more: give --token-file FILE, --token-fd or --token-credential, have the file's path in DC_SIGNER_TOKEN_FILE, or give --operator-certificate and --operator-key. If nobody has one any more, --as-root-because REASON does it and raises an alert"
    )]
    Nothing,
    /// A credential is shown to a database that has had no operator yet.
    #[error(
        "this database has no operators yet, so the token or certificate that was given is of another one: make the first operator without it ('unset DC_SIGNER_TOKEN_FILE', or without --token-file), with 'dc-signer operators add NAME --role admin --config FILE'"
    )]
    OfOtherDatabase,
    /// Nobody is an operator any more, though somebody was: the rows were removed by hand.
    #[error(
        "this database has no operators, and record {seq} of its audit log made one: the rows were removed by hand, so nobody is the first one again. See 'Audit mismatch' in the runbook; --as-root-because REASON makes an operator anew, and raises an alert"
    )]
    OperatorsRemoved {
        /// The record.
        seq: u64,
    },
    /// Nobody has this credential, or whoever has is kept out.
    #[error(
        "no operator has this token or certificate, or they are kept out: see 'dc-signer operators list'"
    )]
    Unknown,
}

impl Claim {
    /// Checks that whoever shows this may do what takes a role; one without a credential is recorded at once.
    ///
    /// Fails with [`ClaimError`].
    pub async fn check(
        &self,
        store: &Store,
        needed: Role,
        reason: Option<&Reason>,
        now: UnixTime,
    ) -> Result<Caller, ClaimError> {
        let caller = self.identify(store, needed, reason, now).await?;
        self.tell(store, now).await?;
        Ok(caller)
    }

    /// Records and warns that this is no credential, if it is none.
    ///
    /// Fails with [`ClaimError::Authority`].
    pub async fn tell(&self, store: &Store, now: UnixTime) -> Result<(), ClaimError> {
        let Self::Root(why) = self else {
            return Ok(());
        };
        let by = Act::new(root(), now).because(why.clone());
        let number = store.break_glass(&by).await.map_err(Error::from)?;
        warn(number);
        Ok(())
    }

    /// Checks as [`Self::check`] does, and leaves recording to [`Self::tell`].
    ///
    /// Fails with [`ClaimError`].
    pub async fn identify(
        &self,
        store: &Store,
        needed: Role,
        reason: Option<&Reason>,
        now: UnixTime,
    ) -> Result<Caller, ClaimError> {
        match self {
            Self::Operator(shown) => {
                let operator = find(store, shown, now).await?;
                let role = operator.role();
                if role < needed {
                    return Err(Error::RoleTooLow { role, needed }.into());
                }
                Ok(Caller {
                    actor: operator.actor(),
                    operator: Some(operator),
                    reason: reason.cloned(),
                })
            }
            Self::Root(why) => Ok(Caller {
                actor: root(),
                operator: None,
                reason: Some(reason.unwrap_or(why).clone()),
            }),
            Self::Absent(_) | Self::Nothing
                if store.operators().await.map_err(Error::from)?.is_empty() =>
            {
                // What the log says cannot be removed unnoticed.
                match store.first_operator().await.map_err(Error::from)? {
                    Some(seq) => Err(ClaimError::OperatorsRemoved { seq }),
                    None => Err(ClaimError::NoOperators),
                }
            }
            Self::Absent(path) => Err(ClaimError::Absent { path: path.clone() }),
            Self::Nothing => Err(ClaimError::Nothing),
        }
    }

    /// The same for whoever makes an operator: with nothing to show, as long as there is none.
    ///
    /// Fails with [`ClaimError`].
    pub async fn check_or_first(
        &self,
        store: &Store,
        reason: Option<&Reason>,
        now: UnixTime,
    ) -> Result<Caller, ClaimError> {
        match self.check(store, Role::Admin, reason, now).await {
            Err(ClaimError::NoOperators) => Ok(Caller {
                actor: first(now).actor,
                operator: None,
                reason: reason.cloned().or_else(|| FIRST.parse().ok()),
            }),
            checked => checked,
        }
    }
}

/// Says that something is done without a credential.
pub(super) fn warn(number: u64) {
    eprintln!(
        "warning: this is done without an operator's credential; record {number} of the audit log says so, and the service raises an alert"
    );
}

async fn find(store: &Store, shown: &Access, now: UnixTime) -> Result<Authenticated, ClaimError> {
    let found = store.find_operator(shown).await.map_err(Error::from)?;
    let operator = found.map(|operator| Authenticated::of(operator, shown, now));
    match operator.transpose()?.flatten() {
        Some(operator) => Ok(operator),
        None if store.operators().await.map_err(Error::from)?.is_empty() => {
            match store.first_operator().await.map_err(Error::from)? {
                Some(seq) => Err(ClaimError::OperatorsRemoved { seq }),
                None => Err(ClaimError::OfOtherDatabase),
            }
        }
        None => Err(ClaimError::Unknown),
    }
}

impl Caller {
    /// An act of theirs.
    #[must_use]
    pub fn act(&self, now: UnixTime) -> Act {
        Act::new(self.actor.clone(), now).because(self.reason.clone())
    }

    /// The operator, unless there was no credential.
    #[must_use]
    pub fn operator(&self) -> Option<&Authenticated> {
        self.operator.as_ref()
    }

    /// Their name, unless there was no credential.
    #[must_use]
    pub fn name(&self) -> Option<&OperatorName> {
        self.operator.as_ref().map(Authenticated::operator_name)
    }
}

fn root() -> String {
    format!("root:{}", whose())
}

/// Something that whoever has the machine's files can do anyway, and that the audit log is to have all the same: without a
/// credential, since a timer has none, and without an alert.
#[must_use]
pub fn at_the_machine(now: UnixTime) -> Act {
    Act::new(root(), now)
}

/// The act by which whoever has a database makes its first operator.
#[must_use]
pub fn first(now: UnixTime) -> Act {
    Act::new(format!("first:{}", whose()), now)
}

/// The user of this process, and who has logged in, which root cannot change without its being logged.
fn whose() -> String {
    let uid = dc_store::owner::invoker_uid();
    let login = std::fs::read_to_string("/proc/self/loginuid").ok();
    let login = login.as_deref().map(str::trim);
    // What the kernel says of a process that nobody has logged in for.
    match login.filter(|login| !login.is_empty() && *login != "4294967295") {
        Some(login) => format!("uid={uid},login={login}"),
        None => format!("uid={uid},login=none"),
    }
}

const FIRST: &str = "the first operator";
