//! Listing devices, a page at a time, and counting them as far as people want to know.
//!
//! Devices are in the order of their external ids, so a page is read from the index of those, and stays right whoever is added. That
//! takes long if few of them fit; then those few are found by another index, and put in order here.

mod filtered;
mod look_up;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::connection::Session;
use crate::registry::{Crowd, Device, DeviceId, ExternalId};
use crate::sql::{Batch, Kind};
use crate::{Counted, Error, Filter, Listed, Page, Store};

use super::{devices, issues, rows};
use filtered::{Where, few};
use look_up::{Found, look_up};

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
        return Ok(Listed::default());
    }
    let wanted = Wanted::new(session, filter).await?;
    let limit = usize::try_from(page.limit.clamp(1, Page::MAX)).unwrap_or(usize::MAX);
    let mut listed = match (&page.after, &page.before) {
        (None, Some(before)) => match wanted.before(session, before, limit).await? {
            Some(listed) => listed,
            None => wanted.after(session, None, limit).await?,
        },
        (after, _) => wanted.after(session, after.as_ref(), limit).await?,
    };
    if page.count {
        listed.count = Some(wanted.count(session).await?);
    }
    listed.crowded = wanted.crowded();
    Ok(listed)
}

/// The devices to list, as far as they are known before.
struct Wanted<'a> {
    filter: &'a Filter,
    /// The devices that the search means.
    search: Option<Found>,
    /// All that fit, if they are few.
    few: Option<BTreeMap<ExternalId, Device>>,
    /// Those that the search means in other ways than by their external ids, if they are not.
    others: BTreeMap<ExternalId, Device>,
    /// The weeks of which there are issuances, if it matters under which certificate they are.
    weeks: Vec<u64>,
}

/// A part of the list.
#[derive(Clone, Copy)]
enum Part<'a> {
    After(Option<&'a ExternalId>),
    Before(&'a ExternalId),
}

impl Part<'_> {
    fn has(self, id: &ExternalId) -> bool {
        match self {
            Self::After(after) => after.is_none_or(|after| id > after),
            Self::Before(before) => id < before,
        }
    }
}

impl<'a> Wanted<'a> {
    async fn new(session: &mut Session, filter: &'a Filter) -> Result<Self, Error> {
        let mut wanted = Self {
            filter,
            search: match &filter.search {
                Some(search) => Some(look_up(session, search).await?),
                None => None,
            },
            few: None,
            others: BTreeMap::new(),
            weeks: match filter.delegation {
                Some(_) => issues::latest(session).await?,
                None => Vec::new(),
            },
        };
        let few = few(session, filter).await?;
        let also = wanted.search.as_ref().map(|found| &found.ids);
        let ids = few.as_ref().or(also).cloned().unwrap_or_default();
        let fitting = wanted.fitting(session, &ids).await?;
        match few {
            Some(_) => wanted.few = Some(fitting),
            None => wanted.others = fitting,
        }
        Ok(wanted)
    }

    fn crowded(self) -> BTreeSet<Crowd> {
        self.search.map(|found| found.crowded).unwrap_or_default()
    }

