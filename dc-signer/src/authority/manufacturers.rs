//! Manufacturers whose certificates (IEEE 802.1AR) let their devices enrol.

use std::fmt;
use std::sync::Arc;

use der::{Reader, SliceReader, Tag};
use pki_types::{CertificateDer, UnixTime};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::{Error, SetupError, hardware};
use crate::config::{Manufacturer, Serials};
use dc_pki::names::ZoneName;
use dc_pki::{files, pem};
use dc_store::registry::Manufactured;

/// All manufacturers of the configuration.
#[derive(Debug)]
pub(super) struct Manufacturers(Vec<Known>);

struct Known {
    name: String,
    serials: Serials,
    zone: Option<ZoneName>,
    /// The names of its anchors.
    subjects: Vec<Vec<u8>>,
    verifier: Arc<dyn ClientCertVerifier>,
}

/// A device as its manufacturer's certificate names it.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) manufactured: Manufactured,
    /// A device that nobody has registered may enrol.
    pub(super) unregistered: bool,
    /// The zone of such a device, if the configuration names one.
    pub(super) zone: Option<ZoneName>,
}

impl Manufacturers {
    /// Reads the anchors of each.
    ///
    /// Fails with [`SetupError::BadAnchors`] if one is no certificate, with what reading the file fails with, and
    /// with what [`ZoneName::parse`] fails with.
    pub(super) fn load(all: &[Manufacturer]) -> Result<Self, Error> {
        Self::load_with(all, &Arc::new(rustls::crypto::ring::default_provider()))
    }

