//! Comparing the versions of shared secrets with the audit log: the newest of each is the one of its last record.

use std::collections::BTreeMap;

use crate::connection::Session;
use crate::registry::{Action, Mismatch, Purpose, Record, Sha256, SharedSecret};
use crate::{Error, Store};

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

/// By purpose, the last record about a secret and what it commits to.
#[derive(Default)]
pub(super) struct Secrets(BTreeMap<String, (u64, Sha256)>);

impl Secrets {
    pub(super) fn follow(&mut self, record: &Record) {
        let entry = &record.entry;
        let changes = matches!(
            entry.action,
            Action::ExportSecrets | Action::RotateSecret | Action::SealSecrets
        );
        if let (true, Some(purpose), Some(detail)) = (changes, &entry.name, entry.detail_sha256) {
            self.0.insert(purpose.clone(), (record.seq, detail));
        }
    }

    /// Versions that came with a newer log to a restored backup need not be there.
    pub(super) async fn check(&self, session: &mut Session, replayed: u64) -> Result<(), Error> {
        let mut newest = BTreeMap::new();
        for secret in shared_secrets::all(session).await? {
            newest.insert(secret.purpose.to_string(), secret);
        }
        for (purpose, (seq, detail)) in &self.0 {
            let is_it = newest
                .get(purpose)
                .is_some_and(|secret| secret.commitment() == *detail);
            if *seq > replayed && !is_it {
                let (name, seq) = (purpose.clone(), *seq);
                return Err(Mismatch::SecretChanged { name, seq }.into());
            }
        }
        let unknown = newest
            .into_iter()
            .find(|(purpose, secret)| secret.version > 1 && !self.0.contains_key(purpose));
        match unknown {
            Some((name, _)) => {
                let what = "the secret";
                Err(Mismatch::NoRecord { what, name }.into())
            }
            None => Ok(()),
        }
    }
}

/// A secret whose newest version is another one than the last record about it commits to, and the number of that record.
///
/// As [`Secrets::check`] does, for one who starts: by an index, whatever the length of the log.
async fn behind_log(session: &mut Session) -> Result<Option<(SharedSecret, u64)>, Error> {
    let replayed = replayed(session).await?;
    let all = shared_secrets::all(session).await?;
    for purpose in Purpose::ALL {
        let newest = all.iter().rev().find(|row| row.purpose == purpose);
        let sql = "SELECT seq, detail_sha256 FROM audit WHERE name = $1 AND action <> 'issue' \
                   AND action IN ('export-secrets', 'rotate-secret', 'seal-secrets') \
                   ORDER BY seq DESC LIMIT 1";
        let row = session
            .fetch_one(sql, vec![purpose.as_str().into()])
            .await?;
        let (Some(newest), Some(row)) = (newest, row) else {
            continue;
        };
        let (seq, detail): (u64, _) = (row.number("seq")?, row.maybe_hash("detail_sha256")?);
        if seq > replayed && detail.is_some_and(|detail| detail != newest.commitment()) {
            return Ok(Some((newest.clone(), seq)));
        }
    }
    Ok(None)
}

/// The last record that says a newer log was applied; 0 if there is none.
pub(super) async fn replayed(session: &mut Session) -> Result<u64, Error> {
    let sql = "SELECT seq FROM audit WHERE name IS NULL AND action <> 'issue' \
               AND action = 'replay' ORDER BY seq DESC LIMIT 1";
    let row = session.fetch_one(sql, Vec::new()).await?;
    row.map_or(Ok(0), |row| row.number("seq"))
}
