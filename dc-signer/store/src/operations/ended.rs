//! Ends of delegation certificates, by the audit log: what is done because of one cannot be taken back, so a row is not enough.

use pki_types::UnixTime;

use crate::connection::Session;
use crate::registry::{Record, Sha256};
use crate::{Act, Error, Store};

use super::rows;

/// The kind of actor that has ended a delegation certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EndedBy {
    /// Operators, or somebody at the machine, who could do that.
    People,
    /// A signer, because what was issued under it is over.
    Signer {
        /// The record that says so.
        record: u64,
        /// The time that it has.
        at: UnixTime,
    },
}

impl Store {
    /// The kind of actor that has ended a delegation certificate, by the last record about its end; none if nobody has who could, or it was imported
    /// again since.
    pub async fn delegation_ended_by(
        &self,
        certificate_sha256: &Sha256,
    ) -> Result<Option<EndedBy>, Error> {
        self.read("delegation_ended_by", async |session| {
            let Some(record) = last_end(session, certificate_sha256).await? else {
                return Ok(None);
            };
            let fault = self.shared.signer.sound.fault(session, &record).await?;
            let is_somebodys = Act::is_somebodys(&record.entry.actor);
            Ok(match (fault, is_somebodys) {
                (Some(_), _) => None,
                (None, true) => Some(EndedBy::People),
                (None, false) => Some(EndedBy::Signer {
                    record: record.seq,
                    at: record.entry.time,
                }),
            })
        })
        .await
    }
}

async fn last_end(session: &mut Session, certificate: &Sha256) -> Result<Option<Record>, Error> {
    // Word for word the conditions of the indexes.
    let sql = format!(
        "SELECT {} FROM audit WHERE action IN ('activate-slot', 'drain-slot', 'end-slot') \
         AND credential_sha256 = $1 AND action = 'end-slot' ORDER BY seq DESC LIMIT 1",
        rows::RECORD
    );
    let ended = session.fetch_one(sql, vec![certificate.into()]).await?;
    let Some(ended) = ended.as_ref().map(rows::record).transpose()? else {
        return Ok(None);
    };
    let sql = format!(
        "SELECT {} FROM audit WHERE action = 'import-slot' \
         AND credential_sha256 = $1 ORDER BY seq DESC LIMIT 1",
        rows::RECORD
    );
    let imported = session.fetch_one(sql, vec![certificate.into()]).await?;
    let imported = imported.as_ref().map(rows::record).transpose()?;
    Ok(match imported {
        Some(imported) if imported.seq < ended.seq => Some(ended),
        _ => None,
    })
}
