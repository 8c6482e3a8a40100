//! Names over TLS, HTTPS and QUIC, asked for by our client, which wants the router's own name.

use std::net::UdpSocket;

use super::{
    Options, Over,
    client::Dot,
    upstream::{BIG, Upstream},
};
use crate::{connection::connect, setup};

const ALL: [Over; 3] = [Over::Dot, Over::Doh, Over::Doq];

#[test]
fn names_are_found_and_answers_come_as_they_are_ready() {
    let Some(_) = setup::lab() else { return };
    let (vendor, upstream) = (setup::vendor(), Upstream::start());
    let device = vendor.enrol("router", "P-256", "both");
    let router = Options::new(&device.identity, &upstream).start();
    for over in ALL {
        let names = ["slow.example", "www.example", "www2.example"];
        let said = router.asked(over, &vendor.root(), &device, &names);
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[0], format!("peer {}", device.name));
        assert_eq!(lines.len(), 4, "{said}");
        for name in names {
            let expected = format!("{name}. A: No Error, 192.0.2.1 192.0.2.2");
            assert!(lines.contains(&expected.as_str()), "{expected} in {said}");
        }
        assert!(lines[3].starts_with("slow."), "{over:?}: {said}");
    }
    let none = router.asked(Over::Dot, &vendor.root(), &device, &["none.example"]);
    assert!(none.contains("Non-Existent Domain"), "{none}");
}

