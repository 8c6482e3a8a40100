//! Sessions, and the connections that may resume them.

use std::collections::BTreeMap;

use crate::format::handshakes::{Accepted, Resumption, SessionVector, Ticket};
use crate::format::{Form, Hex, Policy};
use crate::make::keys::{DEVICE, OTHER_DEVICE};
use crate::make::{DAY, NAME, NOW, WEEK};

pub(super) const EXPIRES: u64 = NOW + DAY;

pub(super) fn all() -> BTreeMap<String, SessionVector> {
    let rows = [
        of_policies(),
        of_names(),
        of_time(),
        of_tickets(),
        of_inheritance(),
        of_withdrawal(),
        of_withdrawn_keys(),
    ]
    .concat();
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
        key: None,
        made_for: NAME.to_owned(),
        made_under: policy,
        ticket: None,
        inherited: Vec::new(),
        wanted_name: NAME.to_owned(),
        policy,
        now: NOW,
        withdrawn: Vec::new(),
        withdrawn_keys: Vec::new(),
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
        row("named-then-ignored", "made with the name, under a stronger policy", named(), Required, Ignored, true),
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

const HOUR: u32 = 3600;

/// A ticket that was received before `NOW`.
fn ticket(ago: u64, lifetime: u32) -> Ticket {
    let received = NOW - ago;
    Ticket { received, lifetime }
}

/// The lifetime of a ticket counts from its receipt, and the credential's end counts too.
#[rustfmt::skip]
fn of_tickets() -> Rows {
    let row = |id, note, peer, policy, ticket, resumes| {
        let ticket = Some(ticket);
        (id, SessionVector { ticket, resumes, ..session(note, peer, policy) })
    };
    let (required, ignored) = (Policy::Required, Policy::Ignored);
    let long = 8 * 86_400;
    vec![
        row("ticket", "within the lifetime of its ticket", named(), required, ticket(HOUR.into(), 2 * HOUR), true),
        row("ticket-last-second", "the last second of its ticket", named(), required, ticket(HOUR.into(), HOUR), true),
        row("ticket-ended", "a second after its ticket has ended, before the credential has", named(), required, ticket(u64::from(HOUR) + 1, HOUR), false),
        row("ticket-of-no-lifetime", "a ticket that is to be discarded at once (RFC 8446 §4.6.1)", named(), required, ticket(0, 0), false),
        row("ticket-certificate-last-second", "the last second of its ticket", certificate(), ignored, ticket(HOUR.into(), HOUR), true),
        row("ticket-certificate-ended", "a second after its ticket has ended", certificate(), ignored, ticket(u64::from(HOUR) + 1, HOUR), false),
        row("ticket-seven-days", "seven days to the second after the ticket came, which lasts longer", certificate(), ignored, ticket(WEEK, long), true),
        row("ticket-more-than-seven-days", "seven days and a second after the ticket came, which lasts longer (RFC 8446 §4.6.1)", certificate(), ignored, ticket(WEEK + 1, long), false),
        ("ticket-outlives-credential", SessionVector {
            now: EXPIRES + 1,
            ticket: Some(ticket(0, 2 * 86_400)),
            resumes: false,
            ..session("a second after the credential has ended, before its ticket has", named(), required)
        }),
    ]
}

/// A session of a resumed connection has what the first had; its own ticket can only end it earlier.
#[rustfmt::skip]
fn of_inheritance() -> Rows {
    use Policy::{Ignored, Preferred, Required};
    let lasting = 6 * 86_400;
    let later = |policy| Resumption { policy, ticket: ticket(60, lasting) };
    let inherited = |note, peer, made_under| SessionVector {
        ticket: Some(ticket(HOUR.into(), lasting)),
        inherited: vec![later(made_under)],
        ..session(note, peer, made_under)
    };
    let twice = |policy| vec![later(policy), later(policy)];
    vec![
        ("inherited", inherited("of a connection that resumed one with the name", named(), Required)),
        ("inherited-twice", SessionVector { inherited: twice(Required), ..inherited("of the second connection that resumed one with the name", named(), Required) }),
        ("inherited-last-second", SessionVector { now: EXPIRES, ..inherited("the last second of the first connection's credential", named(), Required) }),
        ("inherited-expired", SessionVector { now: EXPIRES + 1, resumes: false, ..inherited("a second after the first connection's credential has ended", named(), Required) }),
        ("inherited-twice-expired", SessionVector { now: EXPIRES + 1, inherited: twice(Required), resumes: false, ..inherited("a second after the first connection's credential has ended", named(), Required) }),
        ("inherited-unnamed-expired", SessionVector { now: EXPIRES + 1, resumes: false, ..inherited("a second after the first connection's credential has ended", unnamed(), Preferred) }),
        ("inherited-first-ticket-ended", SessionVector { ticket: Some(ticket(u64::from(HOUR) + 1, HOUR)), ..inherited("a second after the first connection's ticket has ended, within the lifetime of its own", named(), Required) }),
        ("inherited-own-ticket-ended", SessionVector {
            inherited: vec![Resumption { policy: Required, ticket: ticket(61, 60) }],
            resumes: false,
            ..inherited("a second after its own ticket has ended", named(), Required)
        }),
        ("inherited-under-a-weaker-policy", SessionVector {
            inherited: vec![later(Preferred)],
            ..inherited("the first connection was made under the policy of now, the second under a weaker one", named(), Required)
        }),
        ("inherited-without-a-name-then-required", SessionVector { policy: Required, resumes: false, ..inherited("the first connection had no name", certificate(), Ignored) }),
        ("inherited-withdrawn", SessionVector {
            section: "withdrawal".to_owned(),
            withdrawn: vec![NAME.to_owned()],
            resumes: false,
            ..inherited("the first connection's name was withdrawn since", named(), Preferred)
        }),
        ("inherited-key-withdrawn", SessionVector {
            section: "withdrawal".to_owned(),
            key: Some(Hex(DEVICE.spki())),
            withdrawn_keys: vec![Hex(DEVICE.spki())],
            resumes: false,
            ..inherited("the first connection's key was withdrawn since", named(), Preferred)
        }),
    ]
}

#[rustfmt::skip]
fn of_withdrawn_keys() -> Rows {
    let row = |id, note, peer, policy, withdrawn: Vec<u8>, resumes| {
        let (key, withdrawn_keys) = (Some(Hex(DEVICE.spki())), vec![Hex(withdrawn)]);
        let section = "withdrawal".to_owned();
        (id, SessionVector { section, key, withdrawn_keys, resumes, ..session(note, peer, policy) })
    };
    vec![
        row("key-withdrawn", "the credential's key was withdrawn since", named(), Policy::Required, DEVICE.spki(), false),
        row("other-key-withdrawn", "another key was withdrawn since", named(), Policy::Required, OTHER_DEVICE.spki(), true),
        row("unnamed-key-withdrawn", "the credential's key was withdrawn since", unnamed(), Policy::Preferred, DEVICE.spki(), false),
        row("unnamed-other-key-withdrawn", "another key was withdrawn since", unnamed(), Policy::Preferred, OTHER_DEVICE.spki(), true),
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
