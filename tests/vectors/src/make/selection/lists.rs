//! Lists that are none, and extensions that are there twice, or change.

use super::{Book, NAMED, RFC9345, SIGNATURE_ALGORITHMS, extension, good, list};
use crate::fault::Fault;
use crate::format::selection::{Answer, SelectionVector};
use crate::format::{Alerts, Extension, Refused, Role};
use crate::make::alerts::refused;
use crate::make::credentials::schemes;
use crate::make::keys::{ED25519, P256};

pub(super) fn add(book: &mut Book) {
    of_malformed(book);
    of_signature_algorithms(book);
    of_twice(book);
    of_other_extensions(book);
    of_algorithms_of_certificates(book);
    of_second_hello(book);
}

/// What a SignatureSchemeList cannot be.
const MALFORMED: [(&str, &str, &[u8]); 9] = [
    ("nothing", "no bytes at all", &[]),
    ("half-length", "half of the length", &[0]),
    ("empty", "no schemes", &[0, 0]),
    ("odd", "an odd length", &[0, 3, 8, 7, 4]),
    ("one-byte", "half of a scheme", &[0, 1, 8]),
    (
        "length-too-big",
        "the length is more than there is",
        &[0, 4, 8, 7],
    ),
    (
        "length-too-small",
        "the length is less than there is",
        &[0, 2, 8, 7, 4, 3],
    ),
    ("trailing-byte", "a byte after the list", &[0, 2, 8, 7, 0]),
    ("no-length", "schemes without their length", &[8, 7, 4, 3]),
];

fn of_malformed(book: &mut Book) {
    for role in [Role::Server, Role::Client] {
        for (kind, form) in [(RFC9345, "rfc9345"), (NAMED, "named")] {
            for (id, note, data) in MALFORMED {
                let others = [SIGNATURE_ALGORITHMS, RFC9345, NAMED].into_iter();
                let replaced = others.map(|other| match other == kind {
                    true => extension(kind, data),
                    false => list(other, &schemes()),
                });
                let vector = SelectionVector {
                    extensions: replaced.collect(),
                    ..refusing("server", note, Fault::MalformedList, role)
                };
                book.add(
                    &format!("{}-list-{form}-{id}", crate::make::draft::role_name(role)),
                    vector,
                );
            }
        }
    }
}

/// Refused by a server with a hello, or by a client with a CertificateRequest.
fn refusing(section: &str, note: &str, fault: Fault, role: Role) -> SelectionVector {
    let vector = SelectionVector {
        answer: Answer::Refused(refused(fault)),
        ..good(section, note)
    };
    match role {
        Role::Server => vector,
        Role::Client => SelectionVector {
            role,
            server_name: None,
            held: vec![
                super::held::CLIENT_UNNAMED.to_owned(),
                super::held::CLIENT_NAMED.to_owned(),
            ],
            ..vector
        },
    }
}

fn of_signature_algorithms(book: &mut Book) {
    let with = |data: &[u8]| {
        vec![
            extension(SIGNATURE_ALGORITHMS, data),
            list(RFC9345, &schemes()),
            list(NAMED, &schemes()),
        ]
    };
    for (id, note, data) in [
        ("empty", "no schemes in signature_algorithms", &[0, 0][..]),
        (
            "odd",
            "an odd length of signature_algorithms",
            &[0, 3, 8, 7, 4],
        ),
    ] {
        let vector = SelectionVector {
            extensions: with(data),
            ..refusing("server", note, Fault::MalformedList, Role::Server)
        };
        book.add(&format!("signature-algorithms-{id}"), vector);
    }
    let vector = SelectionVector {
        extensions: vec![list(RFC9345, &schemes()), list(NAMED, &schemes())],
        // RFC 8446 §4.2.3: missing_extension.
        answer: Answer::Refused(Refused {
            error: Fault::NothingSuits,
            alert: Some(109),
            also: Alerts::default(),
        }),
        ..good(
            "server",
            "no signature_algorithms, without which nothing can be sent (RFC 8446 §4.2.3)",
        )
    };
    let client = SelectionVector {
        note: "a CertificateRequest without signature_algorithms (RFC 8446 §4.3.2)".to_owned(),
        section: "client-auth".to_owned(),
        answer: vector.answer.clone(),
        extensions: vector.extensions.clone(),
        ..refusing("client-auth", "", Fault::NothingSuits, Role::Client)
    };
    book.add("signature-algorithms-missing", vector);
    book.add("client-signature-algorithms-missing", client);
}

