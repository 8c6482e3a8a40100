//! Rights of operators by the audit log: an operator's role and end are what the log says they were at each record.

use std::collections::BTreeMap;
use std::time::Duration;

use pki_types::UnixTime;

use super::actor_fault::ActorFault;
use super::actor_kind::{ActorKind, Bound};
use super::certificates::Certificates;
use super::{Action, Entry, FourEyes, Record, Role, without_address};

/// An operator, as the last record about them says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Standing {
    disabled: bool,
    /// None in older records.
    role: Option<Role>,
    expires: Option<UnixTime>,
    /// The record that says so, if it is of somebody who could not do that.
    wrong: Option<u64>,
}

impl Standing {
    /// After a record about the operator; `before` is what was so before it. None if the record changes nothing of them.
    pub(crate) fn after(action: Action, entry: &Entry, before: Option<Self>) -> Option<Self> {
        match action {
            Action::ChangeOperator | Action::EnableOperator | Action::RenewOperator => Some(Self {
                disabled: false,
                role: entry.scope.as_deref().and_then(role_in),
                expires: entry.expires,
                wrong: None,
            }),
            Action::DisableOperator => Some(Self {
                disabled: true,
                role: before.and_then(|before| before.role),
                expires: before.and_then(|before| before.expires),
                wrong: None,
            }),
            _ => None,
        }
    }

