//! The operator's commands over a signer's database: what they say, store and refuse.

use serde_json::Value;

use crate::excluded::excluding_vendor;
use crate::sandbox::{NAME, Outcome, Sandbox, TOKEN};

/// A signer with a zone that can issue.
pub(crate) struct Signer(pub(crate) Sandbox);

impl Signer {
    pub(crate) fn new() -> Self {
        let sandbox = Sandbox::with_vendor();
        sandbox.write(
            "config.toml",
            "data = 'data'\n[listen]\naddress = '127.0.0.1:0'\ncertificate = 'c'\nkey = 'k'\n",
        );
        std::fs::create_dir(sandbox.path("data")).unwrap();
        let signer = Self(sandbox);
        let add = ["zones", "add", "cpe.example.com", "--import", "vendor"];
        let added = signer.run(&add).succeeded();
        assert!(added.contains("active"), "{}", added);
        signer
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.0
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.0.operate(arguments)
    }

    /// Each line of the output as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let outcome = self.run(&[arguments, &["--json"]].concat()).succeeded();
        let lines = outcome.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn show(&self, device: &str) -> Value {
        self.json(&["devices", "show", device]).remove(0)
    }
}

#[test]
fn a_device_is_added_once_and_shown_by_each_of_its_names() {
    let signer = Signer::new();
    let first = signer.json(&["devices", "add", "customer-1"]).remove(0);
    let again = signer.json(&["devices", "add", "customer-1"]).remove(0);
    assert_eq!(
        (&first["created"], &again["created"]),
        (&true.into(), &false.into())
    );
    assert_eq!(first["name"], again["name"]);
    for key in ["external_id", "id", "name"] {
        let shown = signer.show(first[key].as_str().unwrap());
        assert_eq!(shown["device"]["external_id"], "customer-1");
    }
    let shown = signer.run(&["devices", "show", "customer-1"]).succeeded();
    assert!(shown.contains("preregistered"), "{}", shown);
    signer
        .run(&["devices", "show", "customer-2"])
        .refused(&["no such device"]);
}

#[test]
fn states_change_and_the_log_has_every_step() {
    let signer = Signer::new();
    signer.run(&["devices", "add", "customer-1"]).succeeded();
    for (command, state) in [
        ("suspend", "suspended"),
        ("resume", "preregistered"),
        ("retire", "retired"),
    ] {
        let yes: &[&str] = if command == "retire" { &["--yes"] } else { &[] };
        let change = [&["devices", command, "customer-1"], yes].concat();
        let changed = signer.run(&change).succeeded();
        assert!(changed.contains(state), "{}", changed);
    }
    signer
        .run(&["devices", "resume", "customer-1"])
        .refused(&["retired"]);
    let shown = signer.show("customer-1");
    let acts = shown["history"].to_string();
    for action in ["suspend", "resume", "retire"] {
        assert!(acts.contains(action), "{acts}");
    }
    for word in ["operator:tester", "a test"] {
        assert!(acts.contains(word), "{acts}");
    }
    let verified = signer.run(&["audit", "verify"]).succeeded();
    assert!(verified.contains("none missing or changed"), "{}", verified);
}

