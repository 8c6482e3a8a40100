//! Keys that are made here for certificates to come, and the certificates that came.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use dc_core::{DelegationCertificate, Role};
use dc_inspect::delegation_csr::{self, KeySource, NewKey};
use pki_types::{CertificateDer, UnixTime};

use super::holder::{CERTIFIED, Held, Holder};
use super::policy::Ceilings;
use super::turned_away::TurnedAway;
use dc_pki::delegation::{CHAIN, KEY};
use dc_pki::files::{self, Access, NewFile};
use dc_pki::keys::{KeyType, PemKey, Refusal, Unlock, generate_in_file};
use dc_pki::names::ZoneName;
use dc_pki::{Sha256, pem};

/// The keys that wait for their certificates, and the folders of those that have them.
#[derive(Debug)]
pub(super) struct Made {
    state: PathBuf,
}

impl Made {
    pub(super) fn new(state: &Path) -> Self {
        Self {
            state: state.into(),
        }
    }

    /// Makes a key for a certificate of a zone, keeps it, encrypted if there is a passphrase, and gives the request for the
    /// certificate, in PEM.
    pub(super) fn new_key(
        &self,
        zone: &ZoneName,
        for_clients: bool,
        unlock: &Unlock,
    ) -> Result<String, TurnedAway> {
        let pending = self.state.join(PENDING);
        make(&pending)?;
        make_room(&pending)?;
        let roles = match for_clients {
            true => &[Role::Server, Role::Client][..],
            false => &[Role::Server],
        };
        let new = tempfile::Builder::new().prefix(NEW).tempdir_in(&pending);
        let new = new.map_err(TurnedAway::by_own_fault)?;
        let path = new.path().join(KEY);
        let source = match unlock.source() {
            None => KeySource::New(NewKey::P256),
            Some(_) => {
                let made = generate_in_file(&path, KeyType::P256, unlock);
                made.map_err(TurnedAway::by_own_fault)?;
                KeySource::File {
                    path: &path,
                    unlock,
                }
            }
        };
        let written = delegation_csr::write(new.path(), zone, roles, source);
        let written = written.map_err(TurnedAway::by_own_fault)?;
        let request = fs::read_to_string(&written.request).map_err(TurnedAway::by_own_fault)?;
        let key = PemKey::read_with(&path, unlock).map_err(TurnedAway::by_own_fault)?;
        let place = pending.join(Sha256::of(key.spki()).to_string());
        fs::rename(new.keep(), place).map_err(TurnedAway::by_own_fault)?;
        files::sync(&pending).map_err(TurnedAway::by_own_fault)?;
        Ok(request)
    }

    /// Takes the certificate for a key that was made here: one that may delegate, for zones that are issued in alone. Says too
    /// whether it was not held before.
    pub(super) fn install(
        &self,
        chain: &[Vec<u8>],
        ceilings: &Ceilings,
        holder: &Holder,
        now: UnixTime,
    ) -> Result<(Sha256, bool), TurnedAway> {
        let refused = |detail: String| TurnedAway::new(Refusal::Certificate, detail);
        let first = chain.first().cloned().unwrap_or_default();
        let certificate = DelegationCertificate::parse(CertificateDer::from(first));
        let certificate = certificate.map_err(|error| refused(error.to_string()))?;
        let sha256 = Sha256::of(certificate.der());
        if holder.find(&sha256).is_some() {
            return Ok((sha256, false));
        }
        if holder
            .has_ended(&sha256)
            .map_err(TurnedAway::by_own_fault)?
        {
            let detail = format!("certificate {sha256} has ended, and is not taken again");
            return Err(refused(detail));
        }
        check(&certificate, ceilings, now)?;
        let key = Sha256::of(certificate.spki()).to_string();
        let pending = self.state.join(PENDING).join(key);
        let key = files::read(&pending.join(KEY));
        let key =
            key.map_err(|_| refused("no key for this certificate was made here".to_owned()))?;
        self.forget_ended(holder, now)?;
        let certified = self.state.join(CERTIFIED);
        make(&certified)?;
        let folder = certified.join(sha256.to_string());
        let chain: String = chain
            .iter()
            .map(|der| pem::encode("CERTIFICATE", der))
            .collect();
        let file = |name, contents| NewFile {
            name,
            contents,
            access: Access::Owner,
        };
        let both = [file(CHAIN, chain.as_bytes()), file(KEY, &key[..])];
        files::create_folder(&folder, Access::Owner, &both).map_err(TurnedAway::by_own_fault)?;
        match Held::load(&folder, holder.unlock()) {
            Ok(held) => holder.add(held),
            Err(error) => {
                // The key is still where it was.
                remove(&folder)?;
                tracing::warn!(%error, "a certificate that was handed in is not taken");
                return Err(refused(what_is_wrong(&error)));
            }
        }
        remove(&pending)?;
        Ok((sha256, true))
    }