#[test]
fn hundreds_of_questions_at_once_are_all_answered() {
    let Some(_) = setup::lab() else { return };
    let (vendor, upstream) = (setup::vendor(), Upstream::start());
    let device = vendor.enrol("router-busy", "P-256", "named");
    let router = Options::new(&device.identity, &upstream).start();
    let names: Vec<String> = (0..500).map(|n| format!("name{n}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for over in ALL {
        let said = router.asked(over, &vendor.root(), &device, &names);
        assert_eq!(
            said.matches("A: No Error, 192.0.2.1").count(),
            500,
            "{said}"
        );
    }
}

#[test]
fn the_upstream_is_asked_with_fresh_ids_and_ports_and_forged_answers_are_not_taken() {
    let Some(_) = setup::lab() else { return };
    let (vendor, upstream) = (setup::vendor(), Upstream::start());
    let device = vendor.enrol("router-forged", "P-256", "named");
    let router = Options::new(&device.identity, &upstream).start();
    let said = router.asked(Over::Dot, &vendor.root(), &device, &["forged.example"; 8]);
    assert!(!said.contains("192.0.2.66"), "{said}");
    assert_eq!(said.matches("192.0.2.1 192.0.2.2").count(), 8, "{said}");
    let said = router.asked(Over::Dot, &vendor.root(), &device, &["swapped.example"]);
    assert!(
        said.contains("swapped.example. A: Server Failure, no records"),
        "{said}"
    );
    let asked = upstream.asked("forged.");
    assert!(asked.len() >= 8, "{asked:?}");
    let distinct = |of: &mut Vec<u16>| {
        of.sort_unstable();
        of.dedup();
        of.len()
    };
    // Ids are random: two of eight are the same once in 2,300 times, three never.
    let ids = distinct(&mut asked.iter().map(|asked| asked.id).collect());
    let ports = distinct(&mut asked.iter().map(|asked| asked.port).collect());
    assert!(ids >= 7 && ports >= 7, "{asked:?}");
}

#[test]
fn what_is_truncated_is_fetched_over_tcp() {
    let Some(_) = setup::lab() else { return };
    let (vendor, upstream) = (setup::vendor(), Upstream::start());
    let device = vendor.enrol("router-big", "P-256", "named");
    let router = Options::new(&device.identity, &upstream).start();
    for over in ALL {
        let query = ["--type", "TXT", "big.example"];
        let said = router.asked(over, &vendor.root(), &device, &query);
        assert_eq!(said.matches(&"0".repeat(190)).count(), BIG, "{said}");
    }
    assert_eq!(upstream.asked("big.").len(), 2 * ALL.len());
}

#[test]
fn without_the_upstream_clients_are_told_so() {
    let Some(_) = setup::lab() else { return };
    let (vendor, upstream) = (setup::vendor(), Upstream::start());
    let device = vendor.enrol("router-down", "P-256", "named");
    let root = vendor.root();
    let router = Options::new(&device.identity, &upstream).start();
    let said = router.asked(
        Over::Dot,
        &root,
        &device,
        &["silent.example", "www.example"],
    );
    assert!(said.contains("silent.example. A: Server Failure"), "{said}");
    assert!(said.contains("www.example. A: No Error"), "{said}");
    // A port that was just free: nobody listens.
    let nobody = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let options = Options::new(&device.identity, &upstream).upstream(nobody);
    let router = options.start();
    for over in ALL {
        let said = router.asked(over, &root, &device, &["www.example"]);
        assert!(said.contains("www.example. A: Server Failure"), "{said}");
    }
    assert!(router.server.says(": it did not answer in time", 0));
}

#[test]
fn the_router_is_the_designated_resolver_and_says_so_itself() {
    let Some(_) = setup::lab() else { return };
    let (vendor, upstream) = (setup::vendor(), Upstream::start());
    let device = vendor.enrol("router-designated", "P-256", "named");
    let router = Options::new(&device.identity, &upstream).start();
    let query = ["--type", "SVCB", "_dns.resolver.arpa"];
    for over in ALL {
        let said = router.asked(over, &vendor.root(), &device, &query);
        for (priority, protocol) in [(1, "doq"), (2, "dot"), (3, "h3"), (4, "h2,http/1.1")] {
            let service = format!("{priority} {}. alpn={protocol}", device.name);
            assert!(said.contains(&service), "{service} in {said}");
        }
        for part in [
            format!("port={}", router.doq),
            format!("port={}", router.dot),
            format!("port={}", router.http3),
            format!("port={}", router.https),
            "ipv4hint=127.0.0.1".to_owned(),
        ] {
            assert!(said.contains(&part), "{part} in {said}");
        }
    }
    let other = ["--type", "TXT", "anything.resolver.arpa"];
    let said = router.asked(Over::Dot, &vendor.root(), &device, &other);
    assert!(said.contains("No Error"), "{said}");
    assert!(upstream.asked("_dns.").is_empty() && upstream.asked("anything.").is_empty());
}

#[test]
fn a_router_of_another_name_gets_no_question_and_shows_no_name() {
    let Some(_) = setup::lab() else { return };
    let (vendor, upstream) = (setup::vendor(), Upstream::start());
    let device = vendor.enrol("router-right", "P-256", "both");
    let twin = vendor.enrol("router-twin", "P-256", "both");
    let router = Options::new(&twin.identity, &upstream).start();
    for over in ALL {
        let outcome = router.ask(over, &vendor.root(), &device.name, &["secret.example"]);
        assert_eq!(outcome.exit, Some(1), "{outcome:?}");
        let told = match over {
            Over::Dot | Over::Doh => "HandshakeFailure",
            // The number of that alert.
            Over::Doq => "error 40",
        };
        assert!(outcome.stderr.contains(told), "{outcome:?}");
        assert!(!outcome.stderr.contains(&twin.name), "{outcome:?}");
    }
    assert!(upstream.asked("secret.").is_empty());
}

#[tokio::test]
async fn no_port_speaks_what_belongs_to_the_other() {
    let Some(_) = setup::lab() else { return };
    let (vendor, upstream) = (setup::vendor(), Upstream::start());
    let device = vendor.enrol("router-alpn", "P-256", "named");
    let router = Options::new(&device.identity, &upstream).start();
    let root = vendor.root();
    for (port, alpn, is_spoken) in [
        (router.dot, "dot", true),
        (router.dot, "h2", false),
        (router.https, "h2", true),
        (router.https, "dot", false),
    ] {
        let connected = connect(port, &root, &device.name, alpn).await;
        assert_eq!(connected.is_ok(), is_spoken, "{alpn}: {connected:?}");
    }
}

#[tokio::test]
async fn garbage_is_answered_or_ends_the_connection_and_harms_nobody_else() {
    let Some(_) = setup::lab() else { return };
    let (vendor, upstream) = (setup::vendor(), Upstream::start());
    let device = vendor.enrol("router-garbage", "P-256", "named");
    let router = Options::new(&device.identity, &upstream).start();
    let mut good = Dot::connect(&router, &vendor.root(), &device.name)
        .await
        .unwrap();
    let mut bad = Dot::connect(&router, &vendor.root(), &device.name)
        .await
        .unwrap();
    // A header that promises 65535 questions, and nothing behind it.
    let header = [0xab, 0xcd, 1, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0];
    bad.send(&header).await;
    let answer = bad.receive().await.unwrap();
    assert_eq!(answer[..2], header[..2]);
    assert_eq!(answer[3] & 0x0f, 1, "FORMERR: {answer:?}");
    bad.send(&[1, 2, 3]).await;
    assert!(bad.receive().await.is_none());
    assert_eq!(good.resolve("www.example.").await, "192.0.2.1 192.0.2.2");
    assert!(
        !router.server.text().contains("panicked"),
        "{}",
        router.server.text()
    );
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_no_more() {
    let Some(_) = setup::lab() else { return };
    let (vendor, upstream) = (setup::vendor(), Upstream::start());
    let device = vendor.enrol("router-crowd", "P-256", "named");
    let router = Options::new(&device.identity, &upstream).start();
    let root = vendor.root();
    let mut silent = Vec::new();
    for _ in 0..32 {
        silent.push(
            connect(router.https, &root, &device.name, "h2")
                .await
                .unwrap(),
        );
    }
    assert!(Dot::connect(&router, &root, &device.name).await.is_err());
    drop(silent);
    // That they are gone takes the router a moment to see.
    let mut attempts = 0;
    let mut client = loop {
        match Dot::connect(&router, &root, &device.name).await {
            Ok(client) => break client,
            Err(error) => assert!(attempts < 200, "{error}"),
        }
        attempts += 1;
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };
    assert_eq!(client.resolve("www.example.").await, "192.0.2.1 192.0.2.2");
}
