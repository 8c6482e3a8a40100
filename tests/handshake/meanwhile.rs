//! Connections that are driven in the middle of another one's handshake: neither learns anything of the other.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};

use dc_core::Form;
use dc_rustls::client::{Config, NamePolicy, Peer, Stream};
use dc_rustls::server::Acceptor;
use dc_rustls::{Error, Refusal};
use dc_tests::pair::{Outcome, connect};
use dc_tests::pipe::{End, pipe};
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, KeyLog, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};

use crate::setup::{ALL, acceptor, careless_acceptor, client, client_of, stock_server};

/// The places in a handshake at which the application is asked or told something.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Hook {
    Authorize,
    KeyLog,
    Observe,
}

/// Something that an application does in a hook, once.
#[derive(Clone)]
struct Meanwhile(Arc<Mutex<Option<Task>>>);

type Task = Box<dyn FnOnce() + Send>;

impl Meanwhile {
    fn new(task: impl FnOnce() + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(task)))))
    }

    fn run(&self) {
        let task = self.0.lock().unwrap().take();
        if let Some(task) = task {
            task();
        }
    }

    fn is_done(&self) -> bool {
        self.0.lock().unwrap().is_none()
    }
}

impl fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meanwhile")
    }
}

impl KeyLog for Meanwhile {
    /// The peer has been verified by the time the traffic secrets are there.
    fn log(&self, label: &str, _: &[u8], _: &[u8]) {
        if label == "SERVER_TRAFFIC_SECRET_0" {
            self.run();
        }
    }
}

fn hooked(vendor: &Vendor, hook: Hook, meanwhile: &Meanwhile) -> Config {
    let task = meanwhile.clone();
    let builder = client_of(vendor);
    let builder = match hook {
        Hook::Authorize => builder.authorize(move |_, _| {
            task.run();
            true
        }),
        Hook::KeyLog => builder.key_log(Arc::new(task)),
        Hook::Observe => builder.observe(move |_| task.run()),
    };
    builder.build().unwrap()
}

struct Scene {
    vendor: Vendor,
    router: Device,
    camera: Device,
}

impl Scene {
    fn new() -> Self {
        Self {
            vendor: Vendor::default(),
            router: Device::new("router"),
            camera: Device::new("camera"),
        }
    }

    fn serves(&self, device: &Device) -> Acceptor {
        acceptor(&self.vendor, device, &[Form::Named])
    }

    /// Connects to `name` at the router, and in `hook` to the camera's name at `inner`.
    fn nested(&self, hook: Hook, name: &str, inner: Acceptor) -> (Outcome, Outcome) {
        let asks = client(&self.vendor, NamePolicy::Required);
        let camera = self.camera.name.clone();
        let found = Arc::new(Mutex::new(None));
        let result = Arc::clone(&found);
        let meanwhile = Meanwhile::new(move || {
            *result.lock().unwrap() = Some(connect(&asks, &camera, &inner, ALL));
        });
        let outer = hooked(&self.vendor, hook, &meanwhile);
        let device = Device {
            name: self.router.name.clone(),
            key: dc_tests::vendor::Key::p256(),
        };
        let identity = self.vendor.enrol(&device, &[Form::Named]);
        let outcome = connect(&outer, name, &careless_acceptor(identity), ALL);
        assert!(meanwhile.is_done(), "{hook:?}");
        let inner = found.lock().unwrap().take().unwrap();
        (outcome, inner)
    }
}

fn name_of(peer: &Peer) -> String {
    match peer {
        Peer::Delegated {
            unique_name: Some(name),
            ..
        } => name.to_string(),
        other => panic!("no name: {other:?}"),
    }
}

#[test]
fn a_handshake_inside_a_handshake_finds_its_own_peer_and_so_does_the_outer_one() {
    let scene = Scene::new();
    for hook in [Hook::Authorize, Hook::KeyLog, Hook::Observe] {
        let inner = scene.serves(&scene.camera);
        let (outer, inner) = scene.nested(hook, &scene.router.name, inner);
        assert_eq!(name_of(outer.peer()), scene.router.name, "{hook:?}");
        assert_eq!(name_of(inner.peer()), scene.camera.name, "{hook:?}");
    }
}

#[test]
fn a_refusal_inside_a_handshake_is_not_that_of_the_outer_one() {
    let scene = Scene::new();
    let twin = scene.vendor.enrol(&Device::new("twin"), &[Form::Named]);
    let twin = careless_acceptor(twin);
    for hook in [Hook::Authorize, Hook::KeyLog, Hook::Observe] {
        let (outer, inner) = scene.nested(hook, &scene.router.name, twin.clone());
        assert_eq!(inner.alert_at_server(), AlertDescription::IllegalParameter);
        assert!(matches!(inner.refusal(), Refusal::Credential(_)));
        assert_eq!(name_of(outer.peer()), scene.router.name, "{hook:?}");
        outer.server.unwrap();
    }
}

#[test]
fn a_handshake_inside_one_that_is_refused_goes_well() {
    let scene = Scene::new();
    let inner = scene.serves(&scene.camera);
    // The only hook that runs before the refusal.
    let (outer, inner) = scene.nested(Hook::Observe, &scene.camera.name, inner);
    assert_eq!(name_of(inner.peer()), scene.camera.name);
    assert_eq!(outer.alert_at_server(), AlertDescription::IllegalParameter);
    assert!(matches!(outer.refusal(), Refusal::Credential(_)));
}

