//! A vendor made with the `dc-signer` binary, and devices that get their identities from it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    lab::{self, Lab, Served, make_key},
    nss, ours,
    process::run_ok,
};

const ZONE: &str = "cpe.example.com";

/// The folder that `dc-signer init` has made.
#[derive(Debug)]
pub(crate) struct Vendor {
    folder: PathBuf,
}

/// A device: its name, and the folder a server takes as `--identity`.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) name: String,
    pub(crate) identity: PathBuf,
}

impl Vendor {
    pub(crate) fn make(folder: &Path, lab: &Lab) -> Self {
        run_ok(
            Command::new(ours::dc_signer())
                .arg("init")
                .arg(folder)
                .args(["--zone", ZONE]),
        );
        let vendor = Self {
            folder: folder.to_owned(),
        };
        nss::make_database(&vendor.nss_database(), &[vendor.root(), lab.root()]);
        vendor
    }

    /// A certificate database for NSS that trusts the vendor's root, and the lab's for a fallback certificate.
    pub(crate) fn nss_database(&self) -> PathBuf {
        self.folder.with_extension("nss")
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.join("root.pem")
    }

    /// Enrols a device: a key, a certificate signing request, and what the signer answers.
    ///
    /// `form` is what `dc-signer issue --form` takes.
    pub(crate) fn enrol(&self, host: &str, kind: &str, form: &str) -> Device {
        self.enrol_for(host, host, kind, &["--form", form])
    }

    /// The same with other options of `dc-signer issue`, in a folder of its own, so that a device can be enrolled again.
    pub(crate) fn enrol_for(
        &self,
        folder: &str,
        host: &str,
        kind: &str,
        options: &[&str],
    ) -> Device {
        let name = format!("{host}.{ZONE}");
        let private = self.folder.with_extension(folder);
        lab::create(&private);
        let (key, request) = (private.join("key.pem"), private.join("request.pem"));
        make_key(&key, kind);
        run_ok(
            Command::new("openssl")
                .args(["req", "-new", "-subj", &format!("/CN={name}"), "-key"])
                .arg(&key)
                .arg("-out")
                .arg(&request),
        );
        let identity = private.join("identity");
        run_ok(
            Command::new(ours::dc_signer())
                .arg("issue")
                .arg("--delegation")
                .arg(&self.folder)
                .arg("--csr")
                .arg(&request)
                .args(["--name", &name])
                .args(options)
                .arg("--out")
                .arg(&identity),
        );
        copy(&key, &identity.join("key.pem"));
        Device { name, identity }
    }

    /// What a server other than ours needs to use the device's credential.
    pub(crate) fn served(&self, device: &Device) -> Served {
        Served {
            chain: device.identity.join("chain.pem"),
            key: self.folder.join("key.pem"),
            credential: device.identity.join("credential.pem"),
            credential_key: device.identity.join("key.pem"),
        }
    }

    /// The same, with the bare structure in a file of its own: what BoringSSL's own functions take.
    pub(crate) fn served_bare(&self, device: &Device) -> Served {
        let served = self.served(device);
        let pem = fs::read(&served.credential)
            .unwrap_or_else(|error| panic!("{}: {error}", served.credential.display()));
        let stored = dc_core::pem::read(&pem)
            .unwrap_or_else(|error| panic!("{}: {error}", served.credential.display()));
        let bare = device.identity.join("credential.bin");
        fs::write(&bare, &stored[0].bytes)
            .unwrap_or_else(|error| panic!("{}: {error}", bare.display()));
        Served {
            credential: bare,
            ..served
        }
    }
}

/// Makes an identity folder of a credential that another issuer has signed.
pub(crate) fn identity_of(served: &Served) -> PathBuf {
    let identity = served.credential.with_extension("identity");
    lab::create(&identity);
    copy(&served.chain, &identity.join("chain.pem"));
    copy(&served.credential, &identity.join("credential.pem"));
    copy(&served.credential_key, &identity.join("key.pem"));
    identity
}

fn copy(from: &Path, to: &Path) {
    // With its permissions: a key stays readable by its owner only.
    if let Err(error) = fs::copy(from, to) {
        panic!(
            "cannot copy {} to {}: {error}",
            from.display(),
            to.display()
        );
    }
}
