//! Vectors on the far side of rules that the others leave untouched: without each of these, a verifier that breaks one
//! rule would agree with all of them.

use super::Files;
use super::alerts::{refused, silently};
use super::draft::{Draft, form_name, role_name};
use super::files::{NAMED, pem};
use crate::fault::Fault;
use crate::format::credentials::{Credentials, FileVector};
use crate::format::handshakes::{Accepted, Handshakes, Outcome, SessionVector};
use crate::format::selection::{Answer, Selections};
use crate::format::{Form, Hex, Policy, Role};

/// Adds them to those that are made already.
pub(super) fn add(files: &mut Files) {
    of_key_lengths(&mut files.credentials);
    of_files(&mut files.credentials);
    of_older_versions(&mut files.selection);
    of_paths(&mut files.handshakes);
    of_policies(&mut files.handshakes);
}

/// A length of three octets whose first octet is not looked at.
fn of_key_lengths(file: &mut Credentials) {
    for role in [Role::Server, Role::Client] {
        for form in [Form::Rfc9345, Form::Named] {
            let note = "the key's length is 65536 more than there is";
            let draft = Draft::new(role, form).but("structure", note, |_| ());
            let mut octets = draft.signed();
            octets[6] = 1;
            let id = format!(
                "{}-{}-key-length-of-three-octets",
                role_name(role),
                form_name(form)
            );
            let vector = draft.refused(Fault::Malformed).vector(octets);
            assert!(file.credentials.insert(id, vector).is_none());
        }
    }
}

/// PEM that lenient readers take.
fn of_files(file: &mut Credentials) {
    let text = file.files["named"].text.clone();
    let (begin, body) = text.split_once('\n').unwrap();
    // Valid in all but that: a name whose length makes the base64 end with padding.
    let padded = pem(
        NAMED,
        &file.credentials["server-named-name-digits-alone-first"]
            .credential
            .0,
    );
    assert!(padded.contains('='));
    for (id, note, text) in [
        (
            "nothing-in-one",
            "boundaries with nothing between, and a credential after them",
            format!("{begin}\n{}\n{text}", text.lines().last().unwrap()),
        ),
        (
            "end-twice",
            "an END boundary after the END boundary",
            format!("{text}{}", text.lines().last().unwrap()),
        ),
        (
            "one-character-more",
            "a character more than the base64 has, which base64 has not",
            format!("{begin}\n!{body}"),
        ),
        (
            "without-padding",
            "base64 without its padding",
            padded.replace('=', ""),
        ),
    ] {
        let vector = FileVector {
            note: note.to_owned(),
            section: "files".to_owned(),
            text,
            certificate: "good".to_owned(),
            refused: Some(silently(Fault::MalformedFile)),
            credentials: None,
        };
        assert!(file.files.insert(id.to_owned(), vector).is_none());
    }
}

/// What nobody looks at below TLS 1.3.
fn of_older_versions(file: &mut Selections) {
    let mut vector = file.selections["server-list-named-empty"].clone();
    vector.note = "below TLS 1.3 the list is not looked at".to_owned();
    vector.tls13 = false;
    vector.answer = Answer::Certificate;
    let id = "tls12-malformed-list".to_owned();
    assert!(file.selections.insert(id, vector).is_none());
}

/// A signature that is not the issuer's, and the first and last second of a certificate.
fn of_paths(file: &mut Handshakes) {
    let good = file.handshakes["server-ignored-certificate"].clone();
    let certificate = super::certificates::certificate("good");
    let accepted = Outcome::Accepted(Accepted {
        form: None,
        unique_name: None,
        expires: None,
    });
    assert!(good.entries[0].certificate == certificate.vector.der && good.outcome == accepted);
    let mut forged = good.clone();
    forged.note = "the certificate's signature is not the root's".to_owned();
    let Hex(der) = &mut forged.entries[0].certificate;
    *der.last_mut().unwrap() ^= 1;
    forged.outcome = Outcome::Refused(refused(Fault::UntrustedPath));
    let at = |note: &str, now| {
        let mut vector = good.clone();
        (vector.note, vector.now) = (note.to_owned(), now);
        vector
    };
    let (first, last) = (certificate.vector.not_before, certificate.vector.not_after);
    let ended = Outcome::Refused(refused(Fault::CertificateNotValid));
    let mut before = at("a second before the certificate begins", first - 1);
    let mut after = at("a second after the certificate has ended", last + 1);
    (before.outcome, after.outcome) = (ended.clone(), ended);
    for (id, vector) in [
        ("path-not-signed", forged),
        ("path-second-before-certificate", before),
        (
            "path-first-second-of-certificate",
            at("the certificate's first second", first),
        ),
        (
            "path-last-second-of-certificate",
            at("the certificate's last second", last),
        ),
        ("path-second-after-certificate", after),
    ] {
        assert!(file.handshakes.insert(id.to_owned(), vector).is_none());
    }
}

/// Sessions that only a program with other rules, or with another policy before, can have made.
fn of_policies(file: &mut Handshakes) {
    use Policy::{Preferred, Required, RequiredOrCertificate};
    let stronger = "made with the name, but under a weaker policy";
    let impossible =
        "made with what the policy does not accept, by a program that did not keep these rules";
    for (id, note, like, made_under, policy) in [
        (
            "named-preferred-then-required",
            stronger,
            "named-required",
            Preferred,
            Required,
        ),
        (
            "named-preferred-then-required-or-certificate",
            stronger,
            "named-required",
            Preferred,
            RequiredOrCertificate,
        ),
        (
            "named-required-or-certificate-then-required",
            stronger,
            "named-required",
            RequiredOrCertificate,
            Required,
        ),
        (
            "unnamed-required",
            impossible,
            "unnamed-preferred",
            Required,
            Required,
        ),
        (
            "unnamed-required-or-certificate",
            impossible,
            "unnamed-preferred",
            RequiredOrCertificate,
            RequiredOrCertificate,
        ),
        (
            "certificate-required",
            impossible,
            "certificate-preferred",
            Required,
            Required,
        ),
    ] {
        let vector = SessionVector {
            note: note.to_owned(),
            made_under,
            policy,
            resumes: false,
            ..file.sessions[like].clone()
        };
        assert!(file.sessions.insert(id.to_owned(), vector).is_none());
    }
}
