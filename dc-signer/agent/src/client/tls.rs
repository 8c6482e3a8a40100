//! TLS to the signer: a pinned root, the device's own certificate, and a time that may be a guess.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::server::ParsedCertificate;
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::external::External;

/// Which signer is the right one.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Where its chain has to lead.
    pub roots: Arc<RootCertStore>,
    /// The time, as well as is known.
    pub now: u64,
    /// The time by the device's own clock, unless it cannot be.
    pub wall: Option<u64>,
    /// It is later than this for certain.
    pub floor: u64,
    /// True if `now` may be too late, so that a certificate that has ended then may be the right one.
    pub may_be_late: bool,
    /// True if what is sent lets in whoever gets it. Then no certificate is taken that has ended by the device's own
    /// clock, whatever anybody has said since.
    pub sends_code: bool,
}

/// The device's identity.
#[derive(Debug)]
pub struct Who {
    /// Its certificate, with whatever is above it.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key of the certificate.
    pub key: WhoseKey,
}

/// A key, or what signs with it.
pub enum WhoseKey {
    /// The key itself.
    Here(Zeroizing<PrivateKeyDer<'static>>),
    /// A program and its arguments.
    Elsewhere(Vec<String>),
}

impl fmt::Debug for WhoseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Here(_) => "Here(..)",
            Self::Elsewhere(_) => "Elsewhere(..)",
        })
    }
}

impl Who {
    /// Reads the key where it is, so that no copy of it is left but the one that signs.
    fn certified(self) -> Result<SingleCertAndKey, TlsError> {
        let Self { chain, key } = self;
        let key: Arc<dyn SigningKey> = match key {
            WhoseKey::Here(key) => any_supported_type(&key)?,
            WhoseKey::Elsewhere(command) => Arc::new(external(command, &chain)?),
        };
        let certified = CertifiedKey::new(chain, key);
        certified.keys_match()?;
        Ok(certified.into())
    }
}

fn external(command: Vec<String>, chain: &[CertificateDer<'static>]) -> Result<External, TlsError> {
    let first = chain.first().ok_or(TlsError::NoCertificatesPresented)?;
    let spki = ParsedCertificate::try_from(first)?.subject_public_key_info();
    External::new(command, spki.into_owned()).ok_or_else(|| {
        TlsError::General("sign_command cannot be used with the certificate's kind of key".into())
    })
}

/// The place for the chain that a signer showed, where it is put by the handshake.
pub(super) type Shown = Arc<Mutex<Option<Word>>>;

/// TLS 1.3 only: below it, the device's certificate would go over the line in the clear.
pub(super) fn config(trust: Trust, who: Who, shown: Shown) -> Result<ClientConfig, Error> {
    let failed = |source| Error::TlsSetup { source };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let inner = WebPkiServerVerifier::builder_with_provider(trust.roots.clone(), provider.clone())
        .build()
        .map_err(|error| failed(TlsError::General(error.to_string())))?;
    let verifier = Verifier {
        inner,
        trust,
        shown,
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(who.certified().map_err(failed)?));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// The chain of certificates that a signer showed, to which all of its answer is held.
pub struct Word {
    verifier: Arc<WebPkiServerVerifier>,
    chain: Vec<CertificateDer<'static>>,
    name: ServerName<'static>,
    /// The reason that it is not valid at the time that the device believes in, if so. Then nothing of the answer counts unless
    /// the signer tells a time that is believed.
    pub doubt: Option<TlsError>,
}

impl Word {
    /// True if the chain is valid at a moment, in seconds since 1970.
    #[must_use]
    pub fn is_valid(&self, at: u64) -> bool {
        self.check(at).is_ok()
    }

    /// The moment at which it is valid that is next to this one; none if it never is.
    #[must_use]
    pub fn nearest(&self, at: u64) -> Option<u64> {
        let mut moment = at;
        // Each certificate of a chain can move it once.
        for _ in 0..=self.chain.len() {
            moment = match self.check(moment) {
                Ok(()) => return Some(moment),
                Err(TlsError::InvalidCertificate(CertificateError::NotValidYetContext {
                    not_before,
                    ..
                })) => not_before.as_secs(),
                Err(TlsError::InvalidCertificate(CertificateError::ExpiredContext {
                    not_after,
                    ..
                })) => not_after.as_secs(),
                Err(_) => return None,
            };
        }
        None
    }

    fn check(&self, at: u64) -> Result<(), TlsError> {
        let (first, above) = self
            .chain
            .split_first()
            .ok_or(TlsError::NoCertificatesPresented)?;
        let at = UnixTime::since_unix_epoch(Duration::from_secs(at));
        self.verifier
            .verify_server_cert(first, above, &self.name, &[], at)
            .map(|_| ())
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            verifier: _,
            chain,
            name,
            doubt,
        } = self;
        f.debug_struct("Word")
            .field("chain", &chain.len())
            .field("name", name)
            .field("doubt", doubt)
            .finish_non_exhaustive()
    }
}

/// rustls's verifier, at the time that the agent believes in, or at another one that it may be.
///
/// Else a device whose clock is wrong could never ask what time it is. A certificate that begins later than the time
/// that is believed in shows that it is later: no old one can. One that is valid by the device's own clock may be the
/// right one, and while the time may be too late, so may one that has ended, but not before the floor. What such a
/// signer says counts only with a time at which its certificate is valid; what it issues is checked against other
/// roots, at that time. Only an activation code cannot be taken back: whoever has it is the device.
#[derive(Debug)]
struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    trust: Trust,
    shown: Shown,
}

impl Verifier {
    /// Fails if a code would be sent to somebody whose certificate is over, unless the device's clock cannot be right.
    fn guard_code(&self, word: &Word) -> Result<(), TlsError> {
        let wall = self.trust.wall.filter(|_| self.trust.sends_code);
        match wall.map(|wall| word.check(wall)) {
            Some(Err(error)) if has_ended(&error) => Err(error),
            _ => Ok(()),
        }
    }

    fn may_be_valid(&self, word: &Word) -> bool {
        let Trust {
            roots: _,
            now,
            wall,
            floor,
            may_be_late,
            sends_code: _,
        } = self.trust;
        let other = |moment: u64| moment >= floor && (moment > now || may_be_late);
        wall.is_some_and(|wall| word.is_valid(wall)) || word.nearest(now).is_some_and(other)
    }
}

/// True if a chain is refused because one of its certificates has ended.
pub(super) fn has_ended(error: &TlsError) -> bool {
    matches!(
        error,
        TlsError::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. }
        )
    )
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let chain = std::iter::once(end_entity).chain(intermediates);
        let mut word = Word {
            verifier: self.inner.clone(),
            chain: chain.map(|one| one.clone().into_owned()).collect(),
            name: server_name.to_owned(),
            doubt: None,
        };
        self.guard_code(&word)?;
        word.doubt = word.check(self.trust.now).err();
        match &word.doubt {
            Some(error) if !self.may_be_valid(&word) => return Err(error.clone()),
            _ => {}
        }
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(word);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
