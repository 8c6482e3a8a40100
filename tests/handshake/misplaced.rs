//! Credentials that are malformed, or where they may not be.

use dc_core::Form;
use dc_rustls::Refusal;
use dc_rustls::client::{NamePolicy, Peer};
use dc_tests::message::{
    ENCRYPTED_EXTENSIONS, NEW_SESSION_TICKET, SERVER_HELLO, extension, insert_extensions, status,
    vector,
};
use dc_tests::mutant::{self, Cut, Framing};
use rustls::AlertDescription as Alert;

use crate::rogue::{CHUNKS, Scene, Verdict};
use crate::setup::ALL;
use crate::stock::smuggled;

/// An OCSPResponse that says tryLater.
const OCSP: [u8; 5] = [0x30, 3, 0x0a, 1, 3];
/// `signed_certificate_timestamp`, which nobody here asks for.
const SCT: [u8; 6] = [0, 18, 0, 2, 0, 0];

/// The credential without its extension header.
fn body(extension: &[u8]) -> &[u8] {
    &extension[4..]
}

#[test]
fn what_fits_is_accepted() {
    let scene = Scene::new();
    for form in Form::ALL {
        let own = scene.credential(form);
        let blocks = [
            own.clone(),
            [own.clone(), status(&OCSP)].concat(),
            [status(&OCSP), own].concat(),
        ];
        for block in blocks {
            scene.meet(NamePolicy::Preferred, &block, |verdict| {
                assert!(
                    matches!(verdict.accepted(), Peer::Delegated { form: found, .. } if *found == form)
                );
            });
        }
    }
}

/// A warning is no reason to stop looking at what follows.
#[test]
fn behind_a_warning() {
    let scene = Scene::new();
    let client = scene.client(NamePolicy::Required);
    let smuggled = status(&smuggled(&scene.vendor, &scene.device));
    for chunk in CHUNKS {
        let rogue = |block| scene.device().block(0, block).warning();
        let verdict = rogue(scene.credential(Form::Named)).meet(&client, chunk);
        assert!(matches!(verdict.accepted(), Peer::Delegated { .. }));
        let verdict = rogue(smuggled.clone()).meet(&client, chunk);
        let (refusal, alert) = verdict.refused();
        assert_eq!(*refusal, Refusal::MalformedExtensions);
        assert_eq!(alert, Alert::DecodeError);
    }
}

#[test]
fn a_form_that_was_not_offered() {
    let scene = Scene::new();
    for (policy, form) in [
        (NamePolicy::Required, Form::Rfc9345),
        (NamePolicy::Ignored, Form::Named),
    ] {
        let refusal = Refusal::Credential(dc_core::Error::FormNotOffered { form });
        let own = scene.credential(form);
        for block in [
            own.clone(),
            [own.clone(), status(&OCSP)].concat(),
            [status(&OCSP), own].concat(),
        ] {
            scene.refuses(policy, &block, &refusal, Alert::UnexpectedMessage);
        }
    }
}

/// Whatever is wrong in it: its lengths, which the mapping for rustls reads, or the name, which dc-core reads.
#[test]
fn a_form_that_was_not_offered_and_is_malformed() {
    let scene = Scene::new();
    for (policy, form) in [
        (NamePolicy::Required, Form::Rfc9345),
        (NamePolicy::Ignored, Form::Named),
    ] {
        let refusal = Refusal::Credential(dc_core::Error::FormNotOffered { form });
        let extended = scene.credential(form);
        let whole = body(&extended);
        let (cut, longer) = (&whole[..whole.len() - 1], [whole, &[0]].concat());
        let mut odd = whole.to_vec();
        // valid_time (4), the scheme (2), the length of the SPKI (3) and its tag.
        odd[9] = 0x31;
        for broken in [cut, &longer, &odd] {
            let own = extension(form.extension_type(), broken);
            for block in [
                own.clone(),
                [own.clone(), status(&OCSP)].concat(),
                [status(&OCSP), own].concat(),
            ] {
                scene.refuses(policy, &block, &refusal, Alert::UnexpectedMessage);
            }
        }
    }
}

