//! What was offered, and what came.

use super::{Book, schemes};
use crate::fault::Fault;
use crate::format::credentials::KeyType;
use crate::format::{Form, Offer};
use crate::make::draft::{Draft, role_name};
use crate::make::keys::{ED25519, P256, RSAE, device};

/// An offer with lists for the credential's form, the other form, and signature_algorithms.
fn lists(
    form: Form,
    own: Option<Vec<u16>>,
    other: Option<Vec<u16>>,
    signature_algorithms: Vec<u16>,
) -> Offer {
    let (rfc9345, named) = match form {
        Form::Rfc9345 => (own, other),
        Form::Named => (other, own),
    };
    Offer {
        rfc9345,
        named,
        signature_algorithms,
    }
}

/// All schemes but one.
fn without(scheme: u16) -> Vec<u16> {
    schemes()
        .into_iter()
        .filter(|other| *other != scheme)
        .collect()
}

#[rustfmt::skip]
pub(super) fn add(good: &Draft, book: &mut Book) {
    let (form, all) = (good.form, || Some(schemes()));
    for (id, note, offer, fault) in [
        ("not-offered", "neither form was offered", lists(form, None, None, schemes()), Fault::NotOffered),
        ("other-form-offered", "the other form alone was offered", lists(form, None, all(), schemes()), Fault::NotOffered),
        ("scheme-not-offered", "its scheme is in no list of credentials", lists(form, Some(without(ED25519)), Some(without(ED25519)), schemes()), Fault::SchemeNotOffered),
        ("scheme-in-other-list", "its scheme is in the other form's list alone", lists(form, Some(without(ED25519)), all(), schemes()), Fault::SchemeNotOffered),
        ("unknown-schemes-offered", "a list of unknown schemes and GREASE", lists(form, Some(vec![0x7a7a, 0xfe00]), None, schemes()), Fault::SchemeNotOffered),
        ("algorithm-not-offered", "algorithm is not in signature_algorithms", lists(form, all(), all(), without(ED25519)), Fault::AlgorithmNotOffered),
    ] {
        let draft = good.but("client-checks", note, |draft| draft.offer = Some(offer));
        book.add(id, &draft.refused(fault));
    }
    of_independent_lists(good, book);
    of_precedence(good, book);
}

/// The lists have nothing to do with each other.
#[rustfmt::skip]
fn of_independent_lists(good: &Draft, book: &mut Book) {
    let form = good.form;
    for (id, note, offer) in [
        ("only-its-form-offered", "valid: the other form was not offered", lists(form, Some(schemes()), None, schemes())),
        ("scheme-not-in-other-list", "valid: its scheme is not in the other form's list", lists(form, Some(vec![P256]), Some(vec![ED25519]), vec![RSAE[0]])),
        ("lists-with-nothing-in-common", "valid: scheme and algorithm are each in its list alone", lists(form, Some(vec![P256]), None, vec![RSAE[0]])),
    ] {
        let draft = good.but("client-checks", note, |draft| {
            if id != "only-its-form-offered" {
                draft.under("rsa");
                draft.for_key(device(KeyType::P256));
            }
            draft.offer = Some(offer);
        });
        book.add(id, &draft);
    }
    let note = "valid: unknown schemes and GREASE among the others";
    let more = || [&[0x7a7a, 0xfe00], &schemes()[..]].concat();
    let draft = good.but("client-checks", note, |draft| {
        draft.offer = Some(lists(form, Some(more()), Some(more()), more()));
    });
    book.add("more-schemes-offered", &draft);
}

/// Two things that are wrong at once.
fn of_precedence(good: &Draft, book: &mut Book) {
    let both = |what: &str, change: &dyn Fn(&mut Draft)| {
        good.but("alerts", &format!("precedence: {what}"), |draft| {
            change(draft);
        })
    };
    let longer = |draft: &Draft| [&draft.signed()[..], &[0]].concat();
    let draft = both("not offered, and a byte after the structure", &|draft| {
        draft.offer = Some(lists(good.form, None, Some(schemes()), schemes()));
    });
    let id = "first-not-offered-then-malformed";
    book.add_bytes(
        id,
        &draft.clone().refused(Fault::NotOffered),
        longer(&draft),
    );
    let expire = |draft: &mut Draft| draft.valid_time = 604_800;
    let draft = both("a byte after the structure, and expired", &expire);
    let id = "first-malformed-then-expired";
    book.add_bytes(id, &draft.clone().refused(Fault::Malformed), longer(&draft));
    let what = "a scheme that was not offered, under a certificate that may not delegate";
    let draft = both(what, &|draft| {
        draft.under("no-usage");
        draft.offer = Some(lists(good.form, Some(without(ED25519)), None, schemes()));
    });
    book.add(
        "first-scheme-then-usage",
        &draft.refused(Fault::SchemeNotOffered),
    );
    let draft = both(
        "a certificate that may not delegate, and expired",
        &|draft| {
            draft.under("no-usage");
            expire(draft);
        },
    );
    book.add(
        "first-usage-then-expired",
        &draft.refused(Fault::NoDelegationUsage),
    );
    let draft = both("expired, and a scheme that no credential has", &|draft| {
        draft.for_key(device(KeyType::Rsa));
        expire(draft);
    });
    book.add(
        "first-expired-then-forbidden",
        &draft.refused(Fault::Expired),
    );
    let draft = both(
        "a scheme of another key, and a signature of another role",
        &|draft| {
            draft.scheme = P256;
            draft.context = draft.context.replace(role_name(draft.role), "other");
        },
    );
    book.add(
        "first-scheme-then-signature",
        &draft.refused(Fault::SchemeKeyMismatch),
    );
}
