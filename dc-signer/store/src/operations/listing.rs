//! Listing devices, a page at a time.

use std::fmt::Write;

use crate::connection::Session;
use crate::registry::Sha256;
use crate::sql::Value;
use crate::{Error, Filter, Listed, Page, Store};

use super::{issues, rows};

impl Store {
    /// Devices in the order of their external ids.
    pub async fn list_devices(&self, filter: &Filter, page: &Page) -> Result<Listed, Error> {
        self.read("list_devices", async |session| {
            list(session, filter, page).await
        })
        .await
    }
}

async fn list(session: &mut Session, filter: &Filter, page: &Page) -> Result<Listed, Error> {
    let prefix = filter.external_id_prefix.as_deref();
    if prefix.is_some_and(|prefix| prefix.contains('\0')) {
        // PostgreSQL takes no such text, and no external id begins so.
        return Ok(Listed {
            devices: Vec::new(),
            next: None,
        });
    }
    let limit = page.limit.clamp(1, Page::MAX);
    let weeks = match filter.delegation {
        Some(_) => issues::latest(session).await?,
        None => Vec::new(),
    };
    let (sql, values) = query(filter, page, limit, &weeks);
    let rows = session.fetch(sql, values).await?;
    let mut devices = rows
        .iter()
        .map(rows::device)
        .collect::<Result<Vec<_>, _>>()?;
    // One more than wanted says whether there are more.
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = devices.len() > wanted;
    devices.truncate(wanted);
    let last = devices.last().map(|device| device.external_id.clone());
    let next = last.filter(|_| more);
    Ok(Listed { devices, next })
}

fn query(filter: &Filter, page: &Page, limit: u32, weeks: &[u64]) -> (String, Vec<Value>) {
    let mut wanted = Where::default();
    if let Some(after) = &page.after {
        wanted.and("external_id >", after.as_str().into());
    }
    if let Some(prefix) = &filter.external_id_prefix {
        wanted.and("external_id >=", prefix.as_str().into());
        // Behind every printable character.
        wanted.and("external_id <", format!("{prefix}\x7f").as_str().into());
    }
    if let Some(state) = filter.state {
        wanted.and("state =", state.as_str().into());
    }
    if let Some(zone) = &filter.zone {
        wanted.and("zone =", zone.to_string().as_str().into());
    }
    if let Some(flag) = filter.possible_clone {
        wanted.and("possible_clone =", i64::from(flag).into());
    }
    if let Some(end) = filter.expires_before {
        wanted.and("expires <", end.into());
    }
    if let Some(delegation) = &filter.delegation {
        wanted.under(delegation, weeks);
    }
    let Where { mut sql, values } = wanted;
    // Written out, because a parameter would hide from the planner how few are wanted.
    let _ = write!(sql, " ORDER BY external_id LIMIT {}", limit + 1);
    (sql, values)
}

/// A query whose conditions are put together; what was asked for goes into parameters only.
struct Where {
    sql: String,
    values: Vec<Value>,
}

impl Default for Where {
    fn default() -> Self {
        Self {
            sql: format!("SELECT {} FROM devices WHERE 1 = 1", rows::DEVICE),
            values: Vec::new(),
        }
    }
}

impl Where {
    fn and(&mut self, condition: &'static str, value: Value) {
        self.values.push(value);
        // Writing to a string does not fail.
        let _ = write!(self.sql, " AND {condition} ${}", self.values.len());
    }

    /// Only those whose credential was issued under a delegation certificate, in one of these weeks.
    fn under(&mut self, delegation: &Sha256, weeks: &[u64]) {
        self.values.push(delegation.into());
        let place = self.values.len();
        self.sql.push_str(" AND (1 = 0");
        for week in weeks {
            let _ = write!(
                self.sql,
                " OR EXISTS (SELECT 1 FROM issues_{week} AS i WHERE i.device = devices.id \
                 AND i.issued = devices.issued AND i.delegation_sha256 = ${place} \
                 AND i.credential_sha256 = devices.credential_sha256)"
            );
        }
        self.sql.push(')');
    }
}
