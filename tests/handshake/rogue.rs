//! A stock rustls server that sends what rustls never sends: [`dc_tests::mutant`].

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;

use dc_core::Form;
use dc_rustls::client::{Config, NamePolicy, Peer};
use dc_rustls::{Error, Refusal};
use dc_tests::message::{CERTIFICATE, edit_blocks, extension};
use dc_tests::mutant::{self, Framing, Rewrite, Wire};
use dc_tests::pair::last_words;
use dc_tests::pipe::{End, pipe};
use dc_tests::vendor::{Device, Key, Vendor, provider};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::{
    AlertDescription, RootCertStore, ServerConfig, ServerConnection, SignatureAlgorithm,
    SignatureScheme, StreamOwned,
};

use crate::setup::{ALL, client};

/// A chain, the key that signs, and what becomes of the messages.
pub(crate) struct Rogue {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<dyn SigningKey>,
    rewrite: Rewrite,
    framing: Framing,
    warns: bool,
    change: fn(&mut ServerConfig),
    /// Whose certificates it asks clients for, without insisting.
    asks: Option<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

/// How it went at both ends.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) client: Result<Peer, Error>,
    /// Why the server has no connection.
    pub(crate) server: Option<rustls::Error>,
}

impl Rogue {
    /// A server that is honest so far, but signs with this key.
    pub(crate) fn new(vendor: &Vendor, key: PrivateKeyDer<'static>) -> Self {
        let key = provider().key_provider.load_private_key(key).unwrap();
        Self::signing(vendor.chain(), Arc::new(Stubborn(key)))
    }

    /// A server with this chain that signs like this.
    pub(crate) fn signing(chain: Vec<CertificateDer<'static>>, key: Arc<dyn SigningKey>) -> Self {
        Self {
            chain,
            key,
            rewrite: mutant::unchanged(),
            framing: Framing::default(),
            warns: false,
            change: |config| config.cert_compressors.clear(),
            asks: None,
            provider: provider(),
        }
    }

    /// Puts this block of extensions next to the certificate of this entry.
    pub(crate) fn block(self, entry: usize, block: Vec<u8>) -> Self {
        let mut blocks = vec![Vec::new(); entry];
        blocks.push(block);
        self.blocks(blocks)
    }

    /// Puts these blocks of extensions next to the certificates of the first entries.
    pub(crate) fn blocks(self, blocks: Vec<Vec<u8>>) -> Self {
        self.rewrite(mutant::only(CERTIFICATE, move |message| {
            edit_blocks(message, |index, old| {
                blocks.get(index).map_or(old.to_vec(), Clone::clone)
            })
        }))
    }

    pub(crate) fn rewrite(mut self, rewrite: Rewrite) -> Self {
        self.rewrite = rewrite;
        self
    }

    /// With this cryptography.
    pub(crate) fn provider(mut self, provider: Arc<CryptoProvider>) -> Self {
        self.provider = provider;
        self
    }

    pub(crate) fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// Sends a warning before it says who it is.
    pub(crate) fn warning(mut self) -> Self {
        self.warns = true;
        self
    }

    pub(crate) fn change(mut self, change: fn(&mut ServerConfig)) -> Self {
        self.change = change;
        self
    }

    pub(crate) fn asks_for(mut self, roots: RootCertStore) -> Self {
        self.asks = Some(roots);
        self
    }

    /// Serves one client, with reads and writes of at most `chunk` bytes.
    pub(crate) fn meet(&self, client: &Config, chunk: usize) -> Verdict {
        self.meet_as(client, NAME, chunk)
    }

    /// Serves one client that wants this name or address.
    pub(crate) fn meet_as(&self, client: &Config, wanted: &str, chunk: usize) -> Verdict {
        let name = ServerName::try_from(wanted.to_owned()).unwrap();
        let (near, far) = pipe(chunk);
        thread::scope(|scope| {
            let server = scope.spawn(|| self.serve(far));
            let client = client.connect(name, near).and_then(|mut tls| {
                tls.read_exact(&mut [0; 4])?;
                Ok(tls.peer().clone())
            });
            Verdict {
                client,
                server: server.join().unwrap(),
            }
        })
    }

