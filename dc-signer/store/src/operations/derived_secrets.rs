//! Comparing the versions of shared secrets with the audit log: the newest of each is the one of its last record.

use std::collections::BTreeMap;

use crate::Error;
use crate::connection::Session;
use crate::registry::{Action, Mismatch, Record, Sha256};

use super::shared_secrets;

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
