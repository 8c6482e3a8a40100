//! Which acts take two operators, as the audit log has it.

use std::fmt;
use std::str::FromStr;

use super::Error;

/// Acts that take two operators.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FourEyes {
    /// Moving a zone on to its next delegation certificate by hand.
    pub rollover: bool,
    /// Retiring more devices than this; none if it never does.
    pub retire_above: Option<u64>,
    /// Ending a slot of a zone.
    pub zones_end: bool,
}

impl FourEyes {
    /// True if anything takes two.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.rollover || self.retire_above.is_some() || self.zones_end
    }

    /// All that takes two by either.
    #[must_use]
    pub fn strictest(&self, other: &Self) -> Self {
        let limits = [self.retire_above, other.retire_above];
        Self {
            rollover: self.rollover || other.rollover,
            retire_above: limits.into_iter().flatten().min(),
            zones_end: self.zones_end || other.zones_end,
        }
    }

    /// True if anything takes one by this that takes two by the other.
    #[must_use]
    pub fn is_laxer_than(&self, other: &Self) -> bool {
        self.strictest(other) != *self
    }
}

impl fmt::Display for FourEyes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rollover,
            retire_above,
            zones_end,
        } = self;
        write!(f, "rollover={rollover} retire_above=")?;
        match retire_above {
            Some(limit) => write!(f, "{limit}")?,
            None => f.write_str("none")?,
        }
        write!(f, " zones_end={zones_end}")
    }
}

impl FromStr for FourEyes {
    type Err = Error;

    /// Fails with [`Error::BadAction`].
    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = || Error::BadAction;
        let words: Vec<&str> = text.split(' ').collect();
        let [rollover, retire_above, zones_end] = words[..] else {
            return Err(bad());
        };
        let value = |word: &'static str, given: &str| -> Option<String> {
            given.strip_prefix(word).map(str::to_owned)
        };
        let flag = |text: Option<String>| text?.parse().ok();
        let limit = value("retire_above=", retire_above).ok_or_else(bad)?;
        Ok(Self {
            rollover: flag(value("rollover=", rollover)).ok_or_else(bad)?,
            retire_above: match limit.as_str() {
                "none" => None,
                limit => Some(limit.parse().map_err(|_| bad())?),
            },
            zones_end: flag(value("zones_end=", zones_end)).ok_or_else(bad)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_the_strictest_holds() {
        let all = [None, Some(0), Some(7)]
            .into_iter()
            .flat_map(|retire_above| {
                [false, true].map(|rollover| FourEyes {
                    rollover,
                    retire_above,
                    zones_end: !rollover,
                })
            });
        let all: Vec<FourEyes> = all.collect();
        for one in &all {
            assert_eq!(one.to_string().parse(), Ok(*one));
            for other in &all {
                let strictest = one.strictest(other);
                assert!(!strictest.is_laxer_than(one) && !strictest.is_laxer_than(other));
                assert_eq!(one.is_laxer_than(other), strictest != *one);
            }
        }
        assert!("rollover=yes".parse::<FourEyes>().is_err());
        assert!(FourEyes::default().is_laxer_than(&FourEyes {
            retire_above: Some(9),
            ..FourEyes::default()
        }));
    }
}
