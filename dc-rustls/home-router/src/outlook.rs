//! The outlook: the served credential and the agent's report, judged at one moment.

use crate::agent::{Level, Renewal, Report, Silence};
use crate::human::{DAY, HOUR};
use crate::identity::{Credential, Standing};

/// The outlook in one word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outlook {
    /// Nobody has to do anything.
    Fresh,
    /// Clients still accept the router, but will not for long if nobody does anything.
    AtRisk,
    /// Clients that want the router's name refuse it.
    Ended,
    /// There is no credential yet.
    Nothing,
}

impl Outlook {
    /// Judges at a moment, in seconds since 1970.
    pub(crate) fn of(standing: &Standing, report: &Result<Report, Silence>, now: u64) -> Self {
        let Some(credential) = &standing.credential else {
            return Self::Nothing;
        };
        let worries = report
            .as_ref()
            .is_ok_and(|report| report.level != Level::Fine);
        match credential.expires.checked_sub(now) {
            None => Self::Ended,
            Some(left) if left < DAY || worries => Self::AtRisk,
            Some(_) => Self::Fresh,
        }
    }
}

/// The life of a credential. Moments are seconds since 1970.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Life {
    pub(crate) begins: u64,
    pub(crate) ends: u64,
    pub(crate) passed: u64,
    pub(crate) left: u64,
}

impl Life {
    /// A credential does not say when it was issued: the agent may know, else the file's time has to do.
    pub(crate) fn of(credential: &Credential, renewal: Option<Renewal>, now: u64) -> Self {
        let ends = credential.expires;
        let earliest = ends.saturating_sub(LONGEST);
        let known = renewal.map(|renewal| renewal.issued);
        let begins = known
            .or(credential.written)
            .unwrap_or(earliest)
            .clamp(earliest, ends);
        Self {
            begins,
            ends,
            passed: now.clamp(begins, ends) - begins,
            left: ends.saturating_sub(now.max(begins)),
        }
    }

    /// How much has passed, of 1000.
    pub(crate) fn permille(&self) -> u64 {
        let whole = self.ends.saturating_sub(self.begins).max(1);
        self.passed.saturating_mul(1000) / whole
    }
}

/// The agent's last renewal, if it is the credential that is served.
pub(crate) fn renewal(
    credential: &Credential,
    report: &Result<Report, Silence>,
) -> Option<Renewal> {
    let renewal = report.as_ref().ok()?.identity?;
    (renewal.expires == credential.expires).then_some(renewal)
}

/// RFC 9345 §3: a credential is valid for seven days at most.
const LONGEST: u64 = 7 * 24 * HOUR;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn credential(expires: u64) -> Credential {
        Credential {
            name: None,
            forms: Vec::new(),
            written: Some(NOW - HOUR),
            expires,
        }
    }

    fn judge(expires: Option<u64>, report: Result<Report, Silence>) -> Outlook {
        let standing = Standing {
            credential: expires.map(credential),
            complaint: None,
        };
        Outlook::of(&standing, &report, NOW)
    }

    #[test]
    fn the_last_day_is_at_risk_and_the_last_second_still_counts() {
        let silent = || Err(Silence::Absent);
        assert_eq!(judge(Some(NOW + DAY), silent()), Outlook::Fresh);
        assert_eq!(judge(Some(NOW + DAY - 1), silent()), Outlook::AtRisk);
        assert_eq!(judge(Some(NOW), silent()), Outlook::AtRisk);
        assert_eq!(judge(Some(NOW - 1), silent()), Outlook::Ended);
        assert_eq!(judge(None, silent()), Outlook::Nothing);
    }

    #[test]
    fn an_agent_that_is_refused_puts_a_fresh_credential_at_risk() {
        let report = |level| {
            Ok(Report {
                level,
                ..Report::default()
            })
        };
        let expires = Some(NOW + 6 * DAY);
        assert_eq!(judge(expires, report(Level::Fine)), Outlook::Fresh);
        assert_eq!(judge(expires, report(Level::AtRisk)), Outlook::AtRisk);
    }

    #[test]
    fn a_renewal_that_is_not_served_yet_is_not_the_last_one() {
        let of = |expires| {
            Ok(Report {
                identity: Some(Renewal {
                    issued: NOW,
                    expires,
                    renew_at: NOW,
                }),
                ..Report::default()
            })
        };
        let served = credential(NOW + DAY);
        assert!(renewal(&served, &of(NOW + DAY)).is_some());
        assert!(renewal(&served, &of(NOW + 6 * DAY)).is_none());
        assert!(renewal(&served, &Err(Silence::Absent)).is_none());
    }

    #[test]
    fn half_of_a_life() {
        let life = Life::of(&credential(NOW + HOUR), None, NOW);
        assert_eq!((life.permille(), life.left), (500, HOUR));
    }

    proptest! {
        #[test]
        fn no_clock_makes_a_life_longer_than_itself(
            expires: u64, now: u64, written: Option<u64>, issued: Option<u64>,
        ) {
            let served = Credential { written, ..credential(expires) };
            let renewal = issued.map(|issued| Renewal { issued, expires, renew_at: 0 });
            let life = Life::of(&served, renewal, now);
            prop_assert!(life.permille() <= 1000);
            prop_assert!(life.passed + life.left <= LONGEST);
        }
    }
}
