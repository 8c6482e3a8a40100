//! What came out, beside what is listed.

use serde::Serialize;

use crate::format::Refused;
use crate::format::handshakes::Outcome;
use crate::format::selection::Answer;

/// Nothing, or what came out differently.
pub(super) type Check = Result<(), Mismatch>;

/// What came out instead of what is listed.
#[derive(Clone, Debug)]
pub(super) struct Mismatch {
    pub(super) what: String,
    /// False if both are refusals that differ in the word for the fault, or in which of the allowed alerts is sent, which neither application nor peer hears.
    pub(super) is_seen: bool,
}

impl<T: Into<String>> From<T> for Mismatch {
    fn from(what: T) -> Self {
        Self {
            what: what.into(),
            is_seen: true,
        }
    }
}

/// An outcome that may be a refusal.
pub(super) trait MayRefuse {
    fn refused(&self) -> Option<&Refused>;
}

impl<T> MayRefuse for Result<T, Refused> {
    fn refused(&self) -> Option<&Refused> {
        self.as_ref().err()
    }
}

impl MayRefuse for Answer {
    fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            Self::Certificate | Self::Credential(_) | Self::Empty => None,
        }
    }
}

impl MayRefuse for Outcome {
    fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            Self::Accepted(_) => None,
        }
    }
}

/// Compares two outcomes.
pub(super) fn compare<T: PartialEq + Serialize + MayRefuse>(listed: &T, got: &T) -> Check {
    if listed == got {
        return Ok(());
    }
    let text = |outcome| serde_json::to_string(outcome).unwrap_or_default();
    let sees_nothing = match (listed.refused(), got.refused()) {
        (Some(listed), Some(got)) => {
            listed.alert == got.alert || got.alert.is_some_and(|alert| listed.also.contains(alert))
        }
        _ => false,
    };
    Err(Mismatch {
        what: format!("{} instead of {}", text(got), text(listed)),
        is_seen: !sees_nothing,
    })
}

/// Compares two answers to a question.
pub(super) fn compare_said(listed: bool, got: bool) -> Check {
    match listed == got {
        true => Ok(()),
        false => Err(format!("{got} instead of {listed}").into()),
    }
}

/// The outcome of a vector: the refusal, or else what is valid.
pub(super) fn listed<T: Clone>(
    refused: Option<Refused>,
    valid: &Option<T>,
) -> Result<Result<T, Refused>, Mismatch> {
    match (refused, valid) {
        (Some(refused), None) => Ok(Err(refused)),
        (None, Some(valid)) => Ok(Ok(valid.clone())),
        _ => Err("it lists no outcome, or two".into()),
    }
}
