//! Exports of devices: recorded before the first one is shown and behind the last one, and streamed, for API and pages alike.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use tokio::sync::mpsc;

use crate::authority::json::{Device, NDJSON};
use crate::authority::{Act, Authority, Error, Filter, Page, csv, reads};
use dc_store::registry::{Action, ExternalId};

/// How devices are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Format {
    /// For spreadsheets.
    Csv,
    /// One JSON object a line.
    #[default]
    Ndjson,
}

impl Format {
    /// The format that is called so, as the end of a file's name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        [Self::Csv, Self::Ndjson]
            .into_iter()
            .find(|format| format.name() == name)
    }

    /// The end of a file's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Ndjson => NDJSON,
        }
    }

    fn head(self) -> Vec<u8> {
        match self {
            Self::Csv => csv::HEAD.into(),
            Self::Ndjson => Vec::new(),
        }
    }
}

/// Sends all devices that fit, in the order of their external ids.
///
/// Fails with [`Error::Store`] before anything is sent; what fails later breaks the answer off.
pub(crate) async fn devices(
    authority: &Arc<Authority>,
    filter: Filter,
    format: Format,
    act: Act,
) -> Result<Response, Error> {
    // Before anything is shown: what cannot be recorded is not exported.
    let scope = reads::filter(&filter);
    authority.note_read(Action::Export, scope, &act).await?;
    let mut export = Exporting {
        authority: authority.clone(),
        filter,
        format,
        rows: 0,
        act,
    };
    let mut first = format.head();
    // The first page comes before the head of the answer, so that a broken database is a problem.
    let after = export.page(None, &mut first).await?;
    let (sender, pages) = mpsc::channel(1);
    tokio::spawn(export.send(after, sender));
    let first = Some(first.into());
    let mut response = Pages { first, pages }.into_response();
    let kind = HeaderValue::from_static(format.media_type());
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}

/// An export that has begun.
struct Exporting {
    authority: Arc<Authority>,
    filter: Filter,
    format: Format,
    /// How many devices were read.
    rows: usize,
    act: Act,
}

impl Exporting {
    /// Reads a page into a text, and says where the next one begins.
    async fn page(
        &mut self,
        after: Option<ExternalId>,
        text: &mut Vec<u8>,
    ) -> Result<Option<ExternalId>, Error> {
        let page = Page {
            after,
            limit: Page::MAX,
            ..Page::default()
        };
        let listed = self.authority.list_devices(&self.filter, &page).await?;
        for device in &listed.devices {
            match self.format {
                Format::Csv => text.extend_from_slice(csv::line(device).as_bytes()),
                Format::Ndjson => {
                    // Writing to a vector does not fail, and our types are all JSON.
                    let _ = serde_json::to_writer(&mut *text, &Device::from(device));
                    text.push(b'\n');
                }
            }
        }
        self.rows += listed.devices.len();
        Ok(listed.next)
    }

    /// Reads a page when the one before is on its way, and stops when nobody wants it; then records how many devices there were.
    async fn send(
        mut self,
        after: Option<ExternalId>,
        sender: mpsc::Sender<Result<Bytes, Broken>>,
    ) {
        self.send_pages(after, &sender).await;
        let scope = reads::scope(&self.filter, self.rows);
        let noted = self
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
            let mut text = Vec::new();
            let sent = match self.page(after.take(), &mut text).await {
                Ok(next) => {
                    after = next;
                    sender.send(Ok(text.into())).await
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
pub(crate) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the database failed in the middle of an export")
    }
}

impl std::error::Error for Broken {}

/// A body made of pages.
#[derive(Debug)]
pub(crate) struct Pages {
    pub(crate) first: Option<Bytes>,
    pub(crate) pages: mpsc::Receiver<Result<Bytes, Broken>>,
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

/// The page that exports.
pub(crate) const PAGE: &str = "/devices/export";
