//! A vendor, a device with a credential, and a client and a server that meet.

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;

use dc_core::{
    DELEGATION_USAGE_ARCS, DelegationCertificate, Form, IssuingPolicy, Request, Role,
    SignatureScheme, Signer,
};
use dc_next::client::{Client, Peer};
use dc_next::server::{Carrier, Server};
use dc_next::{Failure, Stream};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, IsCa, KeyPair,
    KeyUsagePurpose, PublicKeyData, SigningKey,
};
use rustls::crypto::{CryptoProvider, Identity};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientSide, HandshakeKind, RootCertStore, ServerConfig};
use rustls_ring::DEFAULT_PROVIDER;
use rustls_ring::kx_group::{SECP384R1, X25519};

use crate::pipe::pipe;

pub(crate) const NAME: &str = "router.cpe.example.com";
pub(crate) const ALL: usize = usize::MAX;

/// A root, a delegation certificate with a wildcard name, and a device.
#[derive(Debug)]
pub(crate) struct Scene {
    root: CertificateDer<'static>,
    certificate: CertificateDer<'static>,
    certificate_key: Key,
    device_key: KeyPair,
}

#[derive(Debug)]
struct Key(KeyPair);

impl Signer for Key {
    type Error = rcgen::Error;

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_SECP256R1_SHA256
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message)
    }
}

impl Scene {
    pub(crate) fn new() -> Self {
        let mut root = CertificateParams::default();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        root.distinguished_name.push(DnType::CommonName, "root");
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
        let certificate_key = Key(KeyPair::generate().unwrap());
        let names = vec!["*.cpe.example.com".to_owned()];
        let mut certificate = CertificateParams::new(names).unwrap();
        certificate.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let usage = CustomExtension::from_oid_content(&DELEGATION_USAGE_ARCS, vec![5, 0]);
        certificate.custom_extensions = vec![usage];
        let certificate = certificate.signed_by(&certificate_key.0, &root).unwrap();
        Self {
            root: root.der().clone(),
            certificate: certificate.der().clone(),
            certificate_key,
            device_key: KeyPair::generate().unwrap(),
        }
    }

    /// A credential for the device's key, for a week at most.
    pub(crate) fn credential(&self, form: Form) -> Vec<u8> {
        let certificate = DelegationCertificate::parse(self.certificate.clone()).unwrap();
        let policy = IssuingPolicy::new(certificate, Role::Server);
        let spki = self.device_key.subject_public_key_info();
        let request = match form {
            Form::Rfc9345 => Request::new(&spki),
            Form::Named => Request::new(&spki).unique_name(NAME.try_into().unwrap()),
        };
        let algorithms = DEFAULT_PROVIDER.signature_verification_algorithms;
        let all = algorithms.mapping().iter().flat_map(|(_, all)| *all);
        let all: Vec<_> = all.copied().collect();
        let approved = policy.approve(&request, UnixTime::now()).unwrap();
        approved
            .sign(&self.certificate_key, &all)
            .unwrap()
            .into_bytes()
    }

    pub(crate) fn client(&self, forms: &[Form]) -> Client {
        self.client_with(&DEFAULT_PROVIDER, forms)
    }

    /// One whose key share [`x25519`] does not want.
    pub(crate) fn retrying_client(&self, forms: &[Form]) -> Client {
        let provider = CryptoProvider {
            kx_groups: vec![SECP384R1, X25519].into(),
            ..DEFAULT_PROVIDER
        };
        self.client_with(&provider, forms)
    }

