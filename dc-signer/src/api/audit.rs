//! Operators' requests about the audit log: a page of it, all of it, and its last checkpoint.

use std::sync::Arc;

use axum::Json as Answer;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::mpsc;

use super::App;
use super::access::Viewer;
use super::body::Params;
use super::problem::{self, ApiError};
use crate::access::export::{Broken, Pages};
use crate::authority::json::{AuditCheckpoint, AuditRecord, AuditRecords};
use dc_pki::clock;
use dc_protocol::Kind;
use dc_store::AuditFilter;
use dc_store::export::{first_line, record_line};

/// The records that are meant, and the part of them.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Only those that are not before this time.
    #[param(maximum = 253402300799i64)]
    since: Option<u64>,
    /// Only those that are not after this time.
    #[param(maximum = 253402300799i64)]
    until: Option<u64>,
    /// Only those of this action, such as `suspend`.
    action: Option<String>,
    /// Only those by this actor, such as `operator:alice`.
    actor: Option<String>,
    /// Only those about the device with this id, under all names that it had.
    device: Option<String>,
    /// Only those about this unique name, or this operator.
    name: Option<String>,
    /// Only those of this zone.
    zone: Option<String>,
    /// Only those before this record, the newest first. So it is without this and `after`, too.
    before: Option<u64>,
    /// Only those behind this record, the oldest first.
    after: Option<u64>,
    /// At most so many, 1 to 1000. Default: 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

impl Wanted {
    fn filter(&self) -> Result<AuditFilter, ApiError> {
        let action = self.action.as_deref().map(str::parse).transpose()?;
        Ok(AuditFilter {
            since: self.since.map(super::at).transpose()?,
            until: self.until.map(super::at).transpose()?,
            actions: action.into_iter().collect(),
            actor: self.actor.clone(),
            device: self.device.as_deref().map(str::parse).transpose()?,
            name: self.name.clone(),
            zone: self.zone.clone(),
        })
    }
}

/// List records of the audit log, a page at a time, the newest first.
#[utoipa::path(get, path = "/v1/admin/audit", tag = "operators", security(("token" = [])), params(Wanted),
    responses(
        (status = 200, body = AuditRecords),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Params(wanted): Params<Wanted>,
) -> Result<Answer<AuditRecords>, ApiError> {
    let filter = wanted.filter()?;
    // Which names a device has had is personal data; the log by itself has none.
    if filter.device.is_some() {
        app.gate.note_read(viewer.operator(), 1, clock::now()?);
    }
    let limit = wanted.limit.unwrap_or(100);
    if !(1..=1000).contains(&limit) {
        let detail = format!("limit is {limit}: use 1 to 1000");
        return Err(ApiError::new(Kind::BadRequest, detail));
    }
    for seq in [wanted.before, wanted.after].into_iter().flatten() {
        check_seq(seq, 0)?;
    }
    let page = match (wanted.before, wanted.after) {
        (Some(_), Some(_)) => {
            let detail = "give before or after, not both";
            return Err(ApiError::new(Kind::BadRequest, detail));
        }
        (before, None) => {
            app.authority
                .find_records_before(&filter, before, limit)
                .await?
        }
        (None, Some(after)) => app.authority.find_records(&filter, after, limit).await?,
    };
    Ok(Answer(AuditRecords {
        records: page.records.iter().map(AuditRecord::from).collect(),
        next: page.next,
    }))
}

/// A part of the log.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Part {
    /// From this record on. Default: the first.
    #[param(minimum = 1)]
    from: Option<u64>,
    /// Up to this record. Default: the last.
    to: Option<u64>,
}

/// Fails with a problem for what no record can have as its number.
fn check_seq(seq: u64, min: u64) -> Result<(), ApiError> {
    let max = i64::MAX.unsigned_abs();
    match (min..=max).contains(&seq) {
        true => Ok(()),
        false => {
            let detail = format!("{seq} is no number of a record: use {min} to {max}");
            Err(ApiError::new(Kind::BadRequest, detail))
        }
    }
}

/// Get records of the audit log, one a line, in the form that `dc-signer audit verify --export` reads. From another record than
/// the first on, the log before it is read first.
#[utoipa::path(get, path = "/v1/admin/audit/export", tag = "operators", security(("token" = [])), params(Part),
    responses(
        (status = 200, description = "A line that says what is before the first record, then one `AuditRecord` a line", body = String, content_type = "application/x-ndjson"),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn export(
    State(app): State<Arc<App>>,
    _viewer: Viewer,
    Params(part): Params<Part>,
) -> Result<Response, ApiError> {
    for (seq, min) in [(part.from, 1), (part.to, 0)] {
        seq.map_or(Ok(()), |seq| check_seq(seq, min))?;
    }
    let last = app.authority.last_record().await?;
    let from = part.from.unwrap_or(1);
    let to = part.to.unwrap_or(last).min(last);
    let tree = app.authority.audit_tree(from - 1).await?;
    let first = Some(first_line(&tree).into());
    let (sender, pages) = mpsc::channel(1);
    tokio::spawn(send(app, tree.head().seq, to, sender));
    Ok(Pages { first, pages }.into_response())
}

/// Reads a page when the one before is on its way, and stops when nobody wants it.
async fn send(app: Arc<App>, mut after: u64, to: u64, sender: mpsc::Sender<Result<Bytes, Broken>>) {
    while after < to {
        let left = u32::try_from(to - after).unwrap_or(u32::MAX);
        let read = app.authority.records_from(after + 1, left.min(AT_ONCE));
        let page = match read.await {
            Ok(records) if !records.is_empty() => {
                after = records.last().map_or(to, |record| record.seq);
                let lines: String = records.iter().map(record_line).collect();
                Ok(lines.into())
            }
            _ => Err(Broken),
        };
        let is_last = page.is_err();
        if sender.send(page).await.is_err() || is_last {
            return;
        }
    }
}

/// Show the last checkpoint of the audit log that this signer has signed, and which places have not got one.
#[utoipa::path(get, path = "/v1/admin/audit/checkpoint", tag = "operators", security(("token" = [])),
    responses(
        (status = 200, body = AuditCheckpoint),
        (status = 404, description = "This signer signs none", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn checkpoint(
    State(app): State<Arc<App>>,
    _viewer: Viewer,
) -> Result<Answer<AuditCheckpoint>, ApiError> {
    let status = app.checkpoints().get().ok_or_else(problem::not_found)?;
    Ok(Answer(AuditCheckpoint::from(status)))
}

const AT_ONCE: u32 = 1000;
