//! What each client says to servers that are as they should be, and to others.

mod lab;

use apparatus::{Part, have};

use self::lab::interview;
use super::{Client, DcRustls, chromium, curl, firefox, gnutls, nss, openssl, python, rustls};

/// Asks a client everything, and compares how the lines that come of it begin.
fn check(client: &dyn Client, expected: &str) {
    if client.is_foreign() && !have(Part::Solutions) {
        return;
    }
    let said = interview(client);
    let expected: Vec<&str> = expected.trim().lines().collect();
    assert_eq!(said.len(), expected.len());
    let wrong = |(said, expected): &(&String, &&str)| !said.starts_with(expected.trim_start());
    let wrong: Vec<_> = said.iter().zip(&expected).filter(wrong).collect();
    assert!(wrong.is_empty(), "{}: {wrong:#?}", client.name());
}

#[test]
fn curl_refuses_what_it_cannot_verify_and_keeps_pins_that_it_is_given() {
    check(
        &curl::Curl,
        "
        good: connected
        unknown root: refused, 60: SSL certificate problem: unable to get local issuer certificate
        wrong name: refused, 60: SSL: no alternative certificate subject name
        revoked: refused, 60: SSL certificate problem: certificate revoked
        not revoked: connected
        self-signed: refused, 60: SSL certificate problem: self-signed certificate
        self-signed, going on: refused, 60: SSL certificate problem: self-signed certificate
        accepted: connected
        another accepted: refused, 90: SSL: public key does not match pinned public key
        neighbour accepted: refused, 90: SSL: public key does not match pinned public key
        good again: connected
        raw key: refused, 35:
        raw key, told: refused, 35:
        raw key, accepted: refused, 35:
        credential: refused, 35:
        credential of another name: refused, 35:
        expired: refused, 60: SSL certificate problem: certificate has expired
        accepted and expired: connected
        credential, expired: refused, 35:
        ",
    );
}

#[test]
fn openssl_says_what_it_thinks_and_goes_on() {
    check(
        &openssl::OpenSsl,
        "
        good: connected
        unknown root: warned, unable to verify the first certificate
        wrong name: warned, hostname mismatch
        revoked: warned, certificate revoked
        not revoked: connected
        self-signed: warned, self-signed certificate
        self-signed, going on: warned, self-signed certificate
        accepted: connected
        another accepted: warned, self-signed certificate
        neighbour accepted: warned, unable to get local issuer certificate
        good again: connected
        raw key: refused, sslv3 alert handshake failure
        raw key, told: refused, sslv3 alert handshake failure
        raw key, accepted: refused, sslv3 alert handshake failure
        credential: refused, sslv3 alert handshake failure
        credential of another name: refused, sslv3 alert handshake failure
        expired: warned, certificate has expired
        accepted and expired: warned, certificate has expired
        credential, expired: refused, sslv3 alert handshake failure
        ",
    );
}

#[test]
fn gnutls_asks_and_remembers_keys_but_not_raw_ones() {
    check(
        &gnutls::GnuTls,
        "
        good: connected
        unknown root: warned, The certificate issuer is unknown.
        wrong name: warned, The name in the certificate does not match the expected.
        revoked: warned, The certificate chain is revoked.
        not revoked: connected
        self-signed: warned, The certificate issuer is unknown.
        self-signed, going on: warned, The certificate issuer is unknown.
        accepted: connected
        another accepted: warned, the host is known and it is associated with a different key
        neighbour accepted: warned, the host is known and it is associated with a different key
        good again: connected
        raw key: refused, alert [40]: Handshake failed
        raw key, told: refused, The request is invalid.
        raw key, accepted: refused, memory of keys: ASN1 parser: Error in TAG.
        credential: refused, alert [40]: Handshake failed
        credential of another name: refused, alert [40]: Handshake failed
        expired: warned, The certificate chain uses expired certificate.
        accepted and expired: connected
        credential, expired: refused, alert [40]: Handshake failed
        ",
    );
}

