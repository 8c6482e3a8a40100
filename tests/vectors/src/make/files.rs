//! PEM files.

use std::collections::BTreeMap;

use super::alerts::silently;
use super::certificates::certificate;
use super::keys::DEVICE;
use crate::fault::Fault;
use crate::format::credentials::{CredentialVector, FileVector};

pub(super) const NAMED: &str = "NAMED DELEGATED CREDENTIAL";
const UNNAMED: &str = "DELEGATED CREDENTIAL";

pub(super) fn all(
    credentials: &BTreeMap<String, CredentialVector>,
) -> BTreeMap<String, FileVector> {
    let rows = [
        of_valid(credentials),
        of_labels(credentials),
        of_space(credentials),
        of_refused(credentials),
    ]
    .concat();
    let make = |(id, note, text, outcome): Row| {
        let (refused, found) = match outcome {
            Ok(found) => (
                None,
                Some(found.iter().map(|id| (*id).to_owned()).collect()),
            ),
            Err(fault) => (Some(silently(fault)), None),
        };
        let vector = FileVector {
            note: note.to_owned(),
            section: "files".to_owned(),
            text,
            certificate: "good".to_owned(),
            refused,
            credentials: found,
        };
        (id.to_owned(), vector)
    };
    rows.into_iter().map(make).collect()
}

/// Name, note, text, and the credentials that are found or what is wrong.
type Row = (
    &'static str,
    &'static str,
    String,
    Result<Vec<&'static str>, Fault>,
);

const SERVER: &str = "server-named-valid";
const CLIENT: &str = "client-named-valid";
const SERVER_34: &str = "server-rfc9345-valid";
const CLIENT_34: &str = "client-rfc9345-valid";

#[rustfmt::skip]
fn of_valid(credentials: &BTreeMap<String, CredentialVector>) -> Vec<Row> {
    let bytes = |id: &str| &credentials[id].credential.0;
    let server = pem(NAMED, bytes(SERVER));
    let server_34 = pem(UNNAMED, bytes(SERVER_34));
    let certificate = pem("CERTIFICATE", &certificate("good").vector.der.0);
    let key = pem("PRIVATE KEY", &DEVICE.pkcs8());
    vec![
        ("named", "a named credential of a server", server.clone(), Ok(vec![SERVER])),
        ("named-client", "a named credential of a client, which only its signature tells", pem(NAMED, bytes(CLIENT)), Ok(vec![CLIENT])),
        ("unnamed", "a credential of RFC 9345's form", server_34.clone(), Ok(vec![SERVER_34])),
        ("unnamed-client", "a credential of RFC 9345's form of a client", pem(UNNAMED, bytes(CLIENT_34)), Ok(vec![CLIENT_34])),
        ("both-forms", "a credential of each form", [&server[..], &server_34].concat(), Ok(vec![SERVER, SERVER_34])),
        ("other-order", "a credential of each form the other way round", [&server_34[..], &server].concat(), Ok(vec![SERVER_34, SERVER])),
        ("among-others", "with certificate and key, which are passed over", [&certificate[..], &key, &server].concat(), Ok(vec![SERVER])),
        ("before-others", "with certificate and key behind it", [&server[..], &key, &certificate].concat(), Ok(vec![SERVER])),
        ("text-around", "text before and after, as RFC 7468 allows", format!("k3v, made today\n\n{server}\nthat is all\n"), Ok(vec![SERVER])),
        ("crlf", "lines that end with CR and LF", server.replace('\n', "\r\n"), Ok(vec![SERVER])),
        ("no-final-line-end", "nothing after the last boundary", server.trim_end().to_owned(), Ok(vec![SERVER])),
    ]
}

const SERVER_LABEL: &str = "SERVER DELEGATED CREDENTIAL";
const CLIENT_LABEL: &str = "CLIENT DELEGATED CREDENTIAL";

/// Labels that are read, passed over, or refused because something may have been meant as a credential.
#[rustfmt::skip]
fn of_labels(credentials: &BTreeMap<String, CredentialVector>) -> Vec<Row> {
    let bytes = |id: &str| &credentials[id].credential.0;
    let named = pem(NAMED, bytes(SERVER));
    let beside = |label: &str| format!("-----BEGIN {label}-----\n!?\n-----END {label}-----\n{named}");
    let mut rows = vec![
        ("server-label", "the label of a server's credential without a name", pem(SERVER_LABEL, bytes(SERVER_34)), Ok(vec![SERVER_34])),
        ("client-label", "the label of a client's credential without a name", pem(CLIENT_LABEL, bytes(CLIENT_34)), Ok(vec![CLIENT_34])),
        ("label-of-a-client-for-a-server", "the label of a client, and a credential of a server", pem(CLIENT_LABEL, bytes(SERVER_34)), Err(Fault::WrongRole)),
    ];
    let passed_over = "a block with a label that is known, which is not decoded";
    for (id, label) in [
        ("beside-certificate", "CERTIFICATE"),
        ("beside-x509-certificate", "X509 CERTIFICATE"),
        ("beside-request", "CERTIFICATE REQUEST"),
        ("beside-new-request", "NEW CERTIFICATE REQUEST"),
        ("beside-public-key", "PUBLIC KEY"),
        ("beside-rsa-public-key", "RSA PUBLIC KEY"),
        ("beside-crl", "X509 CRL"),
        ("beside-private-key", "PRIVATE KEY"),
        ("beside-ec-private-key", "EC PRIVATE KEY"),
        ("beside-other-private-key", "X PRIVATE KEY"),
        ("beside-ec-parameters", "EC PARAMETERS"),
        ("beside-other-parameters", "X PARAMETERS"),
    ] {
        rows.push((id, passed_over, beside(label), Ok(vec![SERVER])));
    }
    let unknown = "a block with a label that nobody knows: something may have been meant as a credential";
    for (id, label) in [
        ("beside-unknown", "ATTRIBUTE CERTIFICATE"),
        ("beside-other-credential", "NAMED CREDENTIAL"),
        ("beside-private-key-of-one-word", "XPRIVATE KEY"),
        ("beside-parameters-of-one-word", "PARAMETERS"),
    ] {
        rows.push((id, unknown, beside(label), Err(Fault::MalformedFile)));
    }
    rows
}

