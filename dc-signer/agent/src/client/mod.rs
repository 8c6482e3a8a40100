//! The signer's API over HTTPS: one request at a time, one connection for each, all of it bounded.

mod answer;
mod connector;
mod tls;

use std::sync::PoisonError;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::config::Config;
use ureq::http::Response;
use ureq::http::header::IF_NONE_MATCH;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector, TcpConnector};
use ureq::{Agent, Body};

pub use answer::{Answer, ClientError, FoundList};
pub use tls::{Trust, Who, WhoseKey, Word};

use crate::error::Error;
use crate::withdrawn::MAX_LIST;
use connector::Tls;
use dc_protocol::{
    Credentials, ENROLL, EnrollRequest, RENEW, RENEWAL_INFO, RenewRequest, RenewalInfo, WITHDRAWN,
};
use tls::Shown;

/// A connection's worth of the signer's API.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    base: String,
    shown: Shown,
}

impl Client {
    /// For the signer at this address, such as `https://signer.example.com:8443`, with so much time for
    /// a request.
    ///
    /// Fails with [`Error::TlsSetup`] if the device's own certificate and key cannot be used.
    pub fn new(base: &str, timeout: Duration, trust: Trust, who: Who) -> Result<Self, Error> {
        let config = Config::builder()
            .https_only(true)
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(0)
            .max_response_header_size(MAX_HEADER)
            .timeout_global(Some(timeout))
            .user_agent(concat!("dc-signer-agent/", env!("CARGO_PKG_VERSION")))
            .build();
        let shown = Shown::default();
        let tls = Tls::new(tls::config(trust, who, shown.clone())?);
        let connector = ().chain(TcpConnector::default()).chain(tls);
        Ok(Self {
            agent: Agent::with_parts(config, connector, DefaultResolver::default()),
            base: base.trim_end_matches('/').to_owned(),
            shown,
        })
    }

    /// Asks for the first credentials.
    #[must_use]
    pub fn enroll(&self, request: &EnrollRequest) -> Answer<Credentials> {
        self.post(ENROLL, request)
    }

    /// Asks for the next credentials.
    #[must_use]
    pub fn renew(&self, request: &RenewRequest) -> Answer<Credentials> {
        self.post(RENEW, request)
    }

    /// Asks whether a zone's renewals are pulled forward.
    #[must_use]
    pub fn renewal_info(&self, zone: &str) -> Answer<RenewalInfo> {
        let url = format!("{}{RENEWAL_INFO}{zone}", self.base);
        self.read(self.agent.get(url).call())
    }

    /// Asks for a zone's list of withdrawn names, unless it is the one with this entity tag.
    ///
    /// The list is not verified yet.
    #[must_use]
    pub fn withdrawn(&self, zone: &str, etag: Option<&str>) -> Answer<FoundList> {
        let request = self
            .agent
            .get(format!("{}{WITHDRAWN}{zone}/compact", self.base));
        let request = match etag {
            Some(etag) => request.header(IF_NONE_MATCH, etag),
            None => request,
        };
        self.heard(request.call(), |base, response| {
            Answer::read_list(base, response, MAX_LIST)
        })
    }

    fn post<T: DeserializeOwned>(&self, path: &str, request: &impl Serialize) -> Answer<T> {
        match serde_json::to_vec(request) {
            Ok(json) => self.read(
                self.agent
                    .post(format!("{}{path}", self.base))
                    .content_type("application/json")
                    .send(json.as_slice()),
            ),
            Err(source) => Answer::not_understood(source),
        }
    }

    fn read<T: DeserializeOwned>(
        &self,
        response: Result<Response<Body>, ureq::Error>,
    ) -> Answer<T> {
        self.heard(response, |base, response| {
            Answer::read(base, response, MAX_BODY)
        })
    }

    fn heard<T>(
        &self,
        response: Result<Response<Body>, ureq::Error>,
        read: impl FnOnce(&str, Response<Body>) -> Answer<T>,
    ) -> Answer<T> {
        let word = self.shown.lock();
        let word = word.unwrap_or_else(PoisonError::into_inner).take();
        match response {
            Ok(response) => Answer {
                word,
                ..read(&self.base, response)
            },
            // A certificate that is in doubt is more of a reason than a connection that broke.
            Err(source) => {
                let doubt = word.and_then(|word| word.doubt);
                let source = doubt.map_or(source, |doubt| ureq::Error::Other(doubt.into()));
                Answer::unreachable(&self.base, source)
            }
        }
    }
}

const MAX_HEADER: usize = 16 * 1024;
/// More than any chain with two credentials takes.
const MAX_BODY: u64 = 256 * 1024;
