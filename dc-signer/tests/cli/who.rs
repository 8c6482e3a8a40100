//! Operators on the command line: their credentials and reasons, and acts that take two of them.

use serde_json::Value;

use crate::sandbox::{Outcome, Sandbox, TOKEN};

const CONFIG: &str =
    "data = 'data'\n[listen]\naddress = '127.0.0.1:0'\ncertificate = 'c'\nkey = 'k'\n";
const AS: [&str; 2] = ["--config", "config.toml"];

/// A signer with a zone, and with alice, who is its admin.
struct Signer(Sandbox);

impl Signer {
    fn new(config: &str) -> Self {
        let sandbox = Sandbox::with_vendor();
        sandbox.write("config.toml", format!("{CONFIG}{config}"));
        let signer = Self(sandbox);
        signer.empty();
        signer
            .run(&[
                "operators",
                "add",
                "alice",
                "--role",
                "admin",
                "--save-token",
                "alice",
            ])
            .succeeded();
        signer
            .by(
                "alice",
                &["zones", "add", "cpe.example.com", "--import", "vendor"],
            )
            .succeeded();
        signer
    }

    fn empty(&self) {
        std::fs::create_dir(self.0.path("data")).unwrap();
    }

    /// Without a credential.
    fn run(&self, arguments: &[&str]) -> Outcome {
        assert!(!self.0.path(TOKEN).exists());
        self.0.run(&[arguments, &AS].concat())
    }

    /// With somebody's token, which is in the file of that name.
    fn by(&self, who: &str, arguments: &[&str]) -> Outcome {
        self.run(&[arguments, &["--token-file", who]].concat())
    }

    fn add(&self, name: &str, role: &str) {
        let add = [
            "operators",
            "add",
            name,
            "--role",
            role,
            "--save-token",
            name,
        ];
        // Before there are two, where acts take two.
        let alone = [
            "--reason",
            "a test",
            "--as-root-because",
            "nobody else is here",
        ];
        let added = self.run(&[&add[..], &alone].concat());
        assert_eq!(added.code, Some(0), "{added:?}");
    }

    /// What the database has, by one who can write it.
    fn tamper(&self, sql: &'static str) {
        use sqlx::{ConnectOptions, Executor};
        let path = self.0.path("data/dc-signer.db");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
            let mut connection = options.connect().await.unwrap();
            connection.execute(sql).await.unwrap();
        });
    }

    fn state(&self, device: &str) -> String {
        let shown = self.by("alice", &["devices", "show", device, "--json"]);
        let shown: Value = serde_json::from_str(&shown.succeeded()).unwrap();
        shown["device"]["state"].as_str().unwrap().to_owned()
    }

    /// The acts on a device, with who did them and why.
    fn acts(&self, device: &str) -> String {
        self.by("alice", &["devices", "show", device]).succeeded()
    }
}

#[test]
fn the_first_operator_is_an_admin_and_needs_nobody_and_then_everything_takes_one() {
    let sandbox = Sandbox::with_vendor();
    sandbox.write("config.toml", CONFIG);
    let signer = Signer(sandbox);
    signer.empty();
    // An old script is told what to do.
    signer
        .run(&["zones", "add", "cpe.example.com", "--import", "vendor"])
        .refused(&["nobody is an operator", "operators add NAME --role admin"]);
    let add = ["operators", "add", "alice", "--role"];
    signer
        .run(&[&add[..], &["viewer"]].concat())
        .refused(&["the first operator has to be an admin"]);
    let made = signer.run(&[&add[..], &["admin"]].concat()).succeeded();
    let token = made.lines().last().unwrap();
    assert!(
        token.starts_with("dcs_") && made.contains(", until "),
        "{made}"
    );
    signer
        .run(&[
            "operators",
            "add",
            "eve",
            "--role",
            "admin",
            "--reason",
            "me too",
        ])
        .refused(&["--token-file", "DC_SIGNER_TOKEN_FILE", "--as-root-because"]);
    signer
        .run(&["devices", "add", "customer-1"])
        .refused(&["--token-file", "the user's name is not enough"]);
    signer.0.write("alice", format!("{token}\n"));
    // Others could read it.
    signer.0.set_mode("alice", 0o644);
    let list = ["devices", "list"];
    signer.by("alice", &list).refused(&["alice", "chmod 600"]);
    signer.0.set_mode("alice", 0o600);
    signer.by("alice", &list).succeeded();
    signer.0.write("mallory", "dcs_nobodys");
    signer.0.set_mode("mallory", 0o600);
    signer
        .by("mallory", &list)
        .refused(&["no operator has this token"]);
}

