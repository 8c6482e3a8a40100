//! Pages: pure functions from data to markup. Markup escapes whatever is put into it, and the only text
//! that is not escaped is our own.

mod approvals;
mod attention;
mod bar;
mod confirm;
mod device;
mod devices;
mod fleet;
mod history;
mod layout;
mod show;
mod sign_in;
#[cfg(test)]
mod testing;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use maud::Markup;

pub(super) use approvals::{ApprovalRow, ApprovalsPage};
pub(super) use confirm::{ConfirmPage, Field};
pub(super) use device::DevicePage;
pub(super) use devices::{DevicesPage, Ends, Search};
pub(super) use fleet::FleetPage;
pub(super) use layout::{Who, fault};
pub(super) use show::encoded;
pub(super) use sign_in::sign_in;

/// A page as an answer.
pub(super) fn respond(status: StatusCode, page: Markup) -> Response {
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    (status, [(CONTENT_TYPE, html)], page.into_string()).into_response()
}