#[test]
fn two_in_one_entry() {
    let scene = Scene::new();
    let [named, rfc9345] = [Form::Named, Form::Rfc9345].map(|form| scene.credential(form));
    for block in [
        [named.clone(), named.clone()].concat(),
        [named.clone(), rfc9345.clone()].concat(),
        [rfc9345.clone(), named.clone()].concat(),
        [status(&OCSP), named.clone(), rfc9345.clone()].concat(),
        [named.clone(), status(&OCSP), rfc9345].concat(),
        [named.clone(), status(&OCSP), status(&OCSP)].concat(),
        [status(&OCSP), status(&OCSP), named].concat(),
    ] {
        // Whether each of the two was asked for comes second.
        for policy in [
            NamePolicy::Required,
            NamePolicy::Preferred,
            NamePolicy::Ignored,
        ] {
            let alert = Alert::IllegalParameter;
            scene.refuses(policy, &block, &Refusal::DuplicateExtension, alert);
        }
    }
}

#[test]
fn an_extension_that_nobody_asked_for() {
    let scene = Scene::new();
    let own = scene.credential(Form::Named);
    for block in [
        [own.clone(), SCT.to_vec()].concat(),
        [own.clone(), status(&OCSP), SCT.to_vec()].concat(),
        [status(&OCSP), own.clone(), SCT.to_vec()].concat(),
        [status(&OCSP), SCT.to_vec(), own.clone()].concat(),
        [status(&OCSP), SCT.to_vec()].concat(),
    ] {
        let alert = Alert::UnsupportedExtension;
        scene.refuses(
            NamePolicy::Preferred,
            &block,
            &Refusal::UnexpectedExtension,
            alert,
        );
    }
    // In front of ours it is rustls that sees it.
    scene.meet(
        NamePolicy::Preferred,
        &[SCT.to_vec(), own].concat(),
        |verdict| {
            let (error, alert) = verdict.failed();
            assert!(
                matches!(error, rustls::Error::InvalidMessage(_)),
                "{error:?}"
            );
            assert_eq!(alert, Alert::DecodeError);
        },
    );
}

#[test]
fn one_that_is_cut_at_any_length() {
    let scene = Scene::new();
    for form in Form::ALL {
        let own = scene.credential(form);
        let client = scene.client(NamePolicy::Preferred);
        for length in 0..body(&own).len() {
            let block = extension(form.extension_type(), &body(&own)[..length]);
            let verdict = scene.device().block(0, block).meet(&client, ALL);
            assert_decode_error(&verdict, length);
        }
    }
}

/// Refused by us, or by rustls where nothing of a credential is left.
#[track_caller]
fn assert_decode_error(verdict: &Verdict, length: usize) {
    match &verdict.client {
        Err(dc_rustls::Error::Refused(_)) => {
            let refused = verdict.refused();
            assert_eq!(
                refused,
                (&Refusal::MalformedExtensions, Alert::DecodeError),
                "{length}"
            );
        }
        _ => assert_eq!(verdict.failed().1, Alert::DecodeError, "{length}"),
    }
}

#[test]
fn lengths_that_disagree() {
    let scene = Scene::new();
    for form in Form::ALL {
        let own = scene.credential(form);
        for bad in with_a_wrong_length(form, body(&own)) {
            let alone = extension(form.extension_type(), &bad);
            for block in [alone.clone(), [alone.clone(), status(&OCSP)].concat()] {
                scene.meet(NamePolicy::Preferred, &block, |verdict| {
                    let (refusal, alert) = verdict.refused();
                    assert_eq!(alert, Alert::DecodeError, "{refusal:?}: {block:x?}");
                });
            }
            // Here it is dc-core that sees it, for which a bad SPKI is not bad framing.
            let behind = [status(&OCSP), alone].concat();
            scene.meet(NamePolicy::Preferred, &behind, |verdict| {
                let (refusal, alert) = verdict.refused();
                match refusal {
                    Refusal::Credential(dc_core::Error::BadPublicKey) => {
                        assert_eq!(alert, Alert::IllegalParameter);
                    }
                    _ => assert_eq!(alert, Alert::DecodeError, "{refusal:?}: {behind:x?}"),
                }
            });
        }
    }
}

