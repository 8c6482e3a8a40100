//! The checks of a chain that a peer without credentials makes: root, validity, name.

use std::sync::Arc;

use dc_core::{Role, UniqueName};
use pki_types::{CertificateDer, ServerName};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::server::WebPkiClientVerifier;
use rustls::{CertificateError, RootCertStore};

use super::Peer;
use super::order;
use super::verdict::{Check, CheckError, Rule};
use crate::ParsedCertificate;
use crate::display::Certificate;
use crate::parsed::ders;
use dc_pki::chain::{misuse, unreadable as cannot_be_read};
use dc_pki::text::Foreign;
use dc_pki::time::{Moment, Span};

/// Root, validity and name of the first certificate.
pub(super) fn checks(peer: &Peer, chain: &[ParsedCertificate]) -> Vec<Check> {
    let Some(end_entity) = chain.first() else {
        return vec![Check::not_checked(Rule::Chain, "there is no certificate")];
    };
    let certificate = end_entity.shown().ok();
    let chain = &ders(chain);
    [
        order::check(chain, peer.provider.signature_verification_algorithms.all),
        Some(leads_to_a_root(peer, chain, certificate)),
        Some(is_valid(peer, certificate)),
        has_name(peer, certificate),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// That it can be read, and validity.
pub(super) fn checks_of_ca(peer: &Peer, certificate: &ParsedCertificate) -> Vec<Check> {
    vec![
        can_be_accepted(cannot_be_read([certificate.der()]).map(CheckError::Chain)),
        is_valid(peer, certificate.shown().ok()),
    ]
}

/// As far as that can be said without roots.
fn can_be_accepted(error: Option<CheckError>) -> Check {
    match error {
        Some(error) => Check::failed(Rule::Chain, error),
        None => Check::not_checked(Rule::Chain, "no roots were given"),
    }
}

fn leads_to_a_root(
    peer: &Peer,
    chain: &[CertificateDer<'_>],
    certificate: Option<&Certificate>,
) -> Check {
    let misuse = match peer.role {
        Role::Server => misuse(chain, peer.role).map(CheckError::Misuse),
        // What a server wants of its clients' certificates is its own affair.
        Role::Client => None,
    };
    let (Some(roots), Some((end_entity, intermediates))) = (&peer.roots, chain.split_first())
    else {
        return can_be_accepted(cannot_be_read(chain).map(CheckError::Chain).or(misuse));
    };
    let verified = match peer.role {
        Role::Server => {
            let Some(name) = peer.wanted.clone().or_else(|| any_name(certificate?)) else {
                return Check::not_checked(Rule::Chain, "the certificate has no dNSName");
            };
            verify_server(peer, roots, end_entity, intermediates, &name)
        }
        Role::Client => verify_client(peer, roots, end_entity, intermediates),
    };
    match verified {
        Ok(()) => Check::passed(Rule::Chain, None),
        Err(error) => {
            let purpose = is_about_purpose(&error).then_some(misuse).flatten();
            Check::failed(Rule::Chain, purpose.unwrap_or(CheckError::Chain(error)))
        }
    }
}

fn is_about_purpose(error: &rustls::Error) -> bool {
    use CertificateError::{InvalidPurpose, InvalidPurposeContext};
    matches!(
        error,
        rustls::Error::InvalidCertificate(InvalidPurpose | InvalidPurposeContext { .. })
    )
}

fn verify_server(
    peer: &Peer,
    roots: &Arc<RootCertStore>,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    name: &ServerName<'_>,
) -> Result<(), rustls::Error> {
    let (roots, provider) = (Arc::clone(roots), Arc::clone(&peer.provider));
    WebPkiServerVerifier::builder_with_provider(roots, provider)
        .build()
        .map_err(no_roots)?
        .verify_server_cert(end_entity, intermediates, name, &[], peer.now)
        .map(drop)
}

fn verify_client(
    peer: &Peer,
    roots: &Arc<RootCertStore>,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> Result<(), rustls::Error> {
    let (roots, provider) = (Arc::clone(roots), Arc::clone(&peer.provider));
    WebPkiClientVerifier::builder_with_provider(roots, provider)
        .build()
        .map_err(no_roots)?
        .verify_client_cert(end_entity, intermediates, peer.now)
        .map(drop)
}

fn no_roots(error: impl std::fmt::Display) -> rustls::Error {
    rustls::Error::General(error.to_string())
}

/// A name that the certificate is for, to check its chain alone.
fn any_name(certificate: &Certificate) -> Option<ServerName<'static>> {
    let names = certificate.extensions.dns_names.iter();
    names
        .map(|name| match name.strip_prefix("*.") {
            Some(zone) => format!("any.{zone}"),
            None => name.clone(),
        })
        .find_map(|name| ServerName::try_from(name).ok())
}

fn is_valid(peer: &Peer, certificate: Option<&Certificate>) -> Check {
    let rule = Rule::CertificateTime;
    let Some(certificate) = certificate else {
        return Check::failed(rule, unreadable());
    };
    let (not_before, not_after) = (certificate.not_before, certificate.not_after);
    match (not_before..=not_after).contains(&peer.now) {
        true => {
            let left = Span::about(peer.now, not_after);
            Check::passed(rule, format!("until {}, {left} left", Moment(not_after)))
        }
        false => Check::failed(
            rule,
            CheckError::Credential(dc_core::Error::CertificateNotValid {
                now: peer.now,
                not_before,
                not_after,
            }),
        ),
    }
}

/// With roots, webpki has looked at the name as well; this says it in words of one line.
fn has_name(peer: &Peer, certificate: Option<&Certificate>) -> Option<Check> {
    let (rule, certificate) = (Rule::CertificateName, certificate?);
    let ServerName::DnsName(wanted) = peer.wanted.as_ref()? else {
        return Some(Check::not_checked(
            rule,
            "an address was wanted, not a name",
        ));
    };
    let wanted = wanted.as_ref().to_ascii_lowercase();
    let name = match UniqueName::try_from(wanted.strip_suffix('.').unwrap_or(&wanted)) {
        Ok(name) => name,
        Err(error) => return Some(Check::failed(rule, CheckError::Credential(error))),
    };
    let dns_names = &certificate.extensions.dns_names;
    Some(match dns_names.iter().find(|dns| name.covered_by(dns)) {
        Some(dns) => Check::passed(rule, Foreign(dns).to_string()),
        None => {
            let name = name.into_owned();
            Check::failed(
                rule,
                CheckError::Credential(dc_core::Error::NameNotCovered { name }),
            )
        }
    })
}

pub(super) fn unreadable() -> CheckError {
    CheckError::Credential(dc_core::Error::MalformedCertificate {
        field: dc_core::Field::Certificate,
    })
}
