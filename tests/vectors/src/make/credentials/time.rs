//! `valid_time` and the clock.

use super::Book;
use crate::fault::Fault;
use crate::format::Assumed;
use crate::make::certificates::certificate;
use crate::make::draft::Draft;
use crate::make::{DAY, NOT_BEFORE, NOW, WEEK};

#[rustfmt::skip]
pub(super) fn add(good: &Draft, book: &mut Book) {
    let later = |seconds: u64| u32::try_from(NOW + seconds - NOT_BEFORE).unwrap();
    let too_long = Fault::LifetimeTooLong;
    for (id, note, valid_time, fault) in [
        ("expired", "ended a second ago", later(0) - 1, Some(Fault::Expired)),
        ("last-second", "ends with this second", later(0), None),
        ("seven-days", "604800 seconds are left", later(WEEK), None),
        ("seven-days-and-a-second", "604801 seconds are left", later(WEEK + 1), Some(too_long)),
        ("eight-days", "eight days are left", later(8 * DAY), Some(too_long)),
        ("lifetime-in-valid-time", "valid_time is 604800, which counts from notBefore", u32::try_from(WEEK).unwrap(), Some(Fault::Expired)),
        ("greatest-valid-time", "valid_time is 2^32-1: the sum is beyond 32 bits", u32::MAX, Some(too_long)),
        ("valid-time-with-sign", "valid_time is 2^31: no negative number", 1 << 31, Some(too_long)),
        ("no-valid-time", "valid_time is 0: the certificate's first second alone", 0, None),
    ] {
        let mut draft = good.but("time", note, |draft| draft.valid_time = valid_time);
        draft.refused = fault.map(crate::make::alerts::refused);
        book.add(id, &draft);
    }
    beyond_32_bits(good, book);
    of_certificates(good, book);
}

/// Times that do not fit in 32 bits, which begin in 2106.
fn beyond_32_bits(good: &Draft, book: &mut Book) {
    let note = "ends in 2162, 2^32-1 seconds after notBefore: the sum takes more than 32 bits";
    let draft = good.but("time", note, |draft| {
        draft.under("endless");
        draft.valid_time = u32::MAX;
    });
    book.add("in-2162", &draft);
    let note =
        "a day before 32 bits of seconds end, and the credential ends later than they could say";
    let draft = good.but("time", note, |draft| {
        draft.under("endless");
        draft.valid_time = u32::MAX;
        draft.now = u64::from(u32::MAX) - DAY;
    });
    book.add("eight-days-in-2106", &draft.refused(Fault::LifetimeTooLong));
}

/// The end of the certificate.
fn of_certificates(good: &Draft, book: &mut Book) {
    for (id, note, certificate) in [
        (
            "certificate-ended",
            "the certificate has ended, the credential has not",
            "ended",
        ),
        (
            "certificate-not-yet",
            "the certificate is not valid yet",
            "not-yet",
        ),
    ] {
        let draft = good.but("time", note, |draft| {
            draft.under(certificate);
            draft.assumes = vec![Assumed::CertificateName];
            let not_before = crate::make::certificates::certificate(certificate)
                .vector
                .not_before;
            draft.valid_time = u32::try_from(NOW + DAY - not_before).unwrap();
        });
        book.add(id, &draft.refused(Fault::CertificateNotValid));
    }
    let note = "ends after the certificate, which no issuer does, and which verifiers need not look for: valid while both are";
    let draft = good.but("time", note, |draft| {
        draft.under("ending");
        draft.valid_time = u32::try_from(NOW + 5 * DAY - NOT_BEFORE).unwrap();
    });
    assert!(draft.expiry() > certificate("ending").vector.not_after);
    book.add("after-certificate", &draft);
}
