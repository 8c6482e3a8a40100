//! The statements that find devices by a filter: each by the one index that suits it.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::connection::Session;
use crate::registry::{DeviceId, Sha256, State};
use crate::sql::Value;
use crate::{Error, Filter};

use crate::operations::rows;

impl Session {
    /// A column of text compared byte by byte, whatever the server's language is.
    pub(in crate::operations) fn bytewise(&self, column: &str) -> String {
        match self {
            Self::Plan(_) | Self::Postgres(_) => format!("{column} COLLATE \"C\""),
            Self::Sqlite(_) => column.to_owned(),
        }
    }

    /// Put before a column by whose index rows are not to be found: SQLite would, because it does not know how many there are.
    pub(in crate::operations) const fn no_index(&self) -> &'static str {
        match self {
            Self::Plan(_) | Self::Postgres(_) => "",
            Self::Sqlite(_) => "+",
        }
    }
}

/// All that fit what an index other than that of external ids finds, if they are few; none if they are many, or if there is no such
/// index.
pub(in crate::operations) async fn few(
    session: &mut Session,
    filter: &Filter,
) -> Result<Option<BTreeSet<DeviceId>>, Error> {
    let Filter {
        state,
        zone,
        possible_clone,
        expires_before,
        expires_from,
        has_credential,
        external_id_prefix: _,
        delegation: _,
        search: _,
    } = filter;
    let clones = *possible_clone == Some(true);
    let ends = expires_before.is_some() || expires_from.is_some() || has_credential.is_some();
    if !clones && !ends && zone.is_none() {
        return Ok(None);
    }
    // The index has the zone behind the state, and the end behind the zone: so it is asked for each state and zone.
    let mut sql = Where {
        sql: "SELECT devices.id FROM zones CROSS JOIN devices WHERE devices.zone = zones.zone"
            .into(),
        values: Vec::new(),
        no_index: session.no_index(),
    };
    if clones {
        // Word for word the condition of its index.
        sql.sql.push_str(" AND possible_clone = 1");
    } else {
        let states: Vec<State> = state.map_or(State::ALL.to_vec(), |state| vec![state]);
        let states: Vec<String> = states.iter().map(|state| format!("'{state}'")).collect();
        let _ = write!(sql.sql, " AND devices.state IN ({})", states.join(", "));
        sql.ends(filter, "");
    }
    if let Some(zone) = zone {
        sql.and("zones.zone =", zone.to_string().as_str().into());
    }
    let _ = write!(sql.sql, " LIMIT {}", FEW + 1);
    let found = session.fetch(sql.sql, sql.values).await?;
    if found.len() > FEW {
        return Ok(None);
    }
    let ids = found.iter().map(|row| rows::device_id(row, "id"));
    ids.collect::<Result<_, _>>().map(Some)
}

/// A query whose conditions are put together; what was asked for goes into parameters only.
pub(in crate::operations) struct Where {
    pub(in crate::operations) sql: String,
    pub(in crate::operations) values: Vec<Value>,
    no_index: &'static str,
}

impl Where {
    pub(in crate::operations) fn new(columns: &str, no_index: &'static str) -> Self {
        Self {
            sql: format!("SELECT {columns} FROM devices WHERE 1 = 1"),
            values: Vec::new(),
            no_index,
        }
    }

    pub(in crate::operations) fn and(&mut self, condition: &str, value: Value) {
        self.values.push(value);
        // Writing to a string does not fail.
        let _ = write!(self.sql, " AND {condition} ${}", self.values.len());
    }

    /// Only those whose external id begins so.
    pub(in crate::operations) fn begins(&mut self, start: &str) {
        if !start.is_empty() {
            self.and("external_id >=", start.into());
            // Behind every printable character.
            self.and("external_id <", format!("{start}\x7f").as_str().into());
        }
    }

    /// All other conditions, none of which is to be looked for by an index of its own but a state that few are in.
    pub(in crate::operations) fn fits(&mut self, filter: &Filter, weeks: &[u64]) {
        let no_index = self.no_index;
        if let Some(prefix) = &filter.external_id_prefix {
            self.begins(prefix);
        }
        match filter.state {
            Some(State::Active) => {
                let _ = write!(self.sql, " AND {no_index}state = 'active'");
            }
            Some(state) => {
                // Word for word the condition of its index.
                let _ = write!(self.sql, " AND state = '{state}' AND state <> 'active'");
            }
            None => {}
        }
        if let Some(zone) = &filter.zone {
            let zone = zone.to_string().as_str().into();
            self.and(&format!("{no_index}zone ="), zone);
        }
        if let Some(flag) = filter.possible_clone {
            let flag = i64::from(flag).into();
            self.and(&format!("{no_index}possible_clone ="), flag);
        }
        self.ends(filter, no_index);
        if let Some(delegation) = &filter.delegation {
            self.under(delegation, weeks);
        }
    }

    /// Conditions on when the credential ends.
    fn ends(&mut self, filter: &Filter, no_index: &str) {
        if let Some(end) = filter.expires_before {
            self.and(&format!("{no_index}expires <"), end.into());
        }
        if let Some(from) = filter.expires_from {
            self.and(&format!("{no_index}expires >="), from.into());
        }
        match filter.has_credential {
            Some(true) => {
                let _ = write!(self.sql, " AND {no_index}expires IS NOT NULL");
            }
            Some(false) => {
                let _ = write!(self.sql, " AND {no_index}expires IS NULL");
            }
            None => {}
        }
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

/// So many devices are read and put in order here.
const FEW: usize = 1000;
