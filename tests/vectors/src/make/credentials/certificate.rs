//! Certificates that may delegate, and those that may not.

use super::Book;
use crate::fault::Fault;
use crate::format::Needs;
use crate::make::certificates::certificate;
use crate::make::draft::Draft;

pub(super) fn add(good: &Draft, book: &mut Book) {
    let twice = Fault::DuplicateCertificateExtension;
    for (id, fault) in [
        ("no-usage", Fault::NoDelegationUsage),
        ("usage-of-the-issuer", Fault::NoDelegationUsage),
        ("empty-usage", Fault::DelegationUsageNotNull),
        ("sequence-usage", Fault::DelegationUsageNotNull),
        ("trailing-usage", Fault::DelegationUsageNotNull),
        ("critical-usage", Fault::CriticalDelegationUsage),
        ("duplicate-usage", twice),
        ("duplicate-key-usage", twice),
        ("no-key-usage", Fault::NoDigitalSignature),
        ("key-agreement-only", Fault::NoDigitalSignature),
        ("signs-certificates-only", Fault::NoDigitalSignature),
    ] {
        let note = format!(
            "the certificate may not delegate: {}",
            certificate(id).vector.note
        );
        let draft = good.but("certificate", &note, |draft| draft.under(id));
        book.add(&format!("certificate-{id}"), &draft.refused(fault));
    }
    for id in ["more-key-usages", "with-intermediate"] {
        let note = format!(
            "the certificate may delegate: {}",
            certificate(id).vector.note
        );
        let draft = good.but("certificate", &note, |draft| draft.under(id));
        book.add(&format!("certificate-{id}"), &draft);
    }
    let note =
        "valid for a verifier that accepts an empty DelegationUsage, as none should by itself";
    let draft = good.but("certificate", note, |draft| {
        draft.under("empty-usage");
        draft.needs = vec![Needs::LenientUsage];
    });
    book.add("certificate-empty-usage-leniently", &draft);
}
