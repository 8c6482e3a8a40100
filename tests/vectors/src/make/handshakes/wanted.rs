//! What an application does not want, and what a server wants of its clients.

use super::Book;
use super::scene::{Scene, carried};
use crate::fault::Fault;
use crate::format::{Form, Hex, Policy, Role};
use crate::make::credentials::offer;
use crate::make::draft::{Draft, role_name};
use crate::make::keys::{DEVICE, ED25519, OTHER_DEVICE, PKCS1, RSAE};

pub(super) fn add(book: &mut Book) {
    for role in [Role::Server, Role::Client] {
        of_withdrawal(role, book);
        of_raw_keys(role, book);
        of_own_schemes(role, book);
    }
    of_unnamed_clients(book);
    of_no_certificate(book);
}

const NEIGHBOUR: &str = "neighbour.cpe.example.com";

/// The application is asked after all checks.
#[rustfmt::skip]
fn of_withdrawal(role: Role, book: &mut Book) {
    let name = |name: &str| vec![name.to_owned()];
    let good = Scene::with(&Draft::new(role, Form::Named));
    let unnamed = Scene::with(&Draft::new(role, Form::Rfc9345));
    let mut add = |id: &str, scene: &Scene, fault: Option<Fault>| {
        let scene = Scene { fault, ..scene.clone() };
        book.add(&format!("{}-{id}", role_name(role)), &scene);
    };
    let withdrawn = good.but("withdrawal", "the name was withdrawn", |scene| scene.withdrawn = name(crate::make::NAME));
    add("withdrawn", &withdrawn, Some(Fault::Withdrawn));
    let other = good.but("withdrawal", "another name was withdrawn", |scene| scene.withdrawn = name(NEIGHBOUR));
    add("other-withdrawn", &other, None);
    let keys = |key: Vec<u8>| vec![Hex(key)];
    for (form, scene) in [("named", &good), ("unnamed", &unnamed)] {
        let key = scene.but("withdrawal", "the key was withdrawn", |scene| scene.withdrawn_keys = keys(DEVICE.spki()));
        add(&format!("{form}-key-withdrawn"), &key, Some(Fault::Withdrawn));
        let other = scene.but("withdrawal", "another key was withdrawn", |scene| scene.withdrawn_keys = keys(OTHER_DEVICE.spki()));
        add(&format!("{form}-other-key-withdrawn"), &other, None);
    }
    let note = "precedence: the name was withdrawn, and CertificateVerify is not by the credential's key";
    let unproved = withdrawn.but("alerts", note, |scene| scene.verify_key = OTHER_DEVICE);
    add("first-proof-then-withdrawal", &unproved, Some(Fault::BadCertificateVerify));
}

/// RFC 7250: the entry has a key, which no certificate can have delegated.
fn of_raw_keys(role: Role, book: &mut Book) {
    for form in [Form::Named, Form::Rfc9345] {
        let draft = Draft::new(role, form);
        let note = "a credential beside a raw public key";
        let scene = Scene::with(&draft).but("elsewhere", note, |scene| {
            scene.raw_public_key = true;
            scene.policy = Policy::Preferred;
            scene.chain = Some(vec![DEVICE.spki()]);
        });
        let form = crate::make::draft::form_name(form);
        book.add(
            &format!("{}-raw-public-key-{form}", role_name(role)),
            &scene.refused(Fault::CredentialBesideRawKey),
        );
    }
}

/// CertificateVerify by a certificate's own key (RFC 8446 §4.4.3).
fn of_own_schemes(role: Role, book: &mut Book) {
    let offered = |schemes: &[u16]| {
        let mut offer = offer();
        offer.signature_algorithms = schemes.to_vec();
        Some(offer)
    };
    for (id, note, certificate, scheme, schemes) in [
        (
            "not-offered",
            "no credential, and a scheme that was not offered",
            "rsa",
            RSAE[1],
            &[ED25519, RSAE[0]][..],
        ),
        (
            "pkcs1",
            "no credential, and a scheme that is good for certificates alone",
            "rsa",
            PKCS1,
            &[ED25519, RSAE[0], PKCS1],
        ),
    ] {
        let scene = Scene::without_credential(role, certificate).but("alerts", note, |scene| {
            scene.verify_scheme = scheme;
            scene.offer = offered(schemes);
        });
        book.add(
            &format!("{}-certificate-verify-{id}", role_name(role)),
            &scene.refused(Fault::WrongCertificateVerifyScheme),
        );
    }
}

/// A server that takes both forms from its clients and requires the name of this one.
fn of_unnamed_clients(book: &mut Book) {
    let draft = Draft::new(Role::Client, Form::Rfc9345);
    for (id, policy) in [
        ("required", Policy::Required),
        ("required-or-certificate", Policy::RequiredOrCertificate),
    ] {
        let note = "both forms were offered, and an unnamed credential counts as none";
        let scene = Scene::with(&draft).but("client-auth", note, |scene| {
            scene.policy = policy;
            scene.offer = Some(offer());
            scene.extensions = vec![vec![carried(&draft)]];
        });
        book.add(
            &format!("client-{id}-unnamed-offered"),
            &scene.refused(Fault::CredentialRequired),
        );
        let named = Scene::with(&Draft::new(Role::Client, Form::Named));
        let note = "both forms were offered, and a named credential came";
        let scene = named.but("client-auth", note, |scene| {
            scene.policy = policy;
            scene.offer = Some(offer());
        });
        book.add(&format!("client-{id}-named-offered"), &scene);
    }
}

/// A client's Certificate message without entries.
fn of_no_certificate(book: &mut Book) {
    for (id, policy) in [
        ("required", Policy::Required),
        ("required-or-certificate", Policy::RequiredOrCertificate),
    ] {
        let note =
            "the client's Certificate message has no entries, and no CertificateVerify follows";
        let scene =
            Scene::without_credential(Role::Client, "good").but("client-auth", note, |scene| {
                scene.policy = policy;
                scene.chain = Some(Vec::new());
            });
        book.add(
            &format!("client-{id}-nothing"),
            &scene.refused(Fault::NoCertificate),
        );
    }
}
