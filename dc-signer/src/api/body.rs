//! Bodies and queries: bounded in length and time, and strict.

use std::error::Error;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::problem::ApiError;
use crate::authority::json::read_body;
use crate::server::listener::TooSlow;
use dc_protocol::Kind;

/// A JSON body of at most [`MAX_BODY`] bytes.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        media_type(request.headers(), "application/json")?;
        parse(&whole(request.into_body()).await?).map(Self)
    }
}

/// The same, but no body at all is as good as `{}`.
#[derive(Debug)]
pub(super) struct OptionalJson<T>(pub(super) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let typed = media_type(request.headers(), "application/json");
        let body = whole(request.into_body()).await?;
        match body.is_empty() {
            true => Ok(Self(T::default())),
            false => typed.and_then(|()| parse(&body)).map(Self),
        }
    }
}

/// The part of a URL behind `?`.
#[derive(Debug)]
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::from_request_parts(parts, state).await;
        query.map(|Query(params)| Self(params)).map_err(|error| {
            let detail = format!(
                "the part of the URL behind '?' is wrong: {}",
                error.body_text()
            );
            ApiError::new(Kind::BadRequest, detail)
        })
    }
}

/// Checks the header `content-type`.
pub(super) fn media_type(headers: &HeaderMap, wanted: &str) -> Result<(), ApiError> {
    let given = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let given = given.unwrap_or_default().split(';').next();
    match given.is_some_and(|given| given.trim().eq_ignore_ascii_case(wanted)) {
        true => Ok(()),
        false => Err(ApiError::new(
            Kind::UnsupportedMediaType,
            format!("send the body as {wanted}, and say so in the header 'content-type'"),
        )),
    }
}

/// The JSON object of a body.
fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, ApiError> {
    read_body(json).map_err(|detail| ApiError::new(Kind::BadRequest, detail))
}

async fn whole(body: Body) -> Result<Bytes, ApiError> {
    let mut body = Limited::new(body, MAX_BODY);
    let reading = async {
        // Copied together: pieces that are kept as they come may be of one byte each.
        let mut read = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| failed(&*error, MAX_BODY))?;
            read.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
        }
        Ok(read.into())
    };
    let read = tokio::time::timeout(BODY_TIME, reading).await;
    read.unwrap_or_else(|_| Err(too_slow()))
}

/// The problem of a body that cannot be read.
pub(super) fn failed(error: &(dyn Error + 'static), limit: usize) -> ApiError {
    if error.is::<LengthLimitError>() {
        return too_large(limit);
    }
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<TooSlow>() {
            return too_slow();
        }
        cause = error.source();
    }
    broken_off()
}

pub(super) fn too_large(limit: usize) -> ApiError {
    let detail = format!("send {limit} bytes at most");
    ApiError::new(Kind::TooLarge, detail)
}

pub(super) fn too_slow() -> ApiError {
    ApiError::new(Kind::Timeout, "send the whole body sooner")
}

pub(super) fn broken_off() -> ApiError {
    ApiError::new(Kind::BadRequest, "the body broke off: send it again")
}

/// Several times the largest request of a device.
pub(super) const MAX_BODY: usize = 64 * 1024;
/// Enough for [`MAX_BODY`] over the slowest line.
const BODY_TIME: Duration = Duration::from_secs(10);
