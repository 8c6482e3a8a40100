//! Rights of operators by the audit log: an operator's role and end are what the log says they were at each record.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pki_types::UnixTime;

use super::{Action, Entry, FourEyes, Record, Role, Sha256};

/// The reason that an actor could not do what a record of the audit log says they did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ActorFault {
    /// It takes two operators, and there was one.
    Alone,
    /// Their token or certificate had ended.
    Ended,
    /// They were kept out.
    KeptOut,
    /// The second operator had not agreed to anything that the first had asked for.
    NotAgreed,
    /// Their role was lower than it takes.
    RoleTooLow {
        /// The role.
        role: Role,
        /// The least that it takes.
        needed: Role,
    },
    /// There was no such operator.
    Unknown,
}

impl fmt::Display for ActorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alone => f.write_str("it took two operators then"),
            Self::Ended => f.write_str("what let them in had ended"),
            Self::KeptOut => f.write_str("they were kept out"),
            Self::NotAgreed => f.write_str(
                "no record says that the first asked for anything that the second agreed to",
            ),
            Self::RoleTooLow { role, needed } => {
                write!(f, "their role was {role}, and it takes {needed}")
            }
            Self::Unknown => f.write_str("no record made them an operator"),
        }
    }
}

/// An operator, as the last record about them says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Standing {
    disabled: bool,
    /// None in older records.
    role: Option<Role>,
    expires: Option<UnixTime>,
}

impl Standing {
    /// After a record about the operator; `before` is what was so before it.
    pub(crate) fn after(action: Action, entry: &Entry, before: Option<Self>) -> Option<Self> {
        match action {
            Action::ChangeOperator | Action::EnableOperator | Action::RenewOperator => Some(Self {
                disabled: false,
                role: entry.scope.as_deref().and_then(role_in),
                expires: entry.expires,
            }),
            Action::DisableOperator => Some(Self {
                disabled: true,
                role: before.and_then(|before| before.role),
                expires: before.and_then(|before| before.expires),
            }),
            _ => before,
        }
    }

    /// Checks that the operator may do what takes a role; one who has only asked may have ended since.
    pub(crate) fn may(self, needed: Role, at: Option<UnixTime>) -> Result<(), ActorFault> {
        match (self.role, self.expires, at) {
            _ if self.disabled => Err(ActorFault::KeptOut),
            (Some(role), ..) if role < needed => Err(ActorFault::RoleTooLow { role, needed }),
            (_, Some(end), Some(at)) if end <= at => Err(ActorFault::Ended),
            _ => Ok(()),
        }
    }
}

/// How a record about an operator says their role.
pub(crate) fn role_scope(role: Role) -> String {
    format!("role={role}")
}

fn role_in(scope: &str) -> Option<Role> {
    scope.strip_prefix("role=")?.parse().ok()
}

/// The operators of an actor of the log: who did it or asked for it, and who agreed.
pub(crate) fn operators_of(actor: &str) -> Option<(&str, Option<&str>)> {
    let names = actor.strip_prefix("operator:")?;
    Some(match names.split_once('+') {
        Some((asked, agreed)) => (asked, Some(agreed)),
        None => (names, None),
    })
}

impl Entry {
    /// The least role that its act takes; none if it is about what somebody has only looked at, which is recorded later, or says that
    /// an act of two is done, by which one of them may just have been kept out.
    pub(crate) fn needed(&self) -> Option<Role> {
        let is_own = |name: &String| operators_of(&self.actor) == Some((name.as_str(), None));
        match self.action {
            Action::Read | Action::Export | Action::ExportEnd | Action::FinishApproval => None,
            Action::RenewOperator if self.name.as_ref().is_some_and(is_own) => Some(Role::Viewer),
            Action::Add
            | Action::Approve
            | Action::AskApproval
            | Action::ClearClone
            | Action::NewCode
            | Action::NewName
            | Action::RefuseApproval
            | Action::Replace
            | Action::Resume
            | Action::Retire
            | Action::Suspend
            | Action::TakeName => Some(Role::Operator),
            _ => Some(Role::Admin),
        }
    }

