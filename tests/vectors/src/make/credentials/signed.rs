//! Signatures over other bytes than those that were received, in other contexts, or by other keys.

use super::Book;
use crate::fault::Fault;
use crate::format::{Form, Role};
use crate::make::certificates::certificate;
use crate::make::draft::{Draft, context, role_name};
use crate::make::keys::{ROOT, RSAE};
use crate::make::{der, rsa};

pub(super) fn add(good: &Draft, book: &mut Book) {
    of_changes(good, book);
    of_contexts(good, book);
    of_messages(good, book);
    of_keys(good, book);
    of_encodings(good, book);
    if good.form == Form::Named {
        of_names(good, book);
    } else {
        of_taken_off_name(good, book);
    }
}

fn bad(good: &Draft, note: &str) -> Draft {
    good.but("signed", note, |_| ())
        .refused(Fault::BadSignature)
}

/// Fields that were changed after they were signed.
fn of_changes(good: &Draft, book: &mut Book) {
    let draft = bad(good, "the last bit is flipped");
    let mut flipped = draft.signed();
    *flipped.last_mut().unwrap() ^= 1;
    book.add_bytes("flipped-bit", &draft, flipped);

    let mut draft = bad(good, "valid_time is one more than what was signed");
    draft.valid_time += 1;
    book.add_bytes(
        "changed-valid-time",
        &draft,
        draft.signed_over(&good.message()),
    );

    let mut draft = bad(good, "the key is another than the one that was signed");
    draft.for_key(crate::make::keys::OTHER_DEVICE);
    book.add_bytes("changed-key", &draft, draft.signed_over(&good.message()));

    let mut draft = bad(
        good,
        "sent with a new certificate for the same key and names",
    );
    draft.certificate = "reissued";
    draft.signed_under = Some("good");
    book.add("other-certificate", &draft);
}

/// Context strings of another role, form or message.
#[rustfmt::skip]
fn of_contexts(good: &Draft, book: &mut Book) {
    let (other_role, other_form) = match (good.role, good.form) {
        (Role::Server, form) => (Role::Client, if form == Form::Named { Form::Rfc9345 } else { Form::Named }),
        (Role::Client, form) => (Role::Server, if form == Form::Named { Form::Rfc9345 } else { Form::Named }),
    };
    let verify = format!("TLS 1.3, {} CertificateVerify", role_name(good.role));
    for (id, note, context) in [
        ("other-role", "signed for the other role", context(other_role, good.form)),
        ("other-form", "signed with the context of the other form", context(good.role, other_form)),
        ("other-role-and-form", "signed for the other role with the context of the other form", context(other_role, other_form)),
        ("certificate-verify-context", "signed with the context of CertificateVerify", verify),
    ] {
        let mut draft = bad(good, note);
        draft.context = context;
        book.add(id, &draft);
    }
}

/// Messages that are put together in another way.
#[rustfmt::skip]
fn of_messages(good: &Draft, book: &mut Book) {
    let (context, body) = (good.context.as_bytes(), good.body());
    let algorithm = good.algorithm.to_be_bytes();
    let certificate = &certificate(good.certificate).vector.der.0;
    let tbs = der::sequence(&[der::children(certificate)[0]]);
    let spaces = |count| vec![b' '; count];
    for (id, note, message) in [
        ("draft-02-order", "algorithm before the credential, as in draft-02", [&spaces(64), context, &[0], certificate, &algorithm, &body].concat()),
        ("no-spaces", "without the 64 spaces", [context, &[0], certificate, &body, &algorithm].concat()),
        ("63-spaces", "with 63 spaces", [&spaces(63), context, &[0], certificate, &body, &algorithm].concat()),
        ("65-spaces", "with 65 spaces", [&spaces(65), context, &[0], certificate, &body, &algorithm].concat()),
        ("zeros-for-spaces", "with 64 zeros in place of the spaces", [&[0; 64], context, &[0], certificate, &body, &algorithm].concat()),
        ("no-separator", "without the zero after the context", [&spaces(64), context, certificate, &body, &algorithm].concat()),
        ("two-separators", "with two zeros after the context", [&spaces(64), context, &[0, 0], certificate, &body, &algorithm].concat()),
        ("no-context", "without the context", [&spaces(64)[..], &[0], certificate, &body, &algorithm].concat()),
        ("no-certificate", "without the certificate", [&spaces(64), context, &[0], &body, &algorithm].concat()),
        ("tbs-certificate", "over the certificate's tbsCertificate", [&spaces(64), context, &[0], &tbs, &body, &algorithm].concat()),
        ("no-algorithm", "without algorithm", [&spaces(64), context, &[0], certificate, &body].concat()),
        ("no-credential", "without the credential", [&spaces(64), context, &[0], certificate, &algorithm[..]].concat()),
    ] {
        let note = format!("signed {note}");
        book.add_bytes(&format!("signed-{id}"), &bad(good, &note), good.signed_over(&message));
    }
}

