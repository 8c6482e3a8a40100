//! The ways in which an order by ACME fails, and which of them will pass.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dc_pki::secret::{SecretError, SecretSource};
use dc_pki::text::Foreign;
use instant_acme::{Error as Acme, Problem};
use thiserror::Error;

use super::https::HttpsError;
use crate::renewal::program::ProgramError;
use crate::renewal::source::OrderError;

/// The reason that there is no certificate.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(super) enum Failure {
    /// The server says no, or cannot be spoken to.
    #[error("{}", Said(.0))]
    Acme(#[from] Acme),
    /// The account's file is damaged.
    #[error("{} is no ACME account: put it back from a backup, or remove it to register anew", path.display())]
    BadAccount {
        /// The file.
        path: PathBuf,
    },
    /// The external account's key is no base64.
    #[error(
        "the external account's key from {from} is no base64url: have it there as the CA gave it"
    )]
    BadExternalKey {
        /// The place of the key.
        from: SecretSource,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    Files(#[from] dc_pki::Error),
    /// The hook failed.
    #[error("the hook of {step} for {name} failed: {source}")]
    Hook {
        /// `present` or `cleanup`.
        step: &'static str,
        /// The name in DNS.
        name: String,
        /// The reason.
        source: ProgramError,
    },
    /// The address for challenges cannot be used.
    #[error("cannot answer http-01 on {address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The reason.
        source: std::io::Error,
    },
    /// The CA does not offer this challenge.
    #[error("the CA offers {} for {name}, and not {wanted}: choose another 'challenge'", listed(.offered))]
    NoChallenge {
        /// The wanted one.
        wanted: &'static str,
        /// The name that was to be shown.
        name: String,
        /// Those that it offers.
        offered: Vec<String>,
    },
    /// The CA does not offer this profile.
    #[error("the CA offers {} as profiles, and not {wanted}: choose another 'profile'", listed(.offered))]
    NoProfile {
        /// The wanted one.
        wanted: String,
        /// Those that it offers.
        offered: Vec<String>,
    },
    /// There is no account here, and the CA registers none.
    #[error(
        "the CA says: {}; so there is no account at it: {}",
        said(problem),
        Advice { kid: kid.as_deref(), folder }
    )]
    NotRegistered {
        /// Its reason.
        problem: Box<Problem>,
        /// The name of the external account's key.
        kid: Option<String>,
        /// The folder where an account that was registered before belongs.
        folder: PathBuf,
    },
    /// The CA looked, and did not find what it should.
    #[error("the CA does not accept that {name} is yours: {}", .problem.as_ref().map_or_else(|| "it does not say why".to_owned(), said))]
    NotShown {
        /// The name that was to be shown.
        name: String,
        /// Its reason.
        problem: Option<Problem>,
    },
    /// A root of the server's own certificate cannot be had.
    #[error("the ACME server's roots: {0}")]
    Roots(#[source] dc_pki::Error),
    /// The external account's key cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The CA takes longer than it has.
    #[error("the CA has not {step} within {}: the order is remembered, and goes on when it is placed again", humantime::format_duration(*.limit))]
    Slow {
        /// The step that it was to do.
        step: &'static str,
        /// The time that it had.
        limit: Duration,
    },
    /// HTTPS cannot be set up.
    #[error(transparent)]
    Transport(#[from] HttpsError),
}

/// The ways to an account.
struct Advice<'a> {
    kid: Option<&'a str>,
    folder: &'a Path,
}

impl fmt::Display for Advice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.folder.display();
        match self.kid {
            Some(kid) => write!(
                f,
                "many CAs take the key of an external account once, so put the account that {kid} was used for back into {folder} from a backup, or ask the CA for a new external account, and have its kid and its key in 'external_account'"
            ),
            None => write!(
                f,
                "agree with the CA how its accounts are made ('external_account', 'contact', 'agree_to_terms'), or put one that was there back into {folder} from a backup"
            ),
        }
    }
}

impl Failure {
    /// The same for whoever ordered; `retry_after` is the server's word on when to come again.
    pub(super) fn to_order_error(&self, retry_after: Option<Duration>) -> OrderError {
        let said = self.to_string();
        match self {
            Self::Acme(Acme::Timeout(at)) => {
                let left = at.map(|at| at.saturating_duration_since(Instant::now()));
                OrderError::Later(left.or(retry_after), said)
            }
            Self::NotRegistered { problem, .. } => of_problem(problem, retry_after, said),
            Self::Acme(Acme::Api(problem))
            | Self::NotShown {
                problem: Some(problem),
                ..
            } => of_problem(problem, retry_after, said),
            Self::Acme(Acme::Crypto | Acme::KeyRejected) => OrderError::Setup(said),
            Self::Acme(Acme::Unsupported(_)) => OrderError::Refused(said),
            // The network, or something that is no ACME server while one is down.
            Self::Acme(_) | Self::Slow { .. } => OrderError::Later(retry_after, said),
            Self::NotShown { problem: None, .. }
            | Self::NoChallenge { .. }
            | Self::NoProfile { .. } => OrderError::Refused(said),
            Self::Hook { source, .. } => match OrderError::from(source.clone()) {
                OrderError::Later(after, _) => OrderError::Later(after, said),
                _ => OrderError::Setup(said),
            },
            Self::BadAccount { .. }
            | Self::BadExternalKey { .. }
            | Self::Files(_)
            | Self::Listen { .. }
            | Self::Roots(_)
            | Self::Secret(_)
            | Self::Transport(_) => OrderError::Setup(said),
        }
    }

