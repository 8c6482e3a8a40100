//! A CA that signs what it is asked for, at times it chooses.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use pki_types::UnixTime;
use rcgen::{KeyPair, PublicKeyData};

use crate::renewal::source::{Answer, CertificateSource, OrderError, RenewalWindow};
use dc_pki::test_ca::{Terms, TestRoot};
use dc_pki::{pem, public_key};

/// What an order meets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mood {
    Well,
    Away,
    /// It never answers.
    Silent,
    Wrong(Wrong),
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wrong {
    Ended,
    MayNotDelegate,
    OtherKey,
    OtherName,
}

impl Wrong {
    pub(super) const ALL: [Self; 4] = [
        Self::Ended,
        Self::MayNotDelegate,
        Self::OtherKey,
        Self::OtherName,
    ];
}

type Moods = Box<dyn Fn(u64, u32) -> Mood + Send + Sync>;

/// A CA with a clock that the test sets.
pub(super) struct TestCa {
    root: TestRoot,
    life: u64,
    clock: Arc<AtomicU64>,
    /// By the time and the number of the order.
    moods: Moods,
    pub(super) orders: AtomicU32,
}

impl TestCa {
    pub(super) fn new(
        days: u64,
        clock: Arc<AtomicU64>,
        moods: impl Fn(u64, u32) -> Mood + Send + Sync + 'static,
    ) -> Arc<Self> {
        let now = UnixTime::since_unix_epoch(Duration::from_secs(clock.load(Ordering::SeqCst)));
        Arc::new(Self {
            root: TestRoot::generate(now).unwrap(),
            life: days * 86_400,
            clock,
            moods: Box::new(moods),
            orders: AtomicU32::new(0),
        })
    }

    fn sign(&self, csr_der: &[u8], names: &[String], wrong: Option<Wrong>) -> Vec<u8> {
        let algorithms = rustls::crypto::ring::default_provider()
            .signature_verification_algorithms
            .all;
        let mut spki = public_key(csr_der, algorithms).unwrap();
        if wrong == Some(Wrong::OtherKey) {
            spki = KeyPair::generate().unwrap().subject_public_key_info();
        }
        let now = self.clock.load(Ordering::SeqCst);
        let begins = match wrong {
            Some(Wrong::Ended) => now - 2 * self.life,
            // As CAs do, for clocks that are behind.
            _ => now - 3600,
        };
        let names = match wrong {
            Some(Wrong::OtherName) => vec!["*.other.example.com".to_owned()],
            _ => names.to_vec(),
        };
        let time = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let terms = Terms {
            names,
            delegates: wrong != Some(Wrong::MayNotDelegate),
            not_before: time(begins),
            not_after: time(begins + self.life),
        };
        let certificate = self.root.certify_key(&spki, &terms).unwrap();
        pem::encode("CERTIFICATE", &certificate).into_bytes()
    }
}

impl CertificateSource for TestCa {
    fn order<'a>(
        &'a self,
        csr_der: &'a [u8],
        names: &'a [String],
        _replaces: Option<&'a [u8]>,
    ) -> Answer<'a, Vec<u8>> {
        let number = self.orders.fetch_add(1, Ordering::SeqCst) + 1;
        let mood = (self.moods)(self.clock.load(Ordering::SeqCst), number);
        Box::pin(async move {
            match mood {
                Mood::Well => Ok(self.sign(csr_der, names, None)),
                Mood::Wrong(wrong) => Ok(self.sign(csr_der, names, Some(wrong))),
                Mood::Away => Err(OrderError::Later(None, "the CA is away".to_owned())),
                Mood::Silent => std::future::pending().await,
            }
        })
    }

    fn renewal_window<'a>(&'a self, _: &'a [u8]) -> Answer<'a, Option<RenewalWindow>> {
        Box::pin(async { Ok(None) })
    }
}

impl fmt::Debug for TestCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestCa").finish_non_exhaustive()
    }
}
