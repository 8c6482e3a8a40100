//! Errors as problems: the kind is the authority's to say, texts that are not for whoever asks are replaced.

use super::problem::ApiError;
use crate::access::AccessError;
use crate::authority;
use dc_pki::Error as PkiError;
use dc_protocol::Kind;
use dc_store::registry;

impl From<authority::Error> for ApiError {
    fn from(error: authority::Error) -> Self {
        let kind = error.kind();
        if kind == Kind::Internal {
            return bug(&error);
        }
        if kind == Kind::StorageUnavailable {
            // What the database said is for whoever runs it, not for who asks.
            tracing::warn!(%error, "the database failed");
            return Self::new(
                kind,
                "nothing can be stored now, and nothing was: send the same request again later",
            );
        }
        if matches!(
            error,
            authority::Error::Store(dc_store::Error::ListNumber { .. })
        ) {
            // What is wrong with the database is for whoever runs it.
            tracing::error!(%error, "no list of withdrawn names is signed");
            return Self::new(
                kind,
                "the zone's list of withdrawn names is not signed now: the service's log says why",
            );
        }
        if matches!(
            error,
            authority::Error::Pki(PkiError::Process { .. } | PkiError::Sign { .. })
        ) {
            // Where the key is is nobody's business either.
            tracing::warn!(%error, "nothing could be signed");
            return Self::new(
                kind,
                "the delegation certificate's key does not sign now: send the same request again later",
            );
        }
        Self::new(kind, error.to_string())
    }
}

impl From<registry::Error> for ApiError {
    fn from(error: registry::Error) -> Self {
        authority::Error::from(error).into()
    }
}

impl From<AccessError> for ApiError {
    fn from(error: AccessError) -> Self {
        let (kind, text) = (error.kind(), error.to_string());
        match error {
            AccessError::Authority(error) => error.into(),
            AccessError::DeviceTooOften { seconds } | AccessError::OperatorTooOften { seconds } => {
                Self::new(kind, text).after(seconds)
            }
            AccessError::Overloaded { seconds } | AccessError::Reserved { seconds } => {
                Self::new(kind, text).after(seconds)
            }
            AccessError::Role { .. } => Self::new(kind, text),
        }
    }
}

impl From<PkiError> for ApiError {
    fn from(error: PkiError) -> Self {
        bug(&error)
    }
}

/// An internal error: the log has it, the answer only says so.
fn bug(error: &dyn std::error::Error) -> ApiError {
    tracing::error!(%error, "internal error");
    ApiError::new(
        Kind::Internal,
        "something went wrong that should not: the log has it under this request's id",
    )
}