/// What may stand around lines and inside of them.
#[rustfmt::skip]
fn of_space(credentials: &BTreeMap<String, CredentialVector>) -> Vec<Row> {
    let text = pem(NAMED, &credentials[SERVER].credential.0);
    let (begin, body) = text.split_once('\n').unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let base64 = lines[1..lines.len() - 1].concat();
    let end = lines.last().unwrap();
    let found = || Ok(vec![SERVER]);
    vec![
        ("cr", "lines that end with CR alone", text.replace('\n', "\r"), found()),
        ("space-before-lines", "spaces before every line", format!("  {}", text.trim_end().replace('\n', "\n  ")), found()),
        ("space-after-lines", "a space and a tab after every line", text.replace('\n', " \t\n"), found()),
        ("space-inside", "a space and a tab inside of a line", format!("{begin}\n{} \t{}", &body[..20], &body[20..]), found()),
        ("empty-lines-inside", "empty lines in the block", format!("{begin}\n\n{}", body.replacen('\n', "\n\n\n", 1)), found()),
        ("one-line", "all of the base64 in one line", format!("{begin}\n{base64}\n{end}\n"), found()),
        ("byte-order-mark", "a byte order mark in front", format!("\u{feff}{text}"), found()),
        ("headers-inside", "header lines before the base64, as in older files", format!("{begin}\nComment: of k3v\nMade-By: hand\n\n{body}"), found()),
        ("begin-cut", "a BEGIN line without its last dashes, before a whole block", format!("{}\n{text}", begin.trim_end_matches('-')), Err(Fault::MalformedFile)),
        ("end-cut", "an END line with a dash less", format!("{}\n", text.trim_end().strip_suffix('-').unwrap()), Err(Fault::MalformedFile)),
        ("begin-inside", "a BEGIN in a block that has not ended", format!("{begin}\n{base64}\n{text}"), Err(Fault::MalformedFile)),
        ("begin-twice", "a BEGIN that follows another at once", format!("{begin}\n{text}"), Err(Fault::MalformedFile)),
    ]
}

#[rustfmt::skip]
fn of_refused(credentials: &BTreeMap<String, CredentialVector>) -> Vec<Row> {
    let server = &credentials[SERVER].credential.0;
    let text = pem(NAMED, server);
    let certificate = pem("CERTIFICATE", &certificate("good").vector.der.0);
    let longer = [&server[..], &[0]].concat();
    let (_, body) = text.split_once('\n').unwrap();
    let (first, last) = (body.lines().next().unwrap(), body.lines().rev().nth(1).unwrap());
    vec![
        ("empty", "nothing", String::new(), Err(Fault::NoCredential)),
        ("certificate-alone", "a certificate and no credential", certificate, Err(Fault::NoCredential)),
        ("byte-after-structure", "a byte after the structure, within the base64", pem(NAMED, &longer), Err(Fault::Malformed)),
        ("named-as-unnamed", "a named credential with the label of RFC 9345's form", pem(UNNAMED, server), Err(Fault::Malformed)),
        ("name-in-capitals", "a name in capitals", pem(NAMED, &credentials["server-named-name-upper-case"].credential.0), Err(Fault::MalformedName)),
        ("no-end", "no END boundary", text.split("-----END").next().unwrap_or_default().to_owned(), Err(Fault::MalformedFile)),
        ("other-end", "the END boundary of another label", text.replace("-----END NAMED ", "-----END "), Err(Fault::MalformedFile)),
        ("no-base64", "a character that base64 has not", text.replacen(first, &first.replacen('A', "!", 1), 1), Err(Fault::MalformedFile)),
        ("cut-base64", "base64 with a character less", text.replacen(last, &last[1..], 1), Err(Fault::MalformedFile)),
        ("nothing-in-it", "boundaries with nothing between", format!("-----BEGIN {NAMED}-----\n-----END {NAMED}-----\n"), Err(Fault::MalformedFile)),
        ("label-of-the-other-role", "the label of a server, and a credential of a client", pem("SERVER DELEGATED CREDENTIAL", &credentials[CLIENT_34].credential.0), Err(Fault::WrongRole)),
        ("other-certificate", "the signature is neither role's under this certificate", pem(NAMED, &credentials["server-named-flipped-bit"].credential.0), Err(Fault::BadSignature)),
    ]
}

/// A PEM block with lines of 64 columns (RFC 7468).
pub(super) fn pem(label: &str, bytes: &[u8]) -> String {
    let text = base64(bytes);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let digit = |at: usize| match at <= three.len() {
            true => char::from(DIGITS[usize::try_from(bits >> (18 - 6 * at) & 63).unwrap()]),
            false => '=',
        };
        [0, 1, 2, 3].map(digit)
    };
    bytes.chunks(3).flat_map(group).collect()
}
