//! Records of what people do beside changing something: what they read, acts without a credential, and how many devices each retires.

use pki_types::UnixTime;

use crate::registry::{Action, BrokenGlass, with_address};
use crate::sql::seconds;
use crate::{Act, Error, Store};

use super::work::Work;

impl Store {
    /// Records that somebody read personal data: what, and how many rows.
    pub async fn note_read(&self, action: Action, scope: String, by: &Act) -> Result<(), Error> {
        // Nobody needs to read that on the next page.
        let noted = self.shared.write(async |work| {
            let mut entry = work.entry(action, by);
            entry.scope = Some(match by.from {
                Some(from) => with_address(Some(&scope), from),
                None => scope,
            });
            work.log(entry);
            Ok(())
        });
        self.timed("note_read", noted).await
    }

    /// Records that somebody at the machine acts without an operator's credential; says in which record.
    pub async fn break_glass(&self, by: &Act) -> Result<u64, Error> {
        self.write("break_glass", async |work| break_glass(work, by).await)
            .await
    }

    /// The record that says so of an act without an operator's credential, if it is there already: bringing back a database says so
    /// together with what it does.
    pub async fn broken_glass_of(&self, by: &Act) -> Result<Option<u64>, Error> {
        self.read("broken_glass_of", async |session| {
            let sql = "SELECT MAX(seq) AS seq FROM audit WHERE action = 'break-glass' \
                       AND actor = $1 AND time = $2";
            let values = vec![by.actor.as_str().into(), by.at.into()];
            let row = session.fetch_one(sql, values).await?;
            let seq = row.map_or(Ok(None), |row| row.maybe_int("seq"))?;
            Ok(seq.and_then(|seq| u64::try_from(seq).ok()))
        })
        .await
    }

    /// The acts without an operator's credential, by the audit log and the table: how many there were, and when the last one was.
    ///
    /// Whoever acts so has the database too, and could remove a row before anybody has seen it.
    pub async fn broken_glass(&self) -> Result<BrokenGlass, Error> {
        self.read("broken_glass", async |session| {
            let sql = "SELECT COUNT(*) AS acts, MAX(time) AS last FROM (\
                       SELECT seq, time FROM audit WHERE action = 'break-glass' \
                       UNION SELECT number, time FROM break_glass) AS broken";
            let row = session.fetch_one(sql, Vec::new()).await?;
            let Some(row) = row else {
                return Ok(BrokenGlass::default());
            };
            // Word for word the condition of the index: what was done counts, whether or not it was said before.
            let sql = "SELECT COALESCE(MAX(seq), 0) AS newest FROM audit \
                       WHERE actor LIKE 'root:%' AND action <> 'export'";
            let newest = session.fetch_one(sql, Vec::new()).await?;
            Ok(BrokenGlass {
                acts: row.number("acts")?,
                last: row.maybe_time("last")?,
                newest: newest.map_or(Ok(0), |row| row.number("newest"))?,
            })
        })
        .await
    }

    /// The last record that this machine had seen when the store was opened; none if it had seen none, or keeps nothing of that.
    #[must_use]
    pub fn seen_before(&self) -> Option<u64> {
        let seen = self.shared.seen.as_ref()?;
        seen.before().map(|head| head.seq)
    }

    /// The last record of an act without an operator's credential; 0 if there is none.
    pub async fn last_break_glass(&self) -> Result<u64, Error> {
        self.read("last_break_glass", async |session| {
            let sql = "SELECT COALESCE(MAX(seq), 0) AS seq FROM audit WHERE action = 'break-glass'";
            let row = session.fetch_one(sql, Vec::new()).await?;
            row.map_or(Ok(0), |row| row.number("seq"))
        })
        .await
    }

    /// The devices that an actor has retired today and yesterday, by the days of UTC and the audit log: whoever has the database could
    /// change a count before the next one.
    pub async fn retired_lately(&self, actor: &str, now: UnixTime) -> Result<u64, Error> {
        self.read("retired_lately", async |session| {
            // Word for word the condition of the index.
            let sql = "SELECT COUNT(*) AS devices FROM audit \
                       WHERE action = 'retire' AND actor = $1 AND time >= $2";
            let since = (day(now) - 1).saturating_mul(86_400);
            let values = vec![actor.into(), since.into()];
            let row = session.fetch_one(sql, values).await?;
            row.map_or(Ok(0), |row| row.number("devices"))
        })
        .await
    }
}

impl Store {
    /// The devices that an actor has given a new name today and yesterday, by the days of UTC and the audit log.
    pub async fn renamed_lately(&self, actor: &str, now: UnixTime) -> Result<u64, Error> {
        self.read("renamed_lately", async |session| {
            // Word for word the condition of the index.
            let sql = "SELECT COUNT(*) AS devices FROM audit WHERE action = 'new-name' \
                       AND actor = $1 AND time >= $2";
            let since = (day(now) - 1) * 86_400;
            let row = session
                .fetch_one(sql, vec![actor.into(), since.into()])
                .await?;
            row.map_or(Ok(0), |row| row.number("devices"))
        })
        .await
    }
}

/// Records that somebody acts without an operator's credential, before their acts; says in which record.
pub(super) async fn break_glass(work: &mut Work, by: &Act) -> Result<u64, Error> {
    let number = work.log(work.entry(Action::BreakGlass, by));
    let sql = "INSERT INTO break_glass (number, time, actor) VALUES ($1, $2, $3)";
    let values = vec![number.into(), by.at.into(), by.actor.as_str().into()];
    work.session.execute(sql, values).await?;
    Ok(number)
}

/// Counts a device that somebody has retired.
pub(super) async fn count_retired(work: &mut Work, by: &Act) -> Result<(), Error> {
    let sql = "INSERT INTO retired (actor, day, count) VALUES ($1, $2, 1) \
               ON CONFLICT (actor, day) DO UPDATE SET count = retired.count + 1";
    let values = vec![by.actor.as_str().into(), day(by.at).into()];
    work.session.tell(sql, values).await
}

/// The day of UTC, since 1970.
pub(super) fn day(time: UnixTime) -> i64 {
    seconds(time) / 86_400
}
