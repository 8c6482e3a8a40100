//! What comes, under each policy; paths and versions.

use super::Book;
use super::scene::Scene;
use crate::fault::Fault;
use crate::format::{Form, Policy, Role};
use crate::make::certificates::certificate;
use crate::make::draft::{Draft, context, role_name};

pub(super) fn add(book: &mut Book) {
    for role in [Role::Server, Role::Client] {
        of_what_comes(role, book);
    }
    of_versions(book);
    of_paths(book);
    of_addresses(book);
    of_names(book);
    of_credentials(book);
}

const POLICIES: [(&str, Policy); 4] = [
    ("required", Policy::Required),
    ("required-or-certificate", Policy::RequiredOrCertificate),
    ("preferred", Policy::Preferred),
    ("ignored", Policy::Ignored),
];

/// Every policy with everything that may come.
fn of_what_comes(role: Role, book: &mut Book) {
    let section = if role == Role::Server {
        "policy"
    } else {
        "client-auth"
    };
    let scenes = [
        ("named", Scene::with(&Draft::new(role, Form::Named))),
        ("unnamed", Scene::with(&Draft::new(role, Form::Rfc9345))),
        ("certificate", Scene::without_credential(role, "good")),
    ];
    for (policy_id, policy) in POLICIES {
        for (id, scene) in &scenes {
            let fault = match (policy, *id) {
                (Policy::Required | Policy::RequiredOrCertificate, "unnamed")
                | (Policy::Ignored, "named") => Some(Fault::NotOffered),
                (Policy::Required, "certificate") => Some(Fault::CredentialRequired),
                _ => None,
            };
            let note = format!(
                "{policy_id}, and the peer sends {}",
                match *id {
                    "named" => "a named credential",
                    "unnamed" => "a credential of RFC 9345's form",
                    _ => "a certificate alone",
                }
            );
            let mut scene = scene.but(section, &note, |scene| scene.policy = policy);
            scene.fault = fault;
            book.add(&format!("{}-{policy_id}-{id}", role_name(role)), &scene);
        }
    }
}

fn named() -> Draft {
    Draft::new(Role::Server, Form::Named)
}

fn of_versions(book: &mut Book) {
    let plain = Scene::without_credential(Role::Server, "good");
    for (id, policy, fault) in [
        ("required", Policy::Required, Some(Fault::VersionTooOld)),
        ("preferred", Policy::Preferred, None),
    ] {
        let note = "TLS 1.2 was negotiated; CertificateVerify stands for its signature of the server's key exchange";
        let mut scene = plain.but("policy", note, |scene| {
            (scene.policy, scene.tls13) = (policy, false);
        });
        scene.fault = fault;
        book.add(&format!("tls12-{id}"), &scene);
    }
}

/// The checks that come before those of credentials.
fn of_paths(book: &mut Book) {
    let good = Scene::with(&named());
    let certificate_of = |id: &'static str| {
        let draft = named().but("", "", |draft| draft.under(id));
        Scene::with(&draft)
    };
    let note = "valid, with an intermediate";
    book.add(
        "path-with-intermediate",
        &certificate_of("with-intermediate").but("client-checks", note, |_| ()),
    );
    let note = "the intermediate is missing";
    let cut = certificate_of("with-intermediate").but("client-checks", note, |scene| {
        scene.chain = Some(vec![certificate("with-intermediate").vector.der.0.clone()]);
    });
    book.add(
        "path-without-intermediate",
        &cut.refused(Fault::UntrustedPath),
    );
    let ended = certificate_of("ended").but("client-checks", "the certificate has ended", |_| ());
    book.add(
        "path-certificate-ended",
        &ended.refused(Fault::CertificateNotValid),
    );
    let unnamed = Draft::new(Role::Server, Form::Rfc9345);
    let other = Scene::with(&unnamed).but(
        "client-checks",
        "the certificate is for other names",
        |scene| {
            scene.wanted = Some("k3v.cpe.example.net".to_owned());
        },
    );
    book.add(
        "path-other-certificate",
        &other.refused(Fault::CertificateName),
    );
    let twin = good.but(
        "client-checks",
        "the unique name is another than the wanted one, which the certificate covers",
        |scene| {
            scene.wanted = Some("neighbour.cpe.example.com".to_owned());
        },
    );
    book.add("evil-twin", &twin.clone().refused(Fault::WrongName));
    let preferred = twin.but(
        "policy",
        "a client that prefers gets a credential for another name: it does not go on with less",
        |scene| {
            scene.policy = Policy::Preferred;
        },
    );
    book.add("evil-twin-preferred", &preferred.refused(Fault::WrongName));
}

