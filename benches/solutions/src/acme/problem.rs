//! What an ACME server answers when it refuses: problem documents (RFC 7807, RFC 8555 §6.7).

use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A refusal, with its HTTP status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Problem {
    /// A URN; [`Problem::name`] is its last part.
    #[serde(rename = "type", default)]
    kind: String,
    /// What a person reads.
    #[serde(default)]
    pub(crate) detail: String,
    #[serde(default)]
    pub(crate) status: u16,
}

impl Problem {
    /// A refusal of ours: `name` is one that RFC 8555, RFC 8739 or RFC 9115 has registered.
    pub(crate) fn new(status: u16, name: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("{NAMESPACE}{name}"),
            detail: detail.into(),
            status,
        }
    }

    /// What a peer answered; it may be anything.
    pub(crate) fn read(status: u16, body: &str) -> Self {
        match serde_json::from_str::<Self>(body) {
            Ok(problem) => Self { status, ..problem },
            Err(_) => Self {
                kind: String::new(),
                detail: body.chars().take(LONGEST_DETAIL).collect(),
                status,
            },
        }
    }

    /// Such as `badNonce`; empty if the peer gave none.
    pub(crate) fn name(&self) -> &str {
        self.kind.strip_prefix(NAMESPACE).unwrap_or(&self.kind)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the ACME server refuses with {} {}: {}",
            self.status,
            self.name(),
            self.detail
        )
    }
}

impl Error for Problem {}

const NAMESPACE: &str = "urn:ietf:params:acme:error:";
const LONGEST_DETAIL: usize = 200;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keeps_the_words_of_an_answer_that_is_no_problem_document() {
        let problem = Problem::read(502, "<h1>Bad gateway</h1>");
        assert_eq!(problem.name(), "");
        assert!(problem.to_string().contains("Bad gateway"));
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(status in 400u16..600, name in "[a-zA-Z]{1,20}", detail in ".*") {
            let problem = Problem::new(status, &name, detail);
            let text = serde_json::to_string(&problem).unwrap();
            let read = Problem::read(status, &text);
            prop_assert_eq!(read.name(), name);
            prop_assert_eq!(read, problem);
        }

        #[test]
        fn reads_any_body_without_panic(body in ".*") {
            let _ = Problem::read(500, &body).to_string();
        }
    }
}
