//! Problems as answers: the only place that knows both [`Problem`] and HTTP.

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use dc_protocol::{Kind, PROBLEM_JSON, Problem};

/// A problem that is to be answered, and after how many seconds to come again.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    kind: Kind,
    detail: String,
    retry_after: Option<u64>,
    available_from: Option<u64>,
}

impl ApiError {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        // What was given may stand in it, and many answers may wait for somebody who does not read.
        detail.truncate(detail.floor_char_boundary(MAX_DETAIL));
        Self {
            kind,
            detail,
            retry_after: kind.retry_after(),
            available_from: None,
        }
    }

    /// The same, with the time from when on it would succeed.
    pub(super) fn available_from(mut self, from: u64, now: u64) -> Self {
        self.available_from = Some(from);
        self.after(from.saturating_sub(now).max(1))
    }

    pub(super) fn after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The kind of problem.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// The same, said to a device: what is not found for an operator is a device that is not known.
    pub(super) fn for_device(mut self) -> Self {
        if self.kind == Kind::NotFound {
            self.kind = Kind::UnknownDevice;
        }
        self
    }

    /// The problem alone, for one line of many.
    pub(super) fn into_problem(self) -> Problem {
        Problem {
            available_from: self.available_from,
            ..Problem::new(self.kind, self.detail)
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self {
            kind,
            detail,
            retry_after,
            available_from,
        } = self;
        let status = StatusCode::from_u16(kind.status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let problem = Problem {
            available_from,
            ..Problem::new(kind, detail)
        };
        let mut response = (status, Json(&problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if kind == Kind::TokenRequired {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // The layer around all routes counts it, and adds the id of the request.
        response.extensions_mut().insert(Answered(problem));
        response
    }
}

/// Bytes of a sentence, however much was given.
const MAX_DETAIL: usize = 1024;

/// The problem of an answer, for the layer around all routes.
#[derive(Clone, Debug)]
pub(super) struct Answered(pub(super) Problem);

/// The answer for a path without a route.
pub(super) fn not_found() -> ApiError {
    ApiError::new(
        Kind::NotFound,
        "there is no such path: /openapi.json has all there are",
    )
}

/// The same where not all paths are.
pub(super) fn not_here() -> ApiError {
    ApiError::new(
        Kind::NotFound,
        "there is no such path here: operators, or health and metrics, have an address of their own (listen.operators and listen.health of the configuration)",
    )
}

/// A path that is there, with a method that is not.
pub(super) async fn no_such_method() -> ApiError {
    ApiError::new(
        Kind::MethodNotAllowed,
        "this path has other methods: the header 'allow' and /openapi.json have them",
    )
}