/// A good body, each time with another length that disagrees with what it is for.
fn with_a_wrong_length(form: Form, good: &[u8]) -> Vec<Vec<u8>> {
    let spki_len = u32::from_be_bytes([0, good[6], good[7], good[8]]) as usize;
    let signature_at = match form {
        Form::Rfc9345 => 9 + spki_len + 2,
        Form::Named => 9 + spki_len + 1 + usize::from(good[9 + spki_len]) + 2,
    };
    let set = |at: usize, bytes: &[u8]| {
        let mut bad = good.to_vec();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        bad
    };
    let signature_len = u16::from_be_bytes([good[signature_at], good[signature_at + 1]]);
    let spki = |bytes: &[u8]| [&good[..6], &vector(3, bytes), &good[9 + spki_len..]].concat();
    vec![
        [good, &[0]].concat(),
        [good, &[0x30, 0]].concat(),
        set(6, &[0xff, 0xff, 0xff]),
        set(6, &[0, 0xff, 0xff]),
        set(6, &[0, 0, 0]),
        set(8, &[good[8] - 1]),
        set(8, &[good[8] + 1]),
        set(10, &[good[10] - 1]),
        set(10, &[good[10] + 1]),
        set(9, &[0x31]),
        set(10, &[0x80]),
        set(signature_at, &[0xff, 0xff]),
        set(signature_at, &[0, 0]),
        set(signature_at, &(signature_len - 1).to_be_bytes()),
        set(signature_at, &(signature_len + 1).to_be_bytes()),
        [&good[..signature_at], &[0, 0]].concat(),
        spki(&[]),
        spki(&[0x30, 0x80, 0, 0]),
        spki(&[&good[9..9 + spki_len], &[0]].concat()),
        vec![0xff; good.len()],
        vec![0; good.len()],
    ]
}

#[test]
fn a_block_whose_own_lengths_disagree() {
    let scene = Scene::new();
    let own = scene.credential(Form::Named);
    let mut long = own.clone();
    long[3] += 1;
    let mut short = own.clone();
    short[3] -= 1;
    let cut_status = [own.clone(), status(&OCSP)].concat();
    let cut_status = &cut_status[..cut_status.len() - 1];
    let response_of = |bytes: &[u8]| [own.as_slice(), &status(bytes)].concat();
    for block in [
        long,
        short,
        cut_status.to_vec(),
        own[..2].to_vec(),
        own[..4].to_vec(),
        [own.as_slice(), &[0]].concat(),
        [own.as_slice(), &[0, 5]].concat(),
        [own.as_slice(), &[0, 5, 0, 0]].concat(),
        response_of(&[]),
        response_of(&[0x22]),
        response_of(&[0x30, 4, 0x0a, 1, 3]),
        response_of(&[0x30, 2, 0x0a, 1, 3]),
    ] {
        scene.meet(NamePolicy::Preferred, &block, |verdict| {
            assert_decode_error(verdict, block.len());
        });
    }
}

#[test]
fn one_next_to_an_intermediate_is_ignored() {
    let scene = Scene::with_intermediate();
    let good = scene.credential(Form::Named);
    let client = scene.client(NamePolicy::Preferred);
    for block in [
        good.clone(),
        [good.clone(), status(&OCSP)].concat(),
        [status(&OCSP), good.clone()].concat(),
        scene.credential(Form::Rfc9345),
    ] {
        for chunk in CHUNKS {
            let verdict = scene.owner().block(1, block.clone()).meet(&client, chunk);
            assert_eq!(*verdict.accepted(), Peer::Certificate);
        }
        // It does not make up for one that is missing.
        let device = scene.device().block(1, block);
        let verdict = device.meet(&client, ALL);
        assert_eq!(verdict.failed().1, Alert::DecryptError);
        let verdict = device.meet(&scene.client(NamePolicy::Required), ALL);
        let refused = (&Refusal::CredentialRequired, Alert::HandshakeFailure);
        assert_eq!(verdict.refused(), refused);
    }
}

