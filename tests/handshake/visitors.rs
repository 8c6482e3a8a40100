//! A handler of axum's learns who its clients are.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use dc_core::Form;
use dc_rustls::client::Config;
use dc_rustls::server::{Accepted, Listener, Peer};
use tokio::task::spawn_blocking;

use crate::clients::{FRONTS, Site};

async fn greet(ConnectInfo(client): ConnectInfo<Accepted>) -> String {
    match client.peer.as_deref() {
        Some(Peer::Delegated {
            unique_name: Some(name),
            ..
        }) => format!("hello {name}"),
        Some(_) => "hello".to_owned(),
        None => "hello stranger".to_owned(),
    }
}

fn ask(client: &Config, name: &str, address: SocketAddr) -> String {
    let name = name.to_owned().try_into().unwrap();
    let mut tls = client
        .connect(name, TcpStream::connect(address).unwrap())
        .unwrap();
    tls.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    tls.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    body.to_owned()
}

#[tokio::test]
async fn a_handler_learns_the_name_of_its_client() {
    let site = Arc::new(Site::new());
    for front in FRONTS {
        let acceptor = site.acceptor(front, site.policy().optional());
        let listener = Listener::bind("127.0.0.1:0", acceptor).await.unwrap();
        let address = listener.local_addr();
        let app = Router::new()
            .route("/", get(greet))
            .into_make_service_with_connect_info::<Accepted>();
        let serving = tokio::spawn(async move { axum::serve(listener, app).await });
        let site = Arc::clone(&site);
        let ask_all = spawn_blocking(move || {
            let (camera, nobody) = (site.client(&Form::ALL), site.builder().build().unwrap());
            // The second time with a session.
            for _ in 0..2 {
                let told = ask(&camera, &site.router.name, address);
                assert_eq!(told, format!("hello {}", site.camera.name));
                let told = ask(&nobody, &site.router.name, address);
                assert_eq!(told, "hello stranger");
            }
        });
        ask_all.await.unwrap();
        serving.abort();
    }
}
