//! What refusals and reloads leave in the log.

use std::cell::RefCell;
use std::io;
use std::sync::Once;

use dc_core::Form;
use dc_rustls::client::NamePolicy;
use dc_rustls::server::{Acceptor, Store};
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::pki_types::ServerName;
use tokio::io::duplex;
use tokio::runtime::Builder;
use tracing::Level;

use crate::setup::{acceptor, careless_acceptor, client, stock_server};

thread_local! {
    /// What this thread has logged.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct ThreadLog;

impl io::Write for ThreadLog {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(buf));
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is logged while this runs, by this thread.
///
/// One subscriber for the whole program: one for each thread would miss events that another thread, without
/// any, came across first.
pub(crate) fn logged(work: impl FnOnce()) -> String {
    static SUBSCRIBER: Once = Once::new();
    SUBSCRIBER.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(Level::DEBUG)
            .with_ansi(false)
            .with_writer(|| ThreadLog)
            .init();
    });
    LOG.take();
    work();
    String::from_utf8(LOG.take()).unwrap()
}

/// Both ends on this thread.
fn meet(vendor: &Vendor, wanted: &str, acceptor: &Acceptor) {
    let (near, far) = duplex(1 << 14);
    let client = client(vendor, NamePolicy::Required);
    let name = ServerName::try_from(wanted.to_owned()).unwrap();
    let runtime = Builder::new_current_thread().build().unwrap();
    let (near, far) = runtime.block_on(async {
        tokio::join!(client.connect_async(name, near), acceptor.accept_async(far))
    });
    assert!(near.is_err() && far.is_err());
}

#[test]
fn a_refused_server_is_told_with_the_name_the_alert_and_the_reason() {
    let vendor = Vendor::default();
    let twin = careless_acceptor(vendor.enrol(&Device::new("twin"), &[Form::Named]));
    let text = logged(|| meet(&vendor, "router.cpe.example.com", &twin));
    let line = text.lines().find(|line| line.contains("refused a server"));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    for part in [
        "WARN",
        "server=router.cpe.example.com",
        "IllegalParameter",
        "twin.cpe",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[test]
fn a_client_that_nothing_suits_is_told_at_debug() {
    let vendor = Vendor::default();
    let empty = Acceptor::new(Store::new(provider()));
    let text = logged(|| meet(&vendor, "router.cpe.example.com", &empty));
    let line = text.lines().find(|line| line.contains("did not serve"));
    assert!(line.is_some_and(|line| line.contains("DEBUG")), "{text}");
}

#[test]
fn a_client_that_wants_another_device_is_told_at_debug_with_both_names() {
    let vendor = Vendor::default();
    let camera = acceptor(&vendor, &Device::new("camera"), &[Form::Named]);
    let falls_back = camera.clone().fallback(stock_server(&vendor));
    for (acceptor, what) in [
        (camera, "did not serve"),
        (falls_back, "served a client with"),
    ] {
        let text = logged(|| meet(&vendor, "router.cpe.example.com", &acceptor));
        let line = text.lines().find(|line| line.contains(what));
        let line = line.unwrap_or_else(|| panic!("{text}"));
        for part in ["DEBUG", "router.cpe.example.com", "camera.cpe.example.com"] {
            assert!(line.contains(part), "{part}: {line}");
        }
    }
}

#[test]
fn an_installed_identity_is_told_with_its_end_and_without_its_key() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let store = Store::new(provider());
    let forms = [Form::Named, Form::Rfc9345];
    let text = logged(|| store.install(vendor.enrol(&device, &forms)).unwrap());
    let line = text
        .lines()
        .find(|line| line.contains("installed an identity"));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    for part in ["INFO", "credentials=2", "expires="] {
        assert!(line.contains(part), "{part}: {line}");
    }
}
