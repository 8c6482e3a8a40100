//! Errors as pages for people, with the id of the request.

use axum::http::StatusCode;
use axum::http::header::{ALLOW, HeaderValue, LOCATION, RETRY_AFTER};
use axum::response::{IntoResponse, Response};

use super::page::{self, encoded};
use crate::access::AccessError;
use crate::authority;
use crate::server::telemetry::RequestId;
use dc_pki::Error as PkiError;
use dc_protocol::Kind;
use dc_store::registry::{self, Role};

/// An error that is shown as a page.
#[derive(Clone, Debug)]
pub(super) enum PageError {
    /// The form is not one of ours, or was changed.
    BadForm,
    /// A search for what cannot be.
    BadSearch {
        /// The reason.
        source: registry::Error,
    },
    /// The form was not sent by a page of ours, for this operator.
    Csrf,
    /// It is a bug of ours. The log has it.
    Internal,
    /// The path has pages, but not with this method.
    Method,
    /// There is nothing of this name.
    NotFound,
    /// The act cannot be done now.
    NotDone {
        /// The reason, as a sentence.
        why: String,
        /// The kind of problem.
        kind: Kind,
    },
    /// The operator may look only.
    Role {
        /// The operator's role.
        role: Role,
    },
    /// Nobody is signed in.
    SignedOut {
        /// The path that was asked for, to go there afterwards.
        wanted: Option<String>,
    },
    /// The database does not work now.
    Storage,
    /// The operator has asked for too much in a short time.
    TooOften {
        /// After how many seconds to come again.
        seconds: u64,
    },
}

