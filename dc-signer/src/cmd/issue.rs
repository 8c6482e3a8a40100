//! `dc-signer issue`: credentials for one device.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use dc_core::UniqueName;
use dc_pki::Warning;
use dc_pki::names::{self, ZoneName};
use dc_pki::{Delegation, DeviceKey, IdentityFolder, Wanted, clock, issue};
use pki_types::SignatureVerificationAlgorithm;

use super::Error;
use super::passphrase::Passphrase;
use super::role::Role;
use super::{print, warn};

mod summary;

use summary::Summary;

/// Issue credentials for one device's key
///
/// Writes an identity folder: chain.pem and credential.pem. The device adds its key.pem, which never
/// leaves it. Nothing but the public key is taken from what the device hands in.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The folder with the delegation certificate's chain.pem and key.pem (PKCS#8, SEC1 or PKCS#1)
    #[arg(long, value_name = "DIR")]
    delegation: PathBuf,
    #[command(flatten)]
    passphrase: Passphrase,
    #[command(flatten)]
    device: Device,
    /// The device's unique name. You vouch that it belongs to this device and to no other.
    /// [default: the one that the folder OUT has had until now, else a new random one in the zone of
    /// the certificate's wildcard]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How long the credentials are valid, 7 days at most: 164h, 6d20h, 90m, 3600s
    /// [default: 164h, or less if the certificate ends before]
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    lifetime: Option<Duration>,
    /// Which credentials to issue
    #[arg(long, value_enum, default_value_t = Form::Named)]
    form: Form,
    /// Which end of connections the device is to be; as both it has two folders. Give each a key of its own: whoever
    /// breaks into its server is then not the device at other servers
    #[arg(long, value_enum, default_value_t = Role::Server)]
    role: Role,
    /// The identity folder to write; a key.pem in it is checked and left alone
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Where the device's public key comes from.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Device {
    /// The device's certificate signing request (PKCS#10; PEM or DER), whose signature is checked
    #[arg(long, value_name = "FILE")]
    csr: Option<PathBuf>,
    /// The device's public key (SubjectPublicKeyInfo; PEM or DER), with no proof that it has the
    /// private one
    #[arg(long, value_name = "FILE")]
    spki: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Form {
    /// With a unique name: no other device can pose as this one
    Named,
    /// As RFC 9345 defines it, for clients such as Firefox: any device can pose as any other
    Rfc9345,
    /// One of each, for servers that meet both kinds of client
    Both,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let now = clock::now()?;
        let algorithms = rustls::crypto::ring::default_provider()
            .signature_verification_algorithms
            .all;
        let delegation = Delegation::load_with(
            &self.delegation,
            self.role.into(),
            &self.passphrase.unlock(),
        )?;
        let device_key = self.device.read(algorithms)?;
        let folder = IdentityFolder::open(&self.out, &device_key)?;
        folder.check_role(self.role.into(), algorithms)?;
        let wanted = self.wanted(&delegation, &folder)?;
        let mut warnings = delegation.warnings(now)?;
        warnings.extend(self.unusual(&wanted, &delegation, &folder));
        warnings.extend(self.device.not_proven(&folder));
        if wanted.unique_name().is_none() {
            warnings.extend(self.name.clone().map(|name| Warning::NameNotUsed { name }));
        }
        let issued = issue(
            &delegation,
            &device_key,
            &wanted,
            self.lifetime,
            algorithms,
            now,
        )?;
        let files = folder.write(delegation.chain(), &issued)?;
        let summary = Summary {
            name: wanted.unique_name(),
            as_before: matches!(folder.unique_name(), Ok(old) if old == wanted.unique_name()),
            role: self.role.into(),
            issued: &issued,
            files: &files,
            warnings: &warnings,
            now,
        };
        if self.json {
            return print(&summary.to_json());
        }
        warn(&warnings);
        print(&summary)
    }

    fn wanted(&self, delegation: &Delegation, folder: &IdentityFolder) -> Result<Wanted, Error> {
        Ok(match self.form {
            Form::Rfc9345 => {
                self.name.as_deref().map(names::parse).transpose()?;
                Wanted::Rfc9345
            }
            Form::Named => Wanted::Named(self.unique_name(delegation, folder)?),
            Form::Both => Wanted::Both(self.unique_name(delegation, folder)?),
        })
    }

    fn unique_name(
        &self,
        delegation: &Delegation,
        folder: &IdentityFolder,
    ) -> Result<UniqueName<'static>, dc_pki::Error> {
        if let Some(name) = &self.name {
            return names::parse(name);
        }
        // A renewal must not rename the device: its clients know it by this name.
        if let Some(name) = folder.unique_name()? {
            return Ok(name.clone());
        }
        ZoneName::of(delegation.certificate())
            .ok_or_else(|| dc_pki::Error::MissingZone {
                path: delegation.chain_path().into(),
            })?
            .fresh_name()
    }

    /// Warnings about this request, rather than about the vendor's files.
    fn unusual(
        &self,
        wanted: &Wanted,
        delegation: &Delegation,
        folder: &IdentityFolder,
    ) -> Vec<Warning> {
        let names = delegation.certificate().dns_names();
        let no_name = wanted.rfc9345().then(|| Warning::no_unique_name(names));
        let no_name = no_name.flatten();
        // No server of NSS asks its clients for a credential.
        let is_for_nss = wanted.rfc9345() && self.role == Role::Server;
        let form = is_for_nss.then_some(dc_core::Form::Rfc9345);
        let not_for_nss = form.and_then(|form| Warning::not_for_nss(form, delegation.algorithm()));
        let renamed = folder.check_name(wanted.unique_name());
        let strange = folder.warning().cloned();
        [no_name, not_for_nss, renamed, strange]
            .into_iter()
            .flatten()
            .collect()
    }
}

impl Device {
    /// A bare public key proves nothing, unless the private one lies in the folder.
    fn not_proven(&self, folder: &IdentityFolder) -> Option<Warning> {
        let path = self.spki.clone().filter(|_| !folder.has_key())?;
        Some(Warning::NoProof { path })
    }

    fn read(
        &self,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    ) -> Result<DeviceKey, dc_pki::Error> {
        let csr = self
            .csr
            .iter()
            .map(|path| DeviceKey::from_csr(path, algorithms));
        let spki = self.spki.iter().map(|path| DeviceKey::from_spki(path));
        csr.chain(spki)
            .next()
            .expect("clap's group `Device` is required")
    }
}

/// Whole seconds, which is what a credential counts in.
fn lifetime(text: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(text).map(|duration| Duration::from_secs(duration.as_secs()))
}

const EXAMPLES: &str = "\
Examples:
  dc-signer issue --delegation vendor --csr device.csr --out device
  dc-signer issue --delegation vendor --csr device.csr --name k3v.cpe.example.com --out device
  dc-signer issue --delegation vendor --csr device.csr --name k3v.cpe.example.com --role client --out device-client
  dc-signer issue --delegation vendor --spki device.pub --form both --lifetime 24h --json --out device

A credential is good for one end only. Those of --role client are presented to servers that ask
clients for one, a cloud service for example; the delegation certificate needs clientAuth in its
extKeyUsage, or none.

To renew, run it again with the same --out. Credentials of the same certificate replace each other in
one step. A client whose clock is slow sees a longer life than was given, so a lifetime close to 7 days
is refused by some: keep the default unless you know their clocks.";