    /// Those of some devices that fit.
    async fn fitting(
        &self,
        session: &mut Session,
        ids: &BTreeSet<DeviceId>,
    ) -> Result<BTreeMap<ExternalId, Device>, Error> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let ids: Vec<DeviceId> = ids.iter().copied().collect();
        let under = self.under(session, &ids).await?;
        let mut fitting = BTreeMap::new();
        for (id, device) in devices::find_by_ids(session, &ids).await? {
            let device = device?;
            let is_meant = self
                .search
                .as_ref()
                .is_none_or(|found| found.means(&device));
            let is_under = under.as_ref().is_none_or(|under| under.contains(&id));
            if is_meant && is_under && self.filter.fits(&device) {
                fitting.insert(device.external_id.clone(), device);
            }
        }
        Ok(fitting)
    }

    /// Those whose latest credential is under the certificate that is asked for; none if none is.
    async fn under(
        &self,
        session: &mut Session,
        ids: &[DeviceId],
    ) -> Result<Option<BTreeSet<DeviceId>>, Error> {
        let Some(delegation) = &self.filter.delegation else {
            return Ok(None);
        };
        let row = |id: &DeviceId| vec![id.as_bytes()[..].into(), delegation.into()];
        let mut under = BTreeSet::new();
        for week in &self.weeks {
            let batch = Batch {
                columns: &[("wanted", Kind::Blob), ("delegation", Kind::Blob)],
                rows: ids.iter().map(row).collect(),
            };
            let sql = format!(
                "SELECT devices.id FROM {{rows}} CROSS JOIN devices CROSS JOIN issues_{week} AS i \
                 WHERE devices.id = r.wanted AND i.device = devices.id AND i.issued = devices.issued \
                 AND i.delegation_sha256 = r.delegation AND i.credential_sha256 = devices.credential_sha256"
            );
            for row in session.fetch_batch(&sql, batch).await? {
                under.insert(rows::device_id(&row, "id")?);
            }
        }
        Ok(Some(under))
    }

    /// The starts of external ids to read, in their order; one that is empty for all.
    fn starts(&self) -> Vec<&str> {
        match &self.search {
            Some(found) => found.spellings.iter().map(String::as_str).collect(),
            None => vec![""],
        }
    }

    async fn after(
        &self,
        session: &mut Session,
        after: Option<&ExternalId>,
        limit: usize,
    ) -> Result<Listed, Error> {
        // One more than wanted says whether there are more.
        let found = self.part(session, Part::After(after), limit + 1).await?;
        let more = found.len() > limit;
        let devices: Vec<Device> = found.into_values().take(limit).collect();
        let id = |device: Option<&Device>| device.map(|device| device.external_id.clone());
        Ok(Listed {
            next: id(devices.last()).filter(|_| more),
            previous: id(devices.first()).filter(|_| after.is_some()),
            devices,
            ..Listed::default()
        })
    }

    /// None if there are not more than fill one page: the first one has them.
    async fn before(
        &self,
        session: &mut Session,
        before: &ExternalId,
        limit: usize,
    ) -> Result<Option<Listed>, Error> {
        let found = self.part(session, Part::Before(before), limit + 1).await?;
        if found.len() <= limit {
            return Ok(None);
        }
        let skipped = found.len() - limit;
        let devices: Vec<Device> = found.into_values().skip(skipped).collect();
        let id = |device: Option<&Device>| device.map(|device| device.external_id.clone());
        Ok(Some(Listed {
            next: id(devices.last()),
            previous: id(devices.first()),
            devices,
            ..Listed::default()
        }))
    }

    /// At least so many of a part, if it has them: those at its beginning, or, before a device, at its end.
    async fn part(
        &self,
        session: &mut Session,
        part: Part<'_>,
        least: usize,
    ) -> Result<BTreeMap<ExternalId, Device>, Error> {
        let known = self.few.as_ref().unwrap_or(&self.others).iter();
        let known = known.filter(|(id, _)| part.has(id));
        let mut found: BTreeMap<_, _> = known.map(|(id, d)| (id.clone(), d.clone())).collect();
        if self.few.is_none() {
            let mut starts = self.starts();
            if matches!(part, Part::Before(_)) {
                starts.reverse();
            }
            let mut read = 0;
            for start in starts {
                let devices = self.walk(session, start, part, least - read).await?;
                read += devices.len();
                found.extend(devices.into_iter().map(|d| (d.external_id.clone(), d)));
                if read >= least {
                    break;
                }
            }
        }
        Ok(match part {
            Part::After(_) => found.into_iter().take(least).collect(),
            Part::Before(_) => {
                let skipped = found.len().saturating_sub(least);
                found.into_iter().skip(skipped).collect()
            }
        })
    }

    /// Devices whose external ids begin so, in their order, or the other way.
    async fn walk(
        &self,
        session: &mut Session,
        start: &str,
        part: Part<'_>,
        limit: usize,
    ) -> Result<Vec<Device>, Error> {
        let mut sql = Where::new(rows::DEVICE, session.no_index());
        let order = match part {
            Part::After(after) => {
                if let Some(after) = after {
                    sql.and("external_id >", after.as_str().into());
                }
                "ASC"
            }
            Part::Before(before) => {
                sql.and("external_id <", before.as_str().into());
                "DESC"
            }
        };
        sql.begins(start);
        sql.fits(self.filter, &self.weeks);
        // Written out, because a parameter would hide from the planner how few are wanted.
        let _ = write!(sql.sql, " ORDER BY external_id {order} LIMIT {limit}");
        let found = session.fetch(sql.sql, sql.values).await?;
        found.iter().map(rows::device).collect()
    }

    async fn count(&self, session: &mut Session) -> Result<Counted, Error> {
        let most = u64::from(Page::COUNTED);
        let spells = |device: &Device| {
            let found = self.search.as_ref();
            found.is_some_and(|found| found.spells(device))
        };
        let known = match &self.few {
            Some(few) => few.len(),
            None => self
                .others
                .values()
                .filter(|device| !spells(device))
                .count(),
        };
        let mut devices = u64::try_from(known).unwrap_or(u64::MAX);
        if self.few.is_none() {
            for start in self.starts() {
                if devices <= most {
                    devices += self.count_from(session, start, most + 1 - devices).await?;
                }
            }
        }
        Ok(Counted {
            devices: devices.min(most),
            more: devices > most,
        })
    }

    async fn count_from(
        &self,
        session: &mut Session,
        start: &str,
        most: u64,
    ) -> Result<u64, Error> {
        let mut sql = Where::new("1 AS one", session.no_index());
        sql.begins(start);
        sql.fits(self.filter, &self.weeks);
        let Where { sql, values, .. } = sql;
        let sql = format!(
            "SELECT COUNT(*) AS n FROM ({sql} ORDER BY external_id LIMIT {most}) AS counted"
        );
        let row = session.fetch_one(sql, values).await?;
        row.map_or(Ok(0), |row| row.number("n"))
    }
}
