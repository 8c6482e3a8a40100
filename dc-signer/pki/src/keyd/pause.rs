//! The time in which a signing process issues nothing in a zone, whatever it is asked.

use std::fmt;
use std::time::Duration;

use pki_types::UnixTime;

use crate::time::Moment;

/// A time in which a signing process issues nothing in a zone. It ends by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pause {
    /// The reason.
    pub cause: PauseCause,
    /// When the last credential was issued before it, or the process found out.
    pub since: UnixTime,
    /// When the next one can be issued.
    pub until: UnixTime,
}

/// The reason of a [`Pause`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PauseCause {
    /// As many were issued as may be in an hour.
    Hour,
    /// Its own log is gone or damaged: as many may have been issued.
    Lost,
    /// As many were issued as may be in a minute.
    Minute,
    /// One that this version does not know.
    Other(u8),
}

impl Pause {
    /// True if it is so long that a service is not ready meanwhile.
    ///
    /// It is the whole of it that counts, not what is left. A shorter one is over before a load balancer has made
    /// anything of it, and comes of many devices: taking signers away would do harm.
    #[must_use]
    pub fn is_long(&self) -> bool {
        let seconds = self.until.as_secs().saturating_sub(self.since.as_secs());
        Duration::from_secs(seconds) >= LONG
    }
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cause, until) = (self.cause, Moment(self.until));
        write!(
            f,
            "the signing process issues nothing until {until}, because {cause}"
        )
    }
}

impl PauseCause {
    /// As status and JSON have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "per-hour",
            Self::Lost => "lost-log",
            Self::Minute => "per-minute",
            Self::Other(_) => "other",
        }
    }

    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Hour => 1,
            Self::Lost => 2,
            Self::Minute => 3,
            Self::Other(code) => code,
        }
    }

    pub(super) const fn of_code(code: u8) -> Self {
        match code {
            1 => Self::Hour,
            2 => Self::Lost,
            3 => Self::Minute,
            code => Self::Other(code),
        }
    }
}

impl fmt::Display for PauseCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hour => "the zone has had as many credentials in an hour as its ceiling (per_hour) allows",
            Self::Lost => {
                "its own log is gone or damaged, so that nobody knows what was issued in the hour before"
            }
            Self::Minute => {
                "the zone has had as many credentials in a minute as its ceiling (per_minute) allows"
            }
            Self::Other(_) => "of something that this version does not know",
        })
    }
}

/// Longer than any ceiling of a minute keeps anybody.
const LONG: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::from_seconds;

    #[test]
    fn a_minute_is_short_to_its_end_and_an_hour_long_to_its_end() {
        let pause = |cause, seconds| Pause {
            cause,
            since: from_seconds(1_800_000_000),
            until: from_seconds(1_800_000_000_u64 + seconds),
        };
        assert!(!pause(PauseCause::Minute, 60).is_long());
        // Oldest ones leave the hour all the time.
        assert!(!pause(PauseCause::Hour, 119).is_long());
        let hour = pause(PauseCause::Lost, 3600);
        assert!(hour.is_long());
        let text = hour.to_string();
        assert!(
            text.contains("until 2027-01-15T09:00:00Z, because its own log is gone"),
            "{text}"
        );
        for code in 0..9 {
            assert_eq!(PauseCause::of_code(code).code(), code);
        }
    }
}