    /// True if one operator alone may not do it while a policy holds.
    fn takes_two(&self, policy: &FourEyes, used: &BTreeSet<Sha256>) -> bool {
        let is_used = || {
            self.credential_sha256
                .is_some_and(|one| used.contains(&one))
        };
        match self.action {
            Action::ActivateDelegation => policy.rollover,
            Action::EndDelegation => policy.zones_end && is_used(),
            Action::ChangeOperator | Action::EnableOperator | Action::RenewOperator => {
                let role = self.scope.as_deref().and_then(role_in);
                let is_own = self.needed() == Some(Role::Viewer);
                policy.is_on() && !is_own && role.is_some_and(|role| role > Role::Viewer)
            }
            _ => false,
        }
    }
}

/// The memory of operators of a walk through the log.
#[derive(Debug, Default)]
pub(crate) struct Actors {
    operators: BTreeMap<String, Standing>,
    /// By the number of what was asked for, who asked.
    asked: BTreeMap<u64, String>,
    /// Pairs of whom the second has agreed to something that the first had asked for.
    agreed: BTreeSet<(String, String)>,
    policy: FourEyes,
    /// Delegation certificates that something may have been issued under.
    used: BTreeSet<Sha256>,
}

impl Actors {
    /// Compares the actor of the next record with what the ones before say, and remembers it.
    pub(crate) fn follow(&mut self, record: &Record) -> Result<(), ActorFault> {
        let checked = self.check(&record.entry);
        self.note(record);
        checked
    }

    fn check(&self, entry: &Entry) -> Result<(), ActorFault> {
        let policy = (entry.action == Action::ChangeApproval)
            .then(|| entry.scope.as_deref().and_then(|scope| scope.parse().ok()));
        let lowers = policy
            .is_some_and(|to: Option<FourEyes>| to.is_none_or(|to| to.is_laxer_than(&self.policy)));
        let Some((asked, agreed)) = operators_of(&entry.actor) else {
            // The signer makes it stricter by itself, and whoever breaks the glass asks nobody.
            return match lowers && !entry.actor.starts_with("root:") {
                true => Err(ActorFault::Alone),
                false => Ok(()),
            };
        };
        let needed = entry.needed();
        for (place, name) in [Some(asked), agreed].into_iter().flatten().enumerate() {
            let known = self.operators.get(name).ok_or(ActorFault::Unknown)?;
            let is_last = agreed.is_none() || place > 0;
            if let Some(needed) = needed {
                known.may(needed, is_last.then_some(entry.time))?;
            }
        }
        match agreed {
            Some(agreed) if !self.agreed.contains(&(asked.to_owned(), agreed.to_owned())) => {
                Err(ActorFault::NotAgreed)
            }
            None if lowers || entry.takes_two(&self.policy, &self.used) => Err(ActorFault::Alone),
            _ => Ok(()),
        }
    }

    fn note(&mut self, record: &Record) {
        let entry = &record.entry;
        if let Some(name) = &entry.name {
            let before = self.operators.get(name).copied();
            if let Some(after) = Standing::after(entry.action, entry, before) {
                self.operators.insert(name.clone(), after);
            }
        }
        let actor = operators_of(&entry.actor);
        match (entry.action, actor) {
            (Action::AskApproval, Some((name, None))) => {
                self.asked.insert(record.seq, name.to_owned());
            }
            (Action::Approve, Some((name, None))) => {
                let scope = entry.scope.as_deref();
                let number = scope.and_then(|scope| scope.strip_prefix("asked-in=")?.parse().ok());
                if let Some(asked) = number.and_then(|number: u64| self.asked.get(&number)) {
                    self.agreed.insert((asked.clone(), name.to_owned()));
                }
            }
            (Action::ActivateDelegation, _) => self.used.extend(entry.credential_sha256),
            (Action::ChangeApproval, _) => {
                let policy = entry.scope.as_deref().and_then(|scope| scope.parse().ok());
                self.policy = policy.unwrap_or_default();
            }
            _ => {}
        }
    }
}