#[test]
fn a_panic_in_a_hook_leaves_nothing_for_the_next_connection() {
    let scene = Scene::new();
    for hook in [Hook::Authorize, Hook::KeyLog, Hook::Observe] {
        let meanwhile = Meanwhile::new(|| panic!("on purpose"));
        let panics = hooked(&scene.vendor, hook, &meanwhile);
        let (near, far) = pipe(ALL);
        let serves = scene.serves(&scene.router);
        let server = thread::spawn(move || serves.accept(far).err());
        let name = ServerName::try_from(scene.router.name.clone()).unwrap();
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = panics.connect(name, near);
        }));
        assert!(caught.is_err(), "{hook:?}");
        server.join().unwrap();
        // On the same thread.
        let asks = client(&scene.vendor, NamePolicy::Required);
        let serves = scene.serves(&scene.camera);
        let outcome = connect(&asks, &scene.camera.name, &serves, ALL);
        assert_eq!(name_of(outcome.peer()), scene.camera.name, "{hook:?}");
    }
}

/// A connection that is established, and the end of what its server reads.
fn established(scene: &Scene) -> (Stream<End>, JoinHandle<io::Result<usize>>) {
    let serves = scene.serves(&scene.camera);
    let (near, far) = pipe(ALL);
    let server = thread::spawn(move || {
        let mut tls = serves.accept(far).unwrap();
        tls.write_all(b"pong").unwrap();
        tls.read_to_end(&mut Vec::new())
    });
    let name = ServerName::try_from(scene.camera.name.clone()).unwrap();
    let asks = client(&scene.vendor, NamePolicy::Required);
    let mut stream = asks.connect(name, near).unwrap();
    stream.read_exact(&mut [0; 4]).unwrap();
    (stream, server)
}

fn close(mut stream: Stream<End>) {
    stream.connection_mut().send_close_notify();
    stream.flush().unwrap();
}

/// A network that does something else when the alert is written.
struct Tunnel {
    io: DuplexStream,
    meanwhile: Meanwhile,
    writes: usize,
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes += 1;
        if self.writes > 1 {
            self.meanwhile.run();
        }
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Below TLS 1.3 the alert of a refusal goes out in plaintext, and ours for it is not taken. A connection that
/// the network closes in the same step must not send it.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_the_network_closes_sends_its_own_alert() {
    let scene = Scene::new();
    let (stream, server) = established(&scene);
    let tls12 = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(scene.vendor.chain(), scene.vendor.private_key())
        .unwrap();
    let (near, far) = duplex(1 << 16);
    let meanwhile = Meanwhile::new(move || close(stream));
    let tunnel = Tunnel {
        io: near,
        meanwhile: meanwhile.clone(),
        writes: 0,
    };
    let outer = client_of(&scene.vendor).allow_tls12().build().unwrap();
    let name = ServerName::try_from(scene.router.name.clone()).unwrap();
    let accept = tokio_rustls::TlsAcceptor::from(Arc::new(tls12)).accept(far);
    let (refused, _) = tokio::join!(outer.connect_async(name, tunnel), accept);
    assert!(matches!(
        refused,
        Err(Error::Refused(Refusal::CredentialRequired))
    ));
    assert!(meanwhile.is_done());
    assert_eq!(server.join().unwrap().unwrap(), 0);
}

/// Closes a connection when its thread ends.
struct ClosesLast(Option<Stream<End>>);

impl Drop for ClosesLast {
    fn drop(&mut self) {
        if let Some(stream) = self.0.take() {
            close(stream);
        }
    }
}

#[test]
fn a_connection_that_is_closed_when_its_thread_ends_sends_its_alert() {
    thread_local!(static LAST: RefCell<ClosesLast> = const { RefCell::new(ClosesLast(None)) });
    let scene = Scene::new();
    let client = thread::scope(|scope| {
        let client = scope.spawn(|| {
            // First, so that it is destroyed last: what the connection keeps in its thread is gone by then.
            LAST.with_borrow_mut(|last| last.0 = None);
            let (stream, server) = established(&scene);
            LAST.with_borrow_mut(|last| last.0 = Some(stream));
            server
        });
        client.join().unwrap()
    });
    assert_eq!(client.join().unwrap().unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asynchronous_handshake_inside_another_finds_its_own_peer() {
    let scene = Scene::new();
    let (near, far) = duplex(1 << 16);
    let serves = scene.serves(&scene.camera);
    let handle = tokio::runtime::Handle::current();
    let asks = client(&scene.vendor, NamePolicy::Required);
    let name = ServerName::try_from(scene.camera.name.clone()).unwrap();
    let found = Arc::new(Mutex::new(None));
    let result = Arc::clone(&found);
    let meanwhile = Meanwhile::new(move || {
        tokio::task::block_in_place(|| {
            let both =
                async { tokio::join!(asks.connect_async(name, near), serves.accept_async(far)) };
            let (connected, _) = handle.block_on(both);
            *result.lock().unwrap() = Some(connected.unwrap().peer().clone());
        });
    });
    let outer = hooked(&scene.vendor, Hook::KeyLog, &meanwhile);
    let (near, far) = duplex(1 << 16);
    let serves = scene
        .serves(&scene.router)
        .fallback(stock_server(&scene.vendor));
    let name = ServerName::try_from(scene.router.name.clone()).unwrap();
    let server = async { serves.accept_async(far).await.unwrap().shutdown().await };
    let (outer, _) = tokio::join!(outer.connect_async(name, near), server);
    assert_eq!(name_of(outer.unwrap().peer()), scene.router.name);
    let inner = found.lock().unwrap().take().unwrap();
    assert_eq!(name_of(&inner), scene.camera.name);
}