#[test]
fn a_log_is_compared_with_its_checkpoints() {
    let signer = Signer::new();
    // RFC 8410 §7, around a seed of 32 bytes.
    signer.0.write(
        "audit.pem",
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUF\n-----END PRIVATE KEY-----\n",
    );
    signer.0.set_mode("audit.pem", 0o600);
    let make = ["audit", "checkpoint", "--key", "audit.pem", "--name", "log"];
    let make = [&make[..], &["--append", "checkpoints"]].concat();
    let made = signer.run(&make).succeeded();
    let key = made.lines().last().unwrap().to_owned();
    signer.run(&["devices", "add", "customer-1"]).succeeded();
    signer.run(&make).succeeded();
    let known = ["--checkpoints", "checkpoints", "--log-key", &key];
    let verify = [&["audit", "verify"][..], &known].concat();
    let verified = signer.run(&verify).succeeded();
    assert!(verified.contains("as 2 checkpoints say"), "{}", verified);
    let proven = [&["audit", "prove", "1"][..], &known].concat();
    let proven = signer.run(&proven).succeeded();
    assert!(proven.starts_with("c2sp.org/tlog-proof@v1\n"), "{}", proven);
    // The checkpoints of another log: this one has not gone so far.
    let other = Signer::new();
    let file = std::fs::read_to_string(signer.0.path("checkpoints")).unwrap();
    other.0.write("checkpoints", &file);
    let cut = other.run(&verify);
    assert_eq!(cut.code, Some(1), "{cut:?}");
    assert!(cut.stderr.contains("the audit log was"), "{cut:?}");
    let pem = std::fs::read_to_string(signer.0.path("audit.pem")).unwrap();
    other.0.write("audit.pem", &pem);
    other.0.set_mode("audit.pem", 0o600);
    other.run(&make).refused(&["the audit log was"]);
    assert_eq!(
        std::fs::read_to_string(other.0.path("checkpoints")).unwrap(),
        file
    );
    let torn = file.trim_end();
    other.0.write("checkpoints", torn);
    other.run(&verify).refused(&["checkpoints: "]);
    // Neither goes without the other.
    let alone = ["audit", "verify", "--checkpoints", "checkpoints"];
    assert_eq!(other.run(&alone).code, Some(2));
}

#[test]
fn a_file_is_added_line_by_line_and_a_bad_line_stops_no_other() {
    let signer = Signer::new();
    signer.0.write(
        "fleet.ndjson",
        "{\"external_id\":\"a\",\"code\":true}\nnonsense\n\n{\"external_id\":\"\"}\n{\"external_id\":\"b\",\"colour\":1}\n{\"external_id\":\"c\"}",
    );
    let add = ["devices", "add", "--file", "fleet.ndjson"];
    let outcome = signer.run(&[&add[..], &["--json"]].concat());
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("3 of 5 devices were refused"),
        "{}",
        outcome.stderr
    );
    let lines: Vec<Value> = outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let numbers: Vec<u64> = lines.iter().map(|l| l["line"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 4, 5, 6]);
    assert!(lines[0]["code"]["code"].is_string() && lines[1]["problem"].is_object());
    let again = signer.run(&add);
    assert!(
        again.stdout.contains("0 added, 2 known before, 3 refused"),
        "{}",
        again.stdout
    );
}

#[test]
fn the_command_line_says_zone_and_code_for_each_line_that_does_not() {
    let signer = Signer::new();
    signer.0.write(
        "fleet.ndjson",
        "{\"external_id\":\"a\"}\n{\"external_id\":\"b\",\"zone\":\"other.example\"}\n{\"external_id\":\"c\",\"code\":false}",
    );
    let add = ["devices", "add", "--file", "fleet.ndjson", "--code"];
    let outcome = signer.run(&[&add[..], &["--zone", "cpe.example.com"]].concat());
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let codes: Vec<&str> = outcome.stdout.lines().collect();
    let [a, c, total] = codes[..] else {
        panic!("{codes:?}")
    };
    assert!(a.starts_with("a ") && c.starts_with("c "), "{codes:?}");
    assert_eq!(total, "2 added, 0 known before, 1 refused");
    assert!(outcome.stderr.contains("line 2:"), "{}", outcome.stderr);
}