/// Keys that are not the certificate's.
fn of_keys(good: &Draft, book: &mut Book) {
    for (id, note, signer) in [
        (
            "signed-by-own-key",
            "signed by the credential's own key",
            good.device,
        ),
        (
            "signed-by-issuer",
            "signed by the key of the certificate's issuer",
            ROOT,
        ),
    ] {
        let mut draft = bad(good, note);
        draft.signer = Some(signer);
        book.add(id, &draft);
    }
}

/// Signatures that TLS encodes or pads in another way.
fn of_encodings(good: &Draft, book: &mut Book) {
    let mut draft = bad(
        good,
        "an ECDSA signature as two numbers of 32 bytes in place of DER",
    );
    draft.under("p256");
    let signature = certificate("p256")
        .key
        .sign(draft.algorithm, &draft.message());
    let numbers = der::children(&signature);
    let fixed = numbers.iter().flat_map(|number| {
        let digits = &number[number.len().saturating_sub(32)..];
        [&vec![0; 32 - digits.len()], digits].concat()
    });
    let fixed: Vec<u8> = fixed.collect();
    book.add_bytes("ecdsa-not-der", &draft, draft.with_signature(&fixed));

    let mut draft = bad(good, "an RSASSA-PSS signature with a salt of 20 bytes");
    draft.under("rsa");
    let signature = rsa::sign_pss(&ring::digest::SHA256, 20, &draft.message());
    book.add_bytes("salt-of-20", &draft, draft.with_signature(&signature));

    let mut draft = bad(
        good,
        "an RSASSA-PSS signature with another hash than the scheme says",
    );
    draft.under("rsa");
    let signature = certificate("rsa").key.sign(RSAE[1], &draft.message());
    book.add_bytes("other-hash", &draft, draft.with_signature(&signature));

    let mut draft = bad(
        good,
        "a PKCS #1 v1.5 signature where the scheme says RSASSA-PSS",
    );
    draft.under("rsa");
    let signature = rsa::sign_pkcs1(&draft.message());
    book.add_bytes("pkcs1-signature", &draft, draft.with_signature(&signature));
}

/// Names that were changed, or put into what was signed without one.
fn of_names(good: &Draft, book: &mut Book) {
    let mut draft = bad(good, "the name was changed to the one that is wanted");
    draft.name(b"k3w.cpe.example.com");
    book.add_bytes("name-changed", &draft, draft.signed_over(&good.message()));

    let nameless = good.but("signed", "", |draft| draft.name = None);
    let draft = bad(good, "signed without the name");
    book.add_bytes(
        "name-not-signed",
        &draft,
        draft.signed_over(&nameless.message()),
    );

    let mut nameless = nameless;
    nameless.context = context(good.role, Form::Rfc9345);
    let draft = bad(
        good,
        "a credential of RFC 9345's form into which a name was put",
    );
    book.add_bytes(
        "name-put-on",
        &draft,
        draft.signed_over(&nameless.message()),
    );
}

/// A named credential without its name in RFC 9345's extension.
fn of_taken_off_name(good: &Draft, book: &mut Book) {
    let named = Draft::new(good.role, Form::Named);
    let draft = bad(good, "a named credential from which the name was taken off");
    book.add_bytes(
        "name-taken-off",
        &draft,
        draft.signed_over(&named.message()),
    );
}
