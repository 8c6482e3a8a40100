//! Delegation certificates from an ACME server that nobody here wrote, over TLS, shown whose the zone is in a real DNS.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but clippy does not see that helpers in a file of their own are"
)]

mod ca;
mod dns;
mod signer;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use dc_pki::extensions::{DelegationUsage, Extensions};
use dc_pki::pem;
use dc_signer::config::Config;
use dc_signer::renewal::acme::AcmeSource;
use dc_signer::renewal::source::{CertificateSource, OrderError};
use serde_json::Value;

use ca::{Ca, Kind};
use dns::Dns;
use signer::Signer;

/// False if the tests here are to be left out.
fn have() -> bool {
    apparatus::have(apparatus::Part::Acme)
}

#[test]
fn a_certificate_is_ordered_with_an_external_account_and_a_record_in_dns() {
    if !have() {
        return;
    }
    let dns = Dns::start();
    let ca = Ca::start(&dns, Kind::Delegating);
    let signer = Signer::new(&ca, &dns);
    let ordered = signer.order();
    assert_eq!(ordered["slot"], 1);
    let folder = signer.only_delegation();
    let chain = fs::read(folder.join("chain.pem")).unwrap();
    let chain = pem::certificates(&folder, &chain).unwrap();
    assert_eq!(chain.len(), 2, "the certificate and its intermediate");
    let extensions = Extensions::of_certificate(&chain[0]).unwrap();
    assert_eq!(extensions.dns_names, ["*.cpe.example.com"]);
    assert_eq!(extensions.delegation_usage, DelegationUsage::Present);
    // The record was there while the CA looked, and is gone; and so is the folder's key, which is with the certificate.
    assert_eq!(dns.texts("_acme-challenge.cpe.example.com"), "");
    assert!(
        dns.log()
            .contains("adding an RR at '_acme-challenge.cpe.example.com' TXT")
    );
    assert!(signer.files("orders").iter().all(|file| file.is_dir()));
    for file in signer.files("acme").iter().filter(|file| file.is_file()) {
        let mode = fs::metadata(file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }
    second_order(&signer);
}

/// With the account that is there, in the place of the first, which is active because the zone had none; and the CA says when it wants that renewed.
fn second_order(signer: &Signer) {
    // An account needs the customer's key once.
    signer.forget_customer_key();
    assert_eq!(signer.order()["slot"], 2);
    let status: Value =
        serde_json::from_str(&signer.succeed(&["certificate", "status", "--json"])).unwrap();
    let status = &status[0];
    assert!(
        status["account"]
            .as_str()
            .unwrap()
            .starts_with("https://127.0.0.1:"),
        "{status}"
    );
    assert_eq!(status["problems"], serde_json::json!([]), "{status}");
    let (from, to) = (&status["renewal"]["from"], &status["renewal"]["to"]);
    assert!(from.as_u64().unwrap() < to.as_u64().unwrap(), "{status}");
    assert_eq!(
        status["renewal"]["to"], status["active"]["not_after"],
        "{status}"
    );
    let table = signer.succeed(&["certificate", "status"]);
    assert!(
        table.contains("RENEW FROM") && table.contains("/directory"),
        "{table}"
    );
}

#[test]
fn after_a_restore_on_a_fresh_machine_orders_go_on_with_the_account_of_before() {
    if !have() {
        return;
    }
    let dns = Dns::start();
    let ca = Ca::start(&dns, Kind::Delegating);
    let signer = Signer::new(&ca, &dns);
    let account = |signer: &Signer| {
        let status = signer.succeed(&["certificate", "status", "--json"]);
        let status: Value = serde_json::from_str(&status).unwrap();
        status[0]["account"].as_str().map(str::to_owned)
    };
    assert_eq!(signer.order()["slot"], 1);
    let before = account(&signer);
    assert!(before.is_some());
    signer.succeed(&["backup", "monday"]);
    signer.lose_data();
    signer.succeed(&["restore", "monday", "--reason", "a test"]);
    assert_eq!(account(&signer), before);
    // The customer's key, which the CA may take once, is not needed.
    signer.forget_customer_key();
    assert_eq!(signer.order()["slot"], 2);
    // Without the account it is, and whoever has none that the CA takes is told what to ask for.
    fs::remove_dir_all(signer.folder().join("signer/data/acme")).unwrap();
    signer.give_customer_key();
    let ask = ["certificate", "order", "--zone", "cpe.example.com"];
    let said = signer
        .with("kid = \"customer\"", "kid = \"used before\"")
        .fail(&ask);
    assert!(
        said.contains("ask the CA for a new external account"),
        "{said}"
    );
    assert_eq!(signer.order()["slot"], 3);
}

#[test]
fn what_is_wrong_is_said_and_an_order_goes_on_where_it_was() {
    if !have() {
        return;
    }
    let dns = Dns::start();
    let mut ca = Ca::start(&dns, Kind::Delegating);
    let signer = Signer::new(&ca, &dns);
    let ask = ["certificate", "order", "--zone", "cpe.example.com"];
    for (from, to, expected) in [
        ("kid = \"customer\"", "kid = \"nobody\"", "the CA says:"),
        (
            "roots = ",
            "roots = \"/nonexistent\" #",
            "the ACME server's roots: cannot read /nonexistent",
        ),
        (
            "challenge = \"dns-01\"",
            "challenge = \"dns-account-01\"",
            "for *.cpe.example.com, and not dns-account-01: choose another 'challenge'",
        ),
        ("hook = ", "profile = \"other\"\nhook = ", "the CA offers"),
        (
            "hook = ",
            "hook = [\"sh\", \"-c\", \"echo no key >&2; exit 3\"] #",
            "the hook of present for _acme-challenge.cpe.example.com failed: sh ended with status 3: no key",
        ),
        (
            "hook = ",
            "hook = [\"true\"] #",
            "the CA does not accept that *.cpe.example.com is yours",
        ),
        (
            "anchors = ",
            "anchors = \"/etc/ssl/certs/ca-certificates.crt\" #",
            "no root in 'anchors' vouches for the chain",
        ),
    ] {
        let said = signer.with(from, to).fail(&ask);
        assert!(said.contains(expected), "{from} {to}: {said}");
    }
    // What it returned is there to be looked at, and nothing was imported.
    let refused = signer.files("orders");
    assert!(
        refused.iter().any(|file| file.ends_with("refused.pem")),
        "{refused:?}"
    );
    assert!(signer.files("delegations").is_empty());
    let key = fs::read(signer.order_folder().join("key.pem")).unwrap();
    ca.stop();
    let said = signer.fail(&ask);
    assert!(said.contains("cannot connect to 127.0.0.1"), "{said}");
    ca.resume();
    assert_eq!(signer.order()["slot"], 1);
    let folder = signer.only_delegation();
    assert_eq!(
        fs::read(folder.join("key.pem")).unwrap(),
        key,
        "the order's key is the same"
    );
    signer.nothing_secret_was_said(&ca);
}

/// As the guide says it: the first order registers the account, whose name a record has then that stays.
#[test]
fn a_record_that_stays_and_a_profile_bring_certificates_and_nothing_changes_dns() {
    if !have() {
        return;
    }
    let dns = Dns::start();
    let ca = Ca::start(&dns, Kind::Delegating);
    let signer = Signer::new(&ca, &dns);
    let persist = |signer: &Signer| {
        signer.config_with(&[
            ("challenge = \"dns-01\"", "challenge = \"dns-persist-01\""),
            ("hook = ", "profile = \"delegation\" #"),
        ])
    };
    let ask = ["certificate", "order", "--zone", "cpe.example.com"];
    let said = signer.with_config(&persist(&signer)).fail(&ask);
    assert!(
        said.contains("the CA does not accept that *.cpe.example.com is yours"),
        "{said}"
    );
    let status = signer.with_config(&persist(&signer));
    let status = status.succeed(&["certificate", "status", "--json"]);
    let status: Value = serde_json::from_str(&status).unwrap();
    let account = status[0]["account"].as_str().unwrap();
    let name = "_validation-persist.cpe.example.com";
    // A record for another account lets nobody in, and nor does one without the policy for a wildcard.
    for text in [
        format!("ca.example; accounturi={account}0; policy=wildcard"),
        format!("ca.example; accounturi={account}"),
    ] {
        dns.put(name, &text);
        signer.with_config(&persist(&signer)).fail(&ask);
    }
    dns.put(
        name,
        &format!("ca.example; accounturi={account}; policy=wildcard"),
    );
    for slot in [1, 2] {
        signer.with_config(&persist(&signer));
        assert_eq!(signer.order()["slot"], slot);
    }
    assert!(!dns.log().contains("_acme-challenge"), "{}", dns.log());
}

#[test]
fn a_ca_that_leaves_delegation_out_is_told_apart() {
    if !have() {
        return;
    }
    let dns = Dns::start();
    let ca = Ca::start(&dns, Kind::Ordinary);
    let signer = Signer::new(&ca, &dns);
    let said = signer.fail(&["certificate", "order", "--zone", "cpe.example.com"]);
    assert!(
        said.contains("may not delegate") && said.contains("1.3.6.1.4.1.44363.44"),
        "{said}"
    );
}

/// A CA of OpenSSL, as a vendor may have one that speaks nothing.
#[test]
fn a_program_orders_where_there_is_no_acme() {
    if !have() {
        return;
    }
    let dns = Dns::start();
    let ca = Ca::start(&dns, Kind::Ordinary);
    let signer = Signer::new(&ca, &dns);
    let ask = ["certificate", "order", "--zone", "cpe.example.com"];
    let script = signer.folder().join("order");
    let sign = |extensions: &str| {
        let folder = ca.folder().display();
        format!(
            "test \"$DC_NAMES\" = '*.cpe.example.com' || exit 78\ncd {folder}\n\
             openssl x509 -req -CA issuing.pem -CAkey issuing-key.pem -days 47 {extensions} && cat issuing.pem\n"
        )
    };
    let anchors = signer.folder().join("anchors.pem");
    fs::copy(&ca.roots()[0], &anchors).unwrap();
    let with = |text: &str| {
        fs::write(&script, text).unwrap();
        let anchors = anchors.display();
        signer.with_ca(&format!(
            "[[order_command]]\nzones = [\"cpe.example.com\"]\ncommand = [\"sh\", \"{}\"]\nanchors = \"{anchors}\"\n",
            script.display()
        ))
    };
    for (text, expected) in [
        (
            "echo 'come back' >&2; echo 3600; exit 75",
            "sh ended with status 75: come back",
        ),
        ("exit 1", "sh ended with status 1, and said nothing"),
        ("true", "the CA returned nothing"),
        (sign("").as_str(), "may not delegate"),
    ] {
        let said = with(text).fail(&ask);
        assert!(said.contains(expected), "{text}: {said}");
    }
    let said = with(&sign("-copy_extensions copyall")).succeed(&ask);
    assert!(
        said.contains("slot 1 of zone cpe.example.com has a certificate from"),
        "{said}"
    );
    let said = signer.with_ca("").fail(&ask);
    assert!(
        said.contains("no CA is configured for zone cpe.example.com"),
        "{said}"
    );
    // For root, who acts for the folder's owner, a program is the owner's for good.
    if signer.give_away() {
        let said = with("id -u >&2; id -ru >&2; exit 1").fail(&ask);
        let owner = signer::NOBODY;
        assert!(
            said.contains(&format!("status 1: {owner}; {owner}")),
            "{said}"
        );
    }
}

/// As a private CA may want it; acme2certifier, as RFC 8555 §8.3 says, does not take http-01 for wildcards. So this is for a plain
/// name, and needs the port 80 of loopback.
#[test]
fn a_name_is_shown_over_http_by_a_port_and_by_a_web_servers_folder() {
    if !have() {
        return;
    }
    if let Err(error) = std::net::TcpListener::bind("127.0.0.1:80") {
        return apparatus::left_out("http-01 on the port 80", &error.to_string());
    }
    let dns = Dns::start();
    let ca = Ca::start(&dns, Kind::Delegating);
    let signer = Signer::new(&ca, &dns);
    signer.succeed(&["csr", "--zone", "cpe.example.com", "--out", "plain"]);
    let csr = plain_request(&signer.folder().join("plain"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let config = |lines: &str| {
        let config = signer.config_with(&[("hook = ", "#"), ("challenge = \"dns-01\"", lines)]);
        Config::parse(&config, signer.folder()).unwrap()
    };
    let order = |config: &Config| {
        let source = AcmeSource::new(config.acme[0].clone(), &config.data);
        runtime.block_on(source.order(&csr, &["cpe.example.com".to_owned()], None))
    };
    let by_port = config("challenge = \"http-01\"\nhttp_address = \"127.0.0.1:80\"");
    let chain = order(&by_port).unwrap();
    assert_eq!(
        pem::certificates("chain".as_ref(), &chain).unwrap().len(),
        2
    );
    // Somebody else has the port.
    let taken = std::net::TcpListener::bind("127.0.0.1:80").unwrap();
    let error = order(&by_port).unwrap_err();
    assert!(
        matches!(&error, OrderError::Setup(why) if why.contains("127.0.0.1:80")),
        "{error}"
    );
    drop(taken);
    let webroot = signer.folder().join("www");
    fs::create_dir(&webroot).unwrap();
    let _web = signer::serve(&webroot);
    order(&config("challenge = \"http-01\"\nwebroot = \"www\"")).unwrap();
    let left = fs::read_dir(webroot.join(".well-known/acme-challenge")).unwrap();
    assert_eq!(left.count(), 0, "the file is gone");
}

/// A request for the zone's own name, by OpenSSL with the key of another request.
fn plain_request(folder: &Path) -> Vec<u8> {
    let output = std::process::Command::new("openssl")
        .args(["req", "-new", "-outform", "DER", "-subj", "/", "-key"])
        .arg(folder.join("key.pem"))
        .args(["-addext", "subjectAltName=DNS:cpe.example.com"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

#[test]
fn the_hook_that_is_shipped_is_clean_and_says_what_is_wrong() {
    if !have() {
        return;
    }
    let check = std::process::Command::new("shellcheck")
        .arg(signer::HOOK)
        .output()
        .unwrap();
    assert!(
        check.status.success(),
        "{}",
        String::from_utf8_lossy(&check.stdout)
    );
    let dns = Dns::start();
    let run = |server: &str, key: &Path, action: &str| {
        let output = std::process::Command::new(signer::HOOK)
            .arg(server)
            .arg(key)
            .envs([
                ("DC_ACTION", action),
                ("DC_NAME", "_acme-challenge.cpe.example.com"),
                ("DC_VALUE", "value"),
            ])
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    assert_eq!(
        run(&dns.server(), dns.key(), "present"),
        (Some(0), String::new())
    );
    assert_eq!(dns.texts("_acme-challenge.cpe.example.com"), "\"value\"\n");
    assert_eq!(
        run(&dns.server(), dns.key(), "cleanup"),
        (Some(0), String::new())
    );
    assert_eq!(dns.texts("_acme-challenge.cpe.example.com"), "");
    let (code, said) = run(&dns.server(), dns.other_key(), "present");
    assert!(
        code == Some(1) && said.contains("BADKEY"),
        "{code:?} {said}"
    );
    let (code, said) = run("127.0.0.1:1", dns.key(), "present");
    assert_eq!(code, Some(75), "{said}");
    let (code, _) = run(&dns.server(), Path::new("/nonexistent"), "present");
    assert_eq!(code, Some(78));
    let (code, _) = run(&dns.server(), dns.key(), "other");
    assert_eq!(code, Some(78));
}