#[test]
fn a_file_is_read_whichever_editor_wrote_it_and_its_own_lines_are_named() {
    let signer = Signer::new();
    let long = "x".repeat(200_000);
    let fleet = format!(
        "\u{feff}{{\"external_id\":\"a\"}}\r\n[\"b\"]\r\n{long}\r\n{{\"external_id\":\"c\",\r\n\
         {{\"external_id\":\"d\",\"zone\":\"CPE.example.com.\"}}\r\n{{\"external_id\":\"e\"}}\r\n"
    );
    signer.0.write("fleet.ndjson", fleet);
    let outcome = signer.run(&["devices", "add", "--file", "fleet.ndjson"]);
    assert_eq!(
        outcome.stdout.trim_end(),
        "2 added, 0 known before, 4 refused"
    );
    let said: Vec<&str> = outcome.stderr.lines().collect();
    for (said, words) in said.iter().zip([
        "line 2: the JSON is wrong: expected an object, in braces, and found a list",
        "line 3: it has more than 65536 bytes",
        "line 4: the JSON is wrong at column 19: it is not JSON",
        "line 5: the zone is wrong: \"CPE.example.com.\" is not how a unique name is written: use cpe.example.com",
    ]) {
        assert_eq!(*said, words);
    }
    let utf16 = "\u{feff}{}\n".encode_utf16().flat_map(u16::to_le_bytes);
    signer.0.write("fleet.ndjson", utf16.collect::<Vec<u8>>());
    let outcome = signer.run(&["devices", "add", "--file", "fleet.ndjson"]);
    outcome.refused(&["fleet.ndjson", "save it as UTF-8"]);
}

#[test]
fn a_zone_that_is_not_there_is_refused_before_any_line_is() {
    let signer = Signer::new();
    signer
        .0
        .write("fleet.ndjson", "{\"external_id\":\"a\"}\nnonsense\n");
    let add = ["devices", "add", "--file", "fleet.ndjson", "--zone"];
    let outcome = signer.run(&[&add[..], &["other.example.com"]].concat());
    outcome.refused(&["no zone other.example.com", "zones list"]);
    let one = signer.run(&["devices", "add", "a", "--zone", "other.example.com"]);
    one.refused(&["no zone other.example.com"]);
    let dot = signer.run(&[&add[..], &["cpe.example.com."]].concat());
    assert_eq!(dot.code, Some(2), "{dot:?}");
    assert!(dot.stderr.contains("use cpe.example.com"), "{dot:?}");
    assert!(signer.json(&["devices", "list"]).is_empty());
}

#[test]
fn lists_are_cut_and_exports_are_whole() {
    let signer = Signer::new();
    let lines: String = (0..1500)
        .map(|number| format!("{{\"external_id\":\"customer-{number:04}\"}}\n"))
        .collect();
    signer.0.write("fleet.ndjson", lines);
    signer
        .run(&["devices", "add", "--file", "fleet.ndjson"])
        .succeeded();
    let list = signer.run(&["devices", "list", "--limit", "3"]);
    assert_eq!(list.code, Some(0));
    assert_eq!(list.stdout.lines().count(), 4, "{}", list.stdout);
    assert!(list.stderr.contains("there are more"), "{}", list.stderr);
    let export = signer.run(&["devices", "export"]).succeeded();
    assert_eq!(export.lines().count(), 1500);
    let some = signer.json(&["devices", "list", "--prefix", "customer-001"]);
    assert_eq!(some.len(), 10);
    assert!(
        signer
            .json(&["devices", "list", "--state", "active"])
            .is_empty()
    );
}

#[test]
fn a_code_is_printed_with_a_qr_code_and_again_only_as_another() {
    let signer = Signer::new();
    signer.run(&["devices", "add", "customer-1"]).succeeded();
    let first = signer.run(&["codes", "new", "customer-1"]).succeeded();
    assert!(first.contains('█'), "{}", first);
    let code = signer.json(&["codes", "new", "customer-1"]).remove(0);
    let code = code["code"].as_str().unwrap().to_owned();
    assert!(!first.contains(&code));
    assert_eq!(code.split('-').count(), 6);
    signer
        .run(&["devices", "retire", "customer-1", "--yes"])
        .succeeded();
    signer
        .run(&["codes", "new", "customer-1"])
        .refused(&["retired"]);
}

