//! The policy for credentials of clients (RFC 9345 §4.1.2).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dc_core::{Form, MAX_VALIDITY, Offer};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{SignatureVerificationAlgorithm, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{DistinguishedName, RootCertStore};

use super::scope::Scope;
use super::{NamePolicy, Peer};
use crate::installing::FIRST_RECORD;
use crate::view::request::stand_in;
use crate::withdrawn::Withdrawals;
use crate::{Error, Refusal, offer};

/// Asks clients for a credential, and says which are accepted.
///
/// Unless more is said, a client has to present a credential with a unique name, of at most 7 days.
///
/// A client that knows nothing of credentials does with a certificate if that is enough
/// ([`or_certificate`](Self::or_certificate)), but NSS's, Firefox for one, refuse any request for credentials of RFC 9345:
/// a server for them too keeps to [`NamePolicy::Required`].
///
/// ```no_run
/// use std::sync::Arc;
/// use dc_rustls::server::{Acceptor, ClientCredentials, Settings, Store};
///
/// # fn example(config: Arc<rustls::ServerConfig>, tcp: std::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
/// # let roots = rustls::RootCertStore::empty();
/// let provider = Arc::new(rustls::crypto::ring::default_provider());
/// let devices = ClientCredentials::roots(&provider, roots)?;
/// let store = Store::with_settings(Settings::new(provider).client_credentials(devices)?);
/// let acceptor = Acceptor::new(store).fallback(config);
/// let stream = acceptor.accept(tcp)?;
/// println!("{:?}", stream.peer());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ClientCredentials {
    provider: Arc<CryptoProvider>,
    inner: Arc<dyn ClientCertVerifier>,
    /// Empty where the verifier is the application's.
    roots: Arc<RootCertStore>,
    unique_name: NamePolicy,
    or_certificate: bool,
    is_optional: bool,
    max_validity: Duration,
    authorization: Option<Arc<Predicate>>,
    withdrawals: Option<Arc<Withdrawals>>,
}

type Predicate = dyn Fn(&Peer) -> bool + Send + Sync;

impl ClientCredentials {
    /// Trusts certificates under these roots, whose names are announced to clients.
    ///
    /// Fails with [`Error::Roots`] if there are none.
    pub fn roots(
        provider: &Arc<CryptoProvider>,
        roots: impl Into<Arc<RootCertStore>>,
    ) -> Result<Self, Error> {
        let roots = roots.into();
        let inner = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
            .build()
            .map_err(Error::Roots)?;
        Ok(Self {
            roots,
            ..Self::verifier(provider, inner)
        })
    }

    /// Trusts certificates that this verifier does: one with CRLs, for example.
    ///
    /// It judges chain and validity of a client's certificate; the credential is judged on top of that. Whether it wants a
    /// certificate from every client is not asked: see [`optional`](Self::optional).
    ///
    /// **It is not asked again before a session is resumed**, so a client that it would refuse by now, because a CRL names
    /// its certificate, can resume until its credential ends; [`authorize`](Self::authorize) is asked. No two verifiers can be
    /// compared: a session is resumed under the very [`Settings`](super::Settings) it was made under, and neither after a
    /// restart nor by another process. Those under [`roots`](Self::roots) are resumed wherever the roots are the same.
    #[must_use]
    pub fn verifier(provider: &Arc<CryptoProvider>, inner: Arc<dyn ClientCertVerifier>) -> Self {
        Self {
            provider: Arc::clone(provider),
            inner,
            roots: Arc::new(RootCertStore::empty()),
            unique_name: NamePolicy::default(),
            or_certificate: false,
            is_optional: false,
            max_validity: MAX_VALIDITY,
            authorization: None,
            withdrawals: None,
        }
    }

    /// The policy for the client's unique name; [`NamePolicy::Required`] unless this is called.
    #[must_use]
    pub fn unique_name(mut self, policy: NamePolicy) -> Self {
        self.unique_name = policy;
        self
    }

    /// Under [`NamePolicy::Required`], also accepts a client that has a plain certificate and its key; the other
    /// policies always do.
    #[must_use]
    pub fn or_certificate(mut self) -> Self {
        self.or_certificate = true;
        self
    }

