//! A request that is refused, with the kind of reason and the words for the caller and the log.

use std::{fmt, io};

use dc_pki::keyd::Answer;
use dc_pki::keys::Refusal;

/// A request that is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct TurnedAway {
    pub(super) reason: Refusal,
    /// Of what a caller has sent, no more than some characters, and no control characters: it is written down.
    pub(super) detail: String,
    /// The part that is nobody else's business, for the process's own standard error.
    pub(super) own: Option<String>,
}

impl TurnedAway {
    pub(super) fn new(reason: Refusal, detail: impl fmt::Display) -> Self {
        let detail = bounded(&detail.to_string());
        Self {
            reason,
            detail,
            own: None,
        }
    }

    /// Of a file or a folder of this process, whose name is nobody else's business.
    pub(super) fn by_own_fault(error: impl fmt::Display) -> Self {
        Self {
            own: Some(error.to_string()),
            ..Self::new(
                Refusal::Log,
                "its own files are in its way: its log says more",
            )
        }
    }

    /// Of a log that cannot be written. That its disk is full is no secret, and whoever makes room has to know where.
    pub(super) fn by_log(error: &io::Error) -> Self {
        let refused = Self::by_own_fault(error);
        match error.kind() {
            io::ErrorKind::QuotaExceeded | io::ErrorKind::StorageFull => Self {
                detail: "the disk of its own log is full: make room in its state folder".to_owned(),
                ..refused
            },
            io::ErrorKind::ReadOnlyFilesystem => Self {
                detail: "the disk of its own log is read-only".to_owned(),
                ..refused
            },
            _ => refused,
        }
    }

    /// Of a key that does not sign.
    pub(super) fn by_key(error: impl fmt::Display) -> Self {
        Self {
            own: Some(error.to_string()),
            ..Self::new(Refusal::Key, "the key does not sign now: its log says more")
        }
    }
}

impl From<TurnedAway> for Answer {
    fn from(TurnedAway { reason, detail, .. }: TurnedAway) -> Self {
        Self::Refused { reason, detail }
    }
}

/// The beginning of a text, and how many characters are left out; control characters are replaced.
fn bounded(text: &str) -> String {
    let replaced = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    let mut rest = text.chars();
    let begin: String = rest.by_ref().take(MAX_DETAIL).map(replaced).collect();
    match rest.count() {
        0 => begin,
        more => format!("{begin}… and {more} characters more"),
    }
}

/// More than any name has, with a sentence around it.
const MAX_DETAIL: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_sends_is_cut_and_moves_no_terminal() {
        let detail = |text: &str| TurnedAway::new(Refusal::Name, text).detail;
        assert_eq!(detail("ä is short"), "ä is short");
        assert_eq!(detail("a\nb\u{1b}[2J"), "a\u{fffd}b\u{fffd}[2J");
        let exact = "ß".repeat(MAX_DETAIL);
        assert_eq!(detail(&exact), exact);
        let long = detail(&"\0".repeat(60_000));
        assert!(long.ends_with("… and 59600 characters more"), "{long}");
        assert!(long.len() < 2000, "{}", long.len());
    }
}
