//! Comparing the versions of shared secrets with the audit log: which there are, which is the newest, and when the older ones end.

use std::collections::BTreeMap;

use pki_types::UnixTime;

use crate::connection::Session;
use crate::registry::{Action, Mismatch, Purpose, Record, Sha256, SharedSecret};
use crate::{Error, Store};

use super::findings::Found;
use super::replays::Replays;
use super::shared_secrets;

impl Store {
    /// A secret whose newest version in the database is not the one that the audit log says is used, and the record that says so:
    /// somebody has put an older version back.
    pub async fn secret_behind_log(&self) -> Result<Option<(SharedSecret, u64)>, Error> {
        self.snapshot("secret_behind_log", async |session| {
            behind_log(session).await
        })
        .await
    }
}

/// The secrets as the log tells them; as large as there are versions.
#[derive(Default)]
pub(super) struct Secrets {
    /// By purpose, the last record about its newest version and what it commits to.
    newest: BTreeMap<String, (u64, Sha256)>,
    /// By what the record commits to, the versions that were made.
    made: BTreeMap<Sha256, Made>,
    /// By what the record commits to, the last record that ends a version, and when.
    ends: BTreeMap<Sha256, (u64, Option<UnixTime>)>,
    /// The last record by which secrets were taken out.
    taken_out: u64,
    /// By purpose, the records of its new versions.
    rotated: BTreeMap<String, Vec<u64>>,
}

struct Made {
    seq: u64,
    purpose: String,
    since: UnixTime,
}

impl Secrets {
    /// Only of records that may have been done here.
    pub(super) fn follow(&mut self, record: &Record) {
        let (seq, entry) = (record.seq, &record.entry);
        let (Some(purpose), Some(detail)) = (&entry.name, entry.detail_sha256) else {
            return;
        };
        match entry.action {
            Action::EndSecret => {
                self.ends.insert(detail, (seq, entry.expires));
                return;
            }
            Action::RotateSecret => {
                let made = Made {
                    seq,
                    purpose: purpose.clone(),
                    since: entry.time,
                };
                self.made.insert(detail, made);
                self.rotated.entry(purpose.clone()).or_default().push(seq);
            }
            Action::ExportSecrets => self.taken_out = seq,
            // Versions from before are sealed in their order.
            Action::SealSecrets => {}
            _ => return,
        }
        self.newest.insert(purpose.clone(), (seq, detail));
    }

    pub(super) async fn check(
        mut self,
        session: &mut Session,
        replays: &Replays,
        found: &mut Found,
    ) -> Result<(), Error> {
        let all = shared_secrets::all(session).await?;
        let newest: BTreeMap<String, &SharedSecret> = all
            .iter()
            .map(|secret| (secret.purpose.to_string(), secret))
            .collect();
        for (purpose, (seq, detail)) in &self.newest {
            let is_it = |secret: &&SharedSecret| secret.commitment() == *detail;
            if replays.is_here(*seq) && newest.get(purpose).filter(|one| is_it(one)).is_none() {
                let (name, seq) = (purpose.clone(), *seq);
                found.add(Mismatch::SecretChanged { name, seq });
            }
        }
        self.check_order(&newest, replays, found);
        for secret in &all {
            self.check_version(secret, replays, found);
        }
        // What was taken out left its older versions behind.
        let since = self.taken_out;
        let is_kept = |made: &&Made| made.seq > since && replays.is_here(made.seq);
        for made in self.made.values().filter(is_kept) {
            let (what, seq) = ("version of the secret", made.seq);
            let name = made.purpose.clone();
            found.add(Mismatch::Removed { what, name, seq });
        }
        Ok(())
    }

    /// Each new version has a higher number than the one before, so there are as many numbers as records say, or more: the last record
    /// may not take back what others before it have made.
    fn check_order(
        &self,
        newest: &BTreeMap<String, &SharedSecret>,
        replays: &Replays,
        found: &mut Found,
    ) {
        let since = self.taken_out;
        let is_counted = |seq: &&u64| **seq > since && replays.is_here(**seq);
        for (purpose, rotated) in &self.rotated {
            let counted = rotated.iter().filter(is_counted).count();
            let version = newest.get(purpose).map(|secret| secret.version);
            if let (Some(version), Some(seq)) = (version, rotated.last())
                && is_behind(version, u64::try_from(counted).unwrap_or(u64::MAX))
            {
                let (name, seq) = (purpose.clone(), *seq);
                found.add(Mismatch::SecretChanged { name, seq });
            }
        }
    }

