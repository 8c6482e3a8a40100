//! A client that takes credentials.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use dc_core::{Form, Offer, SchemeList, SignatureScheme, UniqueName, VerifiedCredential};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{ClientConfig, ClientSide, HandshakeKind, RootCertStore, VecInput};

use crate::hello::Editor;
use crate::provider::{Side, wrap};
use crate::sessions::{Sessions, Tickets};
use crate::stream::{Failure, Stream};
use crate::verifier::{CredentialVerifier, Rules};

/// The other end of a client's connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Peer {
    /// It has an ordinary certificate for the name.
    Certificate,
    /// It has a credential, and had it when the session began.
    Delegated {
        /// The form of the credential.
        form: Form,
        /// The device's own name, in the named form.
        unique_name: Option<UniqueName<'static>>,
        /// The end of the credential.
        expires: UnixTime,
    },
}

impl Peer {
    pub(crate) fn expires(&self) -> Option<UnixTime> {
        match self {
            Self::Certificate => None,
            Self::Delegated { expires, .. } => Some(*expires),
        }
    }
}

impl From<&VerifiedCredential> for Peer {
    fn from(credential: &VerifiedCredential) -> Self {
        Self::Delegated {
            form: credential.form(),
            unique_name: credential.unique_name().cloned(),
            expires: credential.expiry(),
        }
    }
}

/// A client with a memory of its sessions.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    rules: Arc<Rules>,
    tickets: Arc<Tickets>,
}

impl Client {
    /// A client that trusts these roots and offers these forms.
    ///
    /// Fails with [`Failure::Credential`] if the provider verifies no scheme of credential keys, and with
    /// [`Failure::Tls`] as rustls's own builder does.
    pub fn new(
        base: &CryptoProvider,
        roots: RootCertStore,
        forms: &[Form],
    ) -> Result<Self, Failure> {
        let algorithms = base.signature_verification_algorithms;
        let (offer, extensions) = make_offer(
            forms,
            algorithms.supported_schemes().into_iter().map(u16::from),
        )
        .map_err(Failure::Credential)?;
        // Once for each client, as rustls wants it `&'static`.
        let extensions = extensions.leak();
        let side = Side::Client { offer: extensions };
        let inner = WebPkiServerVerifier::builder(Arc::new(roots), base)
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        let all = algorithms.mapping().iter().flat_map(|(_, all)| *all);
        let rules = Arc::new(Rules {
            inner: Arc::new(inner),
            offer,
            extensions,
            algorithms: all.copied().collect(),
            wants_status: true,
        });
        let verifier = Arc::new(CredentialVerifier::new(rules.clone()));
        let config = ClientConfig::builder(Arc::new(wrap(base, side)))
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth()?;
        Ok(Self {
            config,
            rules,
            tickets: Arc::default(),
        })
    }

    /// The same without asking for an OCSP response, as NSS does.
    #[must_use]
    pub fn without_status_request(mut self) -> Self {
        self.rules = Arc::new(Rules {
            wants_status: false,
            ..(*self.rules).clone()
        });
        self
    }

    /// Connects to `name` over `io`, which ends with the peer verified.
    ///
    /// Fails with [`Failure::Credential`] if the credential is refused, and as rustls and the socket do.
    pub fn connect<T: Read + Write>(
        &self,
        name: ServerName<'static>,
        io: T,
    ) -> Result<(Stream<ClientSide, T>, Peer), Failure> {
        self.connect_at(name, io, UnixTime::now())
    }

    /// The same with sessions judged at another time.
    ///
    /// Fails as [`connect`](Self::connect) does.
    pub fn connect_at<T: Read + Write>(
        &self,
        name: ServerName<'static>,
        io: T,
        now: UnixTime,
    ) -> Result<(Stream<ClientSide, T>, Peer), Failure> {
        let verifier = Arc::new(CredentialVerifier::new(self.rules.clone()));
        let sessions = Arc::new(Sessions {
            tickets: self.tickets.clone(),
            verifier: verifier.clone(),
            now,
            offered: Mutex::default(),
        });
        let mut config = self.config.clone();
        config.resumption = Resumption::store(sessions.clone());
        config
            .dangerous()
            .set_certificate_verifier(verifier.clone());
        let mut output = Vec::new();
        let connection = Arc::new(config).connect(name).build(&mut output)?;
        let mut stream = Stream {
            connection,
            io,
            input: VecInput::default(),
            output,
            received: Vec::new(),
            inbound: None,
            outbound: Some(Editor::inserting(self.rules.extensions)),
        };
        stream
            .handshake()
            .map_err(|failure| match verifier.refusal.get() {
                Some(error) => Failure::Credential(error.clone()),
                None => failure,
            })?;
        if let Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest) =
            stream.connection.handshake_kind()
        {
            sessions.forget_offered();
        }
        Ok((stream, sessions.peer()))
    }
}

/// The offer of every scheme for credential keys that can be verified, and its extensions.
fn make_offer(
    forms: &[Form],
    verifiable: impl Iterator<Item = u16> + Clone,
) -> Result<(Offer, Vec<u8>), dc_core::Error> {
    let all = SchemeList::new(verifiable.map(SignatureScheme))?;
    let usable = SignatureScheme::FOR_CREDENTIAL_KEYS.into_iter();
    let schemes = SchemeList::new(usable.filter(|&scheme| all.contains(scheme)))?;
    let (mut offer, mut extensions) = (Offer::new(all), Vec::new());
    for &form in forms {
        let mut body = Vec::new();
        schemes.encode(&mut body)?;
        extensions.extend_from_slice(&form.extension_type().to_be_bytes());
        // A list of schemes for credential keys is short.
        extensions.extend_from_slice(&u16::try_from(body.len()).unwrap_or_default().to_be_bytes());
        extensions.extend_from_slice(&body);
        offer = offer.with(form, schemes.clone());
    }
    Ok((offer, extensions))
}
