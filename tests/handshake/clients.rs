//! Clients that present credentials, and servers that ask for them.

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use dc_core::pem::StoredCredential;
use dc_core::{Form, Role};
use dc_rustls::Error;
use dc_rustls::client::{Builder, Config, Identity, IdentityStore, Peer, danger};
use dc_rustls::server::{Acceptor, ClientCredentials, Settings, Store};
use dc_tests::pipe::pipe;
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::client::ResolvesClientCert;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{AlertDescription, HandshakeKind};

use crate::setup::{client_of, stock_server};

/// What a server answers with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Front {
    Credential,
    /// An ordinary certificate, the acceptor's fallback.
    Certificate,
}

pub(crate) const FRONTS: [Front; 2] = [Front::Credential, Front::Certificate];

/// A server's vendor and name, and the vendor and name of its clients.
pub(crate) struct Site {
    pub(crate) vendor: Vendor,
    pub(crate) router: Device,
    pub(crate) clients: Vendor,
    pub(crate) camera: Device,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with_clients(Vendor::default())
    }

    pub(crate) fn with_clients(clients: Vendor) -> Self {
        Self {
            vendor: Vendor::default(),
            router: Device::new("router"),
            clients,
            camera: Device::new("camera"),
        }
    }

    /// The policy that trusts the clients' vendor.
    pub(crate) fn policy(&self) -> ClientCredentials {
        ClientCredentials::roots(&provider(), self.clients.roots()).unwrap()
    }

    pub(crate) fn acceptor(&self, front: Front, policy: ClientCredentials) -> Acceptor {
        self.acceptor_with(front, Settings::new(provider()), policy)
    }

    pub(crate) fn acceptor_with(
        &self,
        front: Front,
        settings: Settings,
        policy: ClientCredentials,
    ) -> Acceptor {
        let store = Store::with_settings(settings.client_credentials(policy).unwrap());
        if front == Front::Credential {
            let identity = self.vendor.enrol(&self.router, &Form::ALL);
            store.install(identity).unwrap();
        }
        Acceptor::new(store).fallback(stock_server(&self.vendor))
    }

    /// A client of the server that takes whatever it answers with.
    pub(crate) fn builder(&self) -> Builder {
        client_of(&self.vendor).or_certificate()
    }

    /// The camera's credentials.
    pub(crate) fn issue(&self, form: Form) -> StoredCredential {
        self.issue_as(Role::Client, form)
    }

    pub(crate) fn issue_as(&self, role: Role, form: Form) -> StoredCredential {
        let now = UnixTime::now();
        self.clients.issue_as(role, &self.camera, form, now, DAY)
    }

    pub(crate) fn identity(&self, credentials: Vec<StoredCredential>) -> Identity {
        let key = self.camera.key.private_key();
        Identity::new(self.clients.chain(), credentials, key)
    }

    pub(crate) fn identities(&self, forms: &[Form]) -> Arc<IdentityStore> {
        let store = IdentityStore::new(provider());
        let credentials = forms.iter().map(|&form| self.issue(form)).collect();
        store.install(self.identity(credentials)).unwrap();
        store
    }

    /// The client with the camera's credentials of these forms.
    pub(crate) fn client(&self, forms: &[Form]) -> Config {
        let identities = self.identities(forms);
        self.builder().client_identity(identities).build().unwrap()
    }

    /// A client that presents what no store would install.
    pub(crate) fn careless(&self, identity: Identity) -> Config {
        let store = IdentityStore::new(provider());
        danger::install_unchecked(&store, identity).unwrap();
        self.builder().client_identity(store).build().unwrap()
    }

    #[track_caller]
    pub(crate) fn meet(&self, client: &Config, acceptor: &Acceptor, chunk: usize) -> Meeting {
        meet(client, &self.router.name, acceptor, chunk)
    }
}

/// What presents this vendor's certificate, with its own key.
pub(crate) fn certificate(of: &Vendor) -> Arc<dyn ResolvesClientCert> {
    let key = provider().key_provider;
    let key = key.load_private_key(of.private_key()).unwrap();
    Arc::new(SingleCertAndKey::from(CertifiedKey::new(of.chain(), key)))
}

/// The client, as the server knows it.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) peer: Option<Peer>,
    /// How many certificates the application sees.
    pub(crate) certificates: usize,
    pub(crate) is_resumed: bool,
}

/// How it went at both ends.
#[derive(Debug)]
pub(crate) struct Meeting {
    pub(crate) client: Result<(), Error>,
    pub(crate) server: Result<Known, Error>,
}

impl Meeting {
    /// The client, as the server knows it.
    #[track_caller]
    pub(crate) fn known(&self) -> &Known {
        assert!(self.client.is_ok(), "{self:?}");
        self.server.as_ref().unwrap()
    }

    #[track_caller]
    pub(crate) fn peer(&self) -> Option<&Peer> {
        self.known().peer.as_ref()
    }

    /// The form and the name that the client has.
    #[track_caller]
    pub(crate) fn delegated(&self) -> (Form, Option<String>) {
        match self.peer() {
            Some(Peer::Delegated {
                form, unique_name, ..
            }) => (*form, unique_name.as_ref().map(ToString::to_string)),
            other => panic!("{other:?}"),
        }
    }

    /// The server's refusal, and the alert that arrived.
    #[track_caller]
    pub(crate) fn refused(&self) -> (&dc_rustls::Refusal, AlertDescription) {
        match &self.server {
            Err(Error::Refused(refusal)) => (refusal, self.alert()),
            other => panic!("not refused: {other:?}"),
        }
    }

    /// The alert that the client got.
    #[track_caller]
    pub(crate) fn alert(&self) -> AlertDescription {
        match &self.client {
            Err(Error::Tls(rustls::Error::AlertReceived(alert))) => *alert,
            other => panic!("no alert at the client: {other:?}; {:?}", self.server),
        }
    }
}

/// Connects, with reads and writes of at most `chunk` bytes, and exchanges a line each way.
pub(crate) fn meet(client: &Config, name: &str, acceptor: &Acceptor, chunk: usize) -> Meeting {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let (near, far) = pipe(chunk);
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut tls = acceptor.accept(far)?;
            tls.write_all(b"pong")?;
            tls.read_exact(&mut [0; 4])?;
            Ok(Known {
                peer: tls.peer().cloned(),
                certificates: tls.client_certificates().count(),
                is_resumed: tls.connection().handshake_kind() == Some(HandshakeKind::Resumed),
            })
        });
        // The client's handshake is over before its certificate is judged, so it listens first.
        let client = client.connect(name, near).and_then(|mut tls| {
            tls.read_exact(&mut [0; 4])?;
            Ok(tls.write_all(b"ping")?)
        });
        Meeting {
            client,
            server: server.join().unwrap(),
        }
    })
}

pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);
