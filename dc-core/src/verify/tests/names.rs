use super::*;

fn named(role: Role) -> Scene {
    Scene::all()
        .find(|scene| scene.role == role && scene.form == Form::Named)
        .unwrap()
}

fn verify_for(
    scene: &Scene,
    bytes: &[u8],
    wanted: Option<&str>,
) -> Result<VerifiedCredential, Error> {
    let credential = DelegatedCredential::decode(Form::Named, bytes)?;
    let wanted = wanted.map(|name| ServerName::try_from(name).unwrap());
    let offer = full_offer();
    Verifier::new(scene.role, &offer, algorithms()).verify(
        &credential,
        &scene.certificate(),
        wanted.as_ref(),
        at(NOW),
    )
}

#[test]
fn accepts_the_wanted_name_in_any_case() {
    for role in [Role::Server, Role::Client] {
        let scene = named(role);
        let bytes = scene.sign(|_| {});
        for wanted in [NAME, "K3V.cpe.Example.com", "k3v.cpe.example.com."] {
            assert!(verify_for(&scene, &bytes, Some(wanted)).is_ok());
        }
    }
}

#[test]
fn its_own_name_is_wanted_of_every_kind_and_has_to_be_covered() {
    let verify = |scene: &Scene, bytes: &[u8]| {
        let credential = DelegatedCredential::decode(scene.form, bytes)?;
        Verifier::new(scene.role, &Offer::suiting(&credential), algorithms()).verify_own_name(
            &credential,
            &scene.certificate(),
            at(NOW),
        )
    };
    for scene in Scene::all() {
        let verified = verify(&scene, &scene.sign(|_| {})).unwrap();
        assert_eq!(verified.form(), scene.form);
    }
    let name = "k3v.other.example";
    let scene = named(Role::Server);
    assert_refused(
        verify(&scene, &scene.sign(|claim| claim.name = Some(name))),
        Error::NameNotCovered {
            name: name.try_into().unwrap(),
        },
    );
}

#[test]
fn rejects_the_evil_twin() {
    for role in [Role::Server, Role::Client] {
        let got = UniqueName::try_from("twin.cpe.example.com").unwrap();
        assert_refused(
            named(role).check(|claim| claim.name = Some("twin.cpe.example.com")),
            Error::NameMismatch {
                wanted: NAME.try_into().unwrap(),
                got,
            },
        );
    }
}

#[test]
fn rejects_a_name_that_the_certificate_does_not_cover() {
    let name = "k3v.other.example";
    for role in [Role::Server, Role::Client] {
        let scene = named(role);
        let bytes = scene.sign(|claim| claim.name = Some(name));
        assert_refused(
            verify_for(&scene, &bytes, Some(name)),
            Error::NameNotCovered {
                name: name.try_into().unwrap(),
            },
        );
    }
}

/// A server's peer knows whom it wants; a client's peer learns it.
#[test]
fn a_named_server_credential_needs_a_name_to_compare_and_a_client_one_does_not() {
    let server = named(Role::Server);
    let bytes = server.sign(|_| {});
    let result = verify_for(&server, &bytes, None);
    assert_refused(result, Error::MissingReferenceIdentity);
    let client = named(Role::Client);
    let bytes = client.sign(|_| {});
    let verified = verify_for(&client, &bytes, None).unwrap();
    assert_eq!(verified.unique_name().unwrap().as_str(), NAME);
    let bytes = client.sign(|claim| claim.name = Some("k3v.other.example"));
    let result = verify_for(&client, &bytes, None);
    assert!(matches!(result, Err(Error::NameNotCovered { .. })));
}

#[test]
fn an_address_never_matches_a_unique_name() {
    for role in [Role::Server, Role::Client] {
        let scene = named(role);
        let bytes = scene.sign(|_| {});
        for wanted in ["192.0.2.1", "2001:db8::1"] {
            assert_refused(
                verify_for(&scene, &bytes, Some(wanted)),
                Error::NameMismatch {
                    wanted: wanted.try_into().unwrap(),
                    got: NAME.try_into().unwrap(),
                },
            );
        }
    }
}

#[test]
fn the_name_cannot_be_removed_added_or_changed() {
    for mut scene in Scene::all() {
        let good = scene.sign(|_| {});
        let credential = DelegatedCredential::decode(scene.form, &good).unwrap();
        for (form, name) in [
            (Form::Rfc9345, None),
            (Form::Named, Some(NAME)),
            (Form::Named, Some("k3w.cpe.example.com")),
        ] {
            let changed = Credential {
                unique_name: name.map(|n| n.try_into().unwrap()),
                ..credential.credential().clone()
            };
            if changed == *credential.credential() {
                continue;
            }
            let mut body = Vec::new();
            changed.encode(&mut body).unwrap();
            let bytes = DelegatedCredential::encode(&body, P256, credential.signature()).unwrap();
            scene.form = form;
            assert_refused(scene.verify(&bytes), Error::BadSignature);
        }
    }
}