#[test]
fn many_devices_get_a_code_each_and_one_that_gets_none_stops_no_other() {
    let signer = Signer::new();
    for device in ["customer-1", "customer-2", "customer-3"] {
        signer.run(&["devices", "add", device]).succeeded();
    }
    let both = ["codes", "new", "customer-1", "customer-2"];
    let codes = signer.json(&both);
    assert_eq!(codes[1]["external_id"], "customer-2");
    assert_ne!(codes[0]["code"], codes[1]["code"]);
    signer
        .run(&["devices", "suspend", "customer-2"])
        .succeeded();
    let outcome = signer.run(&[&both[..], &["customer-3"]].concat());
    assert_eq!(outcome.code, Some(1));
    assert_eq!(outcome.stdout.lines().count(), 2);
    for words in ["customer-2  ", "suspended", "1 of 3 devices were refused"] {
        assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
    }
    // Somebody who is not there keeps nobody from a code.
    signer
        .0
        .write("customers.txt", "customer-1\n\n nobody \r\n");
    let outcome = signer.run(&["codes", "new", "--file", "customers.txt"]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stdout.starts_with("customer-1 "), "{outcome:?}");
    for words in ["nobody", "no such device", "1 of 2 devices"] {
        assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
    }
}

#[test]
fn what_can_be_done_to_many_is_done_and_the_rest_is_listed() {
    let signer = Signer::new();
    for device in ["a", "b", "c"] {
        signer.run(&["devices", "add", device]).succeeded();
    }
    signer.run(&["devices", "retire", "b", "--yes"]).succeeded();
    let all = ["devices", "suspend", "a", "nobody", "b", "c", "a"];
    let outcome = signer.run(&all);
    assert_eq!(outcome.code, Some(1));
    let done: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(done.len(), 2, "{outcome:?}");
    assert!(done[0].starts_with("a (") && done[1].starts_with("c ("));
    let said: Vec<&str> = outcome.stderr.lines().collect();
    assert_eq!(said.len(), 4, "{outcome:?}");
    assert!(said[0].starts_with("NOT DONE"));
    assert!(said[1].starts_with("nobody ") && said[1].contains("no such device"));
    assert!(said[2].starts_with("b ") && said[2].contains("retired for good"));
    assert!(said[3].contains("2 of 4 devices were refused"));
    // From a file, and for programs.
    signer.0.write("list", "a\nnobody\nb\nc");
    let outcome = signer.run(&["devices", "resume", "--file", "list", "--json"]);
    assert_eq!(outcome.code, Some(1));
    let lines = outcome.stdout.lines();
    let lines: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |line: &Value| (line["external_id"].clone(), line["device"].clone());
    let expected = [
        ("a", None),
        ("c", None),
        ("", Some("nobody")),
        ("", Some("b")),
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:?}");
    for (line, (external_id, device)) in lines.iter().zip(expected) {
        let name = Some(external_id).filter(|id| !id.is_empty());
        assert_eq!(of(line), (name.into(), device.into()));
    }
    assert_eq!(lines[2]["problem"]["status"], 404);
    assert_eq!(lines[0]["state"], "preregistered");
    signer.0.write("empty", "\n \n");
    signer
        .run(&["devices", "suspend", "--file", "empty"])
        .refused(&["empty names no device"]);
    signer.run(&["devices", "suspend"]).wrong_usage(&["DEVICE"]);
}

