//! What ACME servers have in common: a CA, and the owner of names who delegates them.
//!
//! A [`Server`] listens on loopback and has what RFC 8555 §6 asks for: nonces, accounts, and signatures that are
//! checked. What it is asked for once that is done goes to its [`Service`].

mod door;
mod reply;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use tokio::runtime::{Builder, Runtime};

use crate::Result;

use super::jws::{BindingKey, Jwk};
use super::objects::Meta;
use super::problem::Problem;
use door::{Call, Door};

pub(in crate::acme) use door::{parse, random};
pub(crate) use reply::Reply;

/// What a server does for those who have an account.
pub(crate) trait Service: Send + Sync + 'static {
    /// What the directory says about it.
    fn meta(&self) -> Meta;

    /// Whether the directory and the accounts have what only CAs have (`revokeCert`), or only owners of names
    /// (`delegations`).
    fn role(&self) -> Role;

    /// The key that whoever opens an account has to know; none if there is no such name.
    fn binding(&self, kid: &str) -> Option<BindingKey>;

    /// An unsigned GET; nothing if the path needs a signature, or is none.
    fn get(&self, path: &str) -> Option<std::result::Result<Reply, Problem>>;

    /// A request of an account.
    fn post(&self, request: &Request) -> std::result::Result<Reply, Problem>;
}

/// What a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Authority,
    /// The owner of names: an IdO, as RFC 9115 calls it.
    Owner,
}

/// A request whose signature is that of an account.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) account: Account,
    /// Such as `/order`.
    pub(crate) path: String,
    /// Empty for a POST-as-GET.
    pub(crate) payload: Vec<u8>,
    /// So that only [`Door`] makes one, after it has checked the signature.
    _verified: door::Verified,
}

/// Somebody whose key the server knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// The last part of its URL.
    pub(crate) id: String,
    pub(crate) jwk: Jwk,
    /// The name of the key that it was bound with.
    pub(crate) binding: Option<String>,
}

/// A place to listen that nobody serves yet: its address is known, so that a service can say where it is.
#[derive(Debug)]
pub(crate) struct Place {
    listener: TcpListener,
    address: SocketAddr,
}

impl Place {
    /// A free port of loopback.
    pub(crate) fn new() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where its URLs begin.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Server<S> {
    base: String,
    service: Arc<S>,
    reachable: Arc<AtomicBool>,
    /// Nothing only while it is dropped.
    runtime: Option<Runtime>,
}

impl<S: Service> Server<S> {
    /// Serves there, on a thread of its own.
    pub(crate) fn start(place: Place, service: S) -> Result<Self> {
        let base = place.base();
        let service = Arc::new(service);
        let reachable = Arc::new(AtomicBool::new(true));
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let door = Door::new(base.clone(), Arc::clone(&service), Arc::clone(&reachable));
        let router = Router::new()
            .fallback(answer::<S>)
            .with_state(Arc::new(door));
        let listener = {
            let _guard = runtime.enter();
            tokio::net::TcpListener::from_std(place.listener)?
        };
        runtime.spawn(async move { axum::serve(listener, router).await });
        Ok(Self {
            base,
            service,
            reachable,
            runtime: Some(runtime),
        })
    }

    /// Whether it can be reached from now on; if not, it answers 503 to everything.
    pub(crate) fn reach(&self, reachable: bool) {
        self.reachable.store(reachable, Ordering::SeqCst);
    }

    /// Where clients begin.
    pub(crate) fn directory(&self) -> String {
        format!("{}/directory", self.base)
    }

    pub(crate) fn service(&self) -> &S {
        &self.service
    }
}

impl<S> Drop for Server<S> {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn answer<S: Service>(
    State(door): State<Arc<Door<S>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let call = Call {
        method,
        path: uri.path().to_owned(),
        headers,
        body,
    };
    // Services wait for others: CAs for proofs, owners for the CA.
    let reply = tokio::task::spawn_blocking(move || door.answer(&call)).await;
    reply
        .unwrap_or_else(|_| Reply::refuse(&Problem::new(500, "serverInternal", "a bug")))
        .into_response()
}