    /// True if the same order need not be placed again: the CA has ended it.
    pub(super) fn ends_order(&self) -> bool {
        matches!(self, Self::NotShown { .. } | Self::NoChallenge { .. })
            || matches!(self, Self::Acme(Acme::Api(problem)) if !will_pass(problem))
    }
}

fn of_problem(problem: &Problem, retry_after: Option<Duration>, said: String) -> OrderError {
    match will_pass(problem) {
        true => OrderError::Later(retry_after, said),
        false => OrderError::Refused(said),
    }
}

/// True of problems that go away by themselves (RFC 8555 §6.7).
pub(super) fn will_pass(problem: &Problem) -> bool {
    let kind = problem.r#type.as_deref().unwrap_or_default();
    let kind = kind
        .strip_prefix("urn:ietf:params:acme:error:")
        .unwrap_or(kind);
    // CAs look at DNS and the web from places of their own, which fail for a while.
    let passes = [
        "badNonce",
        "connection",
        "dns",
        "orderNotReady",
        "rateLimited",
        "serverInternal",
    ];
    let is_server = problem
        .status
        .is_some_and(|status| status == 429 || status >= 500);
    passes.contains(&kind) || is_server
}

/// An error of the client's, without the words that are for programmers.
struct Said<'a>(&'a Acme);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Acme::Api(problem) => write!(f, "the CA says: {}", said(problem)),
            Acme::Json(_) => {
                f.write_str("the CA's answer is none of ACME: check that 'directory' is right")
            }
            Acme::Timeout(_) => {
                f.write_str("the CA takes longer than it has: the order is remembered")
            }
            Acme::Str(missing) => write!(f, "the CA's answer is incomplete: {missing}"),
            error => write!(f, "the CA cannot be asked: {error}"),
        }
    }
}

/// A CA's words, fit for a terminal, on one line.
fn said(problem: &Problem) -> String {
    let problem = problem.to_string();
    let words = problem.strip_prefix("API error: ").unwrap_or(&problem);
    let words: String = words.chars().take(MAX_SAID).collect();
    Foreign(&words).to_string()
}

fn listed(offered: &[String]) -> String {
    match offered {
        [] => "none".to_owned(),
        offered => Foreign(&offered.join(", ")).to_string(),
    }
}

/// The most characters of a CA's that are shown.
const MAX_SAID: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(kind: &str, status: Option<u16>) -> Problem {
        let json = serde_json::json!({
            "type": format!("urn:ietf:params:acme:error:{kind}"),
            "detail": "no\nway", "status": status,
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn whoever_gets_no_account_is_told_what_to_ask_the_ca_for() {
        let failed = |kid: Option<&str>| {
            let failure = Failure::NotRegistered {
                problem: Box::new(problem("unauthorized", Some(403))),
                kid: kid.map(str::to_owned),
                folder: "/data/acme/0123".into(),
            };
            let error = failure.to_order_error(None);
            assert!(matches!(error, OrderError::Refused(_)));
            error.to_string()
        };
        for (kid, words) in [
            (Some("customer"), "ask the CA for a new external account"),
            (None, "agree with the CA how its accounts are made"),
        ] {
            let said = failed(kid);
            assert!(
                said.contains(words) && said.contains("back into /data/acme/0123"),
                "{said}"
            );
        }
    }

    #[test]
    fn what_passes_is_for_later_and_what_does_not_is_refused() {
        let minute = Some(Duration::from_secs(60));
        for (kind, status, passes) in [
            ("rateLimited", Some(429), true),
            ("serverInternal", Some(500), true),
            ("dns", None, true),
            ("malformed", Some(503), true),
            ("unauthorized", Some(403), false),
            ("caa", None, false),
            ("badCSR", Some(400), false),
            ("externalAccountRequired", Some(400), false),
        ] {
            let failure = Failure::Acme(Acme::Api(problem(kind, status)));
            let error = failure.to_order_error(minute);
            assert_eq!(
                matches!(error, OrderError::Later(after, _) if after == minute),
                passes,
                "{kind}"
            );
            assert_eq!(failure.ends_order(), !passes, "{kind}");
            let said = error.to_string();
            assert!(
                said.contains("no\\u{a}way") && said.contains(kind),
                "{said}"
            );
        }
    }
}
