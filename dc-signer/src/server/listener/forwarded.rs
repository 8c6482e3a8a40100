//! The words of a proxy that ends TLS about a request: the client's address, and its certificate (RFC 9440).
//!
//! Only a proxy of `[listen.proxied]` is believed, and only there. It has to take out what clients send of these headers.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use data_encoding::BASE64;
use pki_types::CertificateDer;

use super::client::ClientCertificate;
use super::possession::TooMuch;
use crate::config::{ClientHeader, Networks};
use crate::server::Error;
use dc_pki::{Sha256, files, pem};

/// The proxies that are believed.
#[derive(Clone, Debug)]
pub struct Proxies {
    networks: Networks,
    header: ClientHeader,
    /// SHA-256 of the certificates of which each has to show one; none if their address is enough.
    certificates: Vec<Sha256>,
}

/// A header about a client's certificate that cannot be taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum BadHeader {
    /// There is no certificate in it.
    #[error(
        "the header client-cert has to be one certificate as RFC 9440 has it, ':' and base64 of its DER and ':', and client-cert-chain a list of such"
    )]
    Broken,
    /// It was not sent by a proxy that is believed.
    #[error(
        "the headers client-cert and client-cert-chain are taken from the proxies of listen.proxied alone, at its address: connect with the certificate itself, or have the proxy connect there"
    )]
    NotHere,
    /// The chain is longer than any device's.
    #[error("{0}")]
    TooMuch(TooMuch),
}

impl Proxies {
    /// Reads the certificates that they have to show.
    ///
    /// Fails with what reading the file fails with.
    pub fn read(config: &crate::config::ProxiedListener) -> Result<Self, Error> {
        let certificates = match &config.certificates {
            None => Vec::new(),
            Some(path) => pem::certificates(path, &files::read(path)?)?,
        };
        Ok(Self {
            networks: config.proxies.clone(),
            header: config.client_header,
            certificates: certificates.iter().map(|der| Sha256::of(der)).collect(),
        })
    }

    /// True if one may connect from this address.
    pub(super) fn may_come_from(&self, address: IpAddr) -> bool {
        self.networks.contains(address)
    }

    /// True if this is what one of them has to show.
    pub(super) fn are_shown_by(&self, shown: Option<&ClientCertificate>) -> bool {
        let sha256 = shown.map(ClientCertificate::sha256);
        self.certificates.is_empty() || sha256.is_some_and(|it| self.certificates.contains(&it))
    }

    /// The last address before the proxies, as far as they say; that of the connection if they say nothing that can be read.
    pub(super) fn client(&self, headers: &HeaderMap, connection: IpAddr) -> IpAddr {
        let name = match self.header {
            ClientHeader::Forwarded => "forwarded",
            ClientHeader::XForwardedFor => "x-forwarded-for",
        };
        let mut client = connection;
        let lines: Vec<_> = headers.get_all(name).iter().collect();
        for line in lines.into_iter().rev() {
            let Ok(line) = line.to_str() else {
                return client;
            };
            for hop in line.split(',').rev() {
                let Some(address) = self.address(hop.trim()) else {
                    return client;
                };
                client = address;
                if !self.networks.contains(client) {
                    return client;
                }
            }
        }
        client
    }

    fn address(&self, hop: &str) -> Option<IpAddr> {
        let node = match self.header {
            ClientHeader::XForwardedFor => hop,
            // RFC 7239 §4: pairs of a token and a value, which may be quoted.
            ClientHeader::Forwarded => hop.split(';').find_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                let is_for = name.trim().eq_ignore_ascii_case("for");
                is_for.then(|| value.trim().trim_matches('"'))
            })?,
        };
        let bare = node.strip_prefix('[').and_then(|v6| v6.strip_suffix(']'));
        let address = bare.unwrap_or(node).parse();
        let with_port = |_| node.parse::<SocketAddr>().map(|address| address.ip());
        address.or_else(with_port).ok().map(|it| it.to_canonical())
    }
}

/// The certificate that a client has shown to a proxy which is believed.
///
/// Fails with [`BadHeader::Broken`] and [`BadHeader::TooMuch`].
pub(super) fn certificate(headers: &HeaderMap) -> Result<Option<ClientCertificate>, BadHeader> {
    let mut all = headers.get_all(CERTIFICATE).iter();
    let leaf = match (all.next(), all.next()) {
        (None, _) if headers.contains_key(CHAIN) => return Err(BadHeader::Broken),
        (None, _) => return Ok(None),
        (Some(leaf), None) => leaf.to_str().map_err(|_| BadHeader::Broken)?,
        (Some(_), Some(_)) => return Err(BadHeader::Broken),
    };
    let mut chain = vec![bytes(leaf)?];
    for line in headers.get_all(CHAIN) {
        let line = line.to_str().map_err(|_| BadHeader::Broken)?;
        for item in line.split(',') {
            chain.push(bytes(item)?);
        }
    }
    TooMuch::check(chain.iter().map(|certificate| certificate.len()))
        .map_err(BadHeader::TooMuch)?;
    let certificate = ClientCertificate::vouched_for(chain);
    certificate.map(Some).ok_or(BadHeader::Broken)
}

