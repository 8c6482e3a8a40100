//! The answer to a device: chain and credentials as one unit, and when to renew.

use dc_core::Issued;

use super::loaded::Loaded;
use crate::authority::policy::Approved;
use crate::registry::Sha256;
use dc_protocol::{Credential, Credentials};

/// The answer as it is recorded, and sent again to whoever asks again.
pub(super) fn write(approved: &Approved<'_>, loaded: &Loaded, issued: &[Issued]) -> Vec<u8> {
    let begin = approved.now().as_secs();
    let ends = issued.iter().map(|one| one.expiry().as_secs());
    let end = ends.min().unwrap_or(begin);
    let [renew_from, renew_until] = window(begin, end);
    let answer = Credentials {
        device: approved.device().to_string(),
        name: approved.name().to_string(),
        zone: approved.zone().to_string(),
        credentials: issued.iter().map(credential).collect(),
        chain: loaded.chain_pem.clone(),
        issued: begin,
        expires: end,
        renew_from,
        renew_until,
    };
    serde_json::to_vec(&answer).expect("texts and numbers are JSON")
}

fn credential(issued: &Issued) -> Credential {
    Credential {
        form: issued.form().to_string(),
        pem: dc_core::pem::write(issued.form(), issued.bytes()),
        sha256: Sha256::of(issued.bytes()).to_string(),
    }
}

/// From 40 % to 55 % of a life: late enough to be cheap, early enough for days of outage, and wide enough to
/// spread a crowd.
fn window(begin: u64, end: u64) -> [u64; 2] {
    let life = end.saturating_sub(begin);
    [40, 55].map(|percent| begin.saturating_add(life.saturating_mul(percent) / 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_renew_between_two_and_three_fifths_of_a_life() {
        let hour = 3600;
        let begin = 1_800_000_000;
        assert_eq!(
            window(begin, begin + 100 * hour),
            [begin + 40 * hour, begin + 55 * hour]
        );
    }

    #[test]
    fn no_life_has_no_window() {
        assert_eq!(window(7, 7), [7, 7]);
        assert_eq!(window(7, 0), [7, 7]);
    }
}