    /// Also accepts clients that present nothing, and those that have TLS 1.2 only: they count as clients that present
    /// nothing, also if the fallback asks them for a certificate.
    ///
    /// Without this, a client gets certificate_required, and one that has TLS 1.2 only gets protocol_version,
    /// because it can have no credential.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.is_optional = true;
        self
    }

    /// Accepts less than 7 days of remaining validity at most (RFC 9345 §3). More is as 7 days.
    #[must_use]
    pub fn max_validity(mut self, max: Duration) -> Self {
        self.max_validity = max.min(MAX_VALIDITY);
        self
    }

    /// Asks the application about each client, after all checks have passed.
    ///
    /// Asked again before a session is resumed, as nothing else is; if the answer is no, there is a full handshake, in
    /// which it is asked once more. A client that is not wanted gets access_denied. It runs inside the handshake, so it should
    /// answer from memory.
    #[must_use]
    pub fn authorize(mut self, allows: impl Fn(&Peer) -> bool + Send + Sync + 'static) -> Self {
        self.authorization = Some(Arc::new(allows));
        self
    }

    /// Refuses clients whose name the signer of its zone has withdrawn, as these lists have it.
    ///
    /// They are asked where [`authorize`](Self::authorize) is, before it. Such a client gets certificate_revoked, and the
    /// connection fails with [`Refusal::Withdrawn`]. A client without a unique name is in no list: ask for names.
    #[must_use]
    pub fn withdrawals(mut self, lists: Arc<Withdrawals>) -> Self {
        self.withdrawals = Some(lists);
        self
    }

    /// The verifier of certificates.
    pub(super) fn inner(&self) -> &Arc<dyn ClientCertVerifier> {
        &self.inner
    }

    pub(super) fn trust_anchors(&self) -> &RootCertStore {
        &self.roots
    }

    pub(super) fn algorithms(&self) -> &'static [&'static dyn SignatureVerificationAlgorithm] {
        self.provider.signature_verification_algorithms.all
    }

    pub(super) fn longest_validity(&self) -> Duration {
        self.max_validity
    }

    pub(super) fn is_optional(&self) -> bool {
        self.is_optional
    }

    pub(super) fn takes_certificates(&self) -> bool {
        self.or_certificate || self.unique_name != NamePolicy::Required
    }

    /// Fails if this client is not to be served, whatever it has proved.
    pub(super) fn check(&self, peer: &Peer, now: UnixTime) -> Result<(), Refusal> {
        if let (Some(withdrawals), Some(name)) = (&self.withdrawals, peer.unique_name()) {
            withdrawals.check(name, now)?;
        }
        let allows = self.authorization.as_ref();
        match allows.is_none_or(|allows| allows(peer)) {
            true => Ok(()),
            false => Err(Refusal::NotAuthorized),
        }
    }

    /// Where sessions that are made under this policy may be resumed.
    ///
    /// Fails with [`Error::Tls`] if the provider has no random numbers.
    pub(super) fn scope(&self) -> Result<Scope, Error> {
        match self.roots.is_empty() {
            true => Scope::unique(&self.provider),
            false => Scope::of_roots(&self.provider, &self.roots, self.max_validity),
        }
    }

    /// True if a session of this policy's scope fits it: made with this client, or with one that presented nothing.
    pub(super) fn resumes(&self, peer: Option<&Peer>, now: UnixTime) -> bool {
        match peer {
            None => self.is_optional,
            Some(Peer::Certificate) if !self.takes_certificates() => false,
            Some(Peer::Delegated { form, .. }) if !self.forms().contains(form) => false,
            Some(peer) => self.check(peer, now).is_ok(),
        }
    }

    fn forms(&self) -> &'static [Form] {
        self.unique_name.forms()
    }

    /// The question that clients are asked.
    ///
    /// Fails with [`Error::NothingAsked`] if the verifier asks for nothing, with [`Error::NothingToOffer`] if it knows no
    /// scheme that the key of a credential may use, and with [`Error::TooManyAuthorities`] if the names of the roots leave
    /// no room in a record.
    pub(super) fn question(&self) -> Result<Question, Error> {
        // rustls's `NoClientAuth` panics when it is asked for anything else.
        if !self.inner.offer_client_auth() {
            return Err(Error::NothingAsked);
        }
        let forms = self.forms();
        let offer = offer::offer(forms, &self.inner.supported_verify_schemes())?;
        let extensions = offer::extensions(forms, &offer)?;
        let mut hints = self.inner.root_hint_subjects().to_vec();
        let extensions = match hints.is_empty() {
            true => with_room(forms, extensions),
            false => extensions,
        };
        let stand_in = stand_in(extensions.len(), hints.is_empty());
        hints.push(DistinguishedName::from(stand_in));
        let length = hints.iter().map(|name| name.as_ref().len() + 2).sum();
        match length <= MAX_AUTHORITIES {
            true => Ok(Question {
                offer,
                extensions,
                hints,
                length,
            }),
            false => Err(Error::TooManyAuthorities {
                length,
                max: MAX_AUTHORITIES,
            }),
        }
    }
}

/// The extensions with room for a name of at least one byte in their place: one scheme alone is said twice.
fn with_room(forms: &[Form], extensions: Vec<u8>) -> Vec<u8> {
    match (forms, extensions.as_slice()) {
        (&[form], &[.., high, low]) if extensions.len() == ONE_SCHEME => {
            let [first, second] = form.extension_type().to_be_bytes();
            vec![first, second, 0, 6, 0, 4, high, low, high, low]
        }
        _ => extensions,
    }
}

/// The question that clients are asked, in all the shapes that are needed.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) offer: Offer,
    /// The extensions of the CertificateRequest.
    pub(super) extensions: Vec<u8>,
    /// The names of authorities, and the stand-in for the extensions.
    pub(super) hints: Vec<DistinguishedName>,
    /// The bytes of the names.
    pub(super) length: usize,
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            provider: _,
            inner,
            roots: _,
            unique_name,
            or_certificate,
            is_optional,
            max_validity,
            authorization: _,
            withdrawals,
        } = self;
        f.debug_struct("ClientCredentials")
            .field("inner", inner)
            .field("unique_name", unique_name)
            .field("or_certificate", or_certificate)
            .field("is_optional", is_optional)
            .field("max_validity", max_validity)
            .field("withdrawals", withdrawals)
            .finish_non_exhaustive()
    }
}

/// The length of an extension with one scheme.
const ONE_SCHEME: usize = 8;
/// The names have to be in the first record of the server's flight, with some room for its extensions.
const MAX_AUTHORITIES: usize = FIRST_RECORD;
