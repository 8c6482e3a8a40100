//! The examples of `dc-rustls`: each server with each client.

use std::path::Path;
use std::process::Command;

use base64ct::{Base64, Encoding};
use dc_core::Form;
use dc_core::pem;
use dc_tests::vendor::{Device, Vendor};

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
    let root = Base64::encode_string(&vendor.root_der());
    let root = format!("-----BEGIN CERTIFICATE-----\n{root}\n-----END CERTIFICATE-----\n");
    std::fs::write(folder.join("root.pem"), root).unwrap();
    device
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
