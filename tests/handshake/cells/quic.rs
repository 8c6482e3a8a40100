//! Connections over QUIC, with quinn.

use std::net::{Ipv4Addr, SocketAddr};

use dc_rustls::quinn::{self as quic, EarlyData};
use quinn::{Connection, Endpoint};

use super::Ends;
use super::met::Met;
use super::scene::{ALPN, EARLY, LINE, Scene};

pub(super) fn meet(scene: &Scene, ends: &Ends<'_>, sends_early: bool) -> Met {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let own: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
        let takes = match ends.takes_early {
            true => EarlyData::Allowed,
            false => EarlyData::Never,
        };
        let config = quic::server_config(&ends.server, [ALPN.to_vec()], takes).unwrap();
        let server = Endpoint::server(config, own).unwrap();
        let address = server.local_addr().unwrap();
        let config = ends.client.quic.clone();
        let client = Endpoint::client(own).unwrap();
        let serving = tokio::spawn(serve(server.clone()));
        let connecting = client
            .connect_with(config, address, &scene.router.name)
            .unwrap();
        let (connection, is_early_accepted) = match sends_early {
            false => (connecting.await.unwrap(), false),
            true => {
                let (connection, accepted) = connecting.into_0rtt().unwrap();
                let mut send = connection.open_uni().await.unwrap();
                // What is written here is lost if the server does not take it.
                let _ = send.write_all(EARLY).await;
                let _ = send.finish();
                let is_accepted = accepted.await;
                (connection, is_accepted)
            }
        };
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        send.write_all(LINE).await.unwrap();
        send.finish().unwrap();
        assert_eq!(receive.read_to_end(100).await.unwrap(), LINE);
        let peer = quic::server(&connection).unwrap().peer().clone();
        connection.close(0u32.into(), b"");
        let (known, early) = serving.await.unwrap();
        Met {
            server: peer,
            client: known.peer.as_deref().cloned(),
            kinds: None,
            early,
            is_early_accepted,
        }
    })
}

/// Serves one connection until it is closed: who its client is, and the early data that came.
async fn serve(endpoint: Endpoint) -> (quic::Client, Vec<u8>) {
    let incoming = endpoint.accept().await.unwrap();
    let connecting = incoming.accept().unwrap();
    let (connection, done) = connecting.into_0rtt().unwrap_or_else(|_| unreachable!());
    let echo = tokio::spawn(echo(connection.clone()));
    let mut early = Vec::new();
    let uni = async {
        while let Ok(mut receive) = connection.accept_uni().await {
            assert!(receive.is_0rtt());
            early = receive.read_to_end(100).await.unwrap();
        }
    };
    let settle = async {
        let _ = done.await;
        quic::client(&connection).unwrap()
    };
    let (known, ()) = tokio::join!(settle, uni);
    echo.await.unwrap();
    (known, early)
}

async fn echo(connection: Connection) {
    while let Ok((mut send, mut receive)) = connection.accept_bi().await {
        let line = receive.read_to_end(100).await.unwrap();
        send.write_all(&line).await.unwrap();
        send.finish().unwrap();
    }
}