#[test]
fn nobody_is_retired_who_was_not_meant() {
    let signer = Signer::new();
    signer.run(&["devices", "add", "customer-1"]).succeeded();
    let retire = ["devices", "retire", "customer-1"];
    signer.run(&retire).refused(&["add --yes if it is meant"]);
    assert_eq!(
        signer.show("customer-1")["device"]["state"],
        "preregistered"
    );
    // At a terminal it asks.
    let asked = |answer: &str| {
        let program = env!("CARGO_BIN_EXE_dc-signer");
        let command = format!(
            "{program} {} --reason NOC-4711 --config config.toml",
            retire.join(" ")
        );
        let mut script = std::process::Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .env("DC_SIGNER_TOKEN_FILE", TOKEN)
            .current_dir(signer.0.path("."))
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        use std::io::Write as _;
        let mut stdin = script.stdin.take().unwrap();
        stdin.write_all(answer.as_bytes()).unwrap();
        let output = script.wait_with_output().unwrap();
        drop(stdin);
        String::from_utf8(output.stdout).unwrap()
    };
    let said = asked("no\n");
    for words in ["Retire customer-1 for good?", "nothing was changed"] {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(
        signer.show("customer-1")["device"]["state"],
        "preregistered"
    );
    asked("yes\n");
    assert_eq!(signer.show("customer-1")["device"]["state"], "retired");
    // And whoever adds it again is told.
    let added = signer
        .run(&["devices", "add", "customer-1", "--code"])
        .succeeded();
    for words in ["was added before, and is retired", "it gets no code"] {
        assert!(added.contains(words), "{added}");
    }
}

#[test]
fn a_load_that_is_sent_again_keeps_the_codes_that_were_printed() {
    let signer = Signer::new();
    signer.0.write(
        "fleet.ndjson",
        "{\"external_id\":\"a\",\"code\":true}\n{\"external_id\":\"b\",\"code\":true}",
    );
    let add = ["devices", "add", "--file", "fleet.ndjson"];
    let first = signer.json(&add);
    let again = signer.run(&[&add[..], &["--json"]].concat());
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(
        again.stderr.contains("2 have codes from before"),
        "{again:?}"
    );
    // What it recommends is a command that works.
    let file = ["codes", "new", "--file", "fleet.ndjson"];
    let command = format!("dc-signer {} --config config.toml", file.join(" "));
    assert!(again.stderr.contains(&command), "{again:?}");
    for (line, before) in again.stdout.lines().zip(&first) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["earlier_code_until"], before["code"]["expires"]);
        assert_eq!(line.get("code"), None);
    }
    let one = signer.run(&["devices", "add", "a", "--code"]).succeeded();
    let command = "dc-signer codes new a --config config.toml";
    assert!(one.contains(command), "{one}");
    assert_eq!(signer.json(&file).len(), 2);
}

#[test]
fn a_replaced_device_has_another_name_and_a_code() {
    let signer = Signer::new();
    let before = signer.json(&["devices", "add", "customer-1"]).remove(0);
    let after = signer
        .json(&["devices", "replace", "customer-1", "--new-name"])
        .remove(0);
    assert_ne!(before["name"], after["device"]["name"]);
    assert!(after["code"]["code"].is_string());
}

#[test]
fn a_zone_that_issues_both_forms_is_warned_of_until_it_does_not() {
    let signer = Signer::new();
    signer.run(&["zones", "list"]).succeeded();
    let forms = |forms| signer.run(&["zones", "forms", "cpe.example.com", forms]);
    for command in [forms("both"), signer.run(&["zones", "list"])] {
        let shown = command.warned(&[
            "issues both forms",
            "'dc-signer zones forms cpe.example.com named",
        ]);
        assert!(shown.contains("both"), "{shown}");
    }
    let zones = signer.run(&["zones", "list", "--json"]).succeeded();
    assert!(zones.contains("issues both forms"), "{zones}");
    // No device has got anything yet, so nothing is left of it.
    let shown = forms("named").succeeded();
    assert!(
        shown.contains("named") && !shown.contains("both"),
        "{shown}"
    );
    // One that issues nothing yet has promised nothing.
    let add = ["zones", "add", "other.example.com", "--forms", "both"];
    signer.run(&add).succeeded();
    forms("all").wrong_usage(&["named, both, rfc9345"]);
    signer
        .run(&["zones", "forms", "no.example.com", "named"])
        .refused(&["no such zone"]);
}

