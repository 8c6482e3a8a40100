//! The connections that can be sent away, by why that is.

use super::address::Prefix;
use super::crowd::Crowd;

/// The reason that a connection can be sent away.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Group {
    /// Nothing was heard of it yet.
    Silent,
    /// It shakes hands.
    Speaking,
    /// It is a stranger's that has no request in progress.
    Strangers,
    /// The same, and the bodies of its requests are awaited.
    Awaiting,
    /// It has no request in progress, and is of somebody who is known here.
    Known,
    /// It was sent away already, and is not gone yet.
    Leaving,
}

/// Each has the numbers of its connections.
#[derive(Debug, Default)]
pub(super) struct Groups {
    silent: Crowd<u64>,
    speaking: Crowd<u64>,
    strangers: Crowd<u64>,
    awaiting: Crowd<u64>,
    known: Crowd<u64>,
    leaving: Crowd<u64>,
}

impl Groups {
    /// One of them.
    pub(super) fn of(&mut self, group: Group) -> &mut Crowd<u64> {
        match group {
            Group::Silent => &mut self.silent,
            Group::Speaking => &mut self.speaking,
            Group::Strangers => &mut self.strangers,
            Group::Awaiting => &mut self.awaiting,
            Group::Known => &mut self.known,
            Group::Leaving => &mut self.leaving,
        }
    }

    /// Takes one out, if it is there.
    pub(super) fn remove(&mut self, prefix: Prefix, place: Option<(Group, u64)>) {
        if let Some((group, rank)) = place {
            self.of(group).remove(prefix, rank);
        }
    }
}
