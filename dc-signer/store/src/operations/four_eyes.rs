//! Which acts take two operators: the last record that says so and could be written by whoever's it is.

use std::collections::BTreeSet;

use crate::connection::Session;
use crate::registry::{self, Action, FourEyes, Mismatch, Sha256, operators_of};
use crate::{Act, Error, Store};

use super::origin::Sound;
use super::{replicas, rows};

impl Store {
    /// Which acts take two operators, by the audit log; none if it never said so.
    pub async fn four_eyes(&self) -> Result<Option<FourEyes>, Error> {
        self.read("four_eyes", async |session| {
            let found = find(session, &self.shared.signer.sound).await?;
            Ok(found.policy)
        })
        .await
    }

    /// The newest records that change which acts take two operators and count for nothing, because whoever's they are could not do
    /// that: each with the reason, unless somebody has acknowledged it.
    pub async fn wrong_policies(&self) -> Result<Vec<Error>, Error> {
        self.read("wrong_policies", async |session| {
            let sound = &self.shared.signer.sound;
            let mut wrong = find(session, sound).await?.wrong;
            if !wrong.is_empty() {
                let known = acknowledged(session, sound).await?;
                wrong.retain(|error| !known.contains(&error.place().digest()));
            }
            Ok(wrong)
        })
        .await
    }

    /// Changes which acts take two operators, from now on.
    ///
    /// Fails with [`TakesTwo`](crate::registry::Error::TakesTwo) if it is less strict and one operator alone does it, and with
    /// [`Error::OlderSigner`] if a signer works here that could not read such a record.
    pub async fn set_four_eyes(&self, policy: &FourEyes, by: &Act) -> Result<(), Error> {
        self.write("set_four_eyes", async |work| {
            let before = current(&mut work.session, &work.sound).await?;
            let are_two = operators_of(&by.actor).is_some_and(|(_, agreed)| agreed.is_some());
            if policy.is_laxer_than(&before) && !are_two && !by.is_without_credential() {
                return Err(registry::Error::TakesTwo.into());
            }
            if replicas::has_older(&mut work.session, replicas::DETAILS, by.at).await? {
                return Err(Error::OlderSigner);
            }
            let mut entry = work.entry(Action::ChangeApproval, by);
            entry.scope = Some(policy.to_string());
            work.log(entry);
            Ok(())
        })
        .await
    }
}

/// All that takes two by the log.
pub(super) async fn current(session: &mut Session, sound: &Sound) -> Result<FourEyes, Error> {
    Ok(find(session, sound).await?.policy.unwrap_or_default())
}

/// The acts that take two, and the records behind that which somebody wrote who could not.
#[derive(Default)]
struct Found {
    policy: Option<FourEyes>,
    wrong: Vec<Error>,
}

async fn find(session: &mut Session, sound: &Sound) -> Result<Found, Error> {
    let mut found = Found::default();
    let mut before = u64::MAX;
    // Word for word the condition of the index.
    let sql = format!(
        "SELECT {} FROM audit WHERE action = 'change-approval' AND seq < $1 ORDER BY seq DESC LIMIT 1",
        rows::RECORD
    );
    while let Some(row) = session.fetch_one(sql.clone(), vec![before.into()]).await? {
        let record = rows::record(&row)?;
        let Some(why) = sound.fault(session, &record).await? else {
            found.policy = record.entry.policy();
            break;
        };
        before = record.seq;
        found.wrong.push(Mismatch::of_actor(&record, why).into());
    }
    Ok(found)
}

/// The mismatches that somebody has acknowledged who could.
async fn acknowledged(session: &mut Session, sound: &Sound) -> Result<BTreeSet<Sha256>, Error> {
    // Word for word the condition of the index.
    let sql = format!(
        "SELECT {} FROM audit WHERE name IS NULL AND action <> 'issue' AND action = 'acknowledge'",
        rows::RECORD
    );
    let mut known = BTreeSet::new();
    for row in session.fetch(sql, Vec::new()).await? {
        let record = rows::record(&row)?;
        if sound.fault(session, &record).await?.is_none() {
            known.extend(record.entry.detail_sha256);
        }
    }
    Ok(known)
}