    /// Fails for whoever was made by somebody who could not.
    fn is_sound(self) -> Result<(), ActorFault> {
        let fault = |seq| ActorFault::MadeWrongly { seq };
        self.wrong.map_or(Ok(()), |seq| Err(fault(seq)))
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
    let (said, _) = without_address(scope);
    said.strip_prefix("role=")?.parse().ok()
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
    /// The number of the record that asked for what this one decides, if it says one.
    pub(crate) fn asked_in(&self) -> Option<u64> {
        let (said, _) = without_address(self.scope.as_deref()?);
        said.strip_prefix("asked-in=")?.parse().ok()
    }

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

    /// True if people have ended a delegation certificate, which holds wherever they did it: it may be stolen.
    pub(crate) fn ends_by_hand(&self) -> bool {
        let kind = ActorKind::of(&self.actor);
        self.action == Action::EndDelegation && kind.is_some_and(ActorKind::is_somebodys)
    }

    /// The acts that take two operators from this record on; none if it does not say so.
    pub(crate) fn policy(&self) -> Option<FourEyes> {
        self.scope.as_deref()?.parse().ok()
    }

    /// True if one operator alone may not do it while a policy holds.
    fn takes_two(&self, policy: &FourEyes, certificates: &Certificates) -> bool {
        let certificate = self.credential_sha256.as_ref();
        let is_used = || certificate.is_some_and(|one| certificates.is_used(one));
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
    /// By number, what a second operator has agreed to and is not done yet: who had asked for it, and who agreed.
    agreed: BTreeMap<u64, (String, String)>,
    policy: FourEyes,
    /// The first record that made an operator.
    first: Option<u64>,
    /// By actor, acts without a credential that were said in the last day.
    broken: BTreeMap<String, Broken>,
    certificates: Certificates,
    /// The same where records were written that came with a newer log.
    elsewhere: Certificates,
    /// A record that says that a certificate drains, from which none took over.
    left_alone: Option<Record>,
}

/// That somebody acts without a credential.
#[derive(Debug)]
struct Broken {
    node: String,
    at: UnixTime,
    /// The latest time that a record since then has.
    latest: UnixTime,
}

impl Actors {
    /// Compares the actor of the next record with what the ones before say, and remembers it. What one that came with a newer log says of
    /// certificates was not done here, and counts for others of those alone.
    pub(crate) fn follow(&mut self, record: &Record, is_here: bool) -> Result<(), ActorFault> {
        let certificates = match is_here {
            true => &self.certificates,
            false => &self.elsewhere,
        };
        let checked = self.check(&record.entry, certificates);
        if is_here {
            self.left_alone = self.certificates.note(record, checked.is_ok());
        }
        self.elsewhere.note(record, checked.is_ok());
        self.note(record, checked.is_ok());
        checked
    }

    /// The record before the one that was followed last, if it says that a certificate drains and no other took over from it.
    pub(crate) fn left_alone(&mut self) -> Option<Record> {
        self.left_alone.take()
    }

    /// The same, of the record that was followed last: no other is behind it.
    pub(crate) fn end(&mut self) -> Option<Record> {
        self.certificates.end()
    }

    fn check(&self, entry: &Entry, certificates: &Certificates) -> Result<(), ActorFault> {
        if entry.action == Action::ChangeApproval && entry.policy().is_none() {
            return Err(ActorFault::NoPolicy);
        }
        let kind = ActorKind::of(&entry.actor).filter(|kind| entry.action.is_done_by(*kind));
        match kind.ok_or(ActorFault::NotTheirs)?.bound() {
            Bound::First => {
                let fault = |seq| ActorFault::NotFirst { seq };
                self.first.map_or(Ok(()), |seq| Err(fault(seq)))
            }
            Bound::Operators => self.check_operators(entry, certificates),
            Bound::Root => self.check_root(entry),
            // It makes it stricter by itself.
            Bound::Signer if self.lowers(entry) || self.moves_alone(entry, certificates) => {
                Err(ActorFault::Alone)
            }
            Bound::Signer if certificates.ends_early(entry) => Err(ActorFault::TooEarly),
            Bound::Free | Bound::Signer => Ok(()),
        }
    }

    /// True if less takes two operators after this.
    fn lowers(&self, entry: &Entry) -> bool {
        let is_laxer = |to: FourEyes| to.is_laxer_than(&self.policy);
        entry.action == Action::ChangeApproval && entry.policy().is_some_and(is_laxer)
    }

    /// True if the signer moves a zone on to a certificate that two have to agree to.
    fn moves_alone(&self, entry: &Entry, certificates: &Certificates) -> bool {
        self.policy.rollover && certificates.moves_on_by_hand(entry)
    }

    /// Whoever breaks the glass asks nobody, and says so before.
    fn check_root(&self, entry: &Entry) -> Result<(), ActorFault> {
        // A timer makes backups, and no alert is raised for each.
        let is_backup = entry.action == Action::Export && entry.scope.as_deref() == Some(BACKUP);
        if entry.action == Action::BreakGlass || is_backup {
            return Ok(());
        }
        let broken = self.broken.get(&entry.actor);
        let broken = broken.ok_or(ActorFault::NoBreakGlass)?;
        // The time that a record has is whoever's wrote it; others tell how late it is. Clocks are put right in between.
        let (at, time) = (broken.at.as_secs(), entry.time.as_secs());
        let passed = at.abs_diff(time).max(broken.passed());
        match broken.node == entry.node && passed <= A_DAY.as_secs() {
            true => Ok(()),
            false => Err(ActorFault::NoBreakGlass),
        }
    }

    /// True if the second one has agreed to something that the first had asked for, and that is not done.
    fn have_agreed(&self, asked: &str, agreed: &str) -> bool {
        let mut open = self.agreed.values();
        open.any(|(first, second)| (first.as_str(), second.as_str()) == (asked, agreed))
    }

    fn check_operators(
        &self,
        entry: &Entry,
        certificates: &Certificates,
    ) -> Result<(), ActorFault> {
        let (asked, agreed) = operators_of(&entry.actor).ok_or(ActorFault::NotTheirs)?;
        let needed = entry.needed();
        for (place, name) in [Some(asked), agreed].into_iter().flatten().enumerate() {
            let known = self.operators.get(name).ok_or(ActorFault::Unknown)?;
            known.is_sound()?;
            let is_last = agreed.is_none() || place > 0;
            if let Some(needed) = needed {
                known.may(needed, is_last.then_some(entry.time))?;
            }
        }
        match agreed {
            Some(agreed) if !self.have_agreed(asked, agreed) => Err(ActorFault::NotAgreed),
            None if self.lowers(entry) || entry.takes_two(&self.policy, certificates) => {
                Err(ActorFault::Alone)
            }
            _ => Ok(()),
        }
    }

    fn note(&mut self, record: &Record, could: bool) {
        let entry = &record.entry;
        self.broken.retain(|_, broken| {
            broken.latest = broken.latest.max(entry.time);
            broken.passed() <= A_DAY.as_secs()
        });
        if let Some(name) = &entry.name {
            let before = self.operators.get(name).copied();
            if let Some(mut after) = Standing::after(entry.action, entry, before) {
                after.wrong = (!could).then_some(record.seq);
                self.operators.insert(name.clone(), after);
            }
        }
        let actor = operators_of(&entry.actor);
        match (entry.action, actor) {
            (Action::AskApproval, Some((name, None))) => {
                self.asked.insert(record.seq, name.to_owned());
            }
            (Action::Approve, Some((name, None))) => {
                if let Some(seq) = entry.asked_in()
                    && let Some(asked) = self.asked.get(&seq)
                {
                    self.agreed.insert(seq, (asked.clone(), name.to_owned()));
                }
            }
            (Action::FinishApproval, _) => {
                if let Some(seq) = entry.asked_in() {
                    self.agreed.remove(&seq);
                }
            }
            (Action::BreakGlass, _) if could && self.broken.len() < MOST_BROKEN => {
                let said = Broken {
                    node: entry.node.clone(),
                    at: entry.time,
                    latest: entry.time,
                };
                self.broken.insert(entry.actor.clone(), said);
            }
            (Action::ChangeOperator, _) => self.first = self.first.or(Some(record.seq)),
            (Action::ChangeApproval, _) if could => {
                self.policy = entry.policy().unwrap_or_default();
            }
            _ => {}
        }
    }
}

impl Broken {
    /// How long ago it was at least, in seconds.
    fn passed(&self) -> u64 {
        self.latest.as_secs().saturating_sub(self.at.as_secs())
    }
}

/// The most people at the machine in a day: each record is compared with them.
const MOST_BROKEN: usize = 1000;
/// How long after somebody has said so they act without a credential: as long as a command may take.
const A_DAY: Duration = Duration::from_secs(86_400);
/// The scope of an export that is a backup.
const BACKUP: &str = "backup";
