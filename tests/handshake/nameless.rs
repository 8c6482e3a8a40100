//! Clients that offer to take a named credential without saying for which name.

use dc_core::Form;
use dc_rustls::Error;
use dc_rustls::server::{Acceptor, Served, Settings, Store};
use dc_tests::message::{add_extensions, remove_extension, server_name};
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::{AlertDescription as Alert, ProtocolVersion};

use crate::offers::{Answer, assert_got_a_credential, list, pretender};
use crate::setup::{ALL, acceptor, stock_server};

const SERVER_NAME: u16 = 0;

/// A stock client that says it takes named credentials of the server that it calls `name`.
fn scan(
    vendor: &Vendor,
    name: Option<&'static str>,
    acceptor: &Acceptor,
) -> (Result<ProtocolVersion, rustls::Error>, Answer) {
    let change = move |hello: &[u8]| {
        let hello = add_extensions(
            &remove_extension(hello, SERVER_NAME),
            &list(0xff22, &[4, 3]),
        );
        match name {
            Some(name) => add_extensions(&hello, &server_name(name)),
            None => hello,
        }
    };
    pretender(vendor, change, &rustls::version::TLS13, acceptor, ALL)
}

#[test]
fn who_scans_addresses_learns_no_name() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let alone = acceptor(&vendor, &device, &[Form::Named]);
    let with_fallback = alone.clone().fallback(stock_server(&vendor));
    let other = Some("camera.cpe.example.com");
    for name in [None, other, Some("192.0.2.1")] {
        let (client, server) = scan(&vendor, name, &alone);
        let alert = rustls::Error::AlertReceived(Alert::HandshakeFailure);
        assert_eq!(client, Err(alert));
        match server {
            Err(Error::NothingForName { wanted, held }) => {
                assert_eq!(held.as_str(), device.name);
                assert_eq!(wanted.as_deref(), name.filter(|_| name == other));
            }
            other => panic!("{other:?}"),
        }
        let (_, server) = scan(&vendor, name, &with_fallback);
        assert_eq!(server.unwrap(), Served::Certificate);
    }
    assert_got_a_credential(scan(&vendor, Some("router.cpe.example.com"), &alone));
    assert_got_a_credential(scan(&vendor, Some("ROUTER.cpe.example.com"), &alone));
}

#[test]
fn an_operator_can_serve_clients_that_send_no_name_but_none_that_send_another() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let store = Store::with_settings(Settings::new(provider()).named_without_server_name());
    store
        .install(vendor.enrol(&device, &[Form::Named]))
        .unwrap();
    let acceptor = Acceptor::new(store).fallback(stock_server(&vendor));
    assert_got_a_credential(scan(&vendor, None, &acceptor));
    // rustls takes an address for no name at all, but it is not the device's.
    for other in ["camera.cpe.example.com", "192.0.2.1", "2001:db8::1"] {
        let (_, server) = scan(&vendor, Some(other), &acceptor);
        assert_eq!(server.unwrap(), Served::Certificate, "{other}");
    }
}
