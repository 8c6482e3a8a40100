//! Turns of signers that share a database at signing checkpoints.

use pki_types::UnixTime;

use crate::connection::Session;
use crate::{Error, Store, Turn};

use super::asked::Taking;

impl Store {
    /// Takes or keeps the turn to sign checkpoints until a time; says whose it is, and the last note that was kept here.
    ///
    /// It is over when its time is, unless it is kept. Nothing of the note is to be believed but its signature.
    pub async fn take_turn(
        &self,
        holder: &str,
        now: UnixTime,
        until: UnixTime,
    ) -> Result<Turn, Error> {
        let taking = Taking { holder, now, until };
        self.timed("take_turn", self.shared.write_job(&taking))
            .await
    }

    /// Gives the turn back, if it is this one's: nobody waits for one that has stopped.
    pub async fn give_turn_back(&self, holder: &str) -> Result<(), Error> {
        self.write("give_turn_back", async |work| {
            let sql = "UPDATE checkpoints SET until = 0 WHERE one = 1 AND holder = $1";
            let values = vec![holder.into()];
            work.session.tell(sql, values).await
        })
        .await
    }

    /// The turn as it is, with the last note; none if nobody has signed a checkpoint of this database yet.
    pub async fn turn(&self) -> Result<Option<Turn>, Error> {
        self.read("turn", async |session| find(session).await).await
    }

    /// Keeps the note of whoever has the turn, for the next one who has it.
    pub async fn keep_note(&self, holder: &str, note: &str) -> Result<(), Error> {
        self.write("keep_note", async |work| {
            let sql = "UPDATE checkpoints SET note = $2 WHERE one = 1 AND holder = $1";
            let values = vec![holder.into(), note.into()];
            work.session.tell(sql, values).await
        })
        .await
    }
}

async fn find(session: &mut Session) -> Result<Option<Turn>, Error> {
    let sql = "SELECT holder, until, note FROM checkpoints WHERE one = 1";
    let row = session.fetch_one(sql, Vec::new()).await?;
    let read = |row: crate::connection::Row| {
        Ok(Turn {
            holder: row.text("holder")?,
            until: row.time("until")?,
            note: row.maybe_text("note")?,
        })
    };
    row.map(read).transpose()
}

pub(super) async fn take(
    session: &mut Session,
    holder: &str,
    now: UnixTime,
    until: UnixTime,
) -> Result<Turn, Error> {
    let found = find(session).await?;
    let longest = until.as_secs();
    let is_others = |turn: &Turn| {
        // One that ends later than any does was set by a clock that was wrong.
        turn.holder != holder && turn.until > now && turn.until.as_secs() <= longest
    };
    if let Some(turn) = found.clone().filter(is_others) {
        return Ok(turn);
    }
    let sql = "INSERT INTO checkpoints (one, holder, until) VALUES (1, $1, $2) \
               ON CONFLICT (one) DO UPDATE SET holder = excluded.holder, until = excluded.until";
    session.tell(sql, vec![holder.into(), until.into()]).await?;
    Ok(Turn {
        holder: holder.to_owned(),
        until,
        note: found.and_then(|turn| turn.note),
    })
}
