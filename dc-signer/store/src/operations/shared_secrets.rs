//! The secrets that all signers of a database share: their fingerprints, and themselves if they are sealed.

use pki_types::UnixTime;

use crate::connection::{Row, Session};
use crate::registry::{self, Action, Sha256, SharedDelegation, SharedSecret};
use crate::sql::Value;
use crate::{Act, Error, Store};

use super::shared_delegations;
use super::work::Work;

/// A change of what all signers share; nothing of it is done if the secrets are not as they were any more.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SecretChange {
    /// The secrets before it.
    pub before: Vec<SharedSecret>,
    /// The secrets after it.
    pub after: Vec<SharedSecret>,
    /// Delegation certificates that are shared from now on, or sealed otherwise.
    pub delegations: Vec<SharedDelegation>,
    /// SHA-256 of those that are not shared any more.
    pub without: Vec<Sha256>,
    /// The records of the audit log, each with the version that it is about.
    pub records: Vec<(Action, Option<SharedSecret>)>,
}

impl Store {
    /// The secrets of this database by purpose and version; none before its first signer has started.
    pub async fn secrets(&self) -> Result<Vec<SharedSecret>, Error> {
        self.read("secrets", async |session| all(session).await)
            .await
    }

    /// Makes these the secrets of the database if it has none; says which it has then.
    ///
    /// Of several signers that start on an empty database, one is the first.
    pub async fn claim_secrets(&self, first: &[SharedSecret]) -> Result<Vec<SharedSecret>, Error> {
        self.write("claim_secrets", async |work| claim(work, first).await)
            .await
    }

    /// Changes the secrets of the database, and the sealed keys of delegation certificates, all of it or nothing; each change is
    /// in the audit log.
    ///
    /// Fails with [`SecretsChanged`](crate::registry::Error::SecretsChanged) if somebody else has changed the secrets since.
    pub async fn change_secrets(&self, change: &SecretChange, by: &Act) -> Result<(), Error> {
        self.write("change_secrets", async |work| {
            self::change(work, change, by).await
        })
        .await
    }

    /// When the last activation code stops being good that nobody has used; none if there is none.
    pub async fn last_code_ends(&self) -> Result<Option<UnixTime>, Error> {
        self.read("last_code_ends", async |session| {
            let sql = "SELECT MAX(expires) AS expires FROM codes WHERE used_by IS NULL";
            let row = session.fetch_one(sql, Vec::new()).await?;
            row.map_or(Ok(None), |row| row.maybe_time("expires"))
        })
        .await
    }
}

pub(super) async fn all(session: &mut Session) -> Result<Vec<SharedSecret>, Error> {
    let sql = "SELECT purpose, version, fingerprint, sealed, since, until FROM shared_secrets \
               ORDER BY purpose, version";
    let rows = session.fetch(sql, Vec::new()).await?;
    rows.iter().map(secret).collect()
}

fn secret(row: &Row) -> Result<SharedSecret, Error> {
    Ok(SharedSecret {
        purpose: row.parse("purpose")?,
        version: row.number("version")?,
        fingerprint: row.hash("fingerprint")?,
        sealed: row.maybe_blob("sealed")?,
        since: row.time("since")?,
        until: row.maybe_time("until")?,
    })
}

async fn claim(work: &mut Work, first: &[SharedSecret]) -> Result<Vec<SharedSecret>, Error> {
    if all(&mut work.session).await?.is_empty() {
        for secret in first {
            insert(&mut work.session, secret).await?;
        }
    }
    all(&mut work.session).await
}

async fn change(work: &mut Work, change: &SecretChange, by: &Act) -> Result<(), Error> {
    if all(&mut work.session).await? != change.before {
        return Err(registry::Error::SecretsChanged.into());
    }
    let sql = "DELETE FROM shared_secrets WHERE 1 = 1";
    work.session.execute(sql, Vec::new()).await?;
    for secret in &change.after {
        insert(&mut work.session, secret).await?;
    }
    for delegation in &change.delegations {
        shared_delegations::put(&mut work.session, delegation).await?;
    }
    for sha256 in &change.without {
        shared_delegations::remove(&mut work.session, sha256).await?;
    }
    for secret in change.after.iter().filter(|secret| ends(change, secret)) {
        log(work, Action::EndSecret, Some(secret), by);
    }
    for (action, secret) in &change.records {
        log(work, *action, secret.as_ref(), by);
    }
    Ok(())
}

/// True if a version has another end than before.
fn ends(change: &SecretChange, secret: &SharedSecret) -> bool {
    let is_it = |before: &&SharedSecret| {
        (before.purpose, before.version) == (secret.purpose, secret.version)
    };
    let before = change.before.iter().find(is_it);
    before.map_or_else(
        || secret.until.is_some(),
        |before| before.until != secret.until,
    )
}

fn log(work: &mut Work, action: Action, secret: Option<&SharedSecret>, by: &Act) {
    let mut entry = work.entry(action, by);
    if let Some(secret) = secret {
        entry.name = Some(secret.purpose.to_string());
        entry.detail_sha256 = Some(secret.commitment());
        entry.expires = secret.until;
    }
    work.log(entry);
}

async fn insert(session: &mut Session, secret: &SharedSecret) -> Result<(), Error> {
    let SharedSecret {
        purpose,
        version,
        fingerprint,
        sealed,
        since,
        until,
    } = secret;
    let sql = "INSERT INTO shared_secrets (purpose, version, fingerprint, sealed, since, until) \
               VALUES ($1, $2, $3, $4, $5, $6)";
    let values = vec![
        purpose.as_str().into(),
        (*version).into(),
        fingerprint.into(),
        Value::Blob(sealed.clone()),
        (*since).into(),
        (*until).into(),
    ];
    session.execute(sql, values).await.map(|_| ())
}
