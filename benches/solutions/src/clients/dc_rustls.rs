//! Our own client: stock rustls that takes delegated credentials.

use std::sync::Arc;

use dc_rustls::client::{Config, NamePolicy};
use dc_rustls::{Error, Refusal};
use rustls::crypto::ring;

use super::rustls::{connect, fetch, refused, server_name, time, verifier, word};
use super::{Client, Outcome, Visit};
use crate::Result;
use crate::clock::Clock;

/// What it makes of names in credentials.
#[derive(Debug)]
pub(crate) struct DcRustls(NamePolicy);

impl DcRustls {
    /// As it is delivered: takes nothing but a credential for the very name.
    pub(crate) fn new() -> Self {
        Self(NamePolicy::Required)
    }

    /// As RFC 9345 has it: takes credentials without names, and certificates.
    pub(crate) fn without_names() -> Self {
        Self(NamePolicy::Ignored)
    }
}

impl Client for DcRustls {
    fn name(&self) -> &'static str {
        match self.0 {
            NamePolicy::Required => "dc-rustls",
            _ => "dc-rustls without names",
        }
    }

    fn version(&self) -> std::result::Result<String, String> {
        Ok(format!("dc-rustls {}", env!("CARGO_PKG_VERSION")))
    }

    fn is_foreign(&self) -> bool {
        false
    }

    fn visit(&self, clock: &Clock, visits: &[Visit<'_>]) -> Vec<Outcome> {
        super::each(visits, |visit| self.one(clock, visit))
    }
}

impl DcRustls {
    fn one(&self, clock: &Clock, visit: &Visit<'_>) -> Result<Outcome> {
        if visit.accepted.is_some() {
            return Ok(Outcome::Unable(
                "knows servers by their names, and remembers no keys",
            ));
        }
        let mut config = Config::builder(Arc::new(ring::default_provider()))
            .verifier(verifier(visit)?)
            .unique_name(self.0)
            .time_provider(time(clock))
            .without_resumption();
        if self.0 != NamePolicy::Required {
            config = config.allow_tls12();
        }
        let connected = config
            .build()?
            .connect(server_name(visit)?, connect(visit)?);
        let mut tls = match connected {
            Ok(tls) => tls,
            Err(Error::Refused(refusal)) => return Ok(Outcome::Refused(name(&refusal))),
            Err(Error::Tls(error)) => return Ok(Outcome::Refused(word(&error))),
            Err(error) => return Err(error.into()),
        };
        match fetch(&mut tls, visit.name) {
            Ok(true) => Ok(Outcome::Connected),
            Ok(false) => Ok(Outcome::Failed("another page".to_owned())),
            Err(error) => Ok(refused(error)),
        }
    }
}

/// `Expired` rather than all that is known about it.
fn name(refusal: &Refusal) -> String {
    let whole = match refusal {
        Refusal::Credential(error) => format!("{error:?}"),
        refusal => format!("{refusal:?}"),
    };
    let end = whole.find([' ', '{', '(']).unwrap_or(whole.len());
    whole[..end].to_owned()
}
