//! A client that knows its server by an address, or by a name that no device can have.

use std::io::{self, Read, Write};
use std::sync::Arc;

use dc_core::Form;
use dc_rustls::client::{Config, NamePolicy, Peer};
use dc_rustls::server::{Acceptor, Served};
use dc_rustls::{Error, Refusal};
use dc_tests::pair::connect;
use dc_tests::vendor::{ADDRESS, Device, Oddity, Vendor};
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, HandshakeKind};
use tokio::io::{AsyncReadExt, duplex};

use crate::rogue::{CHUNKS, Rogue, credential};
use crate::setup::{ALL, acceptor, client, client_of, stock_server};

/// A vendor whose certificate has the address too, and a server of its with both forms and the certificate.
fn scene() -> (Vendor, Device, Acceptor) {
    let (vendor, device) = (Vendor::odd(Oddity::Address), Device::new("router"));
    let acceptor = acceptor(&vendor, &device, &[Form::Named, Form::Rfc9345]);
    let acceptor = acceptor.fallback(stock_server(&vendor));
    (vendor, device, acceptor)
}

/// Fails the test when it is touched.
struct Untouched;

impl Read for Untouched {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        panic!("read from a server that cannot be authenticated")
    }
}

impl Write for Untouched {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        panic!("wrote to a server that cannot be authenticated")
    }

    fn flush(&mut self) -> io::Result<()> {
        panic!("flushed to a server that cannot be authenticated")
    }
}

#[test]
fn a_required_name_fails_before_anything_is_sent() {
    let (vendor, ..) = scene();
    let client = client(&vendor, NamePolicy::Required);
    for wanted in [ADDRESS, "2001:db8::1", "my_router.cpe.example.com"] {
        let name = ServerName::try_from(wanted).unwrap();
        let error = client.connect(name, Untouched).err().unwrap();
        assert!(matches!(error, Error::NoUniqueName { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains(wanted) && text.contains("with its name"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_required_name_fails_before_anything_is_sent_over_an_asynchronous_stream() {
    let (vendor, ..) = scene();
    let client = client(&vendor, NamePolicy::Required);
    let (near, mut far) = duplex(1 << 16);
    let name = ServerName::try_from(ADDRESS).unwrap();
    let error = client.connect_async(name, near).await.err().unwrap();
    assert!(matches!(error, Error::NoUniqueName { .. }), "{error:?}");
    assert_eq!(far.read(&mut [0]).await.unwrap(), 0);
}

#[test]
fn a_preferred_name_is_not_asked_for() {
    let (vendor, device, acceptor) = scene();
    let acceptor = acceptor.only_if(|hello, offer| {
        let is_address = hello.server_name().is_none();
        assert_eq!(offer.named.is_none(), is_address);
        offer.rfc9345.is_some()
    });
    let client = client(&vendor, NamePolicy::Preferred);
    for chunk in CHUNKS {
        for wanted in [ADDRESS, ADDRESS, &device.name, &device.name] {
            let outcome = connect(&client, wanted, &acceptor, chunk);
            match outcome.peer() {
                Peer::Delegated { unique_name, .. } => {
                    assert_eq!(unique_name.is_none(), wanted == ADDRESS);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// What was made for the address is resumed for it, and for nothing else.
#[test]
fn sessions_are_those_of_the_address() {
    let (vendor, device, acceptor) = scene();
    let client = client(&vendor, NamePolicy::Preferred);
    use HandshakeKind::{Full, Resumed};
    for (wanted, expected) in [(ADDRESS, Full), (&device.name, Full), (ADDRESS, Resumed)] {
        let outcome = connect(&client, wanted, &acceptor, ALL);
        let connection = outcome.client.as_ref().unwrap().connection();
        assert_eq!(connection.handshake_kind(), Some(expected));
    }
}

#[test]
fn a_certificate_will_do_if_the_policy_says_so() {
    let (vendor, device, acceptor) = scene();
    let acceptor = acceptor.only_if(|hello, _| {
        assert!(hello.server_name().is_some(), "a credential was asked for");
        true
    });
    let client = client_of(&vendor).or_certificate().build().unwrap();
    for chunk in CHUNKS {
        let outcome = connect(&client, ADDRESS, &acceptor, chunk);
        assert_eq!(*outcome.peer(), Peer::Certificate);
        assert_eq!(outcome.server.unwrap(), Served::Certificate);
        let outcome = connect(&client, &device.name, &acceptor, chunk);
        assert!(matches!(outcome.peer(), Peer::Delegated { .. }));
    }
}

#[test]
fn a_credential_that_was_not_asked_for_is_refused() {
    let (vendor, device, _) = scene();
    let or_certificate = client_of(&vendor).or_certificate().build().unwrap();
    let cases: [(Config, &[Form]); 2] = [
        (client(&vendor, NamePolicy::Preferred), &[Form::Named]),
        (or_certificate, &Form::ALL),
    ];
    for (client, forms) in cases {
        for &form in forms {
            let block = credential(&vendor, &device, form);
            let rogue = Rogue::new(&vendor, device.key.private_key()).block(0, block);
            let verdict = rogue.meet_as(&client, ADDRESS, ALL);
            let error = dc_core::Error::FormNotOffered { form };
            let refusal = Refusal::Credential(error);
            let alert = AlertDescription::UnexpectedMessage;
            assert_eq!(verdict.refused(), (&refusal, alert));
        }
    }
}

/// A final dot is no other name, and rustls sends none in server_name.
#[test]
fn a_final_dot_is_no_other_name() {
    let (vendor, device, acceptor) = scene();
    let name = device.name.clone();
    let acceptor = acceptor.only_if(move |hello, _| {
        assert_eq!(hello.server_name(), Some(&*name));
        true
    });
    let client = Arc::new(client(&vendor, NamePolicy::Required));
    for wanted in [format!("{}.", device.name), device.name.to_uppercase()] {
        let outcome = connect(&client, &wanted, &acceptor, ALL);
        assert!(matches!(outcome.peer(), Peer::Delegated { .. }));
    }
}
