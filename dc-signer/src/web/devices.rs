//! Searching devices, and one device with its history.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use pki_types::UnixTime;
use serde::Deserialize;

use super::Web;
use super::access::Visitor;
use super::act::Act;
use super::error::{PageError, see_other};
use super::page::{self, DevicePage, DevicesPage, Search};
use super::parts::{Asked, At};
use crate::authority::{Filter, Find, Page};
use dc_pki::clock;
use dc_pki::names::{self, ZoneName};
use dc_store::registry::{Device, DeviceId, Error, Sha256};

/// The form of the search; an empty field does not count.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    q: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    zone: String,
    #[serde(default)]
    ends: String,
    #[serde(default)]
    clone: String,
    #[serde(default)]
    after: String,
}

impl Fields {
    fn search(self) -> Result<Search, Error> {
        Ok(Search {
            state: given(&self.state).map(str::parse).transpose()?,
            zone: given(&self.zone).map(str::to_owned),
            ends_within: given(&self.ends).and_then(|hours| hours.parse().ok()),
            possible_clone: self.clone == "1",
            after: given(&self.after).map(str::parse).transpose()?,
            text: self.q.trim().to_owned(),
        })
    }
}

fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn filter(search: &Search, now: UnixTime) -> Result<Filter, Error> {
    let zone = search.zone.as_deref().map(ZoneName::parse).transpose();
    Ok(Filter {
        state: search.state,
        zone: zone.map_err(|_| Error::UnknownZone)?,
        possible_clone: search.possible_clone.then_some(true),
        external_id_prefix: Some(search.text.clone()).filter(|text| !text.is_empty()),
        expires_before: search.ends_within.map(|hours| later(now, hours)),
        delegation: None,
    })
}

fn later(now: UnixTime, hours: u32) -> UnixTime {
    // Those that end in this very second count too.
    let seconds = now.as_secs() + u64::from(hours) * 3600 + 1;
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// Devices that fit a search. What names exactly one device leads to it.
pub(super) async fn list(
    State(web): State<Arc<Web>>,
    visitor: Visitor,
    Asked(fields): Asked<Fields>,
) -> Result<Response, PageError> {
    let now = clock::now()?;
    let bad = |source| PageError::BadSearch { source };
    let search = fields.search().map_err(bad)?;
    if let Some(device) = exact(&web, &search.text).await? {
        web.gate.note_read(visitor.operator(), 1, now);
        return Ok(see_other(&format!("/devices/{}", device.id)));
    }
    let filter = filter(&search, now).map_err(bad)?;
    let page = Page {
        after: search.after.clone(),
        limit: PAGE,
    };
    let listed = web.authority.list_devices(&filter, &page).await?;
    let rows = listed.devices.len();
    web.gate.note_read(visitor.operator(), rows, now);
    let zones = web.authority.zones().await?;
    let page = DevicesPage {
        search: &search,
        listed: &listed,
        zones: &zones,
        now,
    };
    Ok(page::respond(StatusCode::OK, page.render(&visitor.who())))
}

/// The device with this id, name or enrolment key.
async fn exact(web: &Web, text: &str) -> Result<Option<Device>, PageError> {
    let finds = [
        text.parse::<DeviceId>().ok().map(Find::Id),
        text.parse::<Sha256>().ok().map(Find::Key),
        names::parse(text).ok().map(Find::Name),
    ];
    for find in finds.into_iter().flatten() {
        if let Some(device) = web.authority.find_device(&find).await? {
            return Ok(Some(device));
        }
    }
    Ok(None)
}

/// The act that was just done, to be confirmed.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Shown {
    #[serde(default)]
    done: String,
}

/// One device.
pub(super) async fn show(
    State(web): State<Arc<Web>>,
    visitor: Visitor,
    At(id): At<String>,
    Asked(shown): Asked<Shown>,
) -> Result<Response, PageError> {
    let device = find(&web, &id).await?;
    let history = web.authority.history(device.id, HISTORY).await?;
    let now = clock::now()?;
    web.gate.note_read(visitor.operator(), 1, now);
    let page = DevicePage {
        device: &device,
        history: &history,
        done: Act::of(&shown.done),
        limit: HISTORY,
        now,
    };
    Ok(page::respond(StatusCode::OK, page.render(&visitor.who())))
}

/// The device with this id.
///
/// Fails with [`PageError::NotFound`].
pub(super) async fn find(web: &Web, id: &str) -> Result<Device, PageError> {
    let find = Find::Id(id.parse::<DeviceId>()?);
    let found = web.authority.find_device(&find).await?;
    found.ok_or(PageError::NotFound)
}

/// Devices on one page.
const PAGE: u32 = 50;
/// Rows of each table of a history.
const HISTORY: u32 = 50;
