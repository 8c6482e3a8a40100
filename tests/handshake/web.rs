//! A web server of axum's over a listener, which clients of other frameworks connect to.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::routing::get;
use dc_core::Form;
use dc_rustls::server::{Accepted, Acceptor, Listener, Served, Settings, Store};
use dc_tests::vendor::{Device, Vendor, provider};
use tokio::net::TcpListener;

use crate::setup::stock_server;

/// Devices of one vendor behind one address, each with a named credential; the first has an RFC 9345 one too.
pub(crate) fn devices(vendor: &Vendor, labels: &[&str]) -> Acceptor {
    let settings = Settings::new(provider()).alpn_protocols([b"h2".to_vec(), b"http/1.1".to_vec()]);
    let store = Store::with_settings(settings);
    let identities = labels.iter().enumerate().map(|(at, label)| {
        let forms: &[_] = match at {
            0 => &[Form::Named, Form::Rfc9345],
            _ => &[Form::Named],
        };
        vendor.enrol(&Device::new(label), forms)
    });
    store.install_all(identities).unwrap();
    Acceptor::new(store).fallback(stock_server(vendor))
}

/// Serves until the runtime ends, and says where.
pub(crate) async fn serve(acceptor: Acceptor) -> SocketAddr {
    let listener = Listener::bind("127.0.0.1:0", acceptor).await.unwrap();
    let address = listener.local_addr();
    let app = Router::new()
        .route("/", get(describe))
        .into_make_service_with_connect_info::<Accepted>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// A port behind which nobody answers.
pub(crate) async fn silence() -> (SocketAddr, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (listener.local_addr().unwrap(), listener)
}

async fn describe(ConnectInfo(client): ConnectInfo<Accepted>, request: Request) -> String {
    let served = match client.served {
        Served::Delegated {
            form, unique_name, ..
        } => format!(
            "{form} {}",
            unique_name.map_or("-".into(), |name| name.to_string())
        ),
        _ => "certificate -".to_owned(),
    };
    let wanted = client.server_name.unwrap_or_default();
    format!("{:?} {served} {wanted}", request.version())
}
