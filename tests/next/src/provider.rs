//! Any `CryptoProvider` in, the same provider with its cipher suites of TLS 1.3 wrapped for one side out.

use rustls::Tls13CipherSuite;
use rustls::crypto::{CipherSuiteCommon, CryptoProvider};

use crate::hash::TranscriptHash;
use crate::record::RecordProtection;

/// The end of a connection whose view is mapped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    /// Makes `offer`, its extensions with types and lengths.
    Client { offer: &'static [u8] },
    /// Has its credential in the place of an OCSP response.
    Server,
    /// Has its credential in a certificate entry behind the end entity.
    PseudoEntryServer,
}

/// Wraps the suites of TLS 1.3 and drops those of TLS 1.2; everything else is the base provider's.
///
/// It leaks three objects for each suite, because rustls wants them `&'static`; dc-rustls keeps a table instead.
pub(crate) fn wrap(base: &CryptoProvider, side: Side) -> CryptoProvider {
    let wrapped = base.tls13_cipher_suites.iter().map(|suite| {
        let suite: &'static Tls13CipherSuite = Box::leak(Box::new(wrap_suite(suite, side)));
        suite
    });
    CryptoProvider {
        tls12_cipher_suites: Vec::new().into(),
        tls13_cipher_suites: wrapped.collect::<Vec<_>>().into(),
        ..base.clone()
    }
}

fn wrap_suite(base: &Tls13CipherSuite, side: Side) -> Tls13CipherSuite {
    Tls13CipherSuite {
        common: CipherSuiteCommon {
            suite: base.common.suite,
            hash_provider: Box::leak(Box::new(TranscriptHash {
                inner: base.common.hash_provider,
                side,
            })),
            confidentiality_limit: base.common.confidentiality_limit,
        },
        protocol_version: base.protocol_version,
        hkdf_provider: base.hkdf_provider,
        aead_alg: Box::leak(Box::new(RecordProtection {
            inner: base.aead_alg,
            side,
        })),
        // QUIC carries its hellos outside of any stream that is edited here.
        quic: None,
    }
}
