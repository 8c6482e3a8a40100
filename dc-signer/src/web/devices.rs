//! Searching devices, and one device with its history.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, HeaderValue};
use axum::response::Response;
use pki_types::UnixTime;
use serde::Deserialize;

use super::Web;
use super::access::Visitor;
use super::act::Act;
use super::error::{PageError, see_other, sentence};
use super::page::{self, DevicePage, DevicesPage, Ends, Search};
use super::parts::{Asked, At};
use crate::access::export::{self, Format};
use crate::authority::{Filter, Find, Listed, Page};
use dc_pki::names::ZoneName;
use dc_store::registry::{self, ActivationCode, Device, DeviceId, Error};

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
    #[serde(default)]
    before: String,
    /// How a file is to be written.
    #[serde(default)]
    format: String,
}

impl Fields {
    /// The search; and the text of it, unless that is none to search for.
    ///
    /// Fails if the address has what no form of ours can have sent.
    fn search(self) -> Result<(Search, Result<Option<registry::Search>, Error>), Error> {
        let text = self.q.trim();
        let meant = given(text).map(str::parse::<registry::Search>).transpose();
        let ends = given(&self.ends).map(|text| Ends::of(text).ok_or(Error::BadState));
        let search = Search {
            // Of an activation code, only what is kept of it.
            text: match &meant {
                Ok(Some(meant)) => meant.to_string(),
                Ok(None) | Err(_) => text.to_owned(),
            },
            state: given(&self.state).map(str::parse).transpose()?,
            zone: given(&self.zone).map(str::to_owned),
            ends: ends.transpose()?,
            possible_clone: self.clone == "1",
            after: given(&self.after).map(str::parse).transpose()?,
            before: given(&self.before).map(str::parse).transpose()?,
        };
        Ok((search, meant))
    }
}

fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn filter(
    search: &Search,
    meant: Option<registry::Search>,
    now: UnixTime,
) -> Result<Filter, Error> {
    let zone = search.zone.as_deref().map(ZoneName::parse).transpose();
    Ok(Filter {
        state: search.state,
        zone: zone.map_err(|_| Error::UnknownZone)?,
        possible_clone: search.possible_clone.then_some(true),
        expires_before: match search.ends {
            Some(Ends::Ended) => Some(later(now, 0)),
            Some(Ends::Within(hours)) => Some(later(now, hours)),
            Some(Ends::HoldsNone) | None => None,
        },
        expires_from: matches!(search.ends, Some(Ends::Within(_))).then(|| later(now, 0)),
        has_credential: matches!(search.ends, Some(Ends::HoldsNone)).then_some(false),
        search: meant,
        ..Filter::default()
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
    let now = web.now()?;
    let bad = |source| PageError::BadSearch { source };
    let is_secret = fields.q.trim().parse::<ActivationCode>().is_ok();
    let (search, meant) = fields.search().map_err(bad)?;
    if is_secret {
        // The secret in it is to stay in no address.
        return Ok(see_other(&search.first_page()));
    }
    let (meant, fault) = match meant {
        Ok(meant) => (meant, None),
        Err(fault) => (None, Some(sentence(&fault.to_string()))),
    };
    let is_exact = meant.as_ref().is_some_and(registry::Search::is_exact);
    let filter = filter(&search, meant, now).map_err(bad)?;
    let page = Page {
        after: search.after.clone(),
        before: search.before.clone(),
        limit: PAGE,
        count: true,
    };
    let listed = match fault {
        None => web.authority.list_devices(&filter, &page).await?,
        Some(_) => Listed::default(),
    };
    web.gate
        .note_read(visitor.operator(), listed.devices.len(), now);
    if let ([device], true, false) = (&listed.devices[..], is_exact, search.is_filtered()) {
        return Ok(see_other(&format!("/devices/{}", device.id)));
    }
    let status = match fault {
        None => StatusCode::OK,
        Some(_) => StatusCode::BAD_REQUEST,
    };
    let page = DevicesPage {
        search: &search,
        fault,
        listed: &listed,
        zones: &web.authority.zones().await?,
        now,
    };
    Ok(page::respond(status, page.render(&visitor.who())))
}

/// All devices that fit a search, as a file.
pub(super) async fn export(
    State(web): State<Arc<Web>>,
    visitor: Visitor,
    Asked(fields): Asked<Fields>,
) -> Result<Response, PageError> {
    let now = web.now()?;
    let format = Format::of(&fields.format).ok_or(PageError::BadForm)?;
    let asked = fields
        .search()
        .and_then(|(search, meant)| filter(&search, meant?, now));
    let filter = asked.map_err(|source| PageError::BadSearch { source })?;
    let by = visitor.operator().act(now);
    let mut file = export::devices(&web.authority, filter, format, by).await?;
    let name = format!("attachment; filename=\"devices.{}\"", format.name());
    // It is made of letters of our own.
    if let Ok(name) = HeaderValue::from_str(&name) {
        file.headers_mut().insert(CONTENT_DISPOSITION, name);
    }
    Ok(file)
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
    let now = web.now()?;
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
