//! The service of a device's vendor: devices ask it for certificates over HTTP, and owners tell it what they did.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::runtime::Runtime;

use crate::ledger::{Act, Ledger, Party};

/// What the vendor does for its devices, itself or at a CA.
pub(crate) trait Issuing: Send + 'static {
    /// A chain in PEM for this name and the key of this request (PKCS #10, in DER).
    fn issue(&mut self, name: &str, request: &[u8]) -> crate::Result<String>;

    /// Revokes the first certificate of this chain.
    fn revoke(&mut self, chain: &str) -> crate::Result<()>;
}

/// The service, on loopback. It ends when dropped.
pub(crate) struct Vendor {
    port: u16,
    ledger: Arc<Ledger>,
    service: Arc<Service>,
    runtime: Option<Runtime>,
}

impl Vendor {
    pub(crate) fn start(ledger: Arc<Ledger>, issuing: impl Issuing) -> crate::Result<Self> {
        let mut vendor = Self {
            port: 0,
            ledger,
            service: Arc::new(Service {
                issuing: Mutex::new(Box::new(issuing)),
                devices: Mutex::default(),
            }),
            runtime: None,
        };
        vendor.resume()?;
        Ok(vendor)
    }

    /// Whether it can be reached from now on.
    pub(crate) fn reach(&mut self, reachable: bool) -> crate::Result<()> {
        match reachable {
            true => self.resume(),
            false => {
                self.runtime = None;
                Ok(())
            }
        }
    }

    fn resume(&mut self) -> crate::Result<()> {
        if self.runtime.is_some() {
            return Ok(());
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))?;
        listener.set_nonblocking(true)?;
        self.port = listener.local_addr()?.port();
        let router = Router::new()
            .route("/certificate", post(certificate))
            .route("/move", post(move_name))
            .route("/theft", post(theft))
            .with_state(Arc::clone(&self.service));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_io()
            .build()?;
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            axum::serve(listener, router).await
        });
        self.runtime = Some(runtime);
        Ok(())
    }

    /// Makes a device, which has a secret of its own and a name. The owner's secret comes in its box.
    pub(crate) fn make(&self, name: &str) -> crate::Result<Made> {
        let made = Made {
            device: secret()?,
            owner: secret()?,
        };
        let of = Of {
            name: name.into(),
            owner: made.owner.clone(),
            chains: Vec::new(),
        };
        self.service.devices().insert(made.device.clone(), of);
        Ok(made)
    }

    /// A chain in PEM for this request, asked for by the device.
    pub(crate) fn certify(&self, device: &str, request: &[u8]) -> crate::Result<String> {
        self.post("certificate", device, request)
    }

    /// The owner has another device, and wants this one's name for it.
    pub(crate) fn move_name(&self, old: &Made, new: &Made) -> crate::Result<()> {
        let body = format!("{} {}", old.device, new.device);
        self.post("move", &old.owner, body.as_bytes()).map(drop)
    }

    /// The owner has lost this device.
    pub(crate) fn report_theft(&self, lost: &Made) -> crate::Result<()> {
        let device = lost.device.as_bytes();
        self.post("theft", &lost.owner, device).map(drop)
    }

    fn post(&self, path: &str, secret: &str, body: &[u8]) -> crate::Result<String> {
        self.ledger.count(Party::Vendor, Act::Request);
        let url = format!("http://127.0.0.1:{}/{path}", self.port);
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let mut answer = agent
            .post(&url)
            .header(header::AUTHORIZATION, format!("Bearer {secret}"))
            .send(body)
            .map_err(|error| format!("the vendor's service at {url}: {error}"))?;
        let text = answer.body_mut().read_to_string()?;
        match answer.status() {
            StatusCode::OK => Ok(text),
            status => Err(format!("the vendor's service says {status}: {text}").into()),
        }
    }
}

/// The secrets of a device.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    /// What the device shows to the vendor.
    pub(crate) device: String,
    /// What its owner shows to the vendor.
    pub(crate) owner: String,
}

/// What the vendor knows.
struct Service {
    issuing: Mutex<Box<dyn Issuing>>,
    /// By the device's secret.
    devices: Mutex<BTreeMap<String, Of>>,
}

#[derive(Debug)]
struct Of {
    name: String,
    owner: String,
    /// All that were issued to it.
    chains: Vec<String>,
}

impl Service {
    fn devices(&self) -> MutexGuard<'_, BTreeMap<String, Of>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn issuing(&self) -> MutexGuard<'_, Box<dyn Issuing>> {
        self.issuing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn certify(&self, device: &str, request: &[u8]) -> Answer {
        let known = { self.devices() }.get(device).map(|of| of.name.clone());
        let name = known.ok_or_else(nobody)?;
        let chain = self.issuing().issue(&name, request).map_err(unable)?;
        if let Some(of) = self.devices().get_mut(device) {
            of.chains.push(chain.clone());
        }
        Ok(chain)
    }

    fn move_name(&self, owner: &str, body: &str) -> Answer {
        let (old, new) = body.split_once(' ').ok_or_else(nobody)?;
        let mut devices = self.devices();
        let is_owner = devices.get(old).is_some_and(|of| of.owner == owner);
        if !is_owner || !devices.contains_key(new) {
            return Err(nobody());
        }
        let name = devices.remove(old).map(|of| of.name);
        if let Some((of, name)) = devices.get_mut(new).zip(name) {
            of.name = name;
        }
        Ok(String::new())
    }

    fn theft(&self, owner: &str, device: &str) -> Answer {
        let mut devices = self.devices();
        if devices.get(device).is_none_or(|of| of.owner != owner) {
            return Err(nobody());
        }
        let of = devices.remove(device);
        drop(devices);
        if let Some(chain) = of.iter().flat_map(|of| &of.chains).next_back() {
            self.issuing().revoke(chain).map_err(unable)?;
        }
        Ok(String::new())
    }
}

type Answer = Result<String, Refusal>;
type Refusal = (StatusCode, String);

async fn certificate(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    serve(move || service.certify(bearer(&headers)?, &body)).await
}

async fn move_name(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    body: String,
) -> Answer {
    serve(move || service.move_name(bearer(&headers)?, &body)).await
}

async fn theft(State(service): State<Arc<Service>>, headers: HeaderMap, body: String) -> Answer {
    serve(move || service.theft(bearer(&headers)?, &body)).await
}

/// A CA lets the vendor wait; others are served meanwhile.
async fn serve(work: impl FnOnce() -> Answer + Send + 'static) -> Answer {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err((StatusCode::INTERNAL_SERVER_ERROR, error.to_string())))
}

fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let value = headers.get(header::AUTHORIZATION);
    let secret = value.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    secret.ok_or_else(nobody)
}

/// To devices and owners that the vendor does not know, or no longer.
fn nobody() -> Refusal {
    (StatusCode::FORBIDDEN, "this is nobody's secret".into())
}

fn unable(error: Box<dyn std::error::Error + Send + Sync>) -> Refusal {
    (StatusCode::SERVICE_UNAVAILABLE, error.to_string())
}

/// Nobody guesses it.
fn secret() -> crate::Result<String> {
    let mut bytes = [0; 16];
    let random = SystemRandom::new();
    random
        .fill(&mut bytes)
        .map_err(|_| "there is no randomness")?;
    Ok(Base64UrlUnpadded::encode_string(&bytes))
}
