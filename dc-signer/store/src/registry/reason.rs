//! Reasons that people give for what they do.

use std::fmt;
use std::str::FromStr;

use super::{Action, Error};

/// A reason or a ticket: 3 to 200 characters in one line, so that it cannot be taken for another record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reason(String);

impl Reason {
    /// The fewest characters.
    pub const MIN_LEN: usize = 3;
    /// The most characters.
    pub const MAX_LEN: usize = 200;

    /// As it was written, without spaces at its ends.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reason {
    type Err = Error;

    /// Fails with [`Error::BadReason`].
    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let fits = (Self::MIN_LEN..=Self::MAX_LEN).contains(&text.chars().count());
        match fits && !text.chars().any(misleads) {
            true => Ok(Self(text.to_owned())),
            false => Err(Error::BadReason),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Action {
    /// True if it takes rights away or gives them back, so that whoever does it has to say why.
    #[must_use]
    pub const fn wants_reason(self) -> bool {
        matches!(
            self,
            Self::AcceptOlder
                | Self::Acknowledge
                | Self::ActivateDelegation
                | Self::AskApproval
                | Self::BreakGlass
                | Self::ChangeApproval
                | Self::ChangeOperator
                | Self::ChangeZone
                | Self::DisableOperator
                | Self::EnableOperator
                | Self::NewName
                | Self::RefuseApproval
                | Self::RemoveZone
                | Self::RenewOperator
                | Self::Replace
                | Self::Replay
                | Self::Resume
                | Self::Retire
                | Self::Suspend
                | Self::TakeName
        )
    }
}

/// Characters that break a line, move a terminal, or turn the direction of what is read.
fn misleads(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_error_names_the_limits() {
        let limits = format!("{} to {} characters", Reason::MIN_LEN, Reason::MAX_LEN);
        assert!(Error::BadReason.to_string().contains(&limits));
    }

    #[test]
    fn a_reason_is_one_line_of_some_words() {
        for good in ["NOC-4711", " stolen van, Köln ", &"x".repeat(200)] {
            let reason: Reason = good.parse().unwrap();
            assert_eq!(reason.as_str(), good.trim());
        }
        for bad in [
            "",
            "  ",
            "no",
            "two\nlines",
            "\u{1b}[2J and away",
            "a\u{202e}b c",
            &"x".repeat(201),
        ] {
            assert_eq!(bad.parse::<Reason>(), Err(Error::BadReason), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_given_breaks_a_line(text in "\\PC{0,300}|(?s).{0,300}") {
            if let Ok(reason) = text.parse::<Reason>() {
                prop_assert!(!reason.as_str().chars().any(char::is_control));
                prop_assert_eq!(reason.as_str().parse::<Reason>(), Ok(reason.clone()));
            }
        }
    }
}
