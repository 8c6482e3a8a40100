//! X.509 certificates (RFC 5280 §4.1).

use super::key_usage;
use crate::make::keys::{Key, ROOT};
use crate::make::{DAY, NOT_BEFORE, der};

/// A certificate to be signed.
pub(super) struct Plan {
    pub(super) subject: &'static str,
    pub(super) issuer: &'static str,
    pub(super) serial: Vec<u8>,
    pub(super) key: Key,
    pub(super) signer: Key,
    pub(super) validity: (u64, u64),
    pub(super) extensions: Vec<Vec<u8>>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            subject: ROOT_NAME,
            issuer: ROOT_NAME,
            serial: vec![1],
            key: ROOT,
            signer: ROOT,
            validity: (NOT_BEFORE - 365 * DAY, END_OF_TIME),
            extensions: Vec::new(),
        }
    }
}

/// Signs it.
pub(super) fn issue(plan: &Plan) -> Vec<u8> {
    const ED25519: &[u8] = &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];
    let (from, to) = plan.validity;
    let tbs = der::sequence(&[
        &[0xa0, 0x03, 0x02, 0x01, 0x02],
        &der::tlv(0x02, &[&plan.serial]),
        ED25519,
        &der::common_name(plan.issuer),
        &der::sequence(&[&time(from), &time(to)]),
        &der::common_name(plan.subject),
        &plan.key.spki(),
        &der::tlv(0xa3, &[&der::sequence(&[&plan.extensions.concat()])]),
    ]);
    let signature = plan.signer.sign(plan.signer.scheme(), &tbs);
    der::sequence(&[&tbs, ED25519, &der::bit_string(&signature)])
}

/// UTCTime until 2049, then GeneralizedTime (RFC 5280 §4.1.2.5).
fn time(seconds: u64) -> Vec<u8> {
    let (days, second) = (seconds / DAY, seconds % DAY);
    // Howard Hinnant's days_from_civil, backwards, for days after 0000-03-01.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year + era * 400 + u64::from(month <= 2);
    let clock = format!(
        "{month:02}{day:02}{:02}{:02}{:02}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    );
    match year {
        ..2050 => der::tlv(0x17, &[format!("{:02}{clock}", year % 100).as_bytes()]),
        _ => der::tlv(0x18, &[format!("{year:04}{clock}").as_bytes()]),
    }
}

/// basicConstraints with cA, and keyUsage with keyCertSign.
pub(super) fn ca() -> Vec<Vec<u8>> {
    let constraints = der::sequence(&[&[1, 1, 0xff]]);
    vec![
        der::extension(der::BASIC_CONSTRAINTS, true, &constraints),
        key_usage(&[3, 2, 2, 4]),
    ]
}

pub(super) const ROOT_NAME: &str = "root of the vectors";
/// 9999-12-31 23:59:59.
pub(in crate::make) const END_OF_TIME: u64 = 253_402_300_799;