    /// Removes certificates that are over, with their keys, so that room for new ones is never used up.
    fn forget_ended(&self, holder: &Holder, now: UnixTime) -> Result<(), TurnedAway> {
        let certified = self.state.join(CERTIFIED);
        let mut count = 0;
        for held in holder.all() {
            let of_here = held.location().file().and_then(Path::parent);
            let Some(folder) = of_here.filter(|folder| folder.parent() == Some(&*certified)) else {
                continue;
            };
            let end = held.for_servers.certificate().not_after().as_secs();
            match end + ENDED.as_secs() < now.as_secs() {
                true => {
                    holder.remove(&held.sha256());
                    remove(folder)?;
                }
                false => count += 1,
            }
        }
        match count < MAX_CERTIFIED {
            true => Ok(()),
            false => Err(TurnedAway::new(
                Refusal::Certificate,
                format!("{MAX_CERTIFIED} certificates are held, and none has ended"),
            )),
        }
    }
}

/// Each of its names is a zone, and it has not ended.
fn check(
    certificate: &DelegationCertificate<'_>,
    ceilings: &Ceilings,
    now: UnixTime,
) -> Result<(), TurnedAway> {
    for name in certificate.dns_names() {
        let zone = name
            .starts_with("*.")
            .then(|| ZoneName::parse(&name.to_ascii_lowercase()));
        let Some(Ok(zone)) = zone else {
            let detail = format!("{name} is no wildcard, and so no zone");
            return Err(TurnedAway::new(Refusal::Name, detail));
        };
        ceilings.named(&zone)?;
    }
    match now < certificate.not_after() {
        true => Ok(()),
        false => Err(TurnedAway::new(
            Refusal::Certificate,
            "the certificate is over",
        )),
    }
}

/// The reason without the paths of this process.
fn what_is_wrong(error: &dc_pki::Error) -> String {
    match error {
        dc_pki::Error::UnfitCertificate { source, .. } => source.to_string(),
        dc_pki::Error::BadIssuer { source, .. } => source.to_string(),
        _ => "the chain cannot be used: the signing process's log says more".to_owned(),
    }
}

/// Removes keys that have waited longer than any CA takes, and refuses more than some.
fn make_room(pending: &Path) -> Result<(), TurnedAway> {
    let mut count = 0;
    for entry in fs::read_dir(pending).map_err(TurnedAway::by_own_fault)? {
        let entry = entry.map_err(TurnedAway::by_own_fault)?;
        let changed = entry.metadata().and_then(|metadata| metadata.modified());
        let age = changed
            .ok()
            .and_then(|changed| SystemTime::now().duration_since(changed).ok());
        match age.is_some_and(|age| age > WAITED) {
            true => remove(&entry.path())?,
            false => count += 1,
        }
    }
    match count < MAX_PENDING {
        true => Ok(()),
        false => Err(TurnedAway::new(
            Refusal::Busy,
            format!(
                "{MAX_PENDING} keys wait for their certificates: have those certified, or remove some from its folder {PENDING}"
            ),
        )),
    }
}

fn make(folder: &Path) -> Result<(), TurnedAway> {
    files::make_folder(folder, Access::Owner).map_err(TurnedAway::by_own_fault)
}

fn remove(folder: &Path) -> Result<(), TurnedAway> {
    fs::remove_dir_all(folder).map_err(TurnedAway::by_own_fault)
}

/// The folder of keys that wait, each under the SHA-256 of its SubjectPublicKeyInfo.
const PENDING: &str = "pending";
const NEW: &str = "new-";
const MAX_PENDING: usize = 16;
const MAX_CERTIFIED: usize = 64;
const WAITED: Duration = Duration::from_secs(60 * 86_400);
/// No credential under a certificate lives longer.
const ENDED: Duration = Duration::from_secs(30 * 86_400);