impl PageError {
    /// The page, once it is known which request it answers.
    pub(super) fn respond(self, id: RequestId) -> Response {
        if let Self::SignedOut {
            wanted: Some(wanted),
        } = &self
        {
            return sign_in_first(wanted);
        }
        let status = status(self.kind());
        let body = page::fault(
            status.as_u16(),
            self.title(),
            &self.detail(),
            &id.to_string(),
        );
        let mut response = page::respond(status, body);
        match self {
            Self::Storage => {
                let headers = response.headers_mut();
                headers.insert(RETRY_AFTER, HeaderValue::from_static("60"));
            }
            Self::TooOften { seconds } => {
                let headers = response.headers_mut();
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            Self::Method => {
                let headers = response.headers_mut();
                headers
                    .entry(ALLOW)
                    .or_insert(HeaderValue::from_static("GET"));
            }
            Self::BadForm
            | Self::BadSearch { .. }
            | Self::Csrf
            | Self::Internal
            | Self::NotDone { .. }
            | Self::NotFound
            | Self::Role { .. }
            | Self::SignedOut { .. } => {}
        }
        response
    }

    /// Which kind of problem it is, and with that its status.
    fn kind(&self) -> Kind {
        match self {
            Self::BadForm | Self::BadSearch { .. } => Kind::BadRequest,
            Self::Csrf | Self::Role { .. } | Self::SignedOut { .. } => Kind::Forbidden,
            Self::Internal => Kind::Internal,
            Self::Method => Kind::MethodNotAllowed,
            Self::NotFound => Kind::NotFound,
            Self::NotDone { kind, .. } => *kind,
            Self::Storage => Kind::StorageUnavailable,
            Self::TooOften { .. } => Kind::RateLimited,
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::BadForm => "This form cannot be read",
            Self::BadSearch { .. } => "Nothing can be found this way",
            Self::Csrf => "This form is not accepted",
            Self::Internal => "Something went wrong",
            Self::Method => "This is not how to come here",
            Self::NotFound => "There is nothing here",
            Self::NotDone { .. } => "This cannot be done",
            Self::Role { .. } => "Your role does not allow this",
            Self::SignedOut { .. } => "You are not signed in",
            Self::Storage => "The database does not answer",
            Self::TooOften { .. } => "That was too fast",
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::BadForm => "Go back, load the page again, and send the form once more.".into(),
            Self::BadSearch { source } => sentence(&source.to_string()),
            Self::Csrf => "It was not sent from a page that this service made for you, or the service was started anew since. Nothing was changed. Go back, load the page again, and send it once more.".into(),
            Self::Internal => "That is a bug of the service, and its log has the cause under the request's id.".into(),
            Self::Method => "Start from the fleet, and follow the links.".into(),
            Self::NotFound => "The address is mistyped, or leads to a device that this service does not know.".into(),
            Self::NotDone { why, .. } => format!("{why} Nothing was changed."),
            Self::Role { role } => format!("You are {role}, and it takes operator or admin. Ask an admin. Nothing was changed."),
            Self::SignedOut { .. } => "Your session has ended. Nothing was changed. Sign in again.".into(),
            Self::Storage => "Nothing was changed. The service goes on by itself as soon as its database does; try again in a minute.".into(),
            Self::TooOften { seconds } => format!("You, or programs with your token, have asked for more than this service lets one operator have. Nothing was changed. Load the page again in {seconds} s."),
        }
    }
}

/// Our errors are clauses in lower case.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

fn sign_in_first(wanted: &str) -> Response {
    let to = match wanted {
        "/" => "/sign-in".to_owned(),
        wanted => format!("/sign-in?next={}", encoded(wanted)),
    };
    see_other(&to)
}

/// Sends the browser to another page with GET.
pub(super) fn see_other(to: &str) -> Response {
    // It is made of our own paths and of what is encoded, so it is always a header's value.
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response()
}

impl IntoResponse for PageError {
    /// Nearly empty: [`finish`](super::headers::finish) makes the page, because it knows the request's id.
    fn into_response(self) -> Response {
        let mut response = status(self.kind()).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<authority::Error> for PageError {
    fn from(error: authority::Error) -> Self {
        let kind = error.kind();
        if kind == Kind::Internal {
            return bug(&error);
        }
        if kind == Kind::StorageUnavailable {
            tracing::warn!(%error, "the database failed");
            return Self::Storage;
        }
        if kind == Kind::NotFound {
            return Self::NotFound;
        }
        let why = sentence(&error.to_string());
        Self::NotDone { why, kind }
    }
}

impl From<AccessError> for PageError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Authority(error) => error.into(),
            AccessError::DeviceTooOften { seconds } | AccessError::OperatorTooOften { seconds } => {
                Self::TooOften { seconds }
            }
            error @ (AccessError::Overloaded { .. } | AccessError::Reserved { .. }) => {
                Self::NotDone {
                    kind: error.kind(),
                    why: sentence(&error.to_string()),
                }
            }
            AccessError::Role { role, needed: _ } => Self::Role { role },
        }
    }
}

impl From<registry::Error> for PageError {
    fn from(error: registry::Error) -> Self {
        authority::Error::from(error).into()
    }
}

impl From<PkiError> for PageError {
    fn from(error: PkiError) -> Self {
        bug(&error)
    }
}

fn bug(error: &dyn std::error::Error) -> PageError {
    tracing::error!(%error, "internal error");
    PageError::Internal
}

fn status(kind: Kind) -> StatusCode {
    let status = StatusCode::from_u16(kind.status());
    status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A path of ours with a method that it does not have.
pub(super) async fn no_such_method() -> PageError {
    PageError::Method
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_before_signing_in_is_encoded() {
        let fault = PageError::SignedOut {
            wanted: Some("/devices?q=a&state=active".into()),
        };
        let response = fault.respond(RequestId::next());
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(
            response.headers()[LOCATION],
            "/sign-in?next=%2Fdevices%3Fq%3Da%26state%3Dactive"
        );
    }

    #[test]
    fn an_error_becomes_a_sentence() {
        assert_eq!(
            sentence(&registry::Error::BadRole.to_string()),
            "A role is one of viewer, operator, admin."
        );
    }
}
