//! Offers × what is held → what is sent.

use super::held::{
    self, CLIENT_NAMED, CLIENT_UNNAMED, NAMED_BY_RSA, NAMED_EXPIRED, NAMED_P256, NEIGHBOUR,
    NOT_COVERED, OTHER_NAME, SAME_ZONE, SENSOR, UNNAMED, UNNAMED_EXACT, UNNAMED_EXPIRED,
    UNNAMED_P256,
};
use super::{Book, NAMED, RFC9345, SIGNATURE_ALGORITHMS, good, list};
use crate::fault::Fault;
use crate::format::selection::{Answer, SelectionVector};
use crate::format::{Extension, Role};
use crate::make::alerts::refused;
use crate::make::credentials::schemes;
use crate::make::keys::{ED25519, P256, RSAE};

/// The forms that are offered.
#[derive(Clone, Copy)]
enum Offers {
    Nothing,
    Rfc9345,
    Named,
    Both,
    /// Both, in the other order.
    Reversed,
}

impl Offers {
    fn extensions(self) -> Vec<Extension> {
        let (algorithms, rfc9345, named) = (
            list(SIGNATURE_ALGORITHMS, &schemes()),
            list(RFC9345, &schemes()),
            list(NAMED, &schemes()),
        );
        match self {
            Self::Nothing => vec![algorithms],
            Self::Rfc9345 => vec![algorithms, rfc9345],
            Self::Named => vec![algorithms, named],
            Self::Both => vec![algorithms, rfc9345, named],
            Self::Reversed => vec![named, rfc9345, algorithms],
        }
    }
}

/// The last resorts of a server.
const CERTIFICATE: &str = "certificate";
const REFUSED: &str = "refused";
/// The last resort of a client.
const EMPTY: &str = "empty";

fn answer(text: &str) -> Answer {
    match text {
        CERTIFICATE => Answer::Certificate,
        EMPTY => Answer::Empty,
        REFUSED => Answer::Refused(refused(Fault::NothingSuits)),
        credential => Answer::Credential(credential.to_owned()),
    }
}

