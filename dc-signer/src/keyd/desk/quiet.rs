//! How many refusals are written down.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use dc_pki::keys::Refusal;

/// Refusals in the log: a caller that is refused in a loop does not fill the disk, and hides no refusal for another reason.
#[derive(Debug, Default)]
pub(super) struct Quiet(Mutex<BTreeMap<&'static str, Told>>);

/// The refusals for a reason in the minute of the last one.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    minute: u64,
    written: usize,
    left_out: usize,
}

impl Quiet {
    /// How many for the same reason were left out before this one, if this one may be written.
    pub(super) fn may_tell(&self, reason: Refusal, minute: u64) -> Option<usize> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told = all.entry(reason.as_str()).or_default();
        if told.minute != minute {
            (told.minute, told.written) = (minute, 0);
        }
        if told.written >= REFUSALS_A_MINUTE {
            told.left_out += 1;
            return None;
        }
        told.written += 1;
        Some(std::mem::take(&mut told.left_out))
    }

    /// The reasons for which some were left out in minutes that are over, and how many: each is told once.
    pub(super) fn left_out(&self, minute: u64) -> Vec<(&'static str, usize)> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = all
            .iter_mut()
            .filter(|(_, told)| told.minute < minute && told.left_out > 0);
        over.map(|(reason, told)| (*reason, std::mem::take(&mut told.left_out)))
            .collect()
    }
}

/// For each reason.
pub(super) const REFUSALS_A_MINUTE: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_some_lines_a_minute_and_the_rest_is_counted() {
        let quiet = Quiet::default();
        for _ in 0..REFUSALS_A_MINUTE {
            assert_eq!(quiet.may_tell(Refusal::Caller, 7), Some(0));
        }
        for _ in 0..9 {
            assert_eq!(quiet.may_tell(Refusal::Caller, 7), None);
        }
        // A flood hides nothing else.
        assert_eq!(quiet.may_tell(Refusal::Name, 7), Some(0));
        assert_eq!(quiet.left_out(7), []);
        assert_eq!(quiet.left_out(8), [("caller", 9)]);
        assert_eq!(quiet.left_out(8), []);
        assert_eq!(quiet.may_tell(Refusal::Caller, 8), Some(0));
        for _ in 0..REFUSALS_A_MINUTE {
            quiet.may_tell(Refusal::Caller, 8);
        }
        assert_eq!(quiet.may_tell(Refusal::Caller, 9), Some(1));
    }
}
