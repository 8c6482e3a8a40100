//! Many devices at once, one JSON value a line (NDJSON): added in batches, and streamed out.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Frame;
use tokio::sync::mpsc;

use super::App;
use super::access::{Manager, Viewer};
use super::body::{MAX_BODY, Params, broken_off, failed, media_type, parse, too_large, too_slow};
use super::filter::Which;
use super::problem::ApiError;
use crate::authority::json::{AddLine, AddedDevice, Device, NDJSON, NewDevice, RefusedLine};
use crate::authority::{Act, Filter, Page, reads};
use dc_store::registry::{Action, ExternalId};

/// A line's number, and the device in it or what is wrong with it.
type Line = (usize, Result<NewDevice, ApiError>);
/// The outcome for a line.
type Outcome = Result<AddedDevice, (usize, ApiError)>;

/// Add many devices: one JSON object a line, one line of answer for each, in the same order.
///
/// A line that is wrong is answered with a problem, and the others count. Sending all of it again
/// changes nothing, so a load that broke off can be started over: activation codes that were made stay good, and are made for
/// those devices that have none.
#[utoipa::path(post, path = "/v1/admin/devices/bulk", tag = "operators", security(("token" = [])),
    request_body(content = String, content_type = "application/x-ndjson", description = "One `NewDevice` a line"),
    responses(
        (status = 200, description = "One `AddLine` a line", body = String, content_type = "application/x-ndjson"),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn add(
    State(app): State<Arc<App>>,
    manager: Manager,
    request: Request,
) -> Result<Response, ApiError> {
    media_type(request.headers(), NDJSON)?;
    let act = super::act(manager.operator())?;
    let mut body = Limited::new(request.into_body(), MAX_BULK);
    let mut lines = Lines::default();
    // Answered at the end: a client that sends everything before it reads would wait for us while
    // we wait for it.
    let mut answer = Vec::new();
    loop {
        let data = next(&mut body).await?;
        let ended = data.is_none();
        lines.push(&data.unwrap_or_default(), ended)?;
        if ended || lines.whole.len() >= BATCH {
            let batch = std::mem::take(&mut lines.whole);
            write(&mut answer, add_lines(&app, batch, &act).await?);
        }
        if ended {
            return Ok(([(CONTENT_TYPE, NDJSON)], answer).into_response());
        }
    }
}

/// Adds devices, and makes the codes that are asked for.
pub(super) async fn add_lines(
    app: &App,
    lines: Vec<Line>,
    act: &Act,
) -> Result<Vec<Outcome>, ApiError> {
    let good: Vec<&NewDevice> = lines
        .iter()
        .filter_map(|(_, new)| new.as_ref().ok())
        .collect();
    let mut added = app.authority.add_devices(&good, act).await?.into_iter();
    let outcomes = lines.into_iter().map(|(line, new)| {
        new.map_err(|refused| (line, refused)).and_then(|_| {
            // One for each good line, in order.
            let added = added.next().ok_or_else(|| (line, broken_off()))?;
            let mut added = added.map_err(|refusal| (line, refusal.into()))?;
            added.line = line;
            Ok(added)
        })
    });
    Ok(outcomes.collect())
}

fn write(answer: &mut Vec<u8>, outcomes: Vec<Outcome>) {
    for outcome in outcomes {
        let line = match outcome {
            Ok(added) => AddLine::Added(added),
            Err((line, refused)) => AddLine::Refused(RefusedLine {
                line,
                problem: refused.into_problem(),
            }),
        };
        push_line(answer, &line);
    }
}

fn push_line(text: &mut Vec<u8>, value: &impl serde::Serialize) {
    // Writing to a vector does not fail, and our types are all JSON.
    let _ = serde_json::to_writer(&mut *text, value);
    text.push(b'\n');
}

async fn next(body: &mut Limited<Body>) -> Result<Option<Bytes>, ApiError> {
    let frame = tokio::time::timeout(SILENCE, body.frame()).await;
    match frame.map_err(|_| too_slow())? {
        None => Ok(None),
        Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
        Some(Err(error)) => Err(failed(&*error, MAX_BULK)),
    }
}

/// Cuts what arrives into lines, however it arrives.
#[derive(Debug, Default)]
struct Lines {
    number: usize,
    rest: Vec<u8>,
    whole: Vec<Line>,
}

impl Lines {
    fn push(&mut self, data: &[u8], ended: bool) -> Result<(), ApiError> {
        self.rest.extend_from_slice(data);
        let end = match ended {
            true => self.rest.len(),
            false => self
                .rest
                .iter()
                .rposition(|b| *b == b'\n')
                .map_or(0, |at| at + 1),
        };
        let rest = self.rest.split_off(end);
        for line in std::mem::replace(&mut self.rest, rest).split_inclusive(|b| *b == b'\n') {
            self.line(line);
        }
        match self.rest.len() > MAX_BODY {
            true => Err(too_large(MAX_BODY)),
            false => Ok(()),
        }
    }

    /// Lines are numbered as an editor does; empty ones are skipped.
    fn line(&mut self, line: &[u8]) {
        self.number += 1;
        let line = line.trim_ascii();
        if !line.is_empty() {
            self.whole.push((self.number, parse(line)));
        }
    }
}

/// Get all devices that fit, one a line.
#[utoipa::path(get, path = "/v1/admin/devices/export", tag = "operators", security(("token" = [])), params(Which),
    responses(
        (status = 200, description = "One `Device` a line", body = String, content_type = "application/x-ndjson"),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn export(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Params(which): Params<Which>,
) -> Result<Response, ApiError> {
    let filter = which.filter()?;
    let act = super::act(viewer.operator())?;
    // Before anything is shown: what cannot be recorded is not exported.
    let scope = reads::filter(&filter);
    app.authority.note_read(Action::Export, scope, &act).await?;
    // The first page comes before the head of the answer, so that a broken database is a problem.
    let (first, rows, after) = page(&app, &filter, None).await?;
    let (sender, pages) = mpsc::channel(1);
    let export = Exporting {
        app,
        filter,
        rows,
        act,
    };
    tokio::spawn(export.send(after, sender));
    let first = Some(first);
    Ok(Pages { first, pages }.into_response())
}

/// A page as text, how many devices it has, and where the next one begins.
async fn page(
    app: &App,
    filter: &Filter,
    after: Option<ExternalId>,
) -> Result<(Bytes, usize, Option<ExternalId>), ApiError> {
    let limit = Page::MAX;
    let listed = app
        .authority
        .list_devices(filter, &Page { after, limit })
        .await?;
    let mut text = Vec::new();
    for device in &listed.devices {
        push_line(&mut text, &Device::from(device));
    }
    Ok((text.into(), listed.devices.len(), listed.next))
}

/// An export that has begun.
struct Exporting {
    app: Arc<App>,
    filter: Filter,
    /// How many devices were read.
    rows: usize,
    act: Act,
}

impl Exporting {
    /// Reads a page when the one before is on its way, and stops when nobody wants it; then records how many devices there were.
    async fn send(
        mut self,
        after: Option<ExternalId>,
        sender: mpsc::Sender<Result<Bytes, Broken>>,
    ) {
        self.send_pages(after, &sender).await;
        let scope = reads::scope(&self.filter, self.rows);
        let noted = self
            .app
            .authority
            .note_read(Action::ExportEnd, scope, &self.act);
        if let Err(error) = noted.await {
            tracing::warn!(%error, rows = self.rows, "the end of an export is not on record");
        }
    }

    async fn send_pages(
        &mut self,
        mut after: Option<ExternalId>,
        sender: &mpsc::Sender<Result<Bytes, Broken>>,
    ) {
        while after.is_some() {
            let sent = match page(&self.app, &self.filter, after.take()).await {
                Ok((text, rows, next)) => {
                    after = next;
                    self.rows += rows;
                    sender.send(Ok(text)).await
                }
                Err(_) => sender.send(Err(Broken)).await,
            };
            if sent.is_err() {
                return;
            }
        }
    }
}

/// The database failed in the middle: the answer breaks off, so that nobody takes it for whole.
#[derive(Debug)]
pub(super) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the database failed in the middle of an export")
    }
}

