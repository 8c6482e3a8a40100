//! Early data over asynchronous streams.

use std::io::Write;
use std::sync::Arc;

use dc_rustls::server::{Acceptor, Store};
use dc_tests::vendor::provider;
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::EarlyDataStatus::{Accepted, NotSent, Rejected};
use super::{LIMIT, Scene};
use crate::setup::{ALL, client_of, stock_server};

#[tokio::test]
async fn the_same_over_asynchronous_streams() {
    // Both ends write before they read, however little the network takes.
    for capacity in [1, 512, 1 << 16] {
        let scene = Scene::new();
        let client = scene.client();
        let early = [7; LIMIT as usize];
        for (limit, accepts, expected) in [
            (LIMIT, true, NotSent),
            (LIMIT, true, Accepted),
            (LIMIT, false, Rejected),
            // The sessions of a server that reads nothing early allow nothing early.
            (LIMIT, true, NotSent),
            (0, true, Rejected),
            (LIMIT, true, NotSent),
        ] {
            let server = scene.server(limit);
            let (near, far) = duplex(capacity);
            let mut got = Vec::new();
            let serve = async {
                let mut tls = match accepts {
                    true => {
                        let take = |data: &mut dc_rustls::server::EarlyData<'_>| {
                            got.extend_from_slice(data.bytes());
                            data.write_all(b"soon")
                        };
                        server.accept_early_async(far, take).await.unwrap()
                    }
                    false => server.accept_async(far).await.unwrap(),
                };
                let mut line = [0; 4];
                tls.read_exact(&mut line).await.unwrap();
                tls.write_all(b"late").await.unwrap();
                tls.shutdown().await.unwrap();
            };
            let ask = async {
                let mut tls = client
                    .connect_early_async(scene.name(), near, |data| data.write_all(&early))
                    .await
                    .unwrap();
                tls.write_all(b"ping").await.unwrap();
                tls.flush().await.unwrap();
                let mut reply = Vec::new();
                tls.read_to_end(&mut reply).await.unwrap();
                (tls.early_data(), reply)
            };
            let ((status, reply), ()) = tokio::join!(ask, serve);
            assert_eq!(status, expected, "{capacity}");
            match status {
                Accepted => {
                    assert_eq!(got, early);
                    assert!(reply.starts_with(b"soon") && reply.ends_with(b"late"));
                }
                NotSent | Rejected => assert_eq!((&*got, &*reply), (&b""[..], &b"late"[..])),
            }
        }
    }
}

/// The server has the request, and the client its answer, when the client's Finished is still on its way.
#[tokio::test]
async fn an_asynchronous_server_answers_before_the_handshake_is_over() {
    let scene = Scene::new();
    let (client, server) = (scene.client(), scene.server(LIMIT));
    scene.exchange(&client, &server, b"", ALL);
    let (near, mut middle_near) = duplex(1 << 16);
    let (mut middle_far, far) = duplex(1 << 16);
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let serve = server.accept_early_async(far, |data| {
        told.send(data.bytes().to_vec()).unwrap();
        data.write_all(b"soon")
    });
    let ask = client.connect_early_async(scene.name(), near, |data| data.write_all(b"early"));
    let between = async {
        // One flight each way, and no more until the server has said what it got.
        let mut flight = vec![0; 1 << 14];
        let length = middle_near.read(&mut flight).await.unwrap();
        middle_far.write_all(&flight[..length]).await.unwrap();
        assert_eq!(heard.recv().await.unwrap(), b"early");
        tokio::io::copy_bidirectional(&mut middle_near, &mut middle_far)
            .await
            .unwrap();
    };
    let (ask, serve) = tokio::select! {
        both = async { tokio::join!(ask, serve) } => both,
        () = between => unreachable!(),
    };
    serve.unwrap();
    assert_eq!(ask.unwrap().early_data(), Accepted);
}

/// An asynchronous stream has no place for early data, so that nobody is told that it arrived.
#[tokio::test]
async fn an_asynchronous_server_takes_no_early_data_for_its_fallback_that_nobody_reads() {
    for capacity in [1, 1 << 16] {
        let scene = Scene::new();
        let mut stock = ServerConfig::clone(&stock_server(&scene.vendor));
        stock.max_early_data_size = LIMIT;
        let server = Acceptor::new(Store::new(provider())).fallback(Arc::new(stock));
        let client = client_of(&scene.vendor).or_certificate().early_data();
        let client = client.build().unwrap();
        scene.exchange(&client, &server, b"", ALL);
        let (near, far) = duplex(capacity);
        let serve = async {
            let mut tls = server.accept_async(far).await.unwrap();
            let mut line = [0; 5];
            tls.read_exact(&mut line).await.unwrap();
            assert_eq!(&line, b"again");
            tls.write_all(b"late").await.unwrap();
            tls.shutdown().await.unwrap();
        };
        let ask = async {
            let ask =
                client.connect_early_async(scene.name(), near, |data| data.write_all(b"early"));
            let mut tls = ask.await.unwrap();
            assert_eq!(tls.early_data(), Rejected);
            tls.write_all(b"again").await.unwrap();
            tls.flush().await.unwrap();
            let mut reply = Vec::new();
            tls.read_to_end(&mut reply).await.unwrap();
            assert_eq!(reply, b"late");
        };
        tokio::join!(ask, serve);
    }
}
