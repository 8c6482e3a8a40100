//! Any `CryptoProvider` in, the same provider with its cipher suites wrapped for one side out.

use std::sync::{Mutex, PoisonError};

use rustls::crypto::CryptoProvider;
use rustls::crypto::hash::Hash;
use rustls::{CipherSuiteCommon, SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite};

use crate::hash::{Mapping, TranscriptHash};
use crate::record::RecordProtection;
use crate::side::Side;

/// Wraps all cipher suites; everything else is the base provider's.
///
/// The server keeps only the suites of TLS 1.3, because it has no credential to use below it.
pub(crate) fn wrap(base: &CryptoProvider, side: Side) -> CryptoProvider {
    let cipher_suites = base
        .cipher_suites
        .iter()
        .filter_map(|suite| match (suite, side) {
            (SupportedCipherSuite::Tls12(_), side) if !side.is_client() => None,
            (SupportedCipherSuite::Tls12(suite), _) => Some(SupportedCipherSuite::Tls12(
                TLS12.wrapped(suite, side, wrap_tls12),
            )),
            (SupportedCipherSuite::Tls13(suite), _) => Some(SupportedCipherSuite::Tls13(
                TLS13.wrapped(suite, side, wrap_tls13),
            )),
        })
        .collect();
    CryptoProvider {
        cipher_suites,
        ..base.clone()
    }
}

/// A client's extensions as a constant, one for each distinct offer.
pub(crate) fn intern_offer(offer: Vec<u8>) -> &'static [u8] {
    let mut offers = OFFERS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = offers.iter().copied().find(|known| **known == *offer) {
        return known;
    }
    let offer: &'static [u8] = offer.leak();
    offers.push(offer);
    offer
}

/// The cipher suites that were wrapped, because rustls wants them `&'static`.
///
/// It grows with the number of distinct base suites and offers, not with configs or connections.
struct Table<S: 'static>(Mutex<Vec<(&'static S, Side, &'static S)>>);

impl<S> Table<S> {
    fn wrapped(&self, base: &'static S, side: Side, wrap: fn(&S, Side) -> S) -> &'static S {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = table
            .iter()
            .find(|(known, at, _)| std::ptr::eq(*known, base) && *at == side);
        if let Some((_, _, wrapped)) = known {
            return wrapped;
        }
        let wrapped: &'static S = Box::leak(Box::new(wrap(base, side)));
        table.push((base, side, wrapped));
        wrapped
    }
}

fn wrap_tls12(base: &Tls12CipherSuite, side: Side) -> Tls12CipherSuite {
    Tls12CipherSuite {
        common: wrap_common(
            &base.common,
            Mapping {
                side,
                certificates: false,
            },
        ),
        prf_provider: base.prf_provider,
        kx: base.kx,
        sign: base.sign,
        aead_alg: base.aead_alg,
    }
}

fn wrap_tls13(base: &Tls13CipherSuite, side: Side) -> Tls13CipherSuite {
    Tls13CipherSuite {
        common: wrap_common(
            &base.common,
            Mapping {
                side,
                certificates: true,
            },
        ),
        hkdf_provider: base.hkdf_provider,
        aead_alg: Box::leak(Box::new(RecordProtection {
            inner: base.aead_alg,
            side,
        })),
        // QUIC has packets of its own in the place of records. Nobody but the adapter for quinn, which edits its
        // hellos, gets hold of a configuration with these suites.
        quic: base.quic,
    }
}

fn wrap_common(base: &CipherSuiteCommon, mapping: Mapping) -> CipherSuiteCommon {
    let hash_provider: &'static dyn Hash = Box::leak(Box::new(TranscriptHash {
        inner: base.hash_provider,
        mapping,
    }));
    CipherSuiteCommon {
        suite: base.suite,
        hash_provider,
        confidentiality_limit: base.confidentiality_limit,
    }
}

static TLS12: Table<Tls12CipherSuite> = Table(Mutex::new(Vec::new()));
static TLS13: Table<Tls13CipherSuite> = Table(Mutex::new(Vec::new()));
static OFFERS: Mutex<Vec<&'static [u8]>> = Mutex::new(Vec::new());

#[cfg(test)]
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
mod tests {
    use super::*;
    use crate::testing::backend;

    #[test]
    fn a_suite_is_wrapped_once_for_each_side_and_offer() {
        let base = backend::default_provider();
        let offer = intern_offer(b"one".to_vec());
        assert!(std::ptr::eq(offer, intern_offer(b"one".to_vec())));
        let sides = [Side::Server, Side::Client { offer }];
        for side in sides {
            let (a, b) = (wrap(&base, side), wrap(&base, side));
            for (a, b) in a.cipher_suites.iter().zip(&b.cipher_suites) {
                assert_eq!(
                    a.tls13().map(std::ptr::from_ref),
                    b.tls13().map(std::ptr::from_ref)
                );
            }
        }
        let first = |side| {
            wrap(&base, side)
                .cipher_suites
                .iter()
                .find_map(SupportedCipherSuite::tls13)
        };
        let [server, client] = sides.map(first);
        assert!(!std::ptr::eq(server.unwrap(), client.unwrap()));
    }

    #[test]
    fn a_server_keeps_the_suites_of_tls13_only_and_a_client_all() {
        let base = backend::default_provider();
        let server = wrap(&base, Side::Server).cipher_suites;
        assert!(server.iter().all(|suite| suite.tls13().is_some()));
        let client = wrap(&base, Side::Client { offer: &[] }).cipher_suites;
        assert_eq!(client.len(), base.cipher_suites.len());
    }
}