    fn load_with(all: &[Manufacturer], provider: &Arc<CryptoProvider>) -> Result<Self, Error> {
        all.iter()
            .map(|manufacturer| Known::load(manufacturer, provider.clone()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// True if there is a manufacturer of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|known| known.name == name)
    }

    /// True if the names in a chain of certificates, its own first, lead to an anchor: only then its signatures are worth
    /// a check.
    pub(super) fn may_have_made(&self, chain: &[CertificateDer<'_>]) -> bool {
        self.0.iter().any(|known| known.path(chain).is_some())
    }

    /// The device that a chain of certificates, its own first, was made for, if it leads to the anchors of
    /// a manufacturer.
    ///
    /// That whoever sent the chain has the private key is for the handshake to show. Fails with
    /// [`Error::Stranger`] and [`Error::WithoutSerial`].
    pub(super) fn made(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<Made, Error> {
        let first = chain.first().ok_or(Error::Stranger)?;
        let known = self.0.iter().find(|known| known.has_made(chain, now));
        let known = known.ok_or(Error::Stranger)?;
        let manufactured = Manufactured {
            manufacturer: known.name.clone(),
            serial: hardware::serial(first).ok_or(Error::WithoutSerial)?,
        };
        match manufactured.can_be_stored() {
            true => Ok(Made {
                manufactured,
                unregistered: known.serials == Serials::Any,
                zone: known.zone.clone(),
            }),
            false => Err(Error::WithoutSerial),
        }
    }
}

impl Known {
    fn load(manufacturer: &Manufacturer, provider: Arc<CryptoProvider>) -> Result<Self, Error> {
        let path = &manufacturer.anchors;
        let bad = || SetupError::BadAnchors { path: path.clone() };
        let mut roots = RootCertStore::empty();
        let mut subjects = Vec::new();
        for anchor in pem::certificates(path, &files::read(path)?)? {
            let names = Names::of(&anchor).map_err(|_| bad())?;
            subjects.push(names.subject.to_vec());
            roots.add(anchor).map_err(|_| bad())?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
            .build()
            .map_err(|_| bad())?;
        Ok(Self {
            name: manufacturer.name.clone(),
            serials: manufacturer.serials,
            zone: manufacturer
                .zone
                .as_deref()
                .map(ZoneName::parse)
                .transpose()?,
            subjects,
            verifier,
        })
    }

    /// Nothing but one path is ever tried: whoever sends many certificates with one name would have us try them all.
    fn has_made(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> bool {
        let (Some(first), Some(path)) = (chain.first(), self.path(chain)) else {
            return false;
        };
        let verified = self.verifier.verify_client_cert(first, &path, now);
        verified.is_ok()
    }

    /// The certificates between the first and an anchor, by their names, each the issuer of the one before. Others may be
    /// among them; of several with one name the first counts.
    fn path<'a>(&self, chain: &'a [CertificateDer<'a>]) -> Option<Vec<CertificateDer<'a>>> {
        let (first, others) = chain.get(..chain.len().min(MAX_CHAIN))?.split_first()?;
        let mut issuer = Names::of(first).ok()?.issuer;
        let mut path: Vec<CertificateDer<'a>> = Vec::new();
        while !self.subjects.iter().any(|subject| subject == issuer) {
            let next = others.iter().find_map(|other| {
                let names = Names::of(other).ok()?;
                let is_next = names.subject == issuer && !path.contains(other);
                is_next.then_some((other, names))
            });
            let (next, names) = next?;
            path.push(next.clone());
            issuer = names.issuer;
        }
        Some(path)
    }
}

/// Subject and issuer of a certificate, as they stand there.
struct Names<'a> {
    issuer: &'a [u8],
    subject: &'a [u8],
}

impl<'a> Names<'a> {
    fn of(certificate: &'a CertificateDer<'_>) -> der::Result<Self> {
        let mut outer = SliceReader::new(certificate)?;
        outer.sequence(|certificate| {
            let names = certificate.sequence(|tbs| {
                if Tag::peek(tbs)?.is_context_specific() {
                    tbs.tlv_bytes()?;
                }
                let _serial = tbs.tlv_bytes()?;
                let _algorithm = tbs.tlv_bytes()?;
                let issuer = tbs.tlv_bytes()?;
                let _validity = tbs.tlv_bytes()?;
                let subject = tbs.tlv_bytes()?;
                tbs.drain(tbs.remaining_len())?;
                Ok::<_, der::Error>(Self { issuer, subject })
            })?;
            certificate.drain(certificate.remaining_len())?;
            Ok(names)
        })
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The most certificates that are looked at: a device's own, two of its manufacturer's, and a root that nobody needs.
const MAX_CHAIN: usize = 4;

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;

    use pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa,
        KeyPair,
    };
    use rustls::SignatureScheme;
    use rustls::crypto::WebPkiSupportedAlgorithms;
    use tempfile::TempDir;

    use super::*;

    type Ca = CertifiedIssuer<'static, KeyPair>;

    thread_local! {
        /// The number of signatures that this thread has verified.
        static VERIFIED: Cell<u32> = const { Cell::new(0) };
    }

    /// ECDSA with P-256, counted.
    #[derive(Debug)]
    struct Counting;

    fn p256() -> &'static dyn SignatureVerificationAlgorithm {
        let provider = rustls::crypto::ring::default_provider();
        let mapping = provider.signature_verification_algorithms.mapping;
        let wanted = SignatureScheme::ECDSA_NISTP256_SHA256;
        let (_, algorithms) = mapping
            .iter()
            .find(|(scheme, _)| *scheme == wanted)
            .unwrap();
        algorithms[0]
    }

    impl SignatureVerificationAlgorithm for Counting {
        fn public_key_alg_id(&self) -> AlgorithmIdentifier {
            p256().public_key_alg_id()
        }

        fn signature_alg_id(&self) -> AlgorithmIdentifier {
            p256().signature_alg_id()
        }

        fn verify_signature(
            &self,
            key: &[u8],
            message: &[u8],
            signature: &[u8],
        ) -> Result<(), InvalidSignature> {
            VERIFIED.set(VERIFIED.get() + 1);
            p256().verify_signature(key, message, signature)
        }
    }

    fn counting() -> Arc<CryptoProvider> {
        let signature_verification_algorithms = WebPkiSupportedAlgorithms {
            all: &[&Counting],
            mapping: &[(SignatureScheme::ECDSA_NISTP256_SHA256, &[&Counting])],
        };
        Arc::new(CryptoProvider {
            signature_verification_algorithms,
            ..rustls::crypto::ring::default_provider()
        })
    }

    fn named(name: &str, is_ca: bool) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let number = DnType::CustomDnType(vec![2, 5, 4, 5]);
        params.distinguished_name.push(number, "SN-1");
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        params
    }

    fn root(name: &str) -> Ca {
        let key = KeyPair::generate().unwrap();
        CertifiedIssuer::self_signed(named(name, true), key).unwrap()
    }

    fn below(name: &str, issuer: &Ca) -> Ca {
        let key = KeyPair::generate().unwrap();
        CertifiedIssuer::signed_by(named(name, true), key, issuer).unwrap()
    }

    fn device(issuer: &Ca) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        let signed = named("device", false).signed_by(&key, issuer).unwrap();
        signed.into()
    }

    fn der(ca: &Ca) -> CertificateDer<'static> {
        ca.der().clone()
    }

    /// Makers whose anchors are these, and how many signatures a chain costs with them.
    struct Makers(Manufacturers);

    impl Makers {
        fn new(anchors: &[&Ca]) -> Self {
            let folder = TempDir::new().unwrap();
            let makers = anchors.iter().enumerate().map(|(number, anchor)| {
                let anchors = folder.path().join(format!("{number}.pem"));
                fs::write(&anchors, anchor.pem()).unwrap();
                Manufacturer {
                    name: format!("maker-{number}"),
                    anchors,
                    serials: Serials::Any,
                    zone: None,
                }
            });
            let makers: Vec<_> = makers.collect();
            Self(Manufacturers::load_with(&makers, &counting()).unwrap())
        }

        fn made(&self, chain: &[CertificateDer<'static>]) -> (Option<String>, u32) {
            let before = VERIFIED.get();
            let now = dc_pki::clock::now().unwrap();
            let made = self.0.made(chain, now);
            let name = made.ok().map(|made| made.manufactured.manufacturer);
            (name, VERIFIED.get() - before)
        }
    }

    #[test]
    fn a_chain_leads_to_its_anchor_whatever_stands_between_and_in_which_order() {
        let root = root("root");
        let [other, upper] = ["other", "upper"].map(|name| below(name, &root));
        let lower = below("lower", &upper);
        let first = device(&lower);
        let makers = Makers::new(&[&other, &root]);
        for chain in [
            vec![first.clone(), der(&lower), der(&upper)],
            vec![first.clone(), der(&upper), der(&lower)],
            vec![first.clone(), der(&lower), der(&upper), der(&root)],
            vec![first.clone(), der(&other), der(&lower), der(&upper)],
        ] {
            assert!(makers.0.may_have_made(&chain));
            assert_eq!(makers.made(&chain), (Some("maker-1".to_owned()), 3));
        }
        let direct = vec![device(&root)];
        assert_eq!(makers.made(&direct), (Some("maker-1".to_owned()), 1));
        for chain in [
            vec![],
            vec![first.clone()],
            vec![first.clone(), der(&lower)],
            vec![
                first.clone(),
                der(&lower),
                der(&other),
                der(&other),
                der(&upper),
            ],
        ] {
            assert!(!makers.0.may_have_made(&chain));
            assert_eq!(makers.made(&chain), (None, 0), "{}", chain.len());
        }
    }

    #[test]
    fn certificates_of_one_name_cost_one_path_and_strangers_cost_nothing() {
        let roots = ["a", "b", "c", "d"].map(root);
        let makers = Makers::new(&[&roots[0], &roots[1], &roots[2], &roots[3]]);
        // They lead nowhere: before, each manufacturer tried all orders of them.
        let same: Vec<Ca> = (0..8).map(|_| root("same")).collect();
        let mut chain = vec![device(&same[0])];
        chain.extend(same.iter().map(der));
        assert_eq!(makers.made(&chain), (None, 0));
        // Or they pretend to lead to an anchor.
        let forged = root("a");
        let twins: Vec<Ca> = (0..3).map(|_| below("same", &forged)).collect();
        let mut chain = vec![device(&twins[0])];
        chain.extend(twins.iter().map(der));
        let (made, cost) = makers.made(&chain);
        assert!(made.is_none() && cost <= 4, "{cost}");
        // Or they really do, but for the device's own.
        let real = below("same", &roots[0]);
        let chain = vec![
            device(&twins[0]),
            der(&real),
            der(&twins[1]),
            der(&twins[2]),
        ];
        let (made, cost) = makers.made(&chain);
        assert!(made.is_none() && cost <= 4, "{cost}");
    }

    #[test]
    fn two_certificates_that_sign_each_other_lead_nowhere() {
        let (a, b) = (root("a"), root("b"));
        let (a_by_b, b_by_a) = (below("a", &b), below("b", &a));
        let makers = Makers::new(&[&root("c")]);
        let chain = vec![device(&a_by_b), der(&a_by_b), der(&b_by_a), der(&b_by_a)];
        assert_eq!(makers.made(&chain), (None, 0));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let chain = [CertificateDer::from(bytes)];
            let makers = Makers(Manufacturers(Vec::new()));
            proptest::prop_assert!(!makers.0.may_have_made(&chain));
            let _ = Names::of(&chain[0]);
        }
    }
}
