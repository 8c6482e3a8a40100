//! A server with a credential.

use std::io::{self, Read, Write};
use std::sync::Arc;

use dc_core::{DelegatedCredential, Form, Offer, SchemeList};
use rustls::crypto::{
    Credentials, CryptoProvider, Identity, SignatureScheme, Signer, SigningKey, SingleCredential,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer};
use rustls::{Connection, ServerConfig, ServerSide, VecInput};

use crate::hello::{Editor, FirstMessage};
use crate::provider::{Side, wrap};
use crate::pseudo;
use crate::stream::{Failure, Stream};
use crate::view::certificate::pack;
use crate::view::client_hello;

/// Where a server's rustls carries its credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carrier {
    /// In the place of the stapled OCSP response.
    Status,
    /// In a certificate entry behind the end entity, should rustls drop OCSP responses.
    PseudoEntry,
}

/// A server with one credential, and perhaps an ordinary configuration for clients that do not take it.
#[derive(Debug)]
pub struct Server {
    form: Form,
    credential: Vec<u8>,
    config: Arc<ServerConfig>,
    carrier: Carrier,
    fallback: Option<Arc<ServerConfig>>,
}

impl Server {
    /// A server with `credential` of this form under the first certificate of `chain`, and the credential's key.
    ///
    /// Fails with [`Failure::Credential`] if the credential is malformed, and with [`Failure::Tls`] if rustls refuses
    /// the key or the chain.
    pub fn new(
        base: &CryptoProvider,
        carrier: Carrier,
        mut chain: Vec<CertificateDer<'static>>,
        (form, credential): (Form, Vec<u8>),
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, Failure> {
        let decoded =
            DelegatedCredential::decode(form, &credential).map_err(Failure::Credential)?;
        let scheme = decoded.credential().dc_cert_verify_algorithm.0;
        let malformed = || rustls::Error::General("the credential cannot be carried".into());
        let (ocsp, side) = match carrier {
            Carrier::Status => {
                let blob = pack(form, &credential, None).map_err(|_| malformed())?;
                (Some(blob.into()), Side::Server)
            }
            Carrier::PseudoEntry => {
                let entry = pseudo::entry(form, &credential).ok_or_else(malformed)?;
                chain.insert(chain.len().min(1), CertificateDer::from(entry));
                (None, Side::PseudoEntryServer)
            }
        };
        let key = CredentialKey {
            inner: base.key_provider.load_private_key(key)?,
            scheme: scheme.into(),
        };
        let identity = Arc::new(Identity::from_cert_chain(chain).map_err(rustls::Error::from)?);
        let mut credentials = Credentials::new_unchecked(identity, Box::new(key));
        credentials.ocsp = ocsp;
        let config = ServerConfig::builder(Arc::new(wrap(base, side)))
            .with_no_client_auth()
            .with_server_credential_resolver(Arc::new(SingleCredential::from(credentials)))?;
        Ok(Self {
            form,
            credential,
            config: Arc::new(config),
            carrier,
            fallback: None,
        })
    }

    /// The same with an untouched configuration for clients that do not take the credential.
    #[must_use]
    pub fn with_fallback(mut self, config: Arc<ServerConfig>) -> Self {
        self.fallback = Some(config);
        self
    }

    /// Accepts a connection, and says whether the credential was what it was served with.
    ///
    /// Fails with [`Failure::Tls`] if the client takes no credential and there is no other configuration, and as
    /// rustls and the socket do.
    pub fn accept<T: Read + Write>(
        &self,
        mut io: T,
    ) -> Result<(Stream<ServerSide, T>, bool), Failure> {
        let (received, hello) = read_hello(&mut io)?;
        let delegated = self.suits(&hello);
        let (config, inbound) = match (delegated, &self.fallback) {
            (true, _) if self.carrier == Carrier::Status => (&self.config, Editor::relabelling()),
            (true, _) => (&self.config, Editor::watching()),
            (false, Some(fallback)) => (fallback, Editor::watching()),
            (false, None) => {
                io.write_all(&HANDSHAKE_FAILURE)?;
                let error = rustls::error::PeerIncompatible::NoSignatureSchemesInCommon;
                return Err(Failure::Tls(error.into()));
            }
        };
        let mut stream = Stream {
            connection: Connection::<ServerSide, _>::new(config.clone())?,
            io,
            input: VecInput::default(),
            output: Vec::new(),
            received: Vec::new(),
            inbound: Some(inbound),
            outbound: None,
        };
        stream.take(&received)?;
        stream.handshake()?;
        Ok((stream, delegated))
    }

    /// True if the client takes the credential (RFC 9345 §4.1.1), and what asks for it can be relabelled.
    fn suits(&self, hello: &[u8]) -> bool {
        let Ok(credential) = DelegatedCredential::decode(self.form, &self.credential) else {
            return false;
        };
        let Ok(extensions) = client_hello::Offer::read(hello) else {
            return false;
        };
        let list = match self.form {
            Form::Rfc9345 => extensions.rfc9345,
            Form::Named => extensions.named,
        };
        let lists = [list, extensions.signature_algorithms].map(|list| {
            let list = SchemeList::decode(list?);
            list.ok()
        });
        let [Some(schemes), Some(algorithms)] = lists else {
            return false;
        };
        let fits = self.carrier == Carrier::PseudoEntry
            || extensions.relabelling() != client_hello::Relabelling::Impossible;
        let offer = Offer::new(algorithms).with(self.form, schemes);
        extensions.has_tls13() && fits && offer.suits(&credential).is_ok()
    }
}

/// Everything up to and with the first ClientHello, and the hello.
fn read_hello(io: &mut impl Read) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let (mut received, mut first) = (Vec::new(), FirstMessage::default());
    let mut chunk = [0; 1024];
    while received.len() <= MAX_HELLO {
        let read = io.read(&mut chunk)?;
        let bytes = chunk.get(..read).unwrap_or_default();
        received.extend_from_slice(bytes);
        match first.push(bytes) {
            Some(hello) => return Ok((received, hello)),
            None if read == 0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            None => {}
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "no ClientHello").into())
}

/// Signs with the credential's `dc_cert_verify_algorithm`, whatever rustls offers to it.
#[derive(Debug)]
struct CredentialKey {
    inner: Box<dyn SigningKey>,
    scheme: SignatureScheme,
}

impl SigningKey for CredentialKey {
    fn choose_scheme(&self, _: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        self.inner.choose_scheme(&[self.scheme])
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.inner.public_key()
    }
}

/// A fatal alert in plaintext (RFC 8446 §6).
const HANDSHAKE_FAILURE: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];
/// The bytes that a ClientHello and the records around it may have.
const MAX_HELLO: usize = 0x1_0000;
