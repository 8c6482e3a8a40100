//! The acts of operators on a device.

use dc_store::registry::{Action, Change, Device, Role};

/// An act of an operator on a device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Act {
    /// It gets no credentials until it is resumed.
    Suspend,
    /// It gets credentials again.
    Resume,
    /// It never gets any again.
    Retire,
    /// The suspected clone is none.
    ClearClone,
}

impl Act {
    /// All of them, in the order of their buttons.
    pub(super) const ALL: [Self; 4] = [Self::ClearClone, Self::Resume, Self::Suspend, Self::Retire];

    /// The act that a path ends in.
    pub(super) fn of(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.path() == path)
    }

    /// The end of its path, which is what the audit log calls it.
    pub(super) fn path(self) -> &'static str {
        self.action().as_str()
    }

    /// The action in the audit log.
    pub(super) fn action(self) -> Action {
        match self {
            Self::ClearClone => Action::ClearClone,
            Self::Resume => Action::Resume,
            Self::Retire => Action::Retire,
            Self::Suspend => Action::Suspend,
        }
    }

    /// The change of the device.
    pub(super) fn change(self) -> Change {
        match self {
            Self::ClearClone => Change::ClearClone,
            Self::Resume => Change::Resume,
            Self::Retire => Change::Retire,
            Self::Suspend => Change::Suspend,
        }
    }

    /// True if it would change anything; only then there is a button for it.
    pub(super) fn is_possible(self, device: &Device) -> bool {
        let applied = device.apply(&self.change(), device.changed);
        matches!(applied, Ok(Some(_)))
    }
}

/// True if an operator of this role gets buttons.
pub(super) fn may_act(role: Role) -> bool {
    role >= Role::Operator
}
