//! Servers that are to a client what a vector says of its peer.

use std::sync::Arc;
use std::time::Duration;

use dc_rustls::client::Peer;
use dc_rustls::server::{Acceptor, Identity, Settings, Store};
use dc_tests::vendor::{Device, Key, Vendor};
use dc_vectors::format::Form;
use dc_vectors::format::handshakes::Accepted;
use rustls::time_provider::TimeProvider;

use super::{backend, form};
use crate::setup::{Clock, stock_server};

/// A server that is `peer` to whoever wants to reach `name`, with a certificate that has these dNSNames.
pub(super) struct Home {
    pub(super) vendor: Vendor,
    pub(super) acceptor: Acceptor,
}

impl Home {
    pub(super) fn new(peer: &Accepted, name: &str, dns_names: &[String], clock: &Clock) -> Self {
        let vendor = Vendor::with_names(dns_names);
        let settings = Settings::new(backend().provider())
            .time_provider(Arc::new(clock.clone()))
            .expiry_margin(Duration::ZERO);
        let store = Store::with_settings(settings);
        let acceptor = Acceptor::new(Arc::clone(&store));
        let Some((form, expires)) = peer.form.zip(peer.expires) else {
            let config = stock_server(&vendor);
            return Self {
                vendor,
                acceptor: acceptor.fallback(config),
            };
        };
        let name = peer.unique_name.clone().unwrap_or_else(|| name.to_owned());
        store
            .install(identity(&vendor, name, form, expires, clock))
            .unwrap();
        Self { vendor, acceptor }
    }
}

fn identity(vendor: &Vendor, name: String, own: Form, expires: u64, clock: &Clock) -> Identity {
    let device = Device {
        name,
        key: Key::p256(),
    };
    let now = clock.current_time().unwrap();
    let lifetime = Duration::from_secs(expires - now.as_secs());
    let stored = vendor.issue_at(&device, form(own), now, lifetime);
    Identity::new(vendor.chain(), vec![stored], device.key.private_key())
}

/// A peer, as vectors describe one.
pub(super) fn accepted(peer: &Peer) -> Accepted {
    match peer {
        Peer::Delegated {
            form,
            unique_name,
            expires,
            ..
        } => Accepted {
            form: Some(match form {
                dc_core::Form::Rfc9345 => Form::Rfc9345,
                dc_core::Form::Named => Form::Named,
            }),
            unique_name: unique_name.as_ref().map(|name| name.as_str().to_owned()),
            expires: Some(expires.as_secs()),
        },
        _ => Accepted {
            form: None,
            unique_name: None,
            expires: None,
        },
    }
}