#[test]
fn nss_takes_credentials_whatever_the_name() {
    check(
        &nss::Tstclnt::default(),
        "
        good: connected
        unknown root: refused, SEC_ERROR_UNKNOWN_ISSUER
        wrong name: refused, SSL_ERROR_BAD_CERT_DOMAIN
        revoked: refused, SEC_ERROR_REVOKED_CERTIFICATE
        not revoked: connected
        self-signed: refused, SEC_ERROR_CA_CERT_INVALID
        self-signed, going on: refused, SEC_ERROR_CA_CERT_INVALID
        accepted: connected
        another accepted: refused, SEC_ERROR_CA_CERT_INVALID
        neighbour accepted: refused, SEC_ERROR_
        good again: connected
        raw key: refused, SSL_ERROR_HANDSHAKE_FAILURE_ALERT
        raw key, told: refused, SSL_ERROR_HANDSHAKE_FAILURE_ALERT
        raw key, accepted: refused, SSL_ERROR_HANDSHAKE_FAILURE_ALERT
        credential: connected
        credential of another name: connected
        expired: refused, SEC_ERROR_EXPIRED_CERTIFICATE
        accepted and expired: refused, SEC_ERROR_EXPIRED_CERTIFICATE
        credential, expired: refused, SSL_ERROR_DC_EXPIRED
        ",
    );
}

#[test]
fn rustls_refuses_what_it_cannot_verify() {
    check(
        &rustls::Rustls,
        "
        good: connected
        unknown root: refused, UnknownIssuer
        wrong name: refused, NotValidForName
        revoked: refused, Revoked
        not revoked: connected
        self-signed: refused, UnknownIssuer
        self-signed, going on: refused, UnknownIssuer
        accepted: unable
        another accepted: unable
        neighbour accepted: unable
        good again: connected
        raw key: refused, received fatal alert: HandshakeFailure
        raw key, told: refused, received fatal alert: HandshakeFailure
        raw key, accepted: unable
        credential: refused, received fatal alert: HandshakeFailure
        credential of another name: refused, received fatal alert: HandshakeFailure
        expired: refused, Expired
        accepted and expired: unable
        credential, expired: refused, received fatal alert: HandshakeFailure
        ",
    );
}

#[test]
fn python_refuses_what_it_cannot_verify() {
    check(
        &python::Python,
        "
        good: connected
        unknown root: refused, unable to get local issuer certificate
        wrong name: refused, Hostname mismatch
        revoked: refused, certificate revoked
        not revoked: connected
        self-signed: refused, self-signed certificate
        self-signed, going on: refused, self-signed certificate
        accepted: connected
        another accepted: refused, self-signed certificate
        neighbour accepted: refused, unable to get local issuer certificate
        good again: connected
        raw key: refused, SSLV3_ALERT_HANDSHAKE_FAILURE
        raw key, told: refused, SSLV3_ALERT_HANDSHAKE_FAILURE
        raw key, accepted: refused, SSLV3_ALERT_HANDSHAKE_FAILURE
        credential: refused, SSLV3_ALERT_HANDSHAKE_FAILURE
        credential of another name: refused, SSLV3_ALERT_HANDSHAKE_FAILURE
        expired: refused, certificate has expired
        accepted and expired: refused, certificate has expired
        credential, expired: refused, SSLV3_ALERT_HANDSHAKE_FAILURE
        ",
    );
}