/// A client that wants an address offers RFC 9345's form at most.
fn of_addresses(book: &mut Book) {
    let unnamed =
        Draft::new(Role::Server, Form::Rfc9345).but("", "", |draft| draft.under("address"));
    let wants = |scene: &mut Scene| scene.wanted = Some("192.0.2.1".to_owned());
    for (policy_id, policy) in [POLICIES[2], POLICIES[3]] {
        let scene = Scene::with(&unnamed).but(
            "client-checks",
            "an address is wanted, which the certificate has",
            |scene| {
                wants(scene);
                scene.policy = policy;
            },
        );
        book.add(&format!("address-{policy_id}-unnamed"), &scene);
    }
    let draft = named().but("", "", |draft| draft.under("address"));
    let scene = Scene::with(&draft).but(
        "client-checks",
        "an address is wanted, so that the named form was not offered",
        |scene| {
            wants(scene);
            scene.policy = Policy::Preferred;
        },
    );
    book.add("address-preferred-named", &scene.refused(Fault::NotOffered));
}

/// Names of the path and of the credential.
fn of_names(book: &mut Book) {
    for (id, name, fault) in [
        (
            "excluded-name",
            "twin.cpe.example.com",
            Some(Fault::NameExcluded),
        ),
        ("not-excluded-name", "k3v.cpe.example.com", None),
    ] {
        let draft = named().but("", "", |draft| {
            draft.under("excluding");
            draft.name(name.as_bytes());
        });
        let note = "name constraints of the intermediate exclude twin.cpe.example.com";
        let mut scene = Scene::with(&draft).but("coverage", note, |_| ());
        scene.fault = fault;
        book.add(id, &scene);
    }
    let scene = Scene::with(&named());
    for (id, wanted) in [
        ("capitals", "K3V.cpe.EXAMPLE.com"),
        ("final-dot", "k3v.cpe.example.com."),
    ] {
        let scene = scene.but(
            "reference",
            "case and one dot at the end do not matter",
            |scene| scene.wanted = Some(wanted.to_owned()),
        );
        book.add(&format!("wanted-{id}"), &scene);
    }
    let client = Scene::with(&Draft::new(Role::Client, Form::Named));
    let note = "a server that has a name in mind";
    book.add(
        "client-wanted",
        &client.but("client-auth", note, |scene| {
            scene.wanted = Some(crate::make::NAME.to_owned());
        }),
    );
    let twin = client.but("client-auth", note, |scene| {
        scene.wanted = Some("neighbour.cpe.example.com".to_owned());
    });
    book.add("client-evil-twin", &twin.refused(Fault::WrongName));
}

/// Credentials that are refused for what they are: one of each alert, in a whole handshake.
#[rustfmt::skip]
fn of_credentials(book: &mut Book) {
    for role in [Role::Server, Role::Client] {
        let good = Draft::new(role, Form::Named);
        let expired = good.but("", "", |draft| draft.valid_time = 604_800);
        let other = if role == Role::Server { Role::Client } else { Role::Server };
        let other_role = good.but("", "", |draft| draft.context = context(other, Form::Named));
        let capitals = good.but("", "", |draft| draft.name = Some(b"K3V.cpe.example.com".to_vec()));
        let no_usage = good.but("", "", |draft| draft.under("no-usage"));
        for (id, note, draft, fault) in [
            ("expired", "the credential has ended", expired, Fault::Expired),
            ("other-role", "the credential was signed for the other role", other_role, Fault::BadSignature),
            ("name-in-capitals", "the name is malformed", capitals, Fault::MalformedName),
            ("no-usage", "the certificate may not delegate", no_usage, Fault::NoDelegationUsage),
        ] {
            let scene = Scene::with(&draft).but("client-checks", note, |_| ());
            book.add(&format!("{}-credential-{id}", role_name(role)), &scene.refused(fault));
        }
    }
}
