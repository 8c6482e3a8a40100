//! Names that were given, by the audit log: whoever removes a name from its table has not made it free again.

use crate::Error;
use crate::connection::Session;
use crate::sql::{Batch, Kind, Value};

/// Those of the names that the log has given to a device. What came with a newer log to a restored backup may be lost, and given
/// again.
pub(super) async fn by_log(
    session: &mut Session,
    names: Vec<Vec<Value>>,
) -> Result<Vec<String>, Error> {
    let batch = Batch {
        columns: &[("wanted", Kind::Text)],
        rows: names,
    };
    // The index is over all records but issuances.
    let sql = "SELECT r.wanted, MAX(audit.seq) AS given FROM {rows} \
               CROSS JOIN audit WHERE audit.name = r.wanted AND audit.action <> 'issue' \
               AND audit.action IN ('add', 'new-name') GROUP BY r.wanted";
    let found = session.fetch_batch(sql, batch).await?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let replayed = replayed(session).await?;
    let mut given = Vec::new();
    for row in found {
        if row.number::<u64>("given")? > replayed {
            given.push(row.text("wanted")?);
        }
    }
    Ok(given)
}

/// The last record that says a newer log was applied; 0 if there is none.
async fn replayed(session: &mut Session) -> Result<u64, Error> {
    let sql = "SELECT seq FROM audit WHERE name IS NULL AND action <> 'issue' \
               AND action = 'replay' ORDER BY seq DESC LIMIT 1";
    let row = session.fetch_one(sql, Vec::new()).await?;
    row.map_or(Ok(0), |row| row.number("seq"))
}
