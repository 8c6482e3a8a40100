//! The examples of `dc-rustls`: each server with each client.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use dc_core::pem;
use dc_core::{Form, Role};
use dc_rustls::client::{Config, Identity, IdentityStore};
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::pki_types::UnixTime;

use crate::ours;
use crate::process::{Outcome, run};

/// Fills an identity folder, with its vendor's root beside it.
fn enrol(folder: &Path) -> Device {
    let (vendor, device) = (Vendor::default(), Device::new("router"));
    let stored = vendor.issue(&device, Form::Named);
    let credential = pem::write(stored.form, &stored.bytes);
    std::fs::write(folder.join("credential.pem"), credential).unwrap();
    std::fs::write(folder.join("chain.pem"), vendor.chain_pem()).unwrap();
    std::fs::write(folder.join("key.pem"), device.key.private_key_pem()).unwrap();
    std::fs::write(folder.join("root.pem"), certificate_pem(&vendor.root_der())).unwrap();
    device
}

fn certificate_pem(der: &[u8]) -> String {
    pem_of("CERTIFICATE", der)
}

fn pem_of(label: &str, der: &[u8]) -> String {
    let text = Base64::encode_string(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

fn ask(client: &str, folder: &Path, name: &str, port: u16) -> Outcome {
    run(Command::new(ours::example_path(client))
        .arg("--root")
        .arg(folder.join("root.pem"))
        .args(["--name", name, "--connect", &format!("127.0.0.1:{port}")]))
}

#[test]
fn each_client_gets_what_each_server_has_and_knows_its_twin() {
    let folder = tempfile::tempdir().unwrap();
    let device = enrol(folder.path());
    for server in ["server", "hyper_server", "axum_server"] {
        let server = ours::example(server, folder.path());
        for client in ["client", "hyper_client", "ureq_client"] {
            let got = ask(client, folder.path(), &device.name, server.port());
            let expected = format!("served with a credential for {}\n", device.name);
            assert!(
                got.exit == Some(0) && got.stdout.contains(&expected),
                "{client}: {got:?}"
            );
            let twin = ask(client, folder.path(), "twin.cpe.example.com", server.port());
            assert!(
                twin.exit == Some(1) && twin.stdout.is_empty(),
                "{client}: {twin:?}"
            );
        }
    }
}

#[test]
fn a_cloud_service_knows_its_devices_and_lets_nobody_else_in() {
    let (service, vendor) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // It serves with its certificate's own key, as services do.
    let host = Vendor::default();
    let key = pem_of("PRIVATE KEY", host.private_key().secret_der());
    std::fs::write(service.path().join("chain.pem"), host.chain_pem()).unwrap();
    std::fs::write(service.path().join("key.pem"), key).unwrap();
    let (devices, camera) = (Vendor::default(), Device::new("camera"));
    let path = vendor.path().join("root.pem");
    std::fs::write(&path, certificate_pem(&devices.root_der())).unwrap();
    let server = ours::cloud_service(service.path(), &path);
    let now = UnixTime::now();
    let stored = devices.issue_as(Role::Client, &camera, Form::Named, now, DAY);
    let stranger = Vendor::default();
    let other = stranger.issue_as(Role::Client, &camera, Form::Named, now, DAY);
    let ask = |chain, credential| {
        let identities = IdentityStore::new(provider());
        let key = camera.key.private_key();
        let identity = Identity::new(chain, vec![credential], key);
        identities.install(identity).unwrap();
        let client = Config::builder(provider())
            .roots(host.roots())
            .or_certificate()
            .client_identity(identities)
            .build()
            .unwrap();
        let tcp = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        let name = "router.cpe.example.com".try_into().unwrap();
        let mut tls = client.connect(name, tcp).unwrap();
        let request = b"GET / HTTP/1.0\r\nHost: router.cpe.example.com\r\n\r\n";
        let mut reply = String::new();
        tls.write_all(request)
            .and_then(|()| tls.read_to_string(&mut reply))
            .map(|_| reply)
    };
    let reply = ask(devices.chain(), stored).unwrap();
    assert!(
        reply.ends_with("you are camera.cpe.example.com\n"),
        "{reply}"
    );
    let refused = ask(stranger.chain(), other).unwrap_err();
    assert!(refused.to_string().contains("UnknownCA"), "{refused}");
}

#[test]
fn a_server_whose_folder_is_empty_serves_once_it_is_filled() {
    let folder = tempfile::tempdir().unwrap();
    let server = ours::example("axum_server", folder.path());
    assert!(
        server.says("nothing new to serve: cannot read", 0),
        "{}",
        server.text()
    );
    let device = enrol(folder.path());
    // It looks every 10 seconds, and installs what has looked the same twice.
    let installed = std::iter::repeat_with(|| server.says("serving the identity", 0));
    assert!(installed.take(20).any(|says| says), "{}", server.text());
    let got = ask("ureq_client", folder.path(), &device.name, server.port());
    assert_eq!(got.exit, Some(0), "{got:?}");
}

const DAY: Duration = Duration::from_secs(24 * 3600);
