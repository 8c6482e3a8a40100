//! Where a session that was made with a client says anything about it.

use std::time::Duration;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::crypto::hash::HashAlgorithm;

use crate::Error;

/// By what a client was judged in its full handshake: its session is worth nothing where it would be judged by anything else.
///
/// Roots have the same scope in every process, so that replicas and restarts can share sessions. A verifier cannot be compared
/// with another, so each use of one is a scope of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Scope([u8; LENGTH]);

impl Scope {
    /// The scope of these roots, whatever their order.
    ///
    /// Fails as [`unique`](Self::unique) does, if the provider has no SHA-256.
    pub(super) fn of_roots(
        provider: &CryptoProvider,
        roots: &RootCertStore,
        max_validity: Duration,
    ) -> Result<Self, Error> {
        let mut parts: Vec<Vec<u8>> = roots.roots.iter().map(describe_root).collect();
        let algorithms = provider.signature_verification_algorithms.all.iter();
        parts.extend(algorithms.map(|algorithm| {
            let (key, signature) = (algorithm.public_key_alg_id(), algorithm.signature_alg_id());
            describe(ALGORITHM, &[key.as_ref(), signature.as_ref()])
        }));
        parts.sort_unstable();
        parts.dedup();
        parts.push(max_validity.as_nanos().to_be_bytes().into());
        match sha256(provider, &parts.concat()) {
            Some(digest) => Ok(Self(digest)),
            None => Self::unique(provider),
        }
    }

    /// A scope that nobody else has.
    ///
    /// Fails with [`Error::Tls`] if the provider has no random numbers.
    pub(super) fn unique(provider: &CryptoProvider) -> Result<Self, Error> {
        let mut random = [0; LENGTH];
        provider
            .secure_random
            .fill(&mut random)
            .map_err(rustls::Error::from)?;
        Ok(Self(random))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

fn describe_root(root: &rustls::pki_types::TrustAnchor<'_>) -> Vec<u8> {
    let (subject, key) = (&root.subject, &root.subject_public_key_info);
    match &root.name_constraints {
        None => describe(ROOT, &[subject, key]),
        Some(constraints) => describe(CONSTRAINED_ROOT, &[subject, key, constraints]),
    }
}

/// No two lists of parts have the same description.
fn describe(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut description = vec![kind];
    for part in parts {
        description.extend_from_slice(&(part.len() as u64).to_be_bytes());
        description.extend_from_slice(part);
    }
    description
}

fn sha256(provider: &CryptoProvider, bytes: &[u8]) -> Option<[u8; LENGTH]> {
    let suites = provider.cipher_suites.iter();
    let mut hashes = suites.filter_map(|suite| Some(suite.tls13()?.common.hash_provider));
    let hash = hashes.find(|hash| hash.algorithm() == HashAlgorithm::SHA256)?;
    hash.hash(bytes).as_ref().try_into().ok()
}

/// The length of a SHA-256 hash.
const LENGTH: usize = 32;
const ALGORITHM: u8 = 0;
const ROOT: u8 = 1;
const CONSTRAINED_ROOT: u8 = 2;

#[cfg(test)]
mod tests {
    use rustls::pki_types::{Der, TrustAnchor};

    use super::*;
    use crate::testing::backend::default_provider as provider;

    /// Subject, key and name constraints.
    type Anchor = (&'static [u8], &'static [u8], Option<&'static [u8]>);

    fn roots(anchors: &[Anchor]) -> RootCertStore {
        RootCertStore {
            roots: anchors
                .iter()
                .map(|(subject, key, constraints)| TrustAnchor {
                    subject: Der::from_slice(subject),
                    subject_public_key_info: Der::from_slice(key),
                    name_constraints: constraints.map(Der::from_slice),
                })
                .collect(),
        }
    }

    fn scope(roots: &RootCertStore) -> Scope {
        Scope::of_roots(&provider(), roots, DAY).unwrap()
    }

    #[test]
    fn the_same_roots_in_any_order_are_one_scope() {
        let (a, b) = ((&b"a"[..], &b"1"[..], None), (&b"b"[..], &b"2"[..], None));
        assert_eq!(scope(&roots(&[a, b])), scope(&roots(&[b, a, b])));
    }

    #[test]
    fn whatever_else_judges_a_client_is_another_scope() {
        let all: Vec<_> = [
            roots(&[]),
            roots(&[(b"a", b"1", None)]),
            roots(&[(b"b", b"1", None)]),
            roots(&[(b"a", b"2", None)]),
            roots(&[(b"a1", b"", None)]),
            roots(&[(b"a", b"1", Some(b""))]),
            roots(&[(b"a", b"1", Some(b"c"))]),
            roots(&[(b"a", b"1", None), (b"b", b"1", None)]),
        ]
        .iter()
        .map(scope)
        .collect();
        for (at, scope) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(scope), "{at}");
        }
        let trusted = roots(&[(b"a", b"1", None)]);
        let shorter = Scope::of_roots(&provider(), &trusted, DAY / 2).unwrap();
        assert_ne!(shorter, scope(&trusted));
        let mut other = provider();
        let algorithms = &mut other.signature_verification_algorithms;
        algorithms.all = &algorithms.all[1..];
        assert_ne!(
            Scope::of_roots(&other, &trusted, DAY).unwrap(),
            scope(&trusted)
        );
    }

    #[test]
    fn a_verifier_has_a_scope_of_its_own_each_time() {
        let unique = || Scope::unique(&provider()).unwrap();
        assert_ne!(unique(), unique());
    }

    /// Then nothing tells one's roots from another's.
    #[test]
    fn without_sha_256_each_use_is_a_scope_of_its_own() {
        let mut other = provider();
        other.cipher_suites.retain(|suite| {
            suite
                .tls13()
                .is_none_or(|suite| suite.common.hash_provider.algorithm() != HashAlgorithm::SHA256)
        });
        let of = || Scope::of_roots(&other, &roots(&[]), DAY).unwrap();
        assert_ne!(of(), of());
    }

    const DAY: Duration = Duration::from_secs(24 * 3600);
}