impl std::error::Error for Broken {}

/// A body made of pages.
#[derive(Debug)]
pub(super) struct Pages {
    pub(super) first: Option<Bytes>,
    pub(super) pages: mpsc::Receiver<Result<Bytes, Broken>>,
}

impl IntoResponse for Pages {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, NDJSON)], Body::new(self)).into_response()
    }
}

impl HttpBody for Pages {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let page = self.pages.poll_recv(context);
        page.map(|page| page.map(|page| page.map(Frame::data)))
    }
}

/// Bytes of a bulk request.
const MAX_BULK: usize = 16 * 1024 * 1024;
/// Devices that are added in one transaction.
const BATCH: usize = 1000;
/// The longest time for which nothing may arrive.
const SILENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(parts: &[&[u8]]) -> Vec<(usize, bool)> {
        let mut lines = Lines::default();
        for part in parts {
            lines.push(part, false).unwrap();
        }
        lines.push(b"", true).unwrap();
        lines
            .whole
            .iter()
            .map(|(number, new)| (*number, new.is_ok()))
            .collect()
    }

    #[test]
    fn lines_have_the_numbers_that_an_editor_shows() {
        let text = b"{\"external_id\":\"a\"}\n\n garbage \r\n{\"external_id\":\"b\"}";
        assert_eq!(cut(&[text]), [(1, true), (3, false), (4, true)]);
    }

    #[test]
    fn a_line_without_an_end_is_not_collected_for_ever() {
        let mut lines = Lines::default();
        let error = lines.push(&vec![b' '; MAX_BODY + 1], false).unwrap_err();
        assert_eq!(error.into_problem().status, 413);
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_they_arrive(text in "[a{}\":\n]{0,80}", at in 0usize..80) {
            let (one, two) = text.as_bytes().split_at(at.min(text.len()));
            prop_assert_eq!(cut(&[one, two]), cut(&[text.as_bytes()]));
        }
    }
}
