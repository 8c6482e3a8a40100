//! Connections over TCP, blocking and with tokio.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use dc_rustls::client::EarlyDataStatus;
use dc_rustls::server::EarlyData;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Ends;
use super::met::Met;
use super::scene::{EARLY, LINE, Scene};

/// Writes early data, if the cell has some.
fn fill(data: &mut dc_rustls::client::EarlyData<'_>, sends_early: bool) -> std::io::Result<()> {
    match sends_early {
        true => data.write_all(EARLY),
        false => Ok(()),
    }
}

pub(super) fn blocking(scene: &Scene, ends: &Ends<'_>, sends_early: bool) -> Met {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::scope(|scope| {
        let server = scope.spawn(move || {
            let (tcp, _) = listener.accept().unwrap();
            let mut early = Vec::new();
            let take = |data: &mut EarlyData<'_>| {
                early.extend_from_slice(data.bytes());
                Ok(())
            };
            let mut tls = ends.server.accept_early(tcp, take).unwrap();
            echo(&mut tls);
            let kind = tls.connection().handshake_kind().unwrap();
            (tls.peer().cloned(), kind, early)
        });
        let tcp = TcpStream::connect(address).unwrap();
        let fill = |data: &mut dc_rustls::client::EarlyData<'_>| fill(data, sends_early);
        let mut tls = ends
            .client
            .tcp
            .connect_early(scene.name(), tcp, fill)
            .unwrap();
        tls.write_all(LINE).unwrap();
        let mut line = [0; LINE.len()];
        tls.read_exact(&mut line).unwrap();
        assert_eq!(line, LINE);
        let (client, kind, early) = server.join().unwrap();
        Met {
            server: tls.peer().clone(),
            client,
            kinds: Some([tls.connection().handshake_kind().unwrap(), kind]),
            early,
            is_early_accepted: tls.early_data() == EarlyDataStatus::Accepted,
        }
    })
}

fn echo(tls: &mut (impl Read + Write)) {
    let mut line = [0; LINE.len()];
    tls.read_exact(&mut line).unwrap();
    tls.write_all(&line).unwrap();
    tls.flush().unwrap();
}

pub(super) fn asynchronous(scene: &Scene, ends: &Ends<'_>, sends_early: bool) -> Met {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        let serve = async {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut early = Vec::new();
            let take = |data: &mut EarlyData<'_>| {
                early.extend_from_slice(data.bytes());
                Ok(())
            };
            let mut tls = ends.server.accept_early_async(tcp, take).await.unwrap();
            let mut line = [0; LINE.len()];
            tls.read_exact(&mut line).await.unwrap();
            tls.write_all(&line).await.unwrap();
            tls.flush().await.unwrap();
            let kind = tls.connection().handshake_kind().unwrap();
            // It has to live until the client has its line.
            (tls.peer().cloned(), kind, tls, early)
        };
        let ask = async {
            let tcp = tokio::net::TcpStream::connect(address).await.unwrap();
            let fill = |data: &mut dc_rustls::client::EarlyData<'_>| fill(data, sends_early);
            let mut tls = ends
                .client
                .tcp
                .connect_early_async(scene.name(), tcp, fill)
                .await
                .unwrap();
            tls.write_all(LINE).await.unwrap();
            tls.flush().await.unwrap();
            let mut line = [0; LINE.len()];
            tls.read_exact(&mut line).await.unwrap();
            assert_eq!(line, LINE);
            tls
        };
        let (tls, (client, kind, _, early)) = tokio::join!(ask, serve);
        Met {
            server: tls.peer().clone(),
            client,
            kinds: Some([tls.connection().handshake_kind().unwrap(), kind]),
            early,
            is_early_accepted: tls.early_data() == EarlyDataStatus::Accepted,
        }
    })
}
