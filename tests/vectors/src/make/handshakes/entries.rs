//! Where credentials stand, how many, and beside what.

use super::Book;
use super::scene::{Scene, carried, carrying, offer};
use crate::fault::Fault;
use crate::format::handshakes::{Elsewhere, Message};
use crate::format::{Extension, Form, Hex, Policy, Role};
use crate::make::draft::{Draft, form_name, role_name};

pub(super) fn add(book: &mut Book) {
    for role in [Role::Server, Role::Client] {
        of_numbers(role, book);
        of_neighbours(role, book);
    }
    of_intermediates(book);
    of_messages(book);
    of_precedence(book);
}

fn drafts(role: Role) -> (Draft, Draft) {
    (
        Draft::new(role, Form::Named),
        Draft::new(role, Form::Rfc9345),
    )
}

/// Both forms, or one twice.
fn of_numbers(role: Role, book: &mut Book) {
    let (named, unnamed) = drafts(role);
    let id = |id: &str| format!("{}-{id}", role_name(role));
    let preferred = |note: &str, extensions: Vec<Extension>| {
        Scene::with(&named).but("alerts", note, |scene| {
            scene.policy = Policy::Preferred;
            scene.extensions = vec![extensions];
        })
    };
    let both = preferred("both forms", vec![carried(&named), carried(&unnamed)]);
    book.add(&id("both"), &both.clone().refused(Fault::BothForms));
    let reversed = preferred(
        "both forms, the other first",
        vec![carried(&unnamed), carried(&named)],
    );
    book.add(&id("both-reversed"), &reversed.refused(Fault::BothForms));
    for (policy_id, policy) in [("required", Policy::Required), ("ignored", Policy::Ignored)] {
        let note = "precedence: both forms, of which one was offered";
        let scene = both.but("alerts", note, |scene| scene.policy = policy);
        book.add(
            &id(&format!("both-{policy_id}")),
            &scene.refused(Fault::BothForms),
        );
    }
    for draft in [&named, &unnamed] {
        let form = form_name(draft.form);
        let twice = preferred("the extension twice", vec![carried(draft), carried(draft)]);
        book.add(
            &id(&format!("twice-{form}")),
            &twice.clone().refused(Fault::DuplicateExtension),
        );
        let other = carrying(
            draft.form,
            draft.but("", "", |draft| draft.valid_time += 1).signed(),
        );
        let scene = preferred(
            "the extension twice, with another credential",
            vec![carried(draft), other],
        );
        book.add(
            &id(&format!("twice-{form}-other")),
            &scene.refused(Fault::DuplicateExtension),
        );
        let note = "precedence: the extension twice, and it was not offered";
        let unoffered = twice.but("alerts", note, |scene| {
            scene.offer = Some(crate::format::Offer {
                rfc9345: None,
                named: None,
                ..offer(Policy::Ignored, None)
            });
            scene.policy = Policy::Ignored;
        });
        book.add(
            &id(&format!("twice-{form}-unoffered")),
            &unoffered.refused(Fault::DuplicateExtension),
        );
    }
}

/// Other extensions of the entry.
fn of_neighbours(role: Role, book: &mut Book) {
    let (named, unnamed) = drafts(role);
    for draft in [&named, &unnamed] {
        let form = form_name(draft.form);
        for (id, note, extensions) in [
            (
                "before",
                "OCSP response and SCTs before it",
                vec![ocsp(), scts(), carried(draft)],
            ),
            (
                "after",
                "OCSP response and SCTs after it",
                vec![carried(draft), ocsp(), scts()],
            ),
            (
                "around",
                "between OCSP response and SCTs",
                vec![ocsp(), carried(draft), scts()],
            ),
        ] {
            let scene = Scene::with(draft).but("elsewhere", note, |scene| {
                scene.extensions = vec![extensions];
            });
            book.add(&format!("{}-{form}-others-{id}", role_name(role)), &scene);
        }
    }
}

/// status_request with an OCSP response that says nothing of interest (RFC 8446 §4.4.2.1).
fn ocsp() -> Extension {
    Extension {
        kind: 5,
        data: Hex(vec![1, 0, 0, 5, 0x30, 3, 0x0a, 1, 6]),
    }
}

/// signed_certificate_timestamp with a list of one (RFC 6962 §3.3).
fn scts() -> Extension {
    let sct = [
        &[0][..],
        &[0x5c; 32],
        &[0; 8],
        &[0, 0],
        &[4, 3, 0, 2, 0x30, 0],
    ]
    .concat();
    let length = u8::try_from(sct.len()).unwrap();
    Extension {
        kind: 18,
        data: Hex([&[0, length + 2, 0, length], &sct[..]].concat()),
    }
}

