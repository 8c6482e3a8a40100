//! Many devices at once, one JSON value a line (NDJSON): added in batches, and streamed out.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};

use super::App;
use super::access::{Manager, Viewer};
use super::body::{MAX_BODY, Params, broken_off, failed, media_type, too_large, too_slow};
use super::filter::Which;
use super::problem::ApiError;
use crate::access::export;
use crate::authority::Act;
use crate::authority::json::{AddLine, AddedDevice, NDJSON, NewDevice, RefusedLine, read_line};
use dc_protocol::Kind;

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
        let refused = |detail| ApiError::new(Kind::BadRequest, detail);
        if let Some(new) = read_line(line) {
            self.whole.push((self.number, new.map_err(refused)));
        }
    }
}

/// Get all devices that fit, one a line: as JSON, or as CSV, in which the first line says what is in each column.
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
    let (filter, format) = (which.filter()?, which.format()?);
    let act = super::act(viewer.operator())?;
    Ok(export::devices(&app.authority, filter, format, act).await?)
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
