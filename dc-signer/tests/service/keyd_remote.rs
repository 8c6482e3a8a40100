//! A signing process on another machine than the service, over TLS with a certificate on each side: with the right ones, and with
//! what strangers have.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dc_pki::keyd::{Keyd, Remote};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use crate::keyd::{Process, run};
use crate::ready::command;
use crate::rig::Rig;
use crate::router::{Router, csr};

/// A certificate of one's own with its key, as '{name}.pem' and '{name}-key.pem'.
fn make(folder: &Path, name: &str, change: impl FnOnce(&mut CertificateParams)) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    change(&mut params);
    let certificate = params.self_signed(&key).unwrap();
    fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
    let path = folder.join(format!("{name}-key.pem"));
    fs::write(&path, key.serialize_pem()).unwrap();
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A process that listens on loopback for 'signer', and for 'old', whose certificate is over.
fn start() -> (Process, SocketAddr) {
    let mut process = Process::start("");
    process.kill();
    let folder = process.path("");
    for name in ["keyd", "signer", "other"] {
        make(&folder, name, |_| ());
    }
    make(&folder, "old", |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    let config = process.path("keyd.toml");
    let text = fs::read_to_string(&config).unwrap();
    let listen = "[listen]\naddress = \"127.0.0.1:0\"\ncertificate = \"keyd.pem\"\nkey = \"keyd-key.pem\"\n[[callers]]\ncertificate = \"signer.pem\"\n[[callers]]\ncertificate = \"old.pem\"\n[[zones]]";
    let text = text.replace("[[zones]]", listen);
    fs::write(&config, &text).unwrap();
    process.begin();
    let log = process.log();
    let (_, rest) = log.split_once("address=").unwrap();
    let address: SocketAddr = rest.split_whitespace().next().unwrap().parse().unwrap();
    // The same port when it is started anew.
    fs::write(&config, text.replace("127.0.0.1:0", &address.to_string())).unwrap();
    (process, address)
}

fn remote(folder: &Path, own: &str, peer: &str) -> Remote {
    Remote {
        certificate: folder.join(format!("{own}.pem")),
        key: folder.join(format!("{own}-key.pem")),
        peer: folder.join(format!("{peer}.pem")),
    }
}

fn ask(process: &Process, address: SocketAddr, own: &str, peer: &str) -> Result<String, String> {
    let place = PathBuf::from(format!("tls://{address}"));
    let keyd = Keyd::new(place).with(Some(remote(&process.path(""), own, peer)));
    keyd.status().map_err(|fault| fault.to_string())
}

#[test]
fn devices_enrol_and_renew_with_the_key_on_another_machine_also_after_that_was_started_anew() {
    let (mut process, address) = start();
    let folder = process.path("");
    let path = |name: &str| folder.join(name).display().to_string();
    let (certificate, key, peer) = (path("signer.pem"), path("signer-key.pem"), path("keyd.pem"));
    let process_table = format!(
        "[keys]\nprocess = {{ certificate = '{certificate}', key = '{key}', peer = '{peer}' }}\n"
    );
    let rig = Rig::start_with(&process_table);
    let place = format!("tls://{address}");
    fs::write(process.path("front/key.keyd"), format!("{place}\n")).unwrap();
    let front = process.path("front");
    let config = rig.data().join("config.toml");
    let import = ["zones", "rollover", "cpe.example.com", "--now", "--import"];
    let import = [
        &import[..],
        &[front.to_str().unwrap(), "--reason", "a test"],
    ];
    let (done, said) = command(&import.concat(), &config);
    assert!(done, "{said}\n{}", process.log());
    let usable = "dc_delegation_key_usable{zone=\"cpe.example.com\",slot=\"2\",state=\"active\"} 1";
    rig.wait_until("it issues from the new certificate", || {
        rig.admin().get("/metrics").body.contains(usable)
    });
    let (router, answer) = Router::enrolled(&rig, "one");
    let line = process.written().pop().unwrap();
    assert_eq!(line["name"], answer["name"]);
    assert!(
        line["caller"].is_string() && line["uid"].is_null(),
        "{line}"
    );
    process.kill();
    let refused = router.renew(&csr(), "11111111-1111-4111-8111-111111111111");
    refused.refused(503, "zone-not-ready");
    process.begin();
    rig.wait_until("it is ready again by itself", || {
        rig.client().get("/readyz").status == 200
    });
    router
        .renew(&csr(), "22222222-2222-4222-8222-222222222222")
        .ok();
    // By hand too.
    let status = ["keyd", "status", "--socket", &place];
    let shown = [
        "--certificate",
        &certificate,
        "--key",
        &key,
        "--peer",
        &peer,
    ];
    let (done, said) = run(&[&status[..], &shown].concat());
    assert!(done && said.contains("cpe.example.com"), "{said}");
    let (done, said) = run(&status);
    assert!(
        !done && said.contains("which certificate to show"),
        "{said}"
    );
}

#[test]
fn strangers_get_nothing_and_keep_nobody() {
    let (process, address) = start();
    let log = || fs::read_to_string(process.path("state/log.ndjson")).unwrap();
    ask(&process, address, "signer", "keyd").unwrap();
    // A certificate that it does not know, one that is over, and a process that the caller does not know.
    for (own, peer, said) in [
        ("other", "keyd", "TLS: "),
        ("old", "keyd", "TLS: "),
        ("signer", "other", "TLS: "),
    ] {
        let refused = ask(&process, address, own, peer).unwrap_err();
        assert!(refused.contains(said), "{own} {peer}: {refused}");
    }
    // What is no TLS at all.
    let mut plain = TcpStream::connect(address).unwrap();
    plain.write_all(&[0, 0, 0, 2, 1, 3]).unwrap();
    plain
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(answer.len() < 20, "{answer:?}");
    // Those that say nothing are cut off, and meanwhile others are answered.
    let mut slow: Vec<_> = (0..70)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    let began = Instant::now();
    for stream in &mut slow {
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
    }
    assert!(began.elapsed() < Duration::from_secs(30));
    ask(&process, address, "signer", "keyd").unwrap();
    let log = log();
    for said in [
        "the handshake fails",
        "the handshake takes too long",
        "8 handshakes of this address are in progress",
    ] {
        assert!(log.contains(said), "{said}: {log}");
    }
    assert!(!log.contains("\"act\":\"issue\""), "{log}");
}
