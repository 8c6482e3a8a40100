//! Every type of key, in a handshake.

use super::Book;
use super::scene::Scene;
use crate::format::credentials::KeyType;
use crate::format::{Form, Role};
use crate::make::draft::{Draft, form_name, role_name};
use crate::make::keys::{Key, RSAE, device};

const DEVICES: [(&str, KeyType); 6] = [
    ("ed25519", KeyType::Ed25519),
    ("p256", KeyType::P256),
    ("p384", KeyType::P384),
    ("p521", KeyType::P521),
    ("ed448", KeyType::Ed448),
    ("rsa-pss", KeyType::RsaPss),
];
const DELEGATIONS: [(&str, &str); 6] = [
    ("ed25519", "good"),
    ("p256", "p256"),
    ("p384", "p384"),
    ("p521", "p521"),
    ("rsa", "rsa"),
    ("rsa-pss", "rsa-pss"),
];

pub(super) fn add(book: &mut Book) {
    for role in [Role::Server, Role::Client] {
        for form in [Form::Named, Form::Rfc9345] {
            let prefix = format!("{}-{}", role_name(role), form_name(form));
            for (id, kind) in DEVICES {
                let scene = accepted(role, form, device(kind), "good");
                book.add(&format!("{prefix}-key-{id}"), &scene);
            }
            for (id, certificate) in DELEGATIONS {
                let scene = accepted(role, form, device(KeyType::P256), certificate);
                book.add(&format!("{prefix}-delegation-{id}"), &scene);
            }
        }
        for (id, certificate) in DELEGATIONS {
            let note = "no credential: the certificate's own key";
            let scene = Scene::without_credential(role, certificate).but("policy", note, |_| ());
            book.add(&format!("{}-certificate-key-{id}", role_name(role)), &scene);
        }
    }
    let scene = Scene::without_credential(Role::Server, "rsa");
    let scene = scene.but(
        "policy",
        "no credential: rsa_pss_rsae_sha512 with the certificate's own key",
        |scene| scene.verify_scheme = RSAE[2],
    );
    book.add("server-certificate-key-rsa-sha512", &scene);
}

fn accepted(role: Role, form: Form, device: Key, certificate: &'static str) -> Scene {
    let draft = Draft::new(role, form).but("", "", |draft| {
        draft.under(certificate);
        draft.for_key(device);
    });
    Scene::with(&draft).but("keys", "valid, with keys of these types", |_| ())
}