/// Credentials beside an intermediate, which count for nothing.
fn of_intermediates(book: &mut Book) {
    let (named, unnamed) = drafts(Role::Server);
    let under = |draft: &Draft| draft.but("", "", |draft| draft.under("with-intermediate"));
    let (named, unnamed) = (under(&named), under(&unnamed));
    let both = Scene::with(&named).but(
        "messages",
        "in both entries: the one beside the intermediate is ignored",
        |scene| {
            scene.extensions = vec![vec![carried(&named)], vec![carried(&named)]];
        },
    );
    book.add("intermediate-also", &both);
    let other = Scene::with(&named).but(
        "messages",
        "the other form beside the intermediate is ignored",
        |scene| {
            scene.policy = Policy::Preferred;
            scene.extensions = vec![vec![carried(&named)], vec![carried(&unnamed)]];
        },
    );
    book.add("intermediate-other-form", &other);
    let plain = Scene::without_credential(Role::Server, "with-intermediate");
    let alone = plain.but(
        "messages",
        "beside the intermediate alone: there is no credential",
        |scene| {
            scene.extensions = vec![vec![], vec![carried(&named)]];
        },
    );
    book.add("intermediate-alone", &alone);
    let required = alone.but(
        "policy",
        "required, and a credential beside the intermediate alone",
        |scene| scene.policy = Policy::Required,
    );
    book.add(
        "intermediate-alone-required",
        &required.refused(Fault::CredentialRequired),
    );
    let note = "beside the intermediate alone, and CertificateVerify is by its key";
    let by_credential = alone.but("messages", note, |scene| scene.verify_key = named.device);
    book.add(
        "intermediate-alone-and-its-key",
        &by_credential.refused(Fault::BadCertificateVerify),
    );
}

/// The extension in messages that have no place for it.
fn of_messages(book: &mut Book) {
    let (named, unnamed) = drafts(Role::Server);
    for (message_id, message) in [
        ("server-hello", Message::ServerHello),
        ("hello-retry-request", Message::HelloRetryRequest),
        ("encrypted-extensions", Message::EncryptedExtensions),
        ("new-session-ticket", Message::NewSessionTicket),
    ] {
        for draft in [&named, &unnamed] {
            let list = carrying(draft.form, vec![0, 2, 8, 7]);
            for (id, note, extension) in [
                (
                    "credential",
                    "a credential in another message",
                    carried(draft),
                ),
                ("list", "a list of schemes in an answer", list),
            ] {
                let scene = Scene::with(draft).but("messages", note, |scene| {
                    scene.policy = Policy::Preferred;
                    scene.elsewhere = vec![Elsewhere { message, extension }];
                });
                let id = format!("{message_id}-{}-{id}", form_name(draft.form));
                book.add(&id, &scene.refused(Fault::WrongMessage));
            }
        }
    }
    let other = Scene::with(&named).but(
        "messages",
        "another extension in another message",
        |scene| {
            let extension = Extension {
                kind: 10,
                data: Hex(vec![0, 2, 0, 29]),
            };
            scene.elsewhere = vec![Elsewhere {
                message: Message::EncryptedExtensions,
                extension,
            }];
        },
    );
    book.add("encrypted-extensions-other", &other);
}

/// Two things that are wrong at once.
fn of_precedence(book: &mut Book) {
    let (named, _) = drafts(Role::Server);
    let trailing = |draft: &Draft| carrying(draft.form, [&draft.signed()[..], &[0]].concat());
    let malformed = Scene::with(&named).but("alerts", "malformed", |scene| {
        scene.extensions = vec![vec![trailing(&named)]];
    });
    book.add("malformed", &malformed.clone().refused(Fault::Malformed));
    let unoffered = malformed.but(
        "alerts",
        "precedence: malformed, and it was not offered",
        |scene| scene.policy = Policy::Ignored,
    );
    book.add(
        "first-not-offered-then-malformed",
        &unoffered.refused(Fault::NotOffered),
    );
    let both = malformed.but(
        "alerts",
        "precedence: both forms, and one is malformed",
        |scene| {
            scene.policy = Policy::Preferred;
            scene.extensions[0].push(carried(&drafts(Role::Server).1));
        },
    );
    book.add("first-both-then-malformed", &both.refused(Fault::BothForms));
    let name = Scene::with(&named).but(
        "alerts",
        "precedence: another name than was wanted, and CertificateVerify by another key",
        |scene| {
            scene.wanted = Some("neighbour.cpe.example.com".to_owned());
            scene.verify_key = crate::make::keys::OTHER_DEVICE;
        },
    );
    book.add(
        "first-name-then-certificate-verify",
        &name.refused(Fault::WrongName),
    );
}