#[test]
fn the_devices_of_a_zone_are_asked_to_renew_and_that_is_taken_back() {
    let signer = Signer::new();
    let asked = || {
        let zone = signer.json(&["zones", "list"])[0][0].clone();
        assert_eq!(zone["zone"], "cpe.example.com");
        zone["renew_issued_before"].clone()
    };
    let pull = ["zones", "pull-renewals", "cpe.example.com"];
    assert_eq!(asked(), Value::Null);
    let said = signer.run(&pull).succeeded();
    assert!(said.contains("renew within 20 hours"), "{said}");
    let before = asked().as_u64().unwrap();
    let now = crate::sandbox::now().as_secs();
    assert!((now - 60..=now).contains(&before), "{before}");
    let said = signer.run(&[&pull[..], &["--undo"]].concat()).succeeded();
    assert!(said.contains("in their own time"), "{said}");
    assert_eq!(asked(), Value::Null);
    signer
        .run(&["zones", "pull-renewals", "no.example.com"])
        .refused(&["no such zone"]);
}

#[test]
fn the_name_of_a_suspended_device_goes_on_only_with_a_word_for_it() {
    let signer = Signer::new();
    let before = signer.json(&["devices", "add", "customer-1"]).remove(0);
    signer
        .run(&["devices", "suspend", "customer-1"])
        .succeeded();
    let name = before["name"].as_str().unwrap();
    let replace = ["devices", "replace", "customer-1"];
    signer.run(&replace).refused(&[
        name,
        "is suspended",
        "retire it",
        "--new-name",
        "--keep-name",
    ]);
    let keep = [&replace[..], &["--keep-name"]].concat();
    let kept = signer.json(&keep).remove(0);
    assert_eq!(kept["device"]["name"], before["name"]);
    let both = [&keep[..], &["--new-name"]].concat();
    signer.run(&both).wrong_usage(&["--new-name"]);
}

#[test]
fn a_zone_with_a_certificate_that_is_refused_is_not_added() {
    let signer = Signer::new();
    let zones = || signer.run(&["zones", "list"]).succeeded();
    let acts = || signer.run(&["audit", "list"]).succeeded();
    let before = (zones(), acts(), signer.0.names("data/delegations"));
    let add = ["zones", "add", "x.example.com", "--import"];
    let refused = |folder: &str, words: &str| {
        signer
            .run(&[&add[..], &[folder]].concat())
            .refused(&[words]);
        let after = (zones(), acts(), signer.0.names("data/delegations"));
        assert_eq!(after, before, "{folder}");
    };
    // Another zone's, with its key, and with another key.
    refused("vendor", "does not cover x.example.com");
    let init = |folder: &str| {
        let init = ["init", folder, "--zone", "x.example.com"];
        signer.0.run(&init).succeeded();
    };
    init("mixed");
    signer
        .0
        .write("mixed/key.pem", signer.0.read("vendor/key.pem"));
    refused("mixed", "key.pem");
    excluding_vendor(&signer.0, "excluding", &["example.com"]);
    refused("excluding", "x.example.com");
    refused("nowhere", "nowhere");
    // A device is added to the only zone, as before.
    signer.run(&["devices", "add", "customer-1"]).succeeded();
    init("right");
    let added = signer.run(&[&add[..], &["right"]].concat()).succeeded();
    assert!(added.contains("active"), "{added}");
    signer
        .run(&[&add[..], &["right"]].concat())
        .refused(&["there already"]);
}

#[test]
fn a_zone_that_was_never_used_is_removed_and_every_other_one_stays() {
    let signer = Signer::new();
    let add = ["zones", "add", "other.example.com"];
    let remove = ["zones", "remove", "other.example.com"];
    let only = ["devices", "add", "customer-1"];
    for _ in 0..2 {
        signer.run(&add).succeeded();
        signer.run(&only).refused(&["not exactly one zone"]);
        let removed = signer.run(&remove).succeeded();
        assert!(removed.contains("other.example.com is removed"));
        signer.run(&remove).refused(&["no such zone"]);
        signer.run(&only).succeeded();
    }
    let acts = signer.run(&["audit", "list"]).succeeded();
    assert_eq!(acts.matches("remove-zone").count(), 2, "{acts}");
    signer.run(&["audit", "verify"]).succeeded();
    signer.run(&add).succeeded();
    let device = ["devices", "add", "customer-2", "--zone"];
    signer
        .run(&[&device[..], &["other.example.com"]].concat())
        .succeeded();
    let remove_used = |zone: &str| {
        signer
            .run(&["zones", "remove", zone])
            .refused(&["has or had"]);
    };
    remove_used("other.example.com");
    remove_used("cpe.example.com");
}

