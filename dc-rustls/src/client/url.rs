//! Hosts of URIs, as names to reach.

use http::Uri;
use http::uri::Scheme;
use rustls::pki_types::ServerName;

use crate::Error;

/// The name or address that an `https` URI has.
///
/// Fails with [`Error::NotHttps`] if the URI has another scheme or none, and with [`Error::NotAHost`] if what is in the
/// place of the host is no name and no address.
pub(super) fn server_name(uri: &Uri) -> Result<ServerName<'static>, Error> {
    if uri.scheme() != Some(&Scheme::HTTPS) {
        return Err(Error::NotHttps {
            scheme: uri.scheme_str().map(Into::into),
        });
    }
    let host = uri.host().unwrap_or_default();
    // Only IPv6 addresses are in brackets (RFC 3986 §3.2.2).
    let inner = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    ServerName::try_from(inner.unwrap_or(host).to_owned())
        .map_err(|_| Error::NotAHost { host: host.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uri: &str) -> Result<String, String> {
        let name = server_name(&uri.parse().unwrap());
        name.map(|name| name.to_str().into_owned())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_host_is_a_name_or_an_address() {
        let named = of("https://k3v.cpe.example.com:8443/x");
        assert_eq!(named.unwrap(), "k3v.cpe.example.com");
        assert_eq!(of("https://192.0.2.1").unwrap(), "192.0.2.1");
        assert_eq!(of("https://[2001:db8::1]:1/").unwrap(), "2001:db8::1");
    }

    #[test]
    fn another_scheme_is_refused_by_its_name() {
        let plain = of("http://k3v.cpe.example.com/").unwrap_err();
        assert!(plain.contains("http://"), "{plain}");
        assert!(of("/x").unwrap_err().contains("https://"));
    }

    #[test]
    fn what_is_no_host_is_refused_by_its_name() {
        let error = of("https://a..b/").unwrap_err();
        assert!(error.contains("'a..b'"), "{error}");
    }
}