    fn check_version(&mut self, secret: &SharedSecret, replays: &Replays, found: &mut Found) {
        let detail = secret.commitment();
        let made = self.made.remove(&detail);
        let row = format!("{} version {}", secret.purpose, secret.version);
        let secs = |time: UnixTime| time.as_secs().to_string();
        let maybe = |time: Option<UnixTime>| time.map_or_else(|| "none".to_owned(), secs);
        let mut compare = |column, seq, expected: String, there: String| {
            if expected != there {
                found.add(Mismatch::Changed {
                    table: "shared_secrets",
                    row: row.clone(),
                    column,
                    seq,
                    expected,
                    found: there,
                });
            }
        };
        let (seq, until) = self.ends.get(&detail).copied().unwrap_or((0, None));
        if seq == 0 || replays.is_here(seq) {
            compare("until", seq, maybe(until), maybe(secret.until));
        }
        match made {
            Some(made) => compare("since", made.seq, secs(made.since), secs(secret.since)),
            // The first was made before there was anything to record.
            None if secret.version > 1 => {
                let (what, name) = ("the secret", secret.purpose.to_string());
                found.add(Mismatch::NoRecord { what, name });
            }
            None => {}
        }
    }
}

/// True if a version is not as new as so many records of new versions make it.
fn is_behind(version: u32, rotated: u64) -> bool {
    rotated > 0 && u64::from(version) <= rotated
}

/// A secret whose newest version is another one than the last record about it commits to, and the number of that record.
///
/// Or one that is older than there are records of new versions: a record behind those may say that it is used again.
///
/// As [`Secrets::check`] does, for one who starts: by an index, whatever the length of the log.
async fn behind_log(session: &mut Session) -> Result<Option<(SharedSecret, u64)>, Error> {
    let replays = Replays::load(session).await?;
    let all = shared_secrets::all(session).await?;
    for purpose in Purpose::ALL {
        let newest = all.iter().rev().find(|row| row.purpose == purpose);
        let sql = "SELECT seq, action, detail_sha256 FROM audit WHERE name = $1 AND action <> 'issue' \
                   AND action IN ('export-secrets', 'rotate-secret', 'seal-secrets') \
                   ORDER BY seq DESC";
        let mut rows = session.fetch(sql, vec![purpose.as_str().into()]).await?;
        rows.retain(|row| {
            let seq = row.number("seq");
            !seq.is_ok_and(|seq| replays.is_elsewhere(seq))
        });
        let (Some(newest), Some(row)) = (newest, rows.first()) else {
            continue;
        };
        let (seq, detail): (u64, _) = (row.number("seq")?, row.maybe_hash("detail_sha256")?);
        let is_other =
            replays.is_here(seq) && detail.is_some_and(|detail| detail != newest.commitment());
        let mut rotated = 0;
        for row in &rows {
            match row.parse("action")? {
                _ if !replays.is_here(row.number("seq")?) => break,
                // What was taken out left its older versions behind.
                Action::ExportSecrets => break,
                Action::RotateSecret => rotated += 1,
                _ => {}
            }
        }
        if is_other || is_behind(newest.version, rotated) {
            return Ok(Some((newest.clone(), seq)));
        }
    }
    Ok(None)
}

/// The last record of an act that is about all of the database; 0 if there is none.
pub(super) async fn last(session: &mut Session, action: &str) -> Result<u64, Error> {
    let sql = "SELECT seq FROM audit WHERE name IS NULL AND action <> 'issue' \
               AND action = $1 ORDER BY seq DESC LIMIT 1";
    let row = session.fetch_one(sql, vec![action.into()]).await?;
    row.map_or(Ok(0), |row| row.number("seq"))
}