#[test]
fn a_zone_moves_on_and_keeps_its_keys_to_itself() {
    let signer = Signer::new();
    signer
        .0
        .run(&["init", "vendor-2", "--zone", "cpe.example.com"])
        .succeeded();
    let roll = ["zones", "rollover", "cpe.example.com"];
    signer
        .run(&roll)
        .refused(&["no other delegation certificate"]);
    signer
        .run(&[&roll[..], &["--import", "vendor-2", "--now"]].concat())
        .succeeded();
    let zones = signer.json(&["zones", "list"]).remove(0);
    let states: Vec<&str> = zones[0]["slots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|slot| slot["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["draining", "active"]);
    let folders = signer.0.names("data/delegations");
    assert_eq!(folders.len(), 2);
    for folder in folders {
        assert_eq!(
            signer.0.mode(&format!("data/delegations/{folder}/key.pem")),
            0o600
        );
    }
    signer
        .run(&["zones", "add", "cpe.example.com"])
        .refused(&["there already"]);
    signer
        .0
        .run(&["init", "other", "--zone", "other.example.com"])
        .succeeded();
    signer
        .run(&[&roll[..], &["--import", "other"]].concat())
        .refused(&["does not cover"]);
}

#[test]
fn a_zone_moves_on_to_no_chain_that_excludes_it_and_is_warned_of_one_that_excludes_a_name() {
    let signer = Signer::new();
    let import = |subtree: &str| {
        excluding_vendor(&signer.0, "vendor-2", &[subtree]);
        let roll = ["zones", "rollover", "cpe.example.com"];
        signer.run(&[&roll[..], &["--import", "vendor-2"]].concat())
    };
    import("example.com").refused(&["excludes the names in \"example.com\""]);
    assert_eq!(signer.0.names("data/delegations").len(), 1);
    import(NAME).warned(&["vendor-2/chain.pem excludes k3v.cpe.example.com:"]);
    assert_eq!(signer.0.names("data/delegations").len(), 2);
}

#[test]
fn a_restored_backup_lets_nobody_back_in() {
    let signer = Signer::new();
    for device in ["kept", "suspended", "retired"] {
        signer.run(&["devices", "add", device]).succeeded();
    }
    signer.run(&["backup", "monday"]).succeeded();
    signer
        .run(&["backup", "monday"])
        .refused(&["monday exists"]);
    signer.run(&["devices", "suspend", "suspended"]).succeeded();
    signer
        .run(&["devices", "retire", "retired", "--yes"])
        .succeeded();
    let late = signer.json(&["devices", "add", "late"]).remove(0);
    let restored = signer.run(&["restore", "monday"]).succeeded();
    let lost = format!(
        "1 devices were added since and are lost: {}",
        late["name"].as_str().unwrap()
    );
    assert!(restored.contains(&lost), "{restored}");
    assert!(
        restored.contains("3 newer records: 2 devices were suspended, resumed or retired again"),
        "{}",
        restored
    );
    for (device, state) in [
        ("kept", "preregistered"),
        ("suspended", "suspended"),
        ("retired", "retired"),
    ] {
        assert_eq!(signer.show(device)["device"]["state"], state);
    }
    signer.run(&["restore", "--check"]).succeeded();
    signer.run(&["audit", "verify"]).succeeded();
}

