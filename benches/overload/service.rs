//! The service's listener and admission before a handler that signs once.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use dc_admission::{AdmissionLimits, Asks};
use dc_signer::access::Overload;
use dc_signer::config::{Config, Live};
use dc_signer::server::listener::{Listener, ServiceCertificate, Settings, tls_config};
use dc_signer::server::telemetry::Metrics;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};

use crate::World;
use crate::client;

struct Service {
    world: Arc<World>,
    overload: Arc<Overload>,
    key: EcdsaKeyPair,
}

pub(crate) async fn start(world: Arc<World>, rate: f64) -> (SocketAddr, Arc<Metrics>) {
    let metrics = Metrics::new();
    let limits = AdmissionLimits {
        rate,
        at_once: 64,
        waiting: 256,
        // Half a second of this world.
        wait: Duration::from_millis(500) * world.faster,
        operators: 2,
        operator_wait: Duration::from_secs(10),
    };
    let overload = Overload::faster(Live::fixed(limits), metrics.clone(), world.faster);
    let document =
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
            .unwrap();
    let key = EcdsaKeyPair::from_pkcs8(
        &ECDSA_P256_SHA256_ASN1_SIGNING,
        document.as_ref(),
        &SystemRandom::new(),
    )
    .unwrap();
    let state = Arc::new(Service {
        world,
        overload,
        key,
    });
    let router = Router::new()
        .route("/renew/{device}", post(renew))
        .with_state(state);
    let listener = Listener::bind("listen.address", Live::fixed(settings()), metrics.clone())
        .await
        .unwrap();
    let address = listener.address().unwrap();
    tokio::spawn(listener.serve(router, std::future::pending()));
    (address, metrics)
}

/// The limits that the service has by itself.
fn settings() -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(folder.path().join("chain.pem"), made.cert.pem()).unwrap();
    fs::write(
        folder.path().join("key.pem"),
        made.signing_key.serialize_pem(),
    )
    .unwrap();
    let text = "data = 'data'\n[listen]\naddress = '127.0.0.1:0'\ncertificate = 'chain.pem'\nkey = 'key.pem'\n";
    let listen = Config::parse(text, folder.path()).unwrap().listen;
    let provider = client::provider();
    let identity = ServiceCertificate::load(&listen.certificate, &listen.key, provider).unwrap();
    Settings {
        tls: tls_config(&identity, &listen, provider.clone()).unwrap(),
        listen,
        proxies: None,
    }
}

async fn renew(State(service): State<Arc<Service>>, Path(device): Path<usize>) -> Response {
    let Service {
        world,
        overload,
        key,
    } = &*service;
    let left = world.with(|fleet| fleet.left(device, world.now()));
    let number = u64::try_from(device).unwrap();
    let admitted = overload.admit(Asks::Renewal {
        device: number,
        left,
    });
    match admitted.await {
        Ok(_place) => {
            let signed = key.sign(&SystemRandom::new(), &number.to_be_bytes());
            signed.unwrap().as_ref().to_vec().into_response()
        }
        Err(later) => {
            let after = [(RETRY_AFTER, later.after.as_secs().to_string())];
            (StatusCode::SERVICE_UNAVAILABLE, after).into_response()
        }
    }
}
