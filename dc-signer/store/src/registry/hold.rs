//! The hold on a name: until when credentials for it may be valid, and from when on another box gets any.
//!
//! Operators work at machines whose clocks may be wrong by days, so what they do writes down when credentials end, and never that
//! they are over: that is judged by who issues, whose clock is checked first.

use std::time::Duration;

use pki_types::UnixTime;

/// The time for which a name is taken, by this box and by those before.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Hold {
    /// When the last credential ends that was issued for the name, whichever box has it; none if there was none.
    pub until: Option<UnixTime>,
    /// From when on the box that took over gets credentials, for as long as it has got none; none if it waits for nobody's.
    pub free_from: Option<UnixTime>,
    /// Set if the name stays withdrawn until then, because it was when the box took over.
    pub withdrawn: bool,
}

impl Hold {
    /// The hold on a box that gets a name for which something is valid.
    pub(crate) fn before(free_from: UnixTime, withdrawn: bool) -> Self {
        let after_end = AHEAD.as_secs().saturating_add(1);
        let until = Duration::from_secs(free_from.as_secs().saturating_sub(after_end));
        Self {
            until: Some(UnixTime::since_unix_epoch(until)),
            free_from: Some(free_from),
            withdrawn,
        }
    }
}

/// The first second in which a credential is not valid any more, by every signer's clock that counts as right.
pub(crate) fn after(end: UnixTime) -> UnixTime {
    let over = end.as_secs().saturating_add(1);
    UnixTime::since_unix_epoch(Duration::from_secs(over.saturating_add(AHEAD.as_secs())))
}

/// How far ahead a signer's clock may be and count as right. Clients whose clocks are right take credentials from a clock that
/// is four hours ahead.
pub const AHEAD: Duration = Duration::from_secs(3600);
