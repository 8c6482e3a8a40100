//! Sessions, and the connections that may resume them.

use std::collections::BTreeMap;

use crate::format::handshakes::{Accepted, SessionVector};
use crate::format::{Form, Policy};
use crate::make::{DAY, NAME, NOW};

const EXPIRES: u64 = NOW + DAY;

pub(super) fn all() -> BTreeMap<String, SessionVector> {
    let rows = [of_policies(), of_names(), of_time(), of_withdrawal()].concat();
    let mut all = BTreeMap::new();
    for (id, vector) in rows {
        assert!(all.insert(id.to_owned(), vector).is_none(), "{id} twice");
    }
    all
}

type Rows = Vec<(&'static str, SessionVector)>;

pub(super) fn named() -> Accepted {
    Accepted {
        form: Some(Form::Named),
        unique_name: Some(NAME.to_owned()),
        expires: Some(EXPIRES),
    }
}

pub(super) fn unnamed() -> Accepted {
    Accepted {
        form: Some(Form::Rfc9345),
        unique_name: None,
        expires: Some(EXPIRES),
    }
}

pub(super) fn certificate() -> Accepted {
    Accepted {
        form: None,
        unique_name: None,
        expires: None,
    }
}

/// A session that may be resumed.
fn session(note: &str, peer: Accepted, policy: Policy) -> SessionVector {
    SessionVector {
        note: note.to_owned(),
        section: "sessions".to_owned(),
        peer,
        made_for: NAME.to_owned(),
        made_under: policy,
        wanted_name: NAME.to_owned(),
        policy,
        now: NOW,
        withdrawn: Vec::new(),
        resumes: true,
    }
}

/// What a session was made with, and what is accepted now.
#[rustfmt::skip]
fn of_policies() -> Rows {
    use Policy::{Ignored, Preferred, Required, RequiredOrCertificate};
    let row = |id, note, peer, made_under, policy, resumes| {
        let vector = SessionVector { made_under, policy, resumes, ..session(note, peer, made_under) };
        (id, vector)
    };
    vec![
        row("named-required", "made with the name, under the same policy", named(), Required, Required, true),
        row("named-required-or-certificate", "made with the name, under the same policy", named(), RequiredOrCertificate, RequiredOrCertificate, true),
        row("named-preferred", "made with the name, under the same policy", named(), Preferred, Preferred, true),
        row("named-then-preferred", "made with the name, under a stronger policy", named(), Required, Preferred, true),
        row("named-then-required-or-certificate", "made with the name, under a stronger policy", named(), Required, RequiredOrCertificate, true),
        row("unnamed-preferred", "made with RFC 9345's form, under the same policy", unnamed(), Preferred, Preferred, true),
        row("unnamed-ignored", "made with RFC 9345's form, under the same policy", unnamed(), Ignored, Ignored, true),
        row("unnamed-preferred-then-required", "made without the name", unnamed(), Preferred, Required, false),
        row("unnamed-ignored-then-required", "made without the name", unnamed(), Ignored, Required, false),
        row("unnamed-preferred-then-required-or-certificate", "made with a form that the policy does not accept", unnamed(), Preferred, RequiredOrCertificate, false),
        row("certificate-preferred", "made with a certificate, under the same policy", certificate(), Preferred, Preferred, true),
        row("certificate-ignored", "made with a certificate, under the same policy", certificate(), Ignored, Ignored, true),
        row("certificate-required-or-certificate", "made with a certificate, under the same policy", certificate(), RequiredOrCertificate, RequiredOrCertificate, true),
        row("certificate-preferred-then-required", "made without the name", certificate(), Preferred, Required, false),
        row("certificate-ignored-then-required", "made without the name", certificate(), Ignored, Required, false),
        row("certificate-required-or-certificate-then-required", "made without the name", certificate(), RequiredOrCertificate, Required, false),
    ]
}

#[rustfmt::skip]
fn of_names() -> Rows {
    let row = |id, note, wanted_name: &str, peer, policy, resumes| {
        (id, SessionVector { wanted_name: wanted_name.to_owned(), resumes, ..session(note, peer, policy) })
    };
    let (neighbour, required, ignored) = ("neighbour.cpe.example.com", Policy::Required, Policy::Ignored);
    vec![
        row("name-in-capitals", "ASCII case does not matter", "K3V.cpe.example.com", named(), required, true),
        row("name-with-final-dot", "one dot at the end does not matter", "k3v.cpe.example.com.", named(), required, true),
        row("other-name", "another reference identity", neighbour, named(), required, false),
        row("other-name-preferred", "another reference identity", neighbour, named(), Policy::Preferred, false),
        row("other-name-unnamed", "another reference identity, although the certificate has both names", neighbour, unnamed(), ignored, false),
        row("other-name-certificate", "another reference identity, although the certificate has both names", neighbour, certificate(), ignored, false),
    ]
}

#[rustfmt::skip]
fn of_time() -> Rows {
    let row = |id, note, peer, policy, now, resumes| (id, SessionVector { now, resumes, ..session(note, peer, policy) });
    vec![
        row("last-second", "the last second of the credential", named(), Policy::Required, EXPIRES, true),
        row("expired", "a second after the credential has ended", named(), Policy::Required, EXPIRES + 1, false),
        row("unnamed-last-second", "the last second of the credential", unnamed(), Policy::Preferred, EXPIRES, true),
        row("unnamed-expired", "a second after the credential has ended", unnamed(), Policy::Preferred, EXPIRES + 1, false),
    ]
}

#[rustfmt::skip]
fn of_withdrawal() -> Rows {
    let row = |id, note, withdrawn: &str, resumes| {
        let section = "withdrawal".to_owned();
        let withdrawn = vec![withdrawn.to_owned()];
        (id, SessionVector { section, withdrawn, resumes, ..session(note, named(), Policy::Required) })
    };
    vec![
        row("withdrawn", "the name was withdrawn since", NAME, false),
        row("other-withdrawn", "another name was withdrawn since", "neighbour.cpe.example.com", true),
        row("zone-withdrawn", "a name that ends like it was withdrawn since", "cpe.example.com", true),
    ]
}