fn of_twice(book: &mut Book) {
    let all = || good("", "").extensions;
    for role in [Role::Server, Role::Client] {
        for (kind, form) in [(RFC9345, "rfc9345"), (NAMED, "named")] {
            for (id, note, schemes) in [
                ("same", "an extension twice, with the same list", schemes()),
                ("other", "an extension twice, with another list", vec![P256]),
            ] {
                let twice = [&all()[..], &[list(kind, &schemes)]].concat();
                let vector = SelectionVector {
                    extensions: twice,
                    ..refusing("server", note, Fault::DuplicateExtension, role)
                };
                book.add(
                    &format!("{}-twice-{form}-{id}", crate::make::draft::role_name(role)),
                    vector,
                );
            }
        }
    }
    let apart = [&[list(NAMED, &schemes())], &all()[..]].concat();
    let note = "an extension twice, with others between";
    book.add(
        "server-twice-named-apart",
        SelectionVector {
            extensions: apart,
            ..refusing("server", note, Fault::DuplicateExtension, Role::Server)
        },
    );
}

/// Extensions of unknown types are nobody's business.
fn of_other_extensions(book: &mut Book) {
    let grease = [extension(0x0a0a, &[]), extension(0xfafa, &[0])];
    let extensions = [&grease[..1], &good("", "").extensions, &grease[1..]].concat();
    book.add(
        "grease-extensions",
        SelectionVector {
            extensions,
            ..good("server", "GREASE extension types are ignored")
        },
    );
    let extensions = [
        &good("", "").extensions[..],
        &[extension(0xff21, &[1, 2]), extension(0xff23, &[])],
    ]
    .concat();
    book.add(
        "neighbouring-extensions",
        SelectionVector {
            extensions,
            ..good(
                "server",
                "unknown extension types are ignored, however close their numbers",
            )
        },
    );
}

/// signature_algorithms_cert (RFC 8446 §4.2.3) is about the chain alone.
fn of_algorithms_of_certificates(book: &mut Book) {
    let vector = good(
        "server",
        "the credential's algorithm is in signature_algorithms_cert alone",
    );
    let forms = vector.extensions.iter().skip(1).cloned();
    let extensions = [
        list(SIGNATURE_ALGORITHMS, &[P256]),
        list(SIGNATURE_ALGORITHMS_CERT, &schemes()),
    ];
    book.add(
        "algorithm-for-certificates-alone",
        SelectionVector {
            extensions: extensions.into_iter().chain(forms).collect(),
            answer: Answer::Certificate,
            ..vector
        },
    );
}

/// The second ClientHello, after a HelloRetryRequest, repeats the offer (RFC 8446 §4.1.2).
#[rustfmt::skip]
fn of_second_hello(book: &mut Book) {
    let all = good("", "").extensions;
    let without = |kind: u16| -> Vec<Extension> { all.iter().filter(|extension| extension.kind != kind).cloned().collect() };
    let with = |kind: u16, schemes: &[u16]| [&without(kind)[..], &[list(kind, schemes)]].concat();
    let same = SelectionVector { second_extensions: Some(all.clone()), ..good("server", "the second hello repeats the offer") };
    book.add("second-hello-same", same);
    for (kind, form) in [(RFC9345, "rfc9345"), (NAMED, "named")] {
        for (id, note, first, second) in [
            ("without", "the second hello has one form less", all.clone(), without(kind)),
            ("more", "the second hello has one form more", without(kind), all.clone()),
            ("other-list", "the second hello has another list", all.clone(), with(kind, &[ED25519])),
        ] {
            let vector = SelectionVector {
                extensions: first,
                second_extensions: Some(second),
                ..refusing("server", note, Fault::OfferChanged, Role::Server)
            };
            book.add(&format!("second-hello-{form}-{id}"), vector);
        }
    }
}

const SIGNATURE_ALGORITHMS_CERT: u16 = 50;
