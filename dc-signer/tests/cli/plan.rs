//! `plan`: what a fleet will do, as a user sees it.

use serde_json::Value;

use crate::sandbox::Sandbox;

const SMALL: [&str; 7] = ["plan", "--devices", "2000", "--rate", "1", "--run", "12d"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&SMALL[..], more].concat()
}

#[test]
fn a_small_fleet_is_shown_in_tables_that_are_always_the_same() {
    let sandbox = Sandbox::empty();
    let said = sandbox
        .run(&with(&["--outage", "signer,3d,72h"]))
        .succeeded();
    assert_eq!(said.trim_end(), GOLDEN.trim());
}

#[test]
fn devices_that_are_lost_are_the_exit_status_and_no_error() {
    let sandbox = Sandbox::empty();
    let outcome = sandbox.run(&with(&["--outage", "signer,1d,8d,50%", "--json"]));
    assert_eq!(outcome.code, Some(3));
    assert_eq!(outcome.stderr, "");
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let lost = report["fleet"]["lost"].as_u64().unwrap();
    assert!((900..1100).contains(&lost), "{lost}");
    assert!(
        lost <= report["parts"]["lost"]
            .as_array()
            .unwrap()
            .iter()
            .map(|n| n.as_u64().unwrap())
            .sum()
    );
}

#[test]
fn every_table_of_the_json_is_in_the_guide() {
    let sandbox = Sandbox::empty();
    let said = sandbox.run(&with(&["--json"])).succeeded();
    let report: Value = serde_json::from_str(&said).unwrap();
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/plan.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    for key in report.as_object().unwrap().keys() {
        assert!(guide.contains(&format!("`{key}`")), "{key}");
    }
}

#[test]
fn plots_are_drawn_into_a_folder_that_is_made() {
    let sandbox = Sandbox::empty();
    sandbox.run(&with(&["--svg", "plots"])).succeeded();
    assert_eq!(
        sandbox.names("plots"),
        ["issued.svg", "lost.svg", "requests.svg"]
    );
}

#[test]
fn the_sample_is_simulated_as_it_is_printed() {
    let sandbox = Sandbox::empty();
    let sample = sandbox.run(&["plan", "--sample"]).succeeded();
    std::fs::write(sandbox.path("plan.toml"), sample).unwrap();
    let file = sandbox.run(&with(&["--config", "plan.toml"])).succeeded();
    assert_eq!(file, sandbox.run(&SMALL).succeeded());
}

#[test]
fn what_a_file_may_not_say_the_command_line_may_not_either() {
    let sandbox = Sandbox::empty();
    for (options, said) in [
        (
            ["--outage", "signer,1d,0s"],
            "outages.length is 0s: use 1s to",
        ),
        (
            ["--outage", "signer,1d,500ms"],
            "outages.length is 500ms: use 1s to",
        ),
        (["--run", "0s"], "run is 0s: use 1h to"),
        (["--devices", "0"], "devices is 0: use 1 to 100000000"),
        (["--rate", "0"], "overload.rate is 0: use 1 to 100000"),
        (["--sites", "101"], "site.sites is 101: use 1 to 100"),
        (["--seed", "4294967296"], "seed is 4294967296: use 0 to"),
    ] {
        let outcome = sandbox.run(&[&["plan"][..], &options].concat());
        assert_eq!(outcome.code, Some(2), "{options:?}");
        assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
    }
}

#[test]
fn what_cannot_be_simulated_is_one_line_that_says_what_to_do() {
    let sandbox = Sandbox::empty();
    let few = sandbox.run(&["plan", "--devices", "1000000", "--rate", "1"]);
    assert_eq!(few.code, Some(1));
    assert!(few.stderr.contains("raise the rate"), "{}", few.stderr);
    let site = sandbox.run(&with(&["--outage", "site,1d,1h,2"]));
    assert!(
        site.stderr.contains("site 2 has an outage"),
        "{}",
        site.stderr
    );
}

const GOLDEN: &str = "
2,000 devices for 12 d, one site: 0.007 credentials a second are needed, 1.0 can be issued; 0.046 questions a second

THE FLEET
devices lost                  0 (0.00 %)
ended without power           0
without a credential, each    0 s
credentials issued            6,052
requests an issuance          1.00
told to come later            11
of these too late             0
zone could not issue          0
connections reset             0
signer not reached            45,383
questions after a start       0
most issued in a second       1
most connections in a second  4
signatures a second           20,000 (20000.0 times the most)

AFTER AN OUTAGE OF  FROM  UNTIL  BACKLOG  SERVED AFTER  REQUESTS EACH  PEAK
signer, for 100 %   3 d   6 d    1,813    3 h 52 min    1.01           0.38 × capacity

CAS, A YEAR                        CERTIFICATES  REQUESTS  IN THE RUN
one zone, certificates of 90 d     6.1           43        orders: 0, in vain: 0
one for each device by ACME, 47 d  23,000        163,000

EXPOSURE
devices stolen in a year                         2.0
a device's credential ends after                 6 d 5 h for half of them, 8 d 19 h for 99 %, 8 d 19 h at most
a stolen key: the last device hears of it after  14 h
and has left the certificate after               20 h
and nothing issued with it is valid after        6 d 20 h
a client 6 h behind refuses a device             2.6 % of the time

SPACE                           SQLITE   POSTGRESQL
devices, names and the history  5.9 MB   8.1 MB
audit log, a year               46.1 MB  62.7 MB
the same in archives            96.7 MB  96.7 MB
the same, compressed            29.9 MB  29.9 MB
";