#[test]
fn a_backup_brings_a_signer_back_on_a_new_machine() {
    let signer = Signer::new();
    let added = signer.json(&["devices", "add", "customer-1"]).remove(0);
    let account = "data/acme/0123456789abcdef";
    std::fs::create_dir_all(signer.0.path(account)).unwrap();
    for name in ["account.json", "order-0123.url"] {
        signer.0.write(&format!("{account}/{name}"), name);
    }
    signer.run(&["backup", "monday"]).succeeded();
    // Without keys it is not in it, and somebody is told so.
    let without = signer.run(&["backup", "tuesday", "--without-keys"]);
    assert!(
        without.stderr.contains("1 accounts at CAs are not in it"),
        "{}",
        without.stderr
    );
    assert!(!signer.0.path("tuesday/acme").exists());
    std::fs::rename(signer.0.path("data"), signer.0.path("lost")).unwrap();
    std::fs::create_dir(signer.0.path("data")).unwrap();
    let restored = signer.run(&["restore", "monday"]).succeeded();
    assert!(
        restored.contains("no newer records were read"),
        "{}",
        restored
    );
    assert!(restored.contains("wait for 7 days"), "{restored}");
    // The account at the CA is back, and orders whose keys are lost are not.
    assert_eq!(signer.0.names(account), ["account.json"]);
    assert_eq!(signer.0.mode(&format!("{account}/account.json")), 0o600);
    // It may have enrolled since.
    let device = &signer.show("customer-1")["device"];
    assert!(device["available_from"].is_u64(), "{device}");
    assert_eq!(signer.show("customer-1")["device"]["name"], added["name"]);
    let zones = signer.json(&["zones", "list"]).remove(0);
    assert_eq!(zones[0]["slots"][0]["state"], "active");
}

#[test]
fn a_database_that_cannot_be_read_is_given_up_only_when_told_so() {
    let signer = Signer::new();
    signer.run(&["devices", "add", "customer-1"]).succeeded();
    signer.run(&["backup", "monday"]).succeeded();
    signer.0.write("data/dc-signer.db", "nonsense".repeat(1000));
    assert_eq!(signer.run(&["restore", "monday"]).code, Some(1));
    let restored = signer
        .run(&["restore", "monday", "--lose-newer"])
        .succeeded();
    assert!(restored.contains("do that anew"), "{restored}");
    assert!(restored.contains("dc-signer.db.before-"), "{restored}");
    assert_eq!(
        signer.show("customer-1")["device"]["state"],
        "preregistered"
    );
}

#[test]
fn what_is_no_backup_changes_nothing() {
    let signer = Signer::new();
    signer.run(&["devices", "add", "customer-1"]).succeeded();
    signer
        .run(&["restore", "vendor"])
        .refused(&["no whole backup"]);
    signer.run(&["backup", "monday"]).succeeded();
    signer.0.write("monday/dc-signer.db", "nonsense");
    // The file that a lock is on is no data, and stays.
    let names = || {
        let mut names = signer.0.names("data");
        names.retain(|name| name != "dc-signer.db.lock");
        names
    };
    let before = names();
    assert_eq!(signer.run(&["restore", "monday"]).code, Some(1));
    assert_eq!(names(), before);
    assert_eq!(
        signer.show("customer-1")["device"]["state"],
        "preregistered"
    );
}

#[test]
fn a_database_without_its_secrets_is_not_used() {
    let signer = Signer::new();
    std::fs::remove_dir_all(signer.0.path("data/secrets")).unwrap();
    signer
        .run(&["devices", "add", "customer-1"])
        .refused(&["secrets is not there", "restore it from a backup"]);
}

#[test]
fn tables_of_an_older_version_are_brought_up_when_asked() {
    let signer = Signer::new();
    signer.run(&["migrate", "--check"]).succeeded();
    signer.run(&["migrate"]).succeeded();
    for file in ["data/dc-signer.db", "data/audit-head.json"] {
        std::fs::remove_file(signer.0.path(file)).unwrap();
    }
    assert_eq!(signer.run(&["migrate", "--check"]).code, Some(1));
    signer.run(&["migrate"]).succeeded();
    signer.run(&["migrate", "--check"]).succeeded();
}
