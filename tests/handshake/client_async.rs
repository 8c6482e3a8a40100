//! Clients with credentials over `AsyncRead + AsyncWrite`.

use dc_core::Form;
use dc_rustls::Error;
use dc_rustls::client::{Config, Peer};
use dc_rustls::server::Acceptor;
use rustls::AlertDescription;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use crate::clients::{FRONTS, Site};

async fn meet(
    client: &Config,
    name: &str,
    acceptor: &Acceptor,
    capacity: usize,
) -> (Result<(), Error>, Result<(Option<Peer>, usize), Error>) {
    let (near, far) = duplex(capacity);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let server = async {
        let mut tls = acceptor.accept_async(far).await?;
        tls.write_all(b"pong").await?;
        tls.shutdown().await?;
        Ok((tls.peer().cloned(), tls.client_certificates().count()))
    };
    let client = async {
        let mut tls = client.connect_async(name, near).await?;
        let mut reply = Vec::new();
        tls.read_to_end(&mut reply).await?;
        Ok(())
    };
    tokio::join!(client, server)
}

#[tokio::test]
async fn a_server_learns_the_name_of_its_client_through_pipes_of_any_size() {
    let site = Site::new();
    for front in FRONTS {
        let acceptor = site.acceptor(front, site.policy());
        for capacity in [1, 59, 1 << 16] {
            let client = site.client(&Form::ALL);
            for _ in 0..2 {
                let (met, known) = meet(&client, &site.router.name, &acceptor, capacity).await;
                met.unwrap();
                let (peer, certificates) = known.unwrap();
                assert!(matches!(
                    peer,
                    Some(Peer::Delegated { unique_name: Some(name), .. })
                        if name.as_str() == site.camera.name
                ));
                assert_eq!(certificates, 1);
            }
        }
    }
}

#[tokio::test]
async fn an_asynchronous_server_refuses_with_the_same_alerts() {
    let site = Site::new();
    for front in FRONTS {
        let policy = site.policy().authorize(|_| false);
        let acceptor = site.acceptor(front, policy);
        let client = site.client(&Form::ALL);
        let (met, known) = meet(&client, &site.router.name, &acceptor, 1 << 16).await;
        assert!(matches!(
            known,
            Err(Error::Refused(dc_rustls::Refusal::NotAuthorized))
        ));
        assert!(
            matches!(
                &met,
                Err(Error::Tls(rustls::Error::AlertReceived(
                    AlertDescription::AccessDenied
                )))
            ),
            "{met:?}"
        );
    }
}