/// RFC 9345 §4.1.1: nobody has to understand what is ignored.
#[test]
fn case_86_a_malformed_one_next_to_an_intermediate_is_ignored() {
    let scene = Scene::with_intermediate();
    let client = scene.client(NamePolicy::Preferred);
    let of_any_length = [Cut::Coalesced, Cut::Every(1), Cut::Every(59)];
    for form in Form::ALL {
        for bad in malformed(form, &scene.credential(form)) {
            let block = extension(form.extension_type(), &bad);
            for block in [
                block.clone(),
                [block.clone(), status(&OCSP)].concat(),
                [status(&OCSP), block].concat(),
            ] {
                for cut in of_any_length {
                    let framing = Framing { cut, padding: 0 };
                    let owner = scene.owner().block(1, block.clone()).framing(framing);
                    assert_eq!(*owner.meet(&client, ALL).accepted(), Peer::Certificate);
                }
                // The credential of the end entity counts as ever.
                let [own, other] = [scene.credential(form), block];
                let device = scene.device().blocks(vec![own, other]);
                let verdict = device.meet(&client, ALL);
                assert!(matches!(verdict.accepted(), Peer::Delegated { .. }));
            }
        }
    }
}

/// What no credential can be: of five bytes and more, for rustls reads nothing shorter in its place.
pub(crate) fn malformed(form: Form, extended: &[u8]) -> Vec<Vec<u8>> {
    let mut bad = with_a_wrong_length(form, body(extended));
    let body = body(extended);
    bad.extend([5, 9, body.len() - 1].map(|length| body[..length].to_vec()));
    bad.push(b"none of this is a credential".to_vec());
    bad.retain(|body| body.len() >= 5);
    bad
}

/// RFC 8446 §4.2, §4.4.2 and §6: what is ignored is a credential, not the framing around it.
#[test]
fn what_tls_refuses_next_to_an_intermediate() {
    let scene = Scene::with_intermediate();
    let own = scene.credential(Form::Named);
    let client = scene.client(NamePolicy::Preferred);
    let longer = [own.as_slice(), &[0]].concat();
    let mut past_the_end = own.clone();
    past_the_end[3] += 1;
    for (block, expected) in [
        ([own.clone(), own.clone()].concat(), Alert::IllegalParameter),
        (
            [own.clone(), SCT.to_vec()].concat(),
            Alert::UnsupportedExtension,
        ),
        (
            [status(&OCSP), status(&OCSP)].concat(),
            Alert::IllegalParameter,
        ),
        (longer, Alert::DecodeError),
        (past_the_end, Alert::DecodeError),
        (
            [own.clone(), extension(5, &[1, 0, 0, 0])].concat(),
            Alert::DecodeError,
        ),
        (extension(0xff22, &[]), Alert::DecodeError),
        (extension(34, &[1; 4]), Alert::DecodeError),
    ] {
        for chunk in CHUNKS {
            let verdict = scene.owner().block(1, block.clone()).meet(&client, chunk);
            let (error, alert) = verdict.failed();
            assert!(matches!(error, rustls::Error::InvalidMessage(_)), "{error}");
            assert_eq!(alert, expected, "{block:x?}");
        }
    }
}

#[test]
fn one_in_a_message_that_has_no_place_for_it() {
    let scene = Scene::new();
    let own = scene.credential(Form::Named);
    let client = scene.client(NamePolicy::Preferred);
    let insert = || {
        let own = own.clone();
        move |old: &[u8]| insert_extensions(old, &own)
    };
    for (kind, alert) in [
        (SERVER_HELLO, Alert::UnsupportedExtension),
        (ENCRYPTED_EXTENSIONS, Alert::UnsupportedExtension),
    ] {
        let rogue = scene.owner().rewrite(mutant::only(kind, insert()));
        for chunk in CHUNKS {
            assert_eq!(rogue.meet(&client, chunk).failed().1, alert);
        }
    }
    // What rustls does not know in a ticket it skips (RFC 8446 §4.6.1).
    let rewrite = mutant::only(NEW_SESSION_TICKET, insert());
    let verdict = scene.owner().rewrite(rewrite).meet(&client, ALL);
    assert_eq!(*verdict.accepted(), Peer::Certificate);
}
