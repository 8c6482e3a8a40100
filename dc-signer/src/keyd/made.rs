//! Keys that are made here for certificates to come, and the certificates that came.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use dc_core::{DelegationCertificate, Role};
use dc_inspect::delegation_csr::{self, KeySource, NewKey};
use pki_types::{CertificateDer, UnixTime};
use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::ring::default_provider;
use rustls::server::ParsedCertificate;

use super::caller::Caller;
use super::holder::{CERTIFIED, Held, Holder, USED};
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
    /// The roots that a chain has to lead to; any is taken without.
    anchors: Option<RootCertStore>,
}

impl Made {
    pub(super) fn new(state: &Path, anchors: Option<RootCertStore>) -> Self {
        Self {
            state: state.into(),
            anchors,
        }
    }

    /// Makes a key for a certificate of a zone, keeps it, encrypted if there is a passphrase, and gives the request for the
    /// certificate, in PEM, with the SHA-256 of the key. Only so many of a zone wait, unless root asks for one more.
    pub(super) fn new_key(
        &self,
        zone: &ZoneName,
        for_clients: bool,
        unlock: &Unlock,
        caller: Caller,
    ) -> Result<(String, Sha256), TurnedAway> {
        let pending = self.state.join(PENDING);
        make(&pending)?;
        make_room(&pending, zone, caller)?;
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
        let key = Sha256::of(key.spki());
        fs::write(new.path().join(OF_ZONE), zone.to_string()).map_err(TurnedAway::by_own_fault)?;
        let place = pending.join(key.to_string());
        fs::rename(new.keep(), place).map_err(TurnedAway::by_own_fault)?;
        files::sync(&pending).map_err(TurnedAway::by_own_fault)?;
        Ok((request, key))
    }

    /// The keys that wait, the newest first.
    pub(super) fn waiting(&self) -> Vec<Waiting> {
        let mut waiting = waiting(&self.state.join(PENDING)).unwrap_or_default();
        waiting.sort_by_key(|one| std::cmp::Reverse(one.since));
        waiting
    }

    /// Removes a key that waits, or one whose certificate has ended or was never used; says whether there was one.
    pub(super) fn forget(&self, sha256: &Sha256, holder: &Holder) -> Result<bool, TurnedAway> {
        let pending = self.state.join(PENDING).join(sha256.to_string());
        let certified = self.state.join(CERTIFIED).join(sha256.to_string());
        let folder = match (pending.is_dir(), certified.is_dir()) {
            (true, _) => pending,
            (_, true) => certified,
            _ => return Ok(false),
        };
        let has_ended = holder.has_ended(sha256).map_err(TurnedAway::by_own_fault)?;
        if folder.join(USED).exists() && !has_ended {
            let detail = format!(
                "credentials were issued under certificate {sha256}: end it first, with 'dc-signer keyd end {sha256} --reason WHY'"
            );
            return Err(TurnedAway::new(Refusal::Certificate, detail));
        }
        holder.remove(sha256);
        remove(&folder)?;
        Ok(true)
    }

    /// Takes the certificate for a key that was made here: one that may delegate, for zones that are issued in alone, and leads to
    /// the roots. Says too whether it was not held before. Only so many of a zone are held, unless root brings one more.
    pub(super) fn install(
        &self,
        chain: &[Vec<u8>],
        ceilings: &Ceilings,
        holder: &Holder,
        (caller, now): (Caller, UnixTime),
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
        self.leads_to_a_root(chain, certificate.not_before().max(now))?;
        self.forget_ended(holder, now)?;
        if !caller.is_root() {
            self.has_room(&certificate, holder)?;
        }
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

    /// The chain is of a CA of the configuration.
    fn leads_to_a_root(&self, chain: &[Vec<u8>], at: UnixTime) -> Result<(), TurnedAway> {
        let Some(anchors) = &self.anchors else {
            return Ok(());
        };
        let chain: Vec<_> = chain
            .iter()
            .map(|der| CertificateDer::from(&der[..]))
            .collect();
        let first = chain.first().map(ParsedCertificate::try_from);
        let others = chain.get(1..).unwrap_or_default();
        let algorithms = default_provider().signature_verification_algorithms;
        let leads = first.is_some_and(|first| {
            first.is_ok_and(|first| {
                verify_server_cert_signed_by_trust_anchor(
                    &first,
                    anchors,
                    others,
                    at,
                    algorithms.all,
                )
                .is_ok()
            })
        });
        match leads {
            true => Ok(()),
            false => Err(TurnedAway::new(
                Refusal::Certificate,
                "its chain does not lead to a root of 'anchors' in the signing process's configuration: hand in the whole chain, or have the CA's root added there",
            )),
        }
    }

    /// Removes certificates that are over, with their keys, and of those that were ended all but the last ones.
    fn forget_ended(&self, holder: &Holder, now: UnixTime) -> Result<(), TurnedAway> {
        let certified = self.state.join(CERTIFIED);
        for held in holder.all() {
            let Some(folder) = held.made_in(&certified) else {
                continue;
            };
            let end = held.for_servers.certificate().not_after().as_secs();
            if end + ENDED.as_secs() < now.as_secs() {
                holder.remove(&held.sha256());
                remove(folder)?;
            }
        }
        let mut ended = Vec::new();
        for entry in fs::read_dir(&certified).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let sha256 = name.to_str().and_then(|name| name.parse::<Sha256>().ok());
            let Some(sha256) = sha256 else { continue };
            if holder
                .has_ended(&sha256)
                .map_err(TurnedAway::by_own_fault)?
            {
                let changed = entry.metadata().and_then(|found| found.modified()).ok();
                ended.push((changed, entry.path()));
            }
        }
        ended.sort();
        let surplus = ended.len().saturating_sub(KEPT_ENDED);
        ended
            .iter()
            .take(surplus)
            .try_for_each(|(_, folder)| remove(folder))
    }

