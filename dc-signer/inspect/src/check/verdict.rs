//! A check with its outcome, and the verdict of all.

use std::fmt;

use serde_json::{Value, json};

use dc_pki::chain::{OrderError, PurposeError, Untrusted};

/// A rule that is checked. The numbers are those of RFC 9345 §4.1.3.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Rule {
    /// The certificates are in the order in which they are to be sent.
    Order,
    /// The chain leads to a root that is trusted.
    Chain,
    /// The certificate is valid now.
    CertificateTime,
    /// The certificate has the wanted name.
    CertificateName,
    /// 1: the credential has not ended.
    Expiry,
    /// 2: it ends in 7 days at most.
    Validity,
    /// 4: its key may sign, with the scheme it says.
    Scheme,
    /// 5: the certificate may delegate.
    Delegation,
    /// 6: the certificate's key signed it, for this role.
    Signature,
    /// It is for the wanted name, and a name of the certificate, which no CA of the chain excludes.
    UniqueName,
    /// The private key beside it is its own.
    PrivateKey,
}

impl Rule {
    /// A name for programs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Chain => "chain",
            Self::CertificateTime => "certificate-time",
            Self::CertificateName => "certificate-name",
            Self::Expiry => "expiry",
            Self::Validity => "validity",
            Self::Scheme => "scheme",
            Self::Delegation => "delegation",
            Self::Signature => "signature",
            Self::UniqueName => "unique-name",
            Self::PrivateKey => "private-key",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Order => "server's own certificate comes first",
            Self::Chain => "chain leads to a trusted root",
            Self::CertificateTime => "certificate is valid now",
            Self::CertificateName => "certificate has the name",
            Self::Expiry => "(1) credential has not ended",
            Self::Validity => "(2) it ends in 7 days at most",
            Self::Scheme => "(4) its key and scheme are allowed",
            Self::Delegation => "(5) certificate may delegate",
            Self::Signature => "(6) certificate's key signed it",
            Self::UniqueName => "unique name is the wanted one",
            Self::PrivateKey => "private key belongs to it",
        })
    }
}

/// A reason for which a peer would refuse.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CheckError {
    /// The chain is not trusted, not valid now, or has not the wanted name.
    Chain(rustls::Error),
    /// The credential or its certificate break a rule.
    Credential(dc_core::Error),
    /// A certificate of the chain is not for what it is used for.
    Misuse(PurposeError),
    /// The chain begins with another certificate than the server's own.
    Order(OrderError),
    /// The private key is another one's.
    PrivateKey,
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain(error) => fmt::Display::fmt(&Untrusted(error), f),
            Self::Credential(error) => fmt::Display::fmt(error, f),
            Self::Misuse(misuse) => fmt::Display::fmt(misuse, f),
            Self::Order(disorder) => fmt::Display::fmt(disorder, f),
            Self::PrivateKey => f.write_str(
                "the private key is not the one that the credential is for: enrol again with the device's own key",
            ),
        }
    }
}

/// The outcome of a check.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// It passed; what it was about, if that says more than the rule.
    Passed(Option<String>),
    /// It failed.
    Failed(CheckError),
    /// There was nothing to check it with: what is missing.
    NotChecked(&'static str),
}

/// A check and its outcome.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Check {
    /// The rule.
    pub rule: Rule,
    /// Its outcome.
    pub outcome: Outcome,
}

impl Check {
    pub(super) fn passed(rule: Rule, about: impl Into<Option<String>>) -> Self {
        let outcome = Outcome::Passed(about.into());
        Self { rule, outcome }
    }

    pub(super) fn failed(rule: Rule, fault: CheckError) -> Self {
        let outcome = Outcome::Failed(fault);
        Self { rule, outcome }
    }

    pub(super) fn not_checked(rule: Rule, missing: &'static str) -> Self {
        let outcome = Outcome::NotChecked(missing);
        Self { rule, outcome }
    }

    fn to_json(&self) -> Value {
        let (outcome, detail) = match &self.outcome {
            Outcome::Passed(about) => ("passed", about.clone()),
            Outcome::Failed(fault) => ("failed", Some(fault.to_string())),
            Outcome::NotChecked(missing) => ("not-checked", Some((*missing).to_owned())),
        };
        json!({"check": self.rule.code(), "outcome": outcome, "detail": detail})
    }
}

/// All checks of one credential or one chain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict(Vec<Check>);

impl Verdict {
    pub(super) fn new(checks: Vec<Check>) -> Self {
        Self(checks)
    }

    /// The same with one more check at the end.
    #[must_use]
    pub fn with(mut self, check: Check) -> Self {
        self.0.push(check);
        self
    }

    /// The checks, in the order in which a peer makes them.
    #[must_use]
    pub fn checks(&self) -> &[Check] {
        &self.0
    }

    /// The reason for which a peer would refuse: the first check that failed.
    #[must_use]
    pub fn fault(&self) -> Option<&CheckError> {
        self.faults().next()
    }

    /// All that is wrong, the first of which a peer would notice.
    pub fn faults(&self) -> impl Iterator<Item = &CheckError> {
        self.0.iter().filter_map(|check| match &check.outcome {
            Outcome::Failed(fault) => Some(fault),
            _ => None,
        })
    }

    /// A strange order of a chain, although many clients take it.
    #[must_use]
    pub fn oddity(&self) -> Option<&str> {
        self.0.iter().find_map(|check| match &check.outcome {
            Outcome::Passed(about) if check.rule == Rule::Order => about.as_deref(),
            _ => None,
        })
    }

    /// `{accepted, reason, checks: [{check, outcome, detail}]}`; `reason` is null if accepted.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "accepted": self.fault().is_none(),
            "reason": self.fault().map(ToString::to_string),
            "checks": self.0.iter().map(Check::to_json).collect::<Vec<_>>(),
        })
    }
}

/// The checks as a table, one a line.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |check: &Check| check.rule.to_string().chars().count();
        let width = self.0.iter().map(width).max().unwrap_or(0);
        for (at, check) in self.0.iter().enumerate() {
            let (mark, detail) = match &check.outcome {
                Outcome::Passed(about) => ("ok", about.clone().unwrap_or_default()),
                Outcome::Failed(fault) => ("FAIL", fault.to_string()),
                Outcome::NotChecked(missing) => ("-", format!("not checked: {missing}")),
            };
            let end = if at == 0 { "" } else { "\n" };
            let line = format!("  {mark:5} {:width$}  {detail}", check.rule.to_string());
            write!(f, "{end}{}", line.trim_end())?;
        }
        Ok(())
    }
}
