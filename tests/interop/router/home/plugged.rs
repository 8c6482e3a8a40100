//! A client that has plugged its cable in and been told the rest by DHCP.

use std::{net::Ipv4Addr, process::Command};

use super::Home;
use crate::{firefox, ours, process::run, setup};

/// Of Firefox nothing is configured but that it trusts the vendor, and that it takes credentials; the form that it knows
/// has no name in it.
#[test]
fn firefox_at_home_opens_the_page_by_the_routers_name() {
    let Some(_) = setup::lab() else { return };
    let vendor = setup::vendor();
    let device = vendor.enrol("router-home-firefox", "P-256", "both");
    let Some(home) = Home::new(&device, &[]) else {
        return;
    };
    let (_plugged, told) = home.plug_in();
    let addresses = home
        .inside
        .sh("ip -oneline address show dev eth0 scope global");
    let address = |of: &str| -> String {
        let (_, behind) = addresses.split_once(of).unwrap();
        behind.split('/').next().unwrap().trim().to_owned()
    };
    for (options, own) in [
        (&["--by-dns"][..], address("inet6 ")),
        (&["--by-dns", "--without-ipv6"], address("inet ")),
    ] {
        let url = format!("https://{}/", device.name);
        let page = firefox::pages_seen(&home.client(), &vendor.root(), options, url);
        assert_eq!(
            page.delegated(),
            Some(true),
            "{page:?}\n{told}\n{}",
            home.router.text()
        );
        let body = page.body().unwrap();
        for text in [
            device.name.as_str(),
            &own,
            "This page came with a credential (RFC 9345).",
        ] {
            assert!(body.contains(text), "{text} in:\n{body}");
        }
    }
}

/// RFC 9463 §5.1, read by hand: priority, name and addresses of the first instance, and its port.
#[test]
fn whom_dhcp_has_told_the_name_reaches_that_resolver_and_no_other() {
    let Some(_) = setup::lab() else { return };
    let vendor = setup::vendor();
    let device = vendor.enrol("router-home-told", "P-256", "named");
    let Some(home) = Home::new(&device, &[]) else {
        return;
    };
    let (_plugged, told) = home.plug_in();
    let option = |name: &str| {
        let line = told.lines().find_map(|line| line.strip_prefix(name));
        bytes(line.unwrap_or_else(|| panic!("no {name} in {told}")))
    };
    let v4 = option("new_dnr=");
    let length = usize::from(u16::from_be_bytes([v4[0], v4[1]]));
    let instance = &v4[2..2 + length];
    assert_eq!(instance[..2], [0, 1]);
    let (name, rest) = instance[3..].split_at(instance[2].into());
    let name = labels(name);
    assert_eq!(name, device.name);
    assert_eq!(rest[0], 4);
    let address = Ipv4Addr::new(rest[1], rest[2], rest[3], rest[4]);
    // alpn "dot", and the port.
    assert_eq!(rest[5..13], *b"\0\x01\0\x04\x03dot");
    assert_eq!(rest[13..17], [0, 3, 0, 2]);
    let port = u16::from_be_bytes([rest[17], rest[18]]);
    // DHCPv6 has two bytes for each length, and no length of its own in it.
    let v6 = option("new_dhcp6_dnr=");
    let length = usize::from(u16::from_be_bytes([v6[2], v6[3]]));
    assert_eq!(labels(&v6[4..4 + length]), device.name);
    assert_eq!(v6[4 + length..][..2], [0, 16]);

    let ask = |name: &str| {
        let mut client = Command::new(ours::example_path("dns_client"));
        client
            .arg("--root")
            .arg(vendor.root())
            .args(["--name", name]);
        client.args(["--dot", &format!("{address}:{port}"), "www.example"]);
        run(&mut home.client().command(&client))
    };
    let answer = ask(&name);
    assert!(answer.stdout.contains("192.0.2.7"), "{answer:?}");
    let twin = ask("twin.cpe.example.com");
    assert_eq!(twin.exit, Some(1), "{twin:?}");
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.trim().bytes().collect();
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// A name in DNS's own encoding.
fn labels(mut name: &[u8]) -> String {
    let mut labels = Vec::new();
    while let [length @ (1..), rest @ ..] = name {
        let (label, behind) = rest.split_at(usize::from(*length));
        labels.push(str::from_utf8(label).unwrap());
        name = behind;
    }
    assert_eq!(name, [0]);
    labels.join(".")
}
