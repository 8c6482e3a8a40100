//! The first page. Counting the fleet reads much of the database, so all who ask within a minute get one count.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use pki_types::UnixTime;
use tokio::sync::Mutex;

use super::Web;
use super::access::Visitor;
use super::error::PageError;
use super::page::{self, FleetPage};
use crate::authority::{self, Authority, Fleet};

/// The fleet, as it was counted last.
#[derive(Default)]
pub(super) struct Counted(Mutex<Option<Count>>);

#[derive(Clone)]
struct Count {
    fleet: Arc<Fleet>,
    at: UnixTime,
    /// A clock that is set back must not keep a count for years.
    read: Instant,
}

impl Counted {
    /// The time for which a count is shown.
    const KEPT: Duration = Duration::from_secs(60);

    /// The last count, or a new one, for which everybody waits together.
    async fn count(&self, authority: &Authority, now: UnixTime) -> Result<Count, authority::Error> {
        let mut last = self.0.lock().await;
        if let Some(count) = last
            .as_ref()
            .filter(|last| last.read.elapsed() < Self::KEPT)
        {
            return Ok(count.clone());
        }
        let count = Count {
            fleet: Arc::new(authority.fleet(now).await?),
            at: now,
            read: Instant::now(),
        };
        Ok(last.insert(count).clone())
    }
}

/// The fleet at a glance.
pub(super) async fn show(
    State(web): State<Arc<Web>>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let now = web.now()?;
    let count = web.fleet.count(&web.authority, now).await?;
    let zones = web.authority.zones().await?;
    let renewals = web.authority.renewals();
    let page = FleetPage {
        fleet: &count.fleet,
        counted: count.at,
        zones: &zones,
        renewals: &renewals,
        now,
    };
    Ok(page::respond(StatusCode::OK, page.render(&visitor.who())))
}