pub(super) fn add(book: &mut Book) {
    of_forms(book);
    of_names(book);
    of_time(book);
    of_schemes(book);
    of_order(book);
    of_versions(book);
    of_clients(book);
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Every offer with everything that is held, for the right name.
fn of_forms(book: &mut Book) {
    let offers = [
        ("nothing", Offers::Nothing),
        ("rfc9345", Offers::Rfc9345),
        ("named", Offers::Named),
        ("both", Offers::Both),
        ("both-reversed", Offers::Reversed),
    ];
    let holdings: [(&str, &[&str]); 4] = [
        ("nothing", &[]),
        ("unnamed", &[UNNAMED]),
        ("named", &[held::NAMED]),
        ("both", &[UNNAMED, held::NAMED]),
    ];
    for (offer_id, offers) in offers {
        for (held_id, held) in holdings {
            for certificate in [true, false] {
                let wants_named = matches!(offers, Offers::Named | Offers::Both | Offers::Reversed);
                let wants_34 = matches!(offers, Offers::Rfc9345 | Offers::Both | Offers::Reversed);
                let sent = match () {
                    () if wants_named && held.contains(&held::NAMED) => held::NAMED,
                    () if wants_34 && held.contains(&UNNAMED) => UNNAMED,
                    () if certificate => CERTIFICATE,
                    () => REFUSED,
                };
                let own_key = if certificate { "" } else { "-no-certificate" };
                let id = format!("offered-{offer_id}-held-{held_id}{own_key}");
                let vector = SelectionVector {
                    extensions: offers.extensions(),
                    held: owned(held),
                    certificate,
                    answer: answer(sent),
                    ..good(
                        "server",
                        "the named form before RFC 9345's, before the certificate's own key, before an alert",
                    )
                };
                book.add(&id, vector);
            }
        }
    }
}

/// Which server_name gets what.
#[rustfmt::skip]
fn of_names(book: &mut Book) {
    let both: &[&str] = &[UNNAMED, held::NAMED];
    let lone: &[&str] = &[held::NAMED];
    let two: &[&str] = &[held::NAMED, SAME_ZONE, OTHER_NAME];
    let name = crate::make::NAME;
    for (id, note, server_name, held, sent) in [
        ("capitals", "ASCII case does not matter", Some("K3V.CPE.Example.com"), both, held::NAMED),
        ("final-dot", "one dot at the end does not matter", Some("k3v.cpe.example.com."), both, held::NAMED),
        ("other", "another name of the zone: the named credential stays secret", Some(NEIGHBOUR), both, UNNAMED),
        ("other-alone", "another name of the zone: the named credential stays secret", Some(NEIGHBOUR), lone, CERTIFICATE),
        ("with-suffix", "a name that begins with the device's", Some("k3v.cpe.example.com.evil.example"), lone, CERTIFICATE),
        ("with-prefix", "a name that ends with the device's", Some("xk3v.cpe.example.com"), lone, CERTIFICATE),
        ("parent", "the zone", Some("cpe.example.com"), lone, CERTIFICATE),
        ("of-another-zone", "a name that no delegation certificate here covers", Some("www.example.org"), both, CERTIFICATE),
        ("none", "no server_name: the named credential stays secret", None, both, UNNAMED),
        ("none-alone", "no server_name: the named credential stays secret", None, lone, CERTIFICATE),
        ("capitals-unnamed", "ASCII case does not matter for the certificate's names", Some("K3V.CPE.Example.com"), &[UNNAMED], UNNAMED),
        ("final-dot-unnamed", "one dot at the end does not matter for the certificate's names", Some("k3v.cpe.example.com."), &[UNNAMED], UNNAMED),
        ("first-of-two", "the first of two devices behind one server", Some(name), two, held::NAMED),
        ("second-of-two", "the second of two devices behind one server", Some(NEIGHBOUR), two, SAME_ZONE),
        ("third-of-three", "a device of another zone behind the same server", Some(SENSOR), two, OTHER_NAME),
        ("not-covered-by-its-certificate", "the delegation certificate does not cover it", Some("k3v.example.com"), &[NOT_COVERED], CERTIFICATE),
        ("not-of-the-certificate", "the delegation certificate of an unnamed credential has one other name", Some(NEIGHBOUR), &[UNNAMED_EXACT], CERTIFICATE),
        ("of-the-certificate", "the delegation certificate of an unnamed credential has this name alone", Some(name), &[UNNAMED_EXACT], UNNAMED_EXACT),
    ] {
        let vector = SelectionVector {
            server_name: server_name.map(Into::into),
            held: owned(held),
            answer: answer(sent),
            ..good("server", note)
        };
        book.add(&format!("name-{id}"), vector);
    }
    for (id, note, server_name, held, sent) in [
        ("no-name-allowed", "no server_name, and the operator's exception", None, both, held::NAMED),
        ("address-still-refused", "an address in server_name in spite of the operator's exception", Some("192.0.2.1"), lone, CERTIFICATE),
        ("other-name-still-refused", "another name in spite of the operator's exception", Some(NEIGHBOUR), lone, CERTIFICATE),
        ("right-name-all-the-same", "the right name, with the operator's exception", Some(name), lone, held::NAMED),
    ] {
        let vector = SelectionVector {
            server_name: server_name.map(Into::into),
            held: owned(held),
            named_without_server_name: true,
            answer: answer(sent),
            ..good("server", note)
        };
        book.add(&format!("exception-{id}"), vector);
    }
    let alone = SelectionVector {
        server_name: Some(NEIGHBOUR.to_owned()),
        held: owned(lone),
        certificate: false,
        answer: answer(REFUSED),
        ..good("server", "another name, and no certificate to fall back to")
    };
    book.add("name-other-alone-no-certificate", alone);
}

/// Credentials that have ended.
#[rustfmt::skip]
fn of_time(book: &mut Book) {
    let expiry = held::draft(held::NAMED).expiry();
    for (id, note, held, now, sent) in [
        ("named-expired", "the named one has ended, the other has not", &[NAMED_EXPIRED, UNNAMED][..], crate::make::NOW, UNNAMED),
        ("both-expired", "both have ended", &[NAMED_EXPIRED, UNNAMED_EXPIRED], crate::make::NOW, CERTIFICATE),
        ("unnamed-expired", "the unnamed one has ended", &[UNNAMED_EXPIRED, held::NAMED], crate::make::NOW, held::NAMED),
        ("expired-first-of-two", "the first of two with one name has ended", &[NAMED_EXPIRED, NAMED_P256], crate::make::NOW, NAMED_P256),
        ("last-second", "the last second of both", &[UNNAMED, held::NAMED], expiry, held::NAMED),
        ("a-second-late", "a second after both have ended", &[UNNAMED, held::NAMED], expiry + 1, CERTIFICATE),
    ] {
        let vector = SelectionVector { held: owned(held), now, answer: answer(sent), ..good("server", note) };
        book.add(&format!("time-{id}"), vector);
    }
    let vector = SelectionVector {
        held: owned(&[NAMED_EXPIRED]),
        certificate: false,
        answer: answer(REFUSED),
        ..good("server", "has ended, and there is no certificate to fall back to")
    };
    book.add("time-expired-alone-no-certificate", vector);
}

/// Lists of schemes that suit, or not.
#[rustfmt::skip]
fn of_schemes(book: &mut Book) {
    let lists = |algorithms: &[u16], rfc9345: &[u16], named: &[u16]| {
        vec![list(SIGNATURE_ALGORITHMS, algorithms), list(RFC9345, rfc9345), list(NAMED, named)]
    };
    let all = schemes();
    let no_ed25519: Vec<u16> = all.iter().copied().filter(|scheme| *scheme != ED25519).collect();
    for (id, note, extensions, held, sent) in [
        ("not-in-named-list", "the scheme is in the other form's list alone", lists(&all, &all, &no_ed25519), &[UNNAMED, held::NAMED][..], UNNAMED),
        ("not-in-unnamed-list", "the scheme is in the other form's list alone", lists(&all, &no_ed25519, &all), &[UNNAMED], CERTIFICATE),
        ("in-no-list", "the scheme is in signature_algorithms alone", lists(&all, &no_ed25519, &no_ed25519), &[UNNAMED, held::NAMED], CERTIFICATE),
        ("algorithm-not-offered", "algorithm is not in signature_algorithms", lists(&no_ed25519, &all, &all), &[UNNAMED, held::NAMED], CERTIFICATE),
        ("algorithm-of-the-second", "algorithm of the second certificate alone is offered", lists(&[RSAE[0]], &all, &all), &[held::NAMED, NAMED_BY_RSA], NAMED_BY_RSA),
        ("lists-with-nothing-in-common", "scheme and algorithm are each in its list alone", lists(&[RSAE[0]], &[P256], &[ED25519]), &[held::NAMED, NAMED_BY_RSA], NAMED_BY_RSA),
        ("scheme-of-the-second", "the second key's scheme alone is offered", lists(&all, &all, &[P256]), &[held::NAMED, NAMED_P256], NAMED_P256),
        ("unknown-alone", "unknown schemes alone: nothing suits, and nothing is wrong", lists(&all, &[0xfe00], &[0xfe01, 0xfe02]), &[UNNAMED, held::NAMED], CERTIFICATE),
        ("grease-alone", "GREASE alone", lists(&all, &[0x0a0a], &[0x7a7a]), &[UNNAMED, held::NAMED], CERTIFICATE),
        ("unknown-among-others", "unknown schemes and GREASE among the others", lists(&[0x0a0a, ED25519], &[0x1a1a, ED25519], &[0xfe00, 0x2a2a, ED25519, 0xfe01]), &[UNNAMED, held::NAMED], held::NAMED),
        ("twice-in-a-list", "a scheme twice in a list is no error", lists(&[ED25519, ED25519], &[ED25519, ED25519], &[ED25519, ED25519]), &[UNNAMED, held::NAMED], held::NAMED),
    ] {
        let vector = SelectionVector { extensions, held: owned(held), answer: answer(sent), ..good("server", note) };
        book.add(&format!("schemes-{id}"), vector);
    }
}

/// The server's own order, whatever the client's is.
#[rustfmt::skip]
fn of_order(book: &mut Book) {
    let preferring = |first: u16, second: u16| {
        let schemes = [first, second];
        vec![list(SIGNATURE_ALGORITHMS, &[ED25519]), list(RFC9345, &schemes), list(NAMED, &schemes)]
    };
    for (id, held, extensions, sent) in [
        ("ed25519-first", &[held::NAMED, NAMED_P256][..], preferring(P256, ED25519), held::NAMED),
        ("p256-first", &[NAMED_P256, held::NAMED], preferring(ED25519, P256), NAMED_P256),
        ("unnamed-ed25519-first", &[UNNAMED, UNNAMED_P256], preferring(P256, ED25519), UNNAMED),
        ("named-before-unnamed", &[UNNAMED_P256, UNNAMED, NAMED_P256, held::NAMED], preferring(ED25519, P256), NAMED_P256),
    ] {
        let note = "the named form first, then the server's own order";
        let vector = SelectionVector { extensions, held: owned(held), answer: answer(sent), ..good("server", note) };
        book.add(&format!("order-{id}"), vector);
    }
}

/// Below TLS 1.3 there are no credentials.
fn of_versions(book: &mut Book) {
    let below = |note| SelectionVector {
        tls13: false,
        answer: Answer::Certificate,
        ..good("server", note)
    };
    book.add(
        "tls12",
        below("TLS 1.2 at most: the extensions are ignored"),
    );
    let note = "TLS 1.2 at most, and no certificate to fall back to";
    book.add(
        "tls12-no-certificate",
        SelectionVector {
            certificate: false,
            answer: answer(REFUSED),
            ..below(note)
        },
    );
}

/// A client answers a CertificateRequest alike.
fn of_clients(book: &mut Book) {
    let client = |extensions: Vec<Extension>, held: &[&str], sent: &str| SelectionVector {
        role: Role::Client,
        server_name: None,
        extensions,
        held: owned(held),
        answer: answer(sent),
        ..good(
            "client-auth",
            "a client answers a CertificateRequest of the server that it was set up for",
        )
    };
    let both: &[&str] = &[CLIENT_UNNAMED, CLIENT_NAMED];
    for (id, offers, held, sent) in [
        ("both", Offers::Both, both, CLIENT_NAMED),
        ("both-reversed", Offers::Reversed, both, CLIENT_NAMED),
        ("named", Offers::Named, both, CLIENT_NAMED),
        ("rfc9345", Offers::Rfc9345, both, CLIENT_UNNAMED),
        ("nothing", Offers::Nothing, both, CERTIFICATE),
        (
            "rfc9345-held-named",
            Offers::Rfc9345,
            &[CLIENT_NAMED],
            CERTIFICATE,
        ),
    ] {
        book.add(
            &format!("client-offered-{id}"),
            client(offers.extensions(), held, sent),
        );
    }
    let late = SelectionVector {
        now: held::draft(CLIENT_NAMED).expiry() + 1,
        ..client(Offers::Both.extensions(), both, CERTIFICATE)
    };
    book.add("client-a-second-late", late);
    for (id, offers, held) in [
        ("nothing", Offers::Nothing, both),
        ("rfc9345", Offers::Rfc9345, &[CLIENT_NAMED]),
        ("named", Offers::Named, &[CLIENT_UNNAMED]),
        ("both-held-nothing", Offers::Both, &[]),
    ] {
        let vector = SelectionVector {
            note:
                "nothing suits, and there is no certificate: a Certificate message without entries"
                    .to_owned(),
            certificate: false,
            ..client(offers.extensions(), held, EMPTY)
        };
        book.add(&format!("client-empty-offered-{id}"), vector);
    }
}
