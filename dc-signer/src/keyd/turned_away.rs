//! A request that is refused, with the kind of reason and the words for the caller and the log.

use std::fmt;

use dc_pki::keyd::Answer;
use dc_pki::keys::Refusal;

/// A request that is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct TurnedAway {
    pub(super) reason: Refusal,
    pub(super) detail: String,
}

impl TurnedAway {
    pub(super) fn new(reason: Refusal, detail: impl fmt::Display) -> Self {
        let detail = detail.to_string();
        Self { reason, detail }
    }

    /// Of a file or a folder of this process, whose name is nobody else's business.
    pub(super) fn by_own_fault(error: impl fmt::Display) -> Self {
        tracing::error!(%error, "a request was not done");
        Self::new(
            Refusal::Log,
            "its own files are in its way: its log says more",
        )
    }
}

impl From<TurnedAway> for Answer {
    fn from(TurnedAway { reason, detail }: TurnedAway) -> Self {
        Self::Refused { reason, detail }
    }
}
