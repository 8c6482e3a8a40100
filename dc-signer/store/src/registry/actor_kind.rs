//! Kinds of actors, and which of them do what: the one table for all actions.

use super::Action;

/// The kind of an actor of the audit log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ActorKind {
    /// A device: the record names it.
    Device,
    /// Whoever makes the first operator of a database, with nothing to show.
    First,
    /// One operator, or one who asked and one who agreed.
    Operators,
    /// Somebody at the machine without an operator's credential.
    Root,
    /// The signer itself.
    Signer,
    /// Whoever tests this crate: no other build knows it.
    #[cfg(test)]
    Tester,
}

impl ActorKind {
    /// Of an actor as a record has it; none if no version of this program writes such a one.
    pub(crate) fn of(actor: &str) -> Option<Self> {
        match actor {
            "device" => return Some(Self::Device),
            "signer" => return Some(Self::Signer),
            #[cfg(test)]
            "tester" => return Some(Self::Tester),
            _ => {}
        }
        match actor.split_once(':')? {
            ("first", _) => Some(Self::First),
            ("operator", _) => Some(Self::Operators),
            ("root", _) => Some(Self::Root),
            _ => None,
        }
    }
}

/// The part that the records before have in an actor's act, beside that it is one of theirs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Bound {
    /// Nobody is there yet who could make an operator.
    First,
    /// Nothing.
    Free,
    /// They were made, are let in, and have the role.
    Operators,
    /// They have broken the glass.
    Root,
    /// It makes nothing laxer.
    Signer,
}

impl ActorKind {
    /// True for a person, or a program in the name of one.
    pub(super) const fn is_somebodys(self) -> bool {
        !matches!(self, Self::Device | Self::Signer)
    }

    pub(super) const fn bound(self) -> Bound {
        match self {
            Self::Device => Bound::Free,
            Self::First => Bound::First,
            Self::Operators => Bound::Operators,
            Self::Root => Bound::Root,
            Self::Signer => Bound::Signer,
            #[cfg(test)]
            Self::Tester => Bound::Free,
        }
    }
}

/// The kinds of actors that do something.
#[derive(Clone, Copy)]
enum DoneBy {
    /// Devices alone.
    Devices,
    /// A device that its manufacturer made and nobody added, or operators, or whoever has broken the glass.
    DevicesAndPeople,
    /// Operators alone: whoever has broken the glass asks nobody.
    Operators,
    /// Operators, or whoever has broken the glass.
    People,
    /// The same, or whoever makes the first operator.
    PeopleAndFirst,
    /// Whoever has no credential.
    Root,
    /// The signer by itself, operators, or whoever has broken the glass.
    SignerAndPeople,
}

impl DoneBy {
    const fn has(self, kind: ActorKind) -> bool {
        match kind {
            ActorKind::Device => matches!(self, Self::Devices | Self::DevicesAndPeople),
            ActorKind::First => matches!(self, Self::PeopleAndFirst),
            ActorKind::Operators => !matches!(self, Self::Devices | Self::Root),
            ActorKind::Root => !matches!(self, Self::Devices | Self::Operators),
            ActorKind::Signer => matches!(self, Self::SignerAndPeople),
            #[cfg(test)]
            ActorKind::Tester => true,
        }
    }
}

impl Action {
    /// True if actors of a kind do this.
    pub(crate) const fn is_done_by(self, kind: ActorKind) -> bool {
        self.done_by().has(kind)
    }

    const fn done_by(self) -> DoneBy {
        match self {
            Self::Enrol
            | Self::FinishSwitch
            | Self::FlagClone
            | Self::Issue
            | Self::IssueClient
            | Self::SwitchKey => DoneBy::Devices,
            Self::Add => DoneBy::DevicesAndPeople,
            Self::Approve | Self::AskApproval | Self::FinishApproval | Self::RefuseApproval => {
                DoneBy::Operators
            }
            Self::AcceptOlder
            | Self::Acknowledge
            | Self::ChangeZone
            | Self::ClearClone
            | Self::DisableOperator
            | Self::EnableOperator
            | Self::EndSecret
            | Self::Export
            | Self::ExportEnd
            | Self::ExportSecrets
            | Self::NewCode
            | Self::NewName
            | Self::NewZone
            | Self::Read
            | Self::RemoveZone
            | Self::RenewOperator
            | Self::Replace
            | Self::Replay
            | Self::ResealSecrets
            | Self::Resume
            | Self::Retire
            | Self::RotateSecret
            | Self::SealSecrets
            | Self::Suspend
            | Self::TakeName
            | Self::Tidy => DoneBy::People,
            Self::ChangeOperator => DoneBy::PeopleAndFirst,
            Self::BreakGlass => DoneBy::Root,
            Self::ActivateDelegation
            | Self::ChangeApproval
            | Self::DrainDelegation
            | Self::EndDelegation
            | Self::FailOrder
            | Self::ImportDelegation
            | Self::OrderDelegation
            | Self::ShareDelegation => DoneBy::SignerAndPeople,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(actor: &str, action: Action) -> bool {
        ActorKind::of(actor).is_some_and(|kind| action.is_done_by(kind))
    }

    #[test]
    fn each_kind_does_what_the_program_has_it_do_and_no_more() {
        let count = |actor: &str| {
            let all = Action::ALL.iter();
            all.filter(|action| may(actor, **action)).count()
        };
        for unknown in [
            "",
            "foo",
            "cli:root",
            "device:d1",
            "signer:",
            "first",
            "dev",
        ] {
            assert_eq!(count(unknown), 0, "{unknown}");
        }
        assert_eq!(count("device"), 7);
        assert_eq!(count("first:uid=0,login=none"), 1);
        assert_eq!(count("signer"), 8);
        assert!(may("first:uid=0,login=none", Action::ChangeOperator));
        assert!(!may("root:uid=0,login=none", Action::Approve));
        for action in [Action::Resume, Action::Acknowledge, Action::ChangeOperator] {
            assert!(may("operator:alice", action));
            assert!(may("root:uid=0,login=none", action));
            assert!(!may("signer", action) && !may("device", action));
        }
    }
}