    fn client_with(&self, provider: &CryptoProvider, forms: &[Form]) -> Client {
        Client::new(provider, self.roots(), forms).unwrap()
    }

    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.root.clone()
    }

    /// The chain and the device's key.
    pub(crate) fn identity(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (vec![self.certificate.clone()], private(&self.device_key))
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        roots
    }

    pub(crate) fn server(&self, carrier: Carrier, form: Form) -> Server {
        self.server_with(carrier, (form, self.credential(form)), &self.device_key)
    }

    /// One whose credential has one bit of its signature wrong.
    pub(crate) fn tampered_server(&self, carrier: Carrier, form: Form) -> Server {
        let mut credential = self.credential(form);
        *credential.last_mut().unwrap() ^= 1;
        self.server_with(carrier, (form, credential), &self.device_key)
    }

    /// One whose key is not the credential's.
    pub(crate) fn impostor(&self, carrier: Carrier, form: Form) -> Server {
        let key = KeyPair::generate().unwrap();
        self.server_with(carrier, (form, self.credential(form)), &key)
    }

    fn server_with(&self, carrier: Carrier, credential: (Form, Vec<u8>), key: &KeyPair) -> Server {
        let chain = vec![self.certificate.clone()];
        Server::new(&x25519(), carrier, chain, credential, private(key)).unwrap()
    }

    /// Stock rustls with the delegation certificate's own key.
    pub(crate) fn stock(&self) -> Arc<ServerConfig> {
        let identity = Identity::from_cert_chain(vec![self.certificate.clone()]).unwrap();
        let config = ServerConfig::builder(Arc::new(x25519()))
            .with_no_client_auth()
            .with_single_cert(Arc::new(identity), private(&self.certificate_key.0));
        Arc::new(config.unwrap())
    }
}

fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(key.serialize_der().into())
}

/// ring with one group.
fn x25519() -> CryptoProvider {
    CryptoProvider {
        kx_groups: vec![X25519].into(),
        ..DEFAULT_PROVIDER
    }
}

/// How a connection went at both ends.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) client: Result<(Peer, HandshakeKind), Failure>,
    /// True if the credential was served.
    pub(crate) server: Result<bool, Failure>,
}

impl Outcome {
    #[track_caller]
    pub(crate) fn assert_delegated(&self, wanted: Form, kind: HandshakeKind) {
        let (peer, got) = self.client.as_ref().unwrap();
        let Peer::Delegated {
            form, unique_name, ..
        } = peer
        else {
            panic!("{peer:?}");
        };
        assert_eq!((*form, *got), (wanted, kind));
        let name = unique_name.as_ref().map(dc_core::UniqueName::as_str);
        assert_eq!(name, (wanted == Form::Named).then_some(NAME));
        assert!(*self.server.as_ref().unwrap());
    }

    #[track_caller]
    pub(crate) fn alert_at_server(&self) -> u8 {
        let alert = self.server.as_ref().unwrap_err().received();
        alert.unwrap().0
    }
}

/// Connects over a pipe that moves at most `chunk` bytes at a time.
pub(crate) fn connect(client: &Client, server: &Server, chunk: usize) -> Outcome {
    connect_at(client, server, chunk, UnixTime::now())
}

pub(crate) fn connect_at(client: &Client, server: &Server, chunk: usize, now: UnixTime) -> Outcome {
    let (near, far) = pipe(chunk);
    thread::scope(|scope| {
        let server = scope.spawn(|| serve(server, far));
        let client = greet(client, near, now);
        Outcome {
            client,
            server: server.join().unwrap(),
        }
    })
}

pub(crate) fn serve(server: &Server, io: impl Read + Write) -> Result<bool, Failure> {
    let (mut stream, delegated) = server.accept(io)?;
    assert_eq!(stream.receive(4)?, b"ping");
    stream.send(b"pong")?;
    Ok(delegated)
}

pub(crate) fn greet(
    client: &Client,
    io: impl Read + Write,
    now: UnixTime,
) -> Result<(Peer, HandshakeKind), Failure> {
    let name = ServerName::try_from(NAME).unwrap();
    let (mut stream, peer) = client.connect_at(name, io, now)?;
    stream.send(b"ping")?;
    assert_eq!(stream.receive(4)?, b"pong");
    let kind = kind(&stream);
    Ok((peer, kind))
}

fn kind<T: Read + Write>(stream: &Stream<ClientSide, T>) -> HandshakeKind {
    stream.connection().handshake_kind().unwrap()
}