    /// There is room in each of its zones.
    fn has_room(
        &self,
        certificate: &DelegationCertificate<'_>,
        holder: &Holder,
    ) -> Result<(), TurnedAway> {
        let certified = self.state.join(CERTIFIED);
        let all = holder.all();
        for name in certificate.dns_names() {
            let is_of_it = |held: &&Arc<Held>| {
                let names = held.for_servers.certificate().dns_names();
                held.made_in(&certified).is_some()
                    && names.iter().any(|other| other.eq_ignore_ascii_case(name))
            };
            if all.iter().filter(is_of_it).count() >= MAX_IN_A_ZONE {
                let detail = format!(
                    "{MAX_IN_A_ZONE} certificates for {name} are held: 'dc-signer keyd status' lists them; have root end those that nobody needs with 'dc-signer keyd end SHA256 --reason WHY', forget those that were never used with 'dc-signer keyd forget SHA256', or install this one, which root always may"
                );
                return Err(TurnedAway::new(Refusal::Certificate, detail));
            }
        }
        Ok(())
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

/// A key that waits for its certificate.
#[derive(Debug)]
pub(super) struct Waiting {
    /// The SHA-256 of its SubjectPublicKeyInfo.
    pub(super) key: String,
    /// None if it was made before that was kept.
    pub(super) zone: Option<String>,
    pub(super) since: Option<SystemTime>,
    folder: PathBuf,
}

fn waiting(pending: &Path) -> std::io::Result<Vec<Waiting>> {
    let entries = fs::read_dir(pending)?.map(|entry| {
        let entry = entry?;
        Ok(Waiting {
            key: entry.file_name().to_string_lossy().into_owned(),
            zone: fs::read_to_string(entry.path().join(OF_ZONE)).ok(),
            since: entry.metadata().and_then(|found| found.modified()).ok(),
            folder: entry.path(),
        })
    });
    entries.collect()
}

/// Removes keys that have waited longer than any CA takes, and refuses more than some of a zone.
fn make_room(pending: &Path, zone: &ZoneName, caller: Caller) -> Result<(), TurnedAway> {
    let (zone, mut count) = (zone.to_string(), 0);
    for one in waiting(pending).map_err(TurnedAway::by_own_fault)? {
        let age = one
            .since
            .and_then(|since| SystemTime::now().duration_since(since).ok());
        match age.is_some_and(|age| age > WAITED) {
            true => remove(&one.folder)?,
            false => count += usize::from(one.zone.is_none_or(|other| other == zone)),
        }
    }
    match count < MAX_PENDING || caller.is_root() {
        true => Ok(()),
        false => Err(TurnedAway::new(
            Refusal::Busy,
            format!(
                "{MAX_PENDING} keys of zone {zone} wait for their certificates: 'dc-signer keyd status' lists them; have those certified, or have root forget those that nobody needs with 'dc-signer keyd forget SHA256', or ask for this one, which root always may"
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
/// The file with the zone of a key that waits.
const OF_ZONE: &str = "zone";
/// For each zone.
const MAX_PENDING: usize = 16;
/// A certificate of some days has ended, and is forgotten a month later, before as many came.
const MAX_IN_A_ZONE: usize = 32;
/// So many that were ended can still be brought back by whoever has the machine.
const KEPT_ENDED: usize = 32;
const WAITED: Duration = Duration::from_secs(60 * 86_400);
/// No credential under a certificate lives longer.
const ENDED: Duration = Duration::from_secs(30 * 86_400);
