//! kdig: a DNS client that knows no credentials, and is served the fallback certificate.

use std::{path::Path, process::Command};

use super::{Options, upstream::Upstream};
use crate::{
    lab::NAME,
    process::{Outcome, run},
    setup,
};

fn kdig(port: u16, root: &Path, name: &str, options: &[&str]) -> Outcome {
    run(Command::new("kdig")
        .args(["-d", "@127.0.0.1", "-p", &port.to_string()])
        .arg(format!("+tls-ca={}", root.display()))
        .arg(format!("+tls-hostname={name}"))
        .args(options))
}

#[test]
fn kdig_is_served_the_fallback_certificate_over_tls_https_and_quic() {
    let Some(lab) = setup::lab() else { return };
    let (vendor, upstream) = (setup::vendor(), Upstream::start());
    let device = vendor.enrol("router-kdig", "P-256", "both");
    let router = Options::new(&device.identity, &upstream)
        .fallback(lab.ordinary())
        .start();
    let question = ["www.example", "A"];
    for (port, options) in [
        (router.dot, &["+tls"][..]),
        (router.https, &["+https"]),
        (router.https, &["+https", "+https-get"]),
        (router.doq, &["+quic"]),
    ] {
        let options = [options, &question].concat();
        let outcome = kdig(port, &lab.root(), NAME, &options);
        assert_eq!(outcome.exit, Some(0), "{outcome:?}");
        // The fallback certificate has a P-384 key, the credential a P-256 key.
        for text in ["status: NOERROR", "192.0.2.1", "ECDSA-SECP384R1-SHA384"] {
            assert!(outcome.stdout.contains(text), "{text}: {}", outcome.stdout);
        }
        // It pads its query, so the answer is padded (RFC 7830), to 468 bytes (RFC 8467).
        for text in ["PADDING: ", "Received 468 B"] {
            assert!(outcome.stdout.contains(text), "{text}: {}", outcome.stdout);
        }
    }
}

/// A client that nobody here wrote reads what is designated, wherever it asks, and can go there.
#[test]
fn kdig_reads_what_is_designated_and_finds_it_there() {
    let Some(lab) = setup::lab() else { return };
    let (vendor, upstream) = (setup::vendor(), Upstream::start());
    let device = vendor.enrol("router-kdig-designated", "P-256", "both");
    let router = Options::new(&device.identity, &upstream)
        .fallback(lab.ordinary())
        .start();
    let question = ["_dns.resolver.arpa", "SVCB"];
    for (port, option) in [(router.dot, "+tls"), (router.doq, "+quic")] {
        let outcome = kdig(
            port,
            &lab.root(),
            NAME,
            &[&[option][..], &question].concat(),
        );
        let port = |protocol: &str| -> u16 {
            let alpn = format!("{}. alpn={protocol} port=", device.name);
            let behind = outcome.stdout.split_once(&alpn);
            let (_, behind) = behind.unwrap_or_else(|| panic!("no {alpn} in {outcome:?}"));
            let digits = behind.split(|c: char| !c.is_ascii_digit()).next();
            digits.unwrap().parse().unwrap()
        };
        let ask = ["+quic", "www.example", "A"];
        let found = kdig(port("doq"), &lab.root(), NAME, &ask);
        assert!(found.stdout.contains("192.0.2.1"), "{found:?}");
        let ask = ["+tls", "www.example", "A"];
        let found = kdig(port("dot"), &lab.root(), NAME, &ask);
        assert!(found.stdout.contains("192.0.2.1"), "{found:?}");
        assert_eq!(port("h3"), router.http3);
    }
}

#[test]
fn kdig_asks_nothing_of_a_router_that_is_somebody_else() {
    let Some(lab) = setup::lab() else { return };
    let (vendor, upstream) = (setup::vendor(), Upstream::start());
    let device = vendor.enrol("router-kdig-other", "P-256", "both");
    let router = Options::new(&device.identity, &upstream)
        .fallback(lab.ordinary())
        .start();
    let question = ["+tls", "+retry=0", "secret.example", "A"];
    let outcome = kdig(router.dot, &lab.root(), "other.example.net", &question);
    assert!(!outcome.stdout.contains("status: NOERROR"), "{outcome:?}");
    assert!(upstream.asked("secret.").is_empty());
}
