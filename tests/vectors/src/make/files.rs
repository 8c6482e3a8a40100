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
    let rows = [of_valid(credentials), of_refused(credentials)].concat();
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