/// Fails with [`BadHeader::NotHere`] if somebody says what only a proxy may say: it is not passed over, because somebody believes
/// that it counts.
pub(super) fn none(headers: &HeaderMap) -> Result<(), BadHeader> {
    let is_there = headers.contains_key(CERTIFICATE) || headers.contains_key(CHAIN);
    match is_there {
        true => Err(BadHeader::NotHere),
        false => Ok(()),
    }
}

/// A byte sequence of structured fields (RFC 9651 §3.3.5).
fn bytes(item: &str) -> Result<CertificateDer<'static>, BadHeader> {
    let item = item.trim_matches([' ', '\t']);
    let base64 = item.strip_prefix(':').and_then(|it| it.strip_suffix(':'));
    let der = BASE64.decode(base64.ok_or(BadHeader::Broken)?.as_bytes());
    der.map(Into::into).map_err(|_| BadHeader::Broken)
}

const CERTIFICATE: HeaderName = HeaderName::from_static("client-cert");
const CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn proxies(header: ClientHeader) -> Proxies {
        Proxies {
            networks: Networks::new(vec!["10.0.0.0/8".parse().unwrap()]),
            header,
            certificates: Vec::new(),
        }
    }

    fn headers(name: &'static str, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, line.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_client_is_the_last_hop_that_is_no_proxy() {
        let said = |header, name, lines: &[&str]| {
            let client = proxies(header).client(&headers(name, lines), [10, 0, 0, 1].into());
            client.to_string()
        };
        use ClientHeader::{Forwarded, XForwardedFor};
        for (lines, expected) in [
            (&["192.0.2.7"][..], "192.0.2.7"),
            // What is further left anybody may have written.
            (&["198.51.100.1, 192.0.2.7"], "192.0.2.7"),
            (&["198.51.100.1", "192.0.2.7, 10.0.0.2"], "192.0.2.7"),
            (&["192.0.2.7:4711"], "192.0.2.7"),
            (&["2001:db8::7"], "2001:db8::7"),
            (&["192.0.2.7, unknown"], "10.0.0.1"),
            (&["192.0.2.7, unknown, 10.0.0.2"], "10.0.0.2"),
            (&[""], "10.0.0.1"),
            (&[], "10.0.0.1"),
        ] {
            assert_eq!(
                said(XForwardedFor, "x-forwarded-for", lines),
                expected,
                "{lines:?}"
            );
        }
        for (lines, expected) in [
            (&["for=192.0.2.7;proto=https;by=10.0.0.1"][..], "192.0.2.7"),
            (
                &["for=198.51.100.1, For=\"[2001:db8::7]:4711\""],
                "2001:db8::7",
            ),
            (&["for=\"[2001:db8::7]\";host=a"], "2001:db8::7"),
            (&["for=192.0.2.7, for=_hidden"], "10.0.0.1"),
            (&["proto=https"], "10.0.0.1"),
        ] {
            assert_eq!(said(Forwarded, "forwarded", lines), expected, "{lines:?}");
        }
        // The header that is not configured says nothing.
        assert_eq!(
            said(Forwarded, "x-forwarded-for", &["192.0.2.7"]),
            "10.0.0.1"
        );
    }

    #[test]
    fn a_certificate_is_one_byte_sequence_and_a_chain_some() {
        let key = rcgen::KeyPair::generate().unwrap();
        let der = rcgen::CertificateParams::default()
            .self_signed(&key)
            .unwrap();
        let item = format!(":{}:", BASE64.encode(der.der()));
        let mut both = headers("client-cert", &[&item]);
        let one = certificate(&both).unwrap().unwrap();
        assert_eq!(one, ClientCertificate::shown(der.into()));
        both.append(CHAIN, format!("{item} , {item}").parse().unwrap());
        assert_eq!(certificate(&both).unwrap().unwrap().chain().len(), 3);
        assert_eq!(none(&both), Err(BadHeader::NotHere));
        both.append(CHAIN, format!("{item}, {item}").parse().unwrap());
        assert!(matches!(certificate(&both), Err(BadHeader::TooMuch(_))));
        assert_eq!(certificate(&HeaderMap::new()), Ok(None));
        assert_eq!(none(&HeaderMap::new()), Ok(()));
        for bad in [
            "",
            "::",
            ":AAAA:",
            item.trim_matches(':'),
            &format!("{item};a=1"),
        ] {
            let refused = certificate(&headers("client-cert", &[bad]));
            assert_eq!(refused, Err(BadHeader::Broken), "{bad}");
        }
        let twice = headers("client-cert", &[&item, &item]);
        assert_eq!(certificate(&twice), Err(BadHeader::Broken));
        let chain_alone = headers("client-cert-chain", &[&item]);
        assert_eq!(certificate(&chain_alone), Err(BadHeader::Broken));
    }

    proptest! {
        #[test]
        fn whatever_the_headers_are_nothing_panics(line in "[ -~]{0,60}") {
            for header in [ClientHeader::Forwarded, ClientHeader::XForwardedFor] {
                for name in ["forwarded", "x-forwarded-for"] {
                    proxies(header).client(&headers(name, &[&line]), [10, 0, 0, 1].into());
                }
            }
            let _ = certificate(&headers("client-cert", &[&line]));
        }
    }
}
