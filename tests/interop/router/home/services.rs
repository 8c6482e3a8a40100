//! The router's services, as python-zeroconf finds them.

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Home, PATIENCE, Running};
use crate::{
    process::{run, run_ok},
    setup,
    tlslite::python,
};

#[test]
fn the_page_and_the_resolver_are_found_as_services_whose_host_is_the_name() {
    let Some(_) = setup::lab() else { return };
    let device = setup::vendor().enrol("router-home-found", "P-256", "named");
    let Some(home) = Home::new(&device, &[]) else {
        return;
    };
    home.settle();
    for interface in ["192.168.1.2", "fd00::2"] {
        let mut find = python("dns_sd.py");
        find.args([interface, "_https._tcp.local.", "_domain-s._tcp.local."]);
        let said = run(&mut home.client().command(&find));
        assert_eq!(said.exit, Some(0), "{said:?}");
        let found: Vec<Value> = { said.stdout.lines() }
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        for (service, port, path) in [
            ("_https._tcp.local.", 443, Some("/")),
            ("_domain-s._tcp.local.", 853, None),
        ] {
            let expected = json!({
                "name": format!("{}.{service}", device.name),
                "host": format!("{}.", device.name),
                "port": port,
                "path": path,
                "addresses": ["192.168.1.1", "fd00::1"],
            });
            assert!(found.contains(&expected), "{expected} in {found:?}");
        }
        assert_eq!(found.len(), 2, "{found:?}");
    }
}

#[test]
fn a_router_that_ends_takes_its_services_back() {
    let Some(_) = setup::lab() else { return };
    let device = setup::vendor().enrol("router-home-gone", "P-256", "named");
    let Some(mut home) = Home::new(&device, &[]) else {
        return;
    };
    home.settle();
    let mut find = python("dns_sd.py");
    find.args(["192.168.1.2", "--until-removed", "_https._tcp.local."]);
    let log = home.folder.join("found");
    let running = Running::start(&mut home.client().command(&find), &log);
    let said = |word: &str| {
        let until = Instant::now() + PATIENCE;
        loop {
            let said = fs::read_to_string(&log).unwrap();
            if said.contains(word) {
                return;
            }
            assert!(Instant::now() < until, "no {word} in {said}");
            thread::sleep(Duration::from_millis(20));
        }
    };
    said("\"host\"");
    let kill = format!("kill -TERM {}", home.router.pid());
    run_ok(Command::new("sh").args(["-c", &kill]));
    // Long before the two minutes that a client may keep what it knows.
    said("removed");
    assert_eq!(home.router.wait_for_end(), Some(0));
    drop(running);
}
