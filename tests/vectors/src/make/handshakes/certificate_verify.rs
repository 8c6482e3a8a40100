//! CertificateVerify by other keys and schemes, and over other messages.

use super::Book;
use super::scene::{Scene, transcript};
use crate::fault::Fault;
use crate::format::credentials::KeyType;
use crate::format::{Form, Role};
use crate::make::certificates::certificate;
use crate::make::draft::{Draft, form_name, role_name};
use crate::make::keys::{OTHER_DEVICE, P384, ROOT, device};

pub(super) fn add(book: &mut Book) {
    for role in [Role::Server, Role::Client] {
        for form in [Form::Named, Form::Rfc9345] {
            let good = Scene::with(&Draft::new(role, form));
            let prefix = format!("{}-{}-verify", role_name(role), form_name(form));
            of_keys(&good, &prefix, book);
            of_messages(&good, &prefix, book);
            of_schemes(role, form, &prefix, book);
        }
        let plain = Scene::without_credential(role, "good");
        let note = "no credential, and CertificateVerify is not by the certificate's key";
        let scene = plain.but("client-checks", note, |scene| {
            scene.verify_key = OTHER_DEVICE;
        });
        book.add(
            &format!("{}-certificate-verify-other-key", role_name(role)),
            &scene.refused(Fault::BadCertificateVerify),
        );
    }
}

#[rustfmt::skip]
fn of_keys(good: &Scene, prefix: &str, book: &mut Book) {
    for (id, note, key) in [
        ("certificate-key", "by the certificate's key, not the credential's", certificate(good.certificate).key),
        ("other-key", "by the key of another device", OTHER_DEVICE),
        ("issuer-key", "by the key of the certificate's issuer", ROOT),
    ] {
        let scene = good.but("client-checks", note, |scene| scene.verify_key = key);
        book.add(&format!("{prefix}-{id}"), &scene.refused(Fault::BadCertificateVerify));
    }
}

fn of_messages(good: &Scene, prefix: &str, book: &mut Book) {
    let other_role = if good.role == Role::Server {
        Role::Client
    } else {
        Role::Server
    };
    let bad = |note: &str, change: &dyn Fn(&mut Scene)| {
        good.but("client-checks", note, |scene| change(scene))
            .refused(Fault::BadCertificateVerify)
    };
    let scene = bad("over another transcript", &|scene| {
        scene.signed_transcript = transcript("another handshake");
    });
    book.add(&format!("{prefix}-other-transcript"), &scene);
    let context = format!("TLS 1.3, {} CertificateVerify", role_name(other_role));
    let scene = bad("with the context of the other role", &|scene| {
        scene.verify_context.clone_from(&context);
    });
    book.add(&format!("{prefix}-other-role"), &scene);
}

/// The scheme is the one that the credential says, and no other of the same key.
fn of_schemes(role: Role, form: Form, prefix: &str, book: &mut Book) {
    let draft = Draft::new(role, form).but("", "", |draft| draft.for_key(device(KeyType::P256)));
    let good = Scene::with(&draft);
    let note = "dc_cert_verify_algorithm is ecdsa_secp256r1_sha256, CertificateVerify is of ecdsa_secp384r1_sha384 with the same key";
    let scene = good.but("client-checks", note, |scene| scene.verify_scheme = P384);
    book.add(
        &format!("{prefix}-other-scheme"),
        &scene.clone().refused(Fault::WrongCertificateVerifyScheme),
    );
    let note = "precedence: the scheme of the certificate's key, by the certificate's key";
    let scene = good.but("client-checks", note, |scene| {
        let own = certificate(scene.certificate).key;
        (scene.verify_key, scene.verify_scheme) = (own, own.scheme());
    });
    book.add(
        &format!("{prefix}-certificate-scheme"),
        &scene.refused(Fault::WrongCertificateVerifyScheme),
    );
    let note = "precedence: another scheme, and another key";
    let scene = good.but("alerts", note, |scene| {
        (scene.verify_key, scene.verify_scheme) = (OTHER_DEVICE, OTHER_DEVICE.scheme());
    });
    book.add(
        &format!("{prefix}-first-scheme-then-key"),
        &scene.refused(Fault::WrongCertificateVerifyScheme),
    );
}
