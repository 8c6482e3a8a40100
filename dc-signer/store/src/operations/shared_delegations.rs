//! Delegation certificates that every signer of the database can sign with: their chains, and their keys if they are sealed.

use pki_types::UnixTime;

use crate::connection::{Row, Session};
use crate::registry::{Action, Sha256, SharedDelegation};
use crate::sql::Value;
use crate::{Act, Error, Store};

impl Store {
    /// The delegation certificates that are shared, by their hashes.
    pub async fn shared_delegations(&self) -> Result<Vec<SharedDelegation>, Error> {
        self.read("shared_delegations", async |session| {
            let sql = format!("{SELECT} ORDER BY certificate_sha256");
            let rows = session.fetch(sql, Vec::new()).await?;
            rows.iter().map(delegation).collect()
        })
        .await
    }

    /// The one with this certificate, if it is shared.
    pub async fn shared_delegation(
        &self,
        certificate_sha256: &Sha256,
    ) -> Result<Option<SharedDelegation>, Error> {
        self.read("shared_delegation", async |session| {
            let sql = format!("{SELECT} WHERE certificate_sha256 = $1");
            let row = session
                .fetch_one(sql, vec![certificate_sha256.into()])
                .await?;
            row.as_ref().map(delegation).transpose()
        })
        .await
    }

    /// Removes one whose slot has ended, with its key, if no zone issues from it any more, nor can. If a signing process has the key,
    /// the place stays until the certificate is over: every signer has to tell its process.
    ///
    /// To be called when the end is not to be taken back: one that a signer has written by a wrong clock can be.
    pub async fn forget_shared_delegation(
        &self,
        certificate_sha256: &Sha256,
        now: UnixTime,
    ) -> Result<(), Error> {
        if self.shared_delegation(certificate_sha256).await?.is_none() {
            return Ok(());
        }
        self.write("forget_shared", async |work| {
            forget_ended(&mut work.session, certificate_sha256, now).await
        })
        .await
    }

    /// Shares a delegation certificate that is in a zone already, and its key.
    pub async fn share_delegation(&self, shared: &SharedDelegation, by: &Act) -> Result<(), Error> {
        self.write("share_slot", async |work| {
            put(&mut work.session, shared).await?;
            let mut entry = work.entry(Action::ShareDelegation, by);
            entry.credential_sha256 = Some(shared.certificate_sha256);
            work.log(entry);
            Ok(())
        })
        .await
    }
}

fn delegation(row: &Row) -> Result<SharedDelegation, Error> {
    Ok(SharedDelegation {
        certificate_sha256: row.hash("certificate_sha256")?,
        chain: row.blob("chain")?,
        location: row.maybe_text("location")?,
        sealed: row.maybe_blob("sealed")?,
    })
}

pub(super) async fn put(session: &mut Session, shared: &SharedDelegation) -> Result<(), Error> {
    let SharedDelegation {
        certificate_sha256,
        chain,
        location,
        sealed,
    } = shared;
    let sql = "INSERT INTO shared_delegations (certificate_sha256, chain, location, sealed) \
               VALUES ($1, $2, $3, $4) ON CONFLICT (certificate_sha256) DO UPDATE SET \
               chain = excluded.chain, location = excluded.location, sealed = excluded.sealed";
    let values = vec![
        certificate_sha256.into(),
        chain[..].into(),
        location.as_deref().into(),
        Value::Blob(sealed.clone()),
    ];
    session.execute(sql, values).await.map(|_| ())
}

pub(super) async fn remove(
    session: &mut Session,
    certificate_sha256: &Sha256,
) -> Result<(), Error> {
    let sql = "DELETE FROM shared_delegations WHERE certificate_sha256 = $1";
    session
        .execute(sql, vec![certificate_sha256.into()])
        .await
        .map(|_| ())
}

/// Does what [`Store::forget_shared_delegation`] does.
pub(super) async fn forget_ended(
    session: &mut Session,
    certificate_sha256: &Sha256,
    now: UnixTime,
) -> Result<(), Error> {
    let sql = "DELETE FROM shared_delegations WHERE certificate_sha256 = $1 \
               AND certificate_sha256 IN (SELECT certificate_sha256 FROM slots) \
               AND certificate_sha256 NOT IN \
               (SELECT certificate_sha256 FROM slots WHERE state <> 'gone' OR (not_after > $2 \
               AND (location LIKE '/%' OR location LIKE 'tls://%')))";
    let values = vec![certificate_sha256.into(), now.into()];
    session.execute(sql, values).await.map(|_| ())
}

const SELECT: &str = "SELECT certificate_sha256, chain, location, sealed FROM shared_delegations";
