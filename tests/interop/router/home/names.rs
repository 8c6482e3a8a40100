//! The router's name in DNS, as kdig gets it at home and outside.

use super::Home;
use crate::{lab::NAME, setup};

#[test]
fn the_name_is_answered_at_home_over_udp_and_tcp_and_to_nobody_outside() {
    let Some(lab) = setup::lab() else { return };
    let device = setup::vendor().enrol("router-home-names", "P-256", "both");
    let (chain, key) = lab.ordinary();
    let [chain, key] = [chain, key].map(|path| path.display().to_string());
    let fallback = ["--fallback-cert", &chain, "--fallback-key", &key];
    let Some(home) = Home::new(&device, &fallback) else {
        return;
    };
    home.settle();
    let name = &device.name;
    for server in ["192.168.1.1", "fd00::1"] {
        for over in ["+notcp", "+tcp"] {
            for (of, data) in [("A", "192.168.1.1"), ("AAAA", "fd00::1")] {
                let said = home.kdig(&home.inside, &format!("@{server} {over} {name} {of}"));
                let record = format!("{name}. 60 IN {of} {data}");
                let has =
                    |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ") == record;
                assert!(said.stdout.lines().any(has), "{record} in {said:?}");
                assert!(said.stdout.contains("Flags: qr aa rd ra;"), "{said:?}");
            }
        }
    }
    for (question, parts) in [
        (
            format!("{name} HTTPS"),
            &[
                "NOERROR",
                "1 . alpn=h2 ipv4hint=192.168.1.1 ipv6hint=fd00::1",
            ][..],
        ),
        (format!("{name} TXT"), &["NOERROR", "ANSWER: 0", "SOA"]),
        // The upstream's: it knows neither.
        (format!("www.{name} A"), &["REFUSED"]),
        (format!("{name} DS"), &["REFUSED"]),
        ("www.example A".to_owned(), &["NOERROR", "192.0.2.7"]),
        (
            "_dns.resolver.arpa SVCB".to_owned(),
            &["alpn=dot", "ipv4hint=192.168.1.1"],
        ),
    ] {
        let said = home.kdig(&home.inside, &format!("@192.168.1.1 {question}"));
        for part in parts {
            assert!(said.stdout.contains(part), "{question}: {part} in {said:?}");
        }
    }
    for server in ["192.168.1.1", "203.0.113.1"] {
        for over in ["+notcp", "+tcp"] {
            for name in [name, "www.example"] {
                let question = format!("@{server} {over} +timeout=1 +retry=0 {name} A");
                let said = home.kdig(&home.outside, &question);
                assert!(!said.stdout.contains("status:"), "{question}: {said:?}");
            }
        }
    }
    let tls = format!("+tls-ca={} +tls-hostname={NAME}", lab.root().display());
    let question = format!("@203.0.113.1 {tls} {name} A");
    let said = home.kdig(&home.outside, &question);
    assert!(said.stdout.contains("status: REFUSED"), "{said:?}");
    let question = format!("@192.168.1.1 {tls} {name} A");
    let said = home.kdig(&home.inside, &question);
    assert!(said.stdout.contains("192.168.1.1\n"), "{said:?}");
}

#[test]
fn what_does_not_fit_a_packet_is_fetched_over_tcp() {
    let Some(_) = setup::lab() else { return };
    let device = setup::vendor().enrol("router-home-big", "P-256", "named");
    let Some(home) = Home::new(&device, &[]) else {
        return;
    };
    home.settle();
    let cut = home.kdig(
        &home.inside,
        "@192.168.1.1 +ignore +bufsize=4096 big.example TXT",
    );
    assert!(cut.stdout.contains("Flags: qr tc"), "{cut:?}");
    assert!(cut.stdout.contains("ANSWER: 0"), "{cut:?}");
    let whole = home.kdig(&home.inside, "@192.168.1.1 +bufsize=4096 big.example TXT");
    assert!(whole.stdout.contains("ANSWER: 10"), "{whole:?}");
}