#[test]
fn a_token_comes_from_a_pipe_and_from_systemd_too() {
    let signer = Signer::new("[approval]\nretire_above = 0\n");
    signer.add("bob", "operator");
    signer
        .by("alice", &["devices", "add", "customer-1"])
        .succeeded();
    let retire = [
        "devices",
        "retire",
        "customer-1",
        "--yes",
        "--reason",
        "scrapped",
    ];
    let number = signer.by("alice", &retire).waits();
    let program = env!("CARGO_BIN_EXE_dc-signer");
    let shell = |script: &str| {
        let output = std::process::Command::new("sh")
            .args(["-c", script])
            .current_dir(signer.0.path("."))
            .env("CREDENTIALS_DIRECTORY", ".")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    shell(&format!(
        "{program} devices list --token-credential alice --config config.toml"
    ));
    // It is read once, as a pipe gives it.
    shell(&format!(
        "cat bob | {program} approvals approve {number} --token-fd 0 --config config.toml"
    ));
    assert_eq!(signer.state("customer-1"), "retired");
}

#[test]
fn a_role_on_the_command_line_is_the_one_of_the_api() {
    let signer = Signer::new("");
    for (name, role) in [("vera", "viewer"), ("otto", "operator")] {
        signer.add(name, role);
    }
    signer
        .by("vera", &["devices", "add", "customer-1"])
        .refused(&["your role is viewer", "takes operator"]);
    signer
        .by("otto", &["devices", "add", "customer-1"])
        .succeeded();
    signer
        .by("vera", &["devices", "show", "customer-1"])
        .succeeded();
    for command in [
        &["zones", "add", "other.example.com"][..],
        &[
            "zones",
            "forms",
            "cpe.example.com",
            "both",
            "--reason",
            "a test",
        ],
        &["operators", "disable", "alice", "--reason", "a test"],
    ] {
        signer
            .by("otto", command)
            .refused(&["your role is operator", "takes admin"]);
    }
    let disable = ["operators", "disable", "otto", "--reason", "left"];
    signer.by("alice", &disable).succeeded();
    signer
        .by("otto", &["devices", "list"])
        .refused(&["kept out"]);
    // What let him in before never does again.
    let enable = ["operators", "enable", "otto", "--save-token", "otto-2"];
    let enable = [&enable[..], &["--reason", "is back"]].concat();
    signer.by("alice", &enable).succeeded();
    signer.by("otto-2", &["devices", "list"]).succeeded();
    let renew = ["operators", "renew", "--reason", "a test"];
    signer.by("otto-2", &renew).succeeded();
    signer
        .by("otto", &["devices", "list"])
        .refused(&["no operator has this token"]);
    let enable = ["operators", "enable", "otto", "--reason", "is back"];
    signer
        .by("alice", &enable)
        .refused(&["not disabled", "renew"]);
}

#[test]
fn a_client_certificate_counts_with_its_key_and_until_its_end() {
    let signer = Signer::new("");
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.not_after = rcgen::date_time_ymd(2200, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    signer.0.write("carol.pem", certificate.pem());
    signer.0.write("carol.key", key.serialize_pem());
    signer.0.write(
        "other.key",
        rcgen::KeyPair::generate().unwrap().serialize_pem(),
    );
    for key in ["carol.key", "other.key"] {
        signer.0.set_mode(key, 0o600);
    }
    let add = [
        "operators",
        "add",
        "carol",
        "--role",
        "operator",
        "--reason",
        "a test",
    ];
    let added = [&add[..], &["--certificate", "carol.pem"]].concat();
    // The certificate ends in 2200, the operator in 90 days.
    let added = signer.by("alice", &added).succeeded();
    assert!(
        added.contains("with the certificate") && !added.contains("2200"),
        "{added}"
    );
    let by = |key| {
        let device = ["devices", "add", "customer-1"];
        let who = ["--operator-certificate", "carol.pem", "--operator-key", key];
        signer.run(&[&device[..], &who].concat())
    };
    by("other.key").refused(&["other.key", "carol.pem"]);
    by("carol.key").succeeded();
    assert!(signer.acts("customer-1").contains("operator:carol"));
}

#[test]
fn whoever_has_no_credential_any_more_is_let_in_loudly() {
    let signer = Signer::new("");
    let device = ["devices", "add", "customer-1"];
    let loud = ["--as-root-because", "alice is ill"];
    let outcome = signer.run(&[&device[..], &loud].concat());
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("without an operator's credential"));
    let suspend = ["devices", "suspend", "customer-1", "--reason", "stolen"];
    signer.run(&[&suspend[..], &loud].concat());
    let acts = signer.acts("customer-1");
    assert!(
        acts.contains("root:uid=") && acts.contains("stolen"),
        "{acts}"
    );
    signer
        .run(&[&device[..], &["--as-root-because", ""]].concat())
        .wrong_usage(&["3 to 200 characters"]);

    signer.run(&["audit", "verify"]).succeeded();
}

#[test]
fn rights_are_taken_and_given_back_for_a_reason() {
    let signer = Signer::new("");
    signer
        .by("alice", &["devices", "add", "customer-1"])
        .succeeded();
    for command in [
        &["devices", "suspend", "customer-1"][..],
        &["devices", "resume", "customer-1"],
        &["devices", "retire", "customer-1", "--yes"],
        &["devices", "replace", "customer-1"],
        &["zones", "forms", "cpe.example.com", "both"],
        &["zones", "roles", "cpe.example.com", "both"],
        &["zones", "rollover", "cpe.example.com"],
        &["zones", "pull-renewals", "cpe.example.com"],
        &["zones", "remove", "cpe.example.com"],
        &["operators", "disable", "alice"],
        &["operators", "enable", "alice"],
        &["operators", "renew"],
        &["restore", "monday"],
    ] {
        signer.by("alice", command).wrong_usage(&["--reason"]);
        let bad = [command, &["--reason", "no"]].concat();
        signer
            .by("alice", &bad)
            .wrong_usage(&["3 to 200 characters"]);
    }
    let add = ["operators", "add", "bob", "--role", "viewer"];
    signer.by("alice", &add).refused(&["say why"]);
    let suspend = ["devices", "suspend", "customer-1", "--reason", "NOC-4711"];
    signer.by("alice", &suspend).succeeded();
    let acts = signer.acts("customer-1");
    assert!(
        acts.contains("NOC-4711") && acts.contains("operator:alice"),
        "{acts}"
    );
}

#[test]
fn a_token_ends_and_is_renewed_by_its_owner_and_by_an_admin() {
    let signer = Signer::new("[operators]\nmax_valid = '30d'\noverlap = '0s'\n");
    signer.add("noc", "operator");
    let list = ["devices", "list"];
    let renew = ["operators", "renew", "--save-token", "noc-2"];
    signer.by("noc", &renew).wrong_usage(&["--reason"]);
    let renew = [&renew[..], &["--reason", "every month"]].concat();
    signer
        .by("noc", &[&renew[..], &["--valid", "31d"]].concat())
        .refused(&["at most 30 d", "operators.max_valid"]);
    let renewed = signer.by("noc", &[&renew[..], &["--valid", "2h"]].concat());
    let renewed = renewed.succeeded();
    assert!(renewed.contains("with the token in noc-2"), "{renewed}");
    assert_eq!(signer.0.mode("noc-2"), 0o600);
    signer.by("noc-2", &list).succeeded();
    // There is no overlap here.
    signer
        .by("noc", &list)
        .refused(&["has ended on", "operators renew"]);
    let of_noc = ["operators", "renew", "noc", "--save-token", "noc-3"];
    signer.by("alice", &of_noc).wrong_usage(&["--reason"]);
    let for_reason = [&of_noc[..], &["--reason", "lost"]].concat();
    signer.by("alice", &for_reason).succeeded();
    signer.by("noc-3", &list).succeeded();
    signer
        .by(
            "noc-3",
            &["operators", "renew", "alice", "--reason", "mine"],
        )
        .refused(&["your role is operator"]);
    let shown = signer.run(&["operators", "list"]).succeeded();
    // Within the second that it was made in, or later.
    let noc = shown.lines().find(|line| line.starts_with("noc")).unwrap();
    assert!(
        noc.contains("in 29 d") || noc.contains("in 30 d"),
        "{shown}"
    );
}

#[test]
fn two_tokens_are_good_at_once_and_only_the_newer_one_renews() {
    let signer = Signer::new("");
    let renew = ["operators", "renew", "--save-token", "alice-2"];
    let renew = [&renew[..], &["--reason", "every quarter"]].concat();
    signer.by("alice", &renew).succeeded();
    for token in ["alice", "alice-2"] {
        signer.by(token, &["devices", "list"]).succeeded();
    }
    signer
        .by("alice", &renew)
        .refused(&["your token of before"]);
    signer.by("alice-2", &renew).succeeded();
    signer
        .by("alice", &["devices", "list"])
        .refused(&["no operator has this token"]);
}

#[test]
fn what_takes_two_waits_for_another_and_is_done_in_the_names_of_both() {
    let signer = Signer::new("[approval]\nrollover = true\nretire_above = 1\n");
    signer.add("bob", "admin");
    signer.add("otto", "operator");
    for device in ["a", "b", "c"] {
        signer.by("alice", &["devices", "add", device]).succeeded();
    }
    // One is within the limit, and counts for the next.
    let retire = |who: &str, devices: &[&str]| {
        let retire = [&["devices", "retire"][..], devices].concat();
        signer.by(
            who,
            &[&retire[..], &["--yes", "--reason", "scrapped"]].concat(),
        )
    };
    retire("alice", &["a"]).succeeded();
    assert_eq!(signer.state("a"), "retired");
    let asked = retire("alice", &["b", "c"]).waits();
    assert_eq!(signer.state("b"), "preregistered");
    let waiting = signer
        .by("bob", &["approvals", "list", "--json"])
        .succeeded();
    let waiting: Value = serde_json::from_str(&waiting).unwrap();
    assert_eq!(waiting["asked_by"], "alice");
    assert_eq!(waiting["devices"].as_array().unwrap().len(), 2);
    let number = waiting["number"].to_string();
    assert_eq!(number, asked);
    let agree = format!("dc-signer approvals approve {number} --config config.toml");
    assert_eq!(waiting["agree_with"], agree);
    // The same for people, a line for each thing that they ask.
    let shown = signer.by("bob", &["approvals", "list"]).succeeded();
    for words in [
        &format!("{number}  waiting until ")[..],
        "asked by  alice, on ",
        "what      retire 2 devices: ",
        "reason    scrapped",
        "effect    b (",
        "is preregistered now, and would be retired for good",
        &format!("agree     {agree}"),
        "refuse    dc-signer approvals refuse",
    ] {
        assert!(shown.contains(words), "{words} not in {shown}");
    }
    let approve = ["approvals", "approve", &number];
    signer
        .by("alice", &approve)
        .refused(&["asked for this yourself"]);
    signer
        .run(&[&approve[..], &["--as-root-because", "alone here"]].concat())
        .refused(&["two operators agree"]);
    let done = signer.by("otto", &approve).succeeded();
    assert_eq!(done.lines().count(), 2, "{done}");
    assert_eq!(signer.state("c"), "retired");
    let acts = signer.acts("c");
    assert!(
        acts.contains("operator:alice+otto") && acts.contains("scrapped"),
        "{acts}"
    );
    signer
        .by("bob", &approve)
        .refused(&["waits for nobody any more"]);
    // A rollover takes an admin's yes.
    let init = ["init", "vendor-2", "--zone", "cpe.example.com"];
    signer.0.run(&init).succeeded();
    let roll = [
        "zones",
        "rollover",
        "cpe.example.com",
        "--reason",
        "the CA is distrusted",
    ];
    let import = [&roll[..], &["--import", "vendor-2", "--now"]].concat();
    let number = &signer.by("bob", &import).waits()[..];
    let approve = ["approvals", "approve", number];
    signer.by("otto", &approve).refused(&["takes admin"]);
    let refuse = ["approvals", "refuse", number, "--reason", "not yet"];
    signer.by("alice", &refuse).succeeded();
    signer
        .by("alice", &approve)
        .refused(&["waits for nobody any more"]);
    let waiting = signer.by("bob", &[&roll[..], &["--json"]].concat());
    assert_eq!(waiting.code, Some(3), "{waiting:?}");
    let waiting: Value = serde_json::from_str(&waiting.stdout).unwrap();
    let approve = ["approvals", "approve", &waiting["number"].to_string()];
    signer.by("alice", &approve).succeeded();
    let zones = signer.run(&["zones", "list"]).succeeded();
    assert!(zones.contains("draining"), "{zones}");
    // Whoever asked and is kept out by now has asked for nothing.
    retire("otto", &["b", "c"]).waits();
    signer.run(&["audit", "verify"]).succeeded();
}

#[test]
fn nobody_makes_their_own_second_operator() {
    let signer = Signer::new("[approval]\nretire_above = 0\n");
    let add = |who: &str, name: &str, role: &str| {
        let add = ["operators", "add", name, "--role", role];
        let saved = ["--save-token", name, "--reason", "a friend"];
        signer.by(who, &[&add[..], &saved].concat())
    };
    // There is nobody yet who could agree.
    add("alice", "bob", "admin").refused(&["takes two operators", "--as-root-because"]);
    for name in ["bob", "carol"] {
        signer.add(name, "admin");
    }
    let approve = |who: &str, number: &str| signer.by(who, &["approvals", "approve", number]);
    let list = ["devices", "list"];
    // One who is new.
    let number = add("alice", "mallory", "operator").waits();
    signer
        .by("mallory", &list)
        .refused(&["no operator has this token"]);
    approve("alice", &number).refused(&["asked for this yourself"]);
    let done = approve("bob", &number).succeeded();
    assert!(
        done.contains("mallory is let in, with role operator"),
        "{done}"
    );
    signer.by("mallory", &list).succeeded();
    // A viewer agrees to nothing, and is raised by two.
    add("alice", "vera", "viewer").succeeded();
    let raise = ["operators", "add", "vera", "--role", "operator"];
    let raise = [
        &raise[..],
        &["--reason", "a friend", "--save-token", "vera-2"],
    ]
    .concat();
    signer.by("alice", &raise).waits();
    // The token of another, whose own goes on working.
    let renew = ["operators", "renew", "bob", "--save-token", "bobs"];
    let renew = [&renew[..], &["--reason", "lost"]].concat();
    signer.by("alice", &renew).waits();
    signer.by("bobs", &list).refused(&["no operator has"]);
    signer.by("bob", &list).succeeded();
    // One's own takes one.
    let own = ["operators", "renew", "--save-token", "alice"];
    let own = [&own[..], &["--reason", "every quarter"]].concat();
    signer.by("alice", &own).succeeded();
    // Keeping out takes one, and letting in takes two.
    let switch = |which, rest: &[&str]| {
        let switch = ["operators", which, "mallory", "--reason", "a test"];
        signer.by("alice", &[&switch[..], rest].concat())
    };
    switch("disable", &[]).succeeded();
    let waiting = switch("enable", &["--json"]);
    assert_eq!(waiting.code, Some(3), "{waiting:?}");
    let waiting: Value = serde_json::from_str(&waiting.stdout).unwrap();
    assert_eq!(waiting["operator"]["operator"], "mallory");
    assert!(waiting["token"].as_str().unwrap().starts_with("dcs_"));
    approve("carol", &waiting["number"].to_string()).succeeded();
    // Whoever became one after something was asked for does not agree to it, however they became one.
    signer
        .by("alice", &["devices", "add", "customer-1"])
        .succeeded();
    let retire = ["devices", "retire", "customer-1", "--yes"];
    let retire = [&retire[..], &["--reason", "scrapped"]].concat();
    let number = signer.by("alice", &retire).waits();
    signer.add("eve", "admin");
    approve("eve", &number).refused(&["after this was asked for"]);
    approve("bob", &number).succeeded();
    assert_eq!(signer.state("customer-1"), "retired");
    signer.run(&["audit", "verify"]).succeeded();
}

#[test]
fn a_slot_is_ended_by_two_but_one_under_which_nothing_was_issued() {
    let signer = Signer::new("[approval]\nzones_end = true\n");
    signer.add("bob", "admin");
    let init = ["init", "vendor-2", "--zone", "cpe.example.com"];
    signer.0.run(&init).succeeded();
    let act = |what: &[&str]| {
        let zone = ["zones", what[0], "cpe.example.com"];
        let why = ["--reason", "the key was stolen"];
        signer.by("alice", &[&zone[..], &what[1..], &why].concat())
    };
    let import = ["rollover", "--import", "vendor-2", "--now"];
    act(&import).succeeded();
    act(&["end", "2", "--yes"]).refused(&["slot 2 is what the zone issues from"]);
    let number = act(&["end", "1", "--yes"]).waits();
    let slots = || signer.run(&["zones", "list"]).succeeded();
    assert!(slots().contains("draining"), "{}", slots());
    let done = signer.by("bob", &["approvals", "approve", &number]);
    assert!(done.succeeded().contains("has ended"));
    assert!(!slots().contains("draining"), "{}", slots());
    signer
        .0
        .run(&["init", "vendor-3", "--zone", "cpe.example.com"]);
    act(&["rollover", "--import", "vendor-3"]);
    act(&["end", "3", "--yes"]).succeeded();
    // At night, when nobody else is awake.
    let init = ["init", "vendor-4", "--zone", "cpe.example.com"];
    signer.0.run(&init).succeeded();
    act(&["rollover", "--import", "vendor-4", "--now"]).succeeded();
    let end = ["zones", "end", "cpe.example.com", "2", "--yes"];
    let alone = ["--reason", "stolen", "--as-root-because", "bob sleeps"];
    let ended = signer.run(&[&end[..], &alone].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    signer.run(&["audit", "verify"]).succeeded();
}

#[test]
fn the_last_admin_stays() {
    let signer = Signer::new("");
    let disable = ["operators", "disable", "alice", "--reason", "left"];
    let lower = ["operators", "add", "alice", "--role", "operator"];
    let lower = [&lower[..], &["--reason", "left"]].concat();
    let soon = ["operators", "renew", "--valid", "1h", "--reason", "left"];
    for command in [&disable[..], &lower, &soon] {
        signer
            .by("alice", command)
            .refused(&["admin any more", "--as-root-because"]);
    }
    // The only token was stolen.
    let alone = ["--as-root-because", "her token was stolen"];
    let disabled = signer.run(&[&disable[..], &alone].concat());
    assert_eq!(disabled.code, Some(0), "{disabled:?}");
    signer
        .by("alice", &["devices", "list"])
        .refused(&["kept out"]);
}

#[test]
fn nobody_is_the_first_operator_twice() {
    let signer = Signer::new("");
    signer.tamper("DELETE FROM operators");
    let add = ["operators", "add", "mallory", "--role", "admin"];
    signer
        .run(&add)
        .refused(&["record 1 of its audit log", "--as-root-because"]);
    let alone = ["--reason", "anew", "--as-root-because", "rows were removed"];
    let added = signer.run(&[&add[..], &alone].concat());
    assert_eq!(added.code, Some(0), "{added:?}");
    let counted = "DELETE FROM break_glass";
    signer.tamper(counted);
    let listed = ["audit", "list", "--action", "break-glass"];
    let listed = signer.run(&listed).succeeded();
    assert!(listed.contains("rows were removed"), "{listed}");
}

#[test]
fn the_first_token_goes_where_the_environment_says_that_it_is() {
    let sandbox = Sandbox::with_vendor();
    sandbox.write("config.toml", CONFIG);
    let signer = Signer(sandbox);
    signer.empty();
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_dc-signer"))
            .args(arguments)
            .args(AS)
            .current_dir(signer.0.path("."))
            .env("DC_SIGNER_TOKEN_FILE", "alice")
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    };
    let (code, said) = run(&["devices", "list"]);
    assert!(code == Some(1) && said.contains("nobody is an operator of this database yet"));
    let add = ["operators", "add", "alice", "--role", "admin"];
    let (code, said) = run(&[&add[..], &["--save-token", "alice"]].concat());
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = run(&["devices", "list"]);
    assert_eq!(code, Some(0), "{said}");
    std::fs::remove_file(signer.0.path("alice")).unwrap();
    let (code, said) = run(&["devices", "list"]);
    assert!(code == Some(1) && said.contains("DC_SIGNER_TOKEN_FILE names this file"));
}

#[test]
fn a_restored_backup_lets_no_operator_back_in() {
    let signer = Signer::new("");
    for name in ["bob", "carol"] {
        signer.add(name, "admin");
    }
    signer.run(&["backup", "monday"]).succeeded();
    let disable = ["operators", "disable", "bob", "--reason", "left"];
    signer.by("alice", &disable).succeeded();
    // Carol's token was seen by somebody, so she has another one.
    std::fs::rename(signer.0.path("carol"), signer.0.path("seen")).unwrap();
    signer.add("carol", "admin");
    let restore = ["restore", "monday", "--reason", "disk lost"];
    for out in ["bob", "seen"] {
        assert_eq!(signer.by(out, &restore).code, Some(1));
    }
    signer.run(&restore).refused(&["--token-file"]);
    signer.by("alice", &restore).succeeded();
    for out in ["bob", "seen"] {
        signer.by(out, &["devices", "list"]).refused(&["kept out"]);
    }
    signer.by("alice", &["devices", "list"]).succeeded();
    signer.run(&["audit", "verify"]).succeeded();
}

#[test]
fn what_is_read_is_on_record_with_who_and_how_many() {
    let signer = Signer::new("");
    let lines: String = (0..30)
        .map(|number| format!("{{\"external_id\":\"customer-{number:02}\"}}\n"))
        .collect();
    signer.0.write("fleet.ndjson", lines);
    signer
        .by("alice", &["devices", "add", "--file", "fleet.ndjson"])
        .succeeded();
    let before = records(&signer);
    signer
        .by("alice", &["devices", "list", "--prefix", "customer-1"])
        .succeeded();
    signer.by("alice", &["devices", "export"]).succeeded();
    // One for the list, two for the export, however many devices there are.
    assert_eq!(records(&signer), before + 3);
    // What is there is shown to whoever adds it again, and a device's records say which names it has had.
    signer
        .by("alice", &["devices", "add", "customer-07"])
        .succeeded();
    let about = ["audit", "list", "--device", "customer-07"];
    signer.by("alice", &about).succeeded();
    signer.run(&about).refused(&["an operator's credential"]);
    // The log itself names nobody; a copy of all has everything.
    signer.run(&["audit", "list"]).succeeded();
    signer.run(&["backup", "copy"]).succeeded();
    assert_eq!(records(&signer), before + 6);
    let database = std::fs::read(signer.0.path("data/dc-signer.db")).unwrap();
    let wal = std::fs::read(signer.0.path("data/dc-signer.db-wal")).unwrap_or_default();
    let all = String::from_utf8_lossy(&[database, wal].concat()).into_owned();
    for scope in [
        "prefix=\"customer-1\" rows=10",
        "all rows=30",
        "added-again rows=1",
        "backup",
    ] {
        assert!(all.contains(scope), "{scope}");
    }
}

fn records(signer: &Signer) -> u64 {
    let verified = signer.run(&["audit", "verify", "--json"]).succeeded();
    let verified: Value = serde_json::from_str(&verified).unwrap();
    verified["records"].as_u64().unwrap()
}

#[test]
fn a_token_is_written_over_nothing_but_the_same_operators_own() {
    let signer = Signer::new("");
    signer.add("bob", "admin");
    signer.0.write("notes", "precious");
    let why = ["--reason", "a test", "--save-token"];
    let add = ["operators", "add", "eve", "--role", "viewer"];
    for there in ["notes", "bob", "alice"] {
        let before = std::fs::read(signer.0.path(there)).unwrap();
        let add = [&add[..], &why, &[there]].concat();
        let said = signer.by("alice", &add);
        said.refused(&[there, "exists", "nothing was changed"]);
        assert_eq!(std::fs::read(signer.0.path(there)).unwrap(), before);
    }
    let renew = |name: &str, file: &str| {
        signer.by(
            "alice",
            &[&["operators", "renew", name][..], &why, &[file]].concat(),
        )
    };
    renew("bob", "notes").refused(&["notes exists"]);
    renew("bob", "alice").refused(&["alice exists"]);
    renew("bob", "bob").succeeded();
    signer.by("bob", &["devices", "list"]).succeeded();
    assert!(!signer.0.path("eve").exists());
    let list = signer.run(&["operators", "list"]).succeeded();
    assert!(!list.contains("eve"), "{list}");
}

#[test]
fn what_is_not_done_leaves_no_file_of_a_token() {
    let sandbox = Sandbox::with_vendor();
    sandbox.write("config.toml", CONFIG);
    let signer = Signer(sandbox);
    signer.empty();
    let files = || {
        let files = std::fs::read_dir(signer.0.path(".")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let before = files();
    let add = [
        "operators",
        "add",
        "alice",
        "--save-token",
        "alice",
        "--role",
    ];
    let viewer = [&add[..], &["viewer"]].concat();
    signer.run(&viewer).refused(&["has to be an admin"]);
    assert_eq!(files(), before);
    // The token of another database.
    signer
        .0
        .write("theirs", "dco_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    signer.0.set_mode("theirs", 0o600);
    let admin = [&add[..], &["admin"]].concat();
    let said = signer.by("theirs", &admin);
    said.refused(&["has no operators yet", "unset DC_SIGNER_TOKEN_FILE"]);
    assert!(!signer.0.path("alice").exists());
    signer.run(&admin).succeeded();
    // Something that is refused after the token was made.
    let before = files();
    let enable = ["operators", "enable", "nobody", "--save-token", "new"];
    let enable = [&enable[..], &["--reason", "a test"]].concat();
    signer.by("alice", &enable).refused(&[]);
    assert_eq!(files(), before);
}

/// For root alone, who can give a file away.
#[test]
fn a_token_that_is_renewed_in_its_place_stays_its_owners() {
    use std::os::unix::fs::{MetadataExt, chown};
    let signer = Signer::new("");
    signer.add("noc", "operator");
    let path = signer.0.path("noc");
    let owner = || {
        let there = std::fs::metadata(&path).unwrap();
        (there.uid(), there.gid(), there.mode() & 0o777)
    };
    if chown(&path, Some(65_534), Some(65_534)).is_err() {
        return;
    }
    let renew = ["operators", "renew", "--save-token", "noc"];
    let renew = [&renew[..], &["--reason", "every month"]].concat();
    signer.by("noc", &renew).succeeded();
    assert_eq!(owner(), (65_534, 65_534, 0o600));
    signer.by("noc", &["devices", "list"]).succeeded();
}