#[test]
fn dc_rustls_takes_credentials_for_the_very_name_alone() {
    check(
        &DcRustls::new(),
        "
        good: refused, CredentialRequired
        unknown root: refused, UnknownIssuer
        wrong name: refused, NotValidForName
        revoked: refused, Revoked
        not revoked: refused, CredentialRequired
        self-signed: refused, UnknownIssuer
        self-signed, going on: refused, UnknownIssuer
        accepted: unable
        another accepted: unable
        neighbour accepted: unable
        good again: refused, CredentialRequired
        raw key: refused, received fatal alert: HandshakeFailure
        raw key, told: refused, received fatal alert: HandshakeFailure
        raw key, accepted: unable
        credential: connected
        credential of another name: refused, NameMismatch
        expired: refused, Expired
        accepted and expired: unable
        credential, expired: refused, Expired
        ",
    );
}

#[test]
fn dc_rustls_without_names_takes_any_credential_of_the_vendor() {
    check(
        &DcRustls::without_names(),
        "
        good: connected
        unknown root: refused, UnknownIssuer
        wrong name: refused, NotValidForName
        revoked: refused, Revoked
        not revoked: connected
        self-signed: refused, UnknownIssuer
        self-signed, going on: refused, UnknownIssuer
        accepted: unable
        another accepted: unable
        neighbour accepted: unable
        good again: connected
        raw key: refused, received fatal alert: HandshakeFailure
        raw key, told: refused, received fatal alert: HandshakeFailure
        raw key, accepted: unable
        credential: connected
        credential of another name: connected
        expired: refused, Expired
        accepted and expired: unable
        credential, expired: refused, Expired
        ",
    );
}

#[test]
fn firefox_warns_of_certificates_and_takes_credentials_whatever_the_name() {
    check(
        &firefox::Firefox::default(),
        "
        good: connected
        unknown root: warned, SEC_ERROR_UNKNOWN_ISSUER
        wrong name: warned, SSL_ERROR_BAD_CERT_DOMAIN
        revoked: unable
        not revoked: unable
        self-signed: warned, SEC_ERROR_CA_CERT_INVALID
        self-signed, going on: warned, SEC_ERROR_CA_CERT_INVALID
        accepted: connected
        another accepted: warned, SEC_ERROR_CA_CERT_INVALID
        neighbour accepted: warned, SEC_ERROR_UNKNOWN_ISSUER
        good again: connected
        raw key: refused, SSL_ERROR_HANDSHAKE_FAILURE_ALERT
        raw key, told: refused, SSL_ERROR_HANDSHAKE_FAILURE_ALERT
        raw key, accepted: refused, SSL_ERROR_HANDSHAKE_FAILURE_ALERT
        credential: connected
        credential of another name: connected
        expired: warned, SEC_ERROR_EXPIRED_CERTIFICATE
        accepted and expired: connected
        credential, expired: refused, SSL_ERROR_DC_EXPIRED
        ",
    );
}

#[test]
fn chromium_warns_and_lets_users_go_on() {
    check(
        &chromium::Chromium::default(),
        "
        good: connected
        unknown root: warned, ERR_CERT_AUTHORITY_INVALID
        wrong name: warned, ERR_CERT_COMMON_NAME_INVALID
        revoked: unable
        not revoked: unable
        self-signed: warned, ERR_CERT_AUTHORITY_INVALID
        self-signed, going on: warned, ERR_CERT_AUTHORITY_INVALID
        accepted: connected
        another accepted: warned, ERR_CERT_AUTHORITY_INVALID
        neighbour accepted: warned, ERR_CERT_AUTHORITY_INVALID
        good again: connected
        raw key: refused, ERR_SSL_PROTOCOL_ERROR
        raw key, told: refused, ERR_SSL_PROTOCOL_ERROR
        raw key, accepted: refused, ERR_SSL_PROTOCOL_ERROR
        credential: refused, ERR_SSL_VERSION_OR_CIPHER_MISMATCH
        credential of another name: refused, ERR_SSL_VERSION_OR_CIPHER_MISMATCH
        expired: warned, ERR_CERT_DATE_INVALID
        accepted and expired: warned, ERR_CERT_DATE_INVALID
        credential, expired: refused, ERR_SSL_VERSION_OR_CIPHER_MISMATCH
        ",
    );
}