    fn serve(&self, far: End) -> Option<rustls::Error> {
        let connection = ServerConnection::new(self.config()).unwrap();
        let wire = Wire::new(far, &self.rewrite, self.framing).warning(self.warns);
        let mut tls = StreamOwned::new(connection, wire);
        let served = tls.write_all(b"pong").and_then(|()| tls.read(&mut [0]));
        last_words(&mut tls.conn, &mut tls.sock, served.err()?)
    }

    /// Only good behind a [`Wire`] with the same changes.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        let provider = mutant::provider(&self.provider, &self.rewrite);
        let certified = CertifiedKey::new(self.chain.clone(), Arc::clone(&self.key));
        let verifier = match &self.asks {
            None => WebPkiClientVerifier::no_client_auth(),
            Some(roots) => {
                let roots = Arc::new(roots.clone());
                WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
                    .allow_unauthenticated()
                    .build()
                    .unwrap()
            }
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        (self.change)(&mut config);
        Arc::new(config)
    }
}

/// Signs in its own scheme, whatever the client can verify.
#[derive(Debug)]
pub(crate) struct Stubborn(pub(crate) Arc<dyn SigningKey>);

impl SigningKey for Stubborn {
    fn choose_scheme(&self, _: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        self.0.choose_scheme(&[
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ED25519,
        ])
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

impl Verdict {
    #[track_caller]
    pub(crate) fn accepted(&self) -> &Peer {
        assert_eq!(self.server, None);
        self.client.as_ref().unwrap()
    }

    /// Our refusal, and the alert that arrived.
    #[track_caller]
    pub(crate) fn refused(&self) -> (&Refusal, AlertDescription) {
        match &self.client {
            Err(Error::Refused(refusal)) => (refusal, self.alert()),
            other => panic!("not refused: {other:?}"),
        }
    }

    /// The error of rustls, and the alert that arrived.
    #[track_caller]
    pub(crate) fn failed(&self) -> (&rustls::Error, AlertDescription) {
        match &self.client {
            Err(Error::Tls(error)) => (error, self.alert()),
            other => panic!("not rustls's own error: {other:?}"),
        }
    }

    #[track_caller]
    fn alert(&self) -> AlertDescription {
        match &self.server {
            Some(rustls::Error::AlertReceived(alert)) => *alert,
            other => panic!("no alert at the server: {other:?}"),
        }
    }
}

/// A vendor, the device "router", and servers with either's key.
pub(crate) struct Scene {
    pub(crate) vendor: Vendor,
    pub(crate) device: Device,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self {
            vendor: Vendor::default(),
            device: Device::new("router"),
        }
    }

    /// Its vendor sends an intermediate too.
    pub(crate) fn with_intermediate() -> Self {
        Self {
            vendor: Vendor::with_intermediates(Key::p256(), 1, 0),
            ..Self::new()
        }
    }

    pub(crate) fn client(&self, policy: NamePolicy) -> Config {
        client(&self.vendor, policy)
    }

    pub(crate) fn credential(&self, form: Form) -> Vec<u8> {
        credential(&self.vendor, &self.device, form)
    }

    /// A server with the device's key.
    pub(crate) fn device(&self) -> Rogue {
        Rogue::new(&self.vendor, self.device.key.private_key())
    }

    /// A server with the certificate's own key.
    pub(crate) fn owner(&self) -> Rogue {
        Rogue::new(&self.vendor, self.vendor.private_key())
    }

    /// What our client makes of this block next to the end-entity certificate.
    #[track_caller]
    pub(crate) fn meet(&self, policy: NamePolicy, block: &[u8], check: impl Fn(&Verdict)) {
        let client = self.client(policy);
        for chunk in CHUNKS {
            check(&self.device().block(0, block.to_vec()).meet(&client, chunk));
        }
    }

    #[track_caller]
    pub(crate) fn refuses(
        &self,
        policy: NamePolicy,
        block: &[u8],
        refusal: &Refusal,
        alert: AlertDescription,
    ) {
        self.meet(policy, block, |verdict| {
            assert_eq!(verdict.refused(), (refusal, alert), "{block:x?}");
        });
    }
}

/// A credential of this form for `device`, as an extension.
pub(crate) fn credential(vendor: &Vendor, device: &Device, form: Form) -> Vec<u8> {
    extension(form.extension_type(), &vendor.issue(device, form).bytes)
}

/// The name of the device "router".
pub(crate) const NAME: &str = "router.cpe.example.com";

pub(crate) const CHUNKS: [usize; 2] = [1, ALL];
