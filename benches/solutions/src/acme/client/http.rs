//! The requests of a client: signed, with a nonce each, counted, and refusals in words.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::Result;
use crate::acme::jws::{AccountKey, Signer};
use crate::acme::problem::Problem;
use crate::acme::tally::Tally;

/// Connections to one server.
#[derive(Debug)]
pub(super) struct Http {
    agent: Agent,
    tally: Tally,
    new_nonce: String,
    /// The server's last one, not used yet.
    nonce: Option<String>,
}

/// What a request carries.
#[derive(Debug)]
pub(super) enum Payload {
    /// A POST-as-GET: RFC 8555 §6.3.
    Nothing,
    Json(Vec<u8>),
}

impl Payload {
    pub(super) fn json(value: &impl Serialize) -> Result<Self> {
        Ok(Self::Json(serde_json::to_vec(value)?))
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Nothing => &[],
            Self::Json(json) => json,
        }
    }
}

/// A success.
#[derive(Debug)]
pub(super) struct Answer {
    location: Option<String>,
    /// How long the server asks to wait.
    pub(super) retry_after: Option<Duration>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.body)
            .map_err(|error| format!("the ACME server's answer is not understood: {error}").into())
    }

    /// The URL of what the server has made.
    pub(super) fn location(&self) -> Result<String> {
        let location = self.location.clone();
        location.ok_or_else(|| "the ACME server's answer has no Location".into())
    }
}

impl Http {
    pub(super) fn new(tally: Tally) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(LONGEST_REQUEST))
            .build();
        Self {
            agent: config.into(),
            tally,
            new_nonce: String::new(),
            nonce: None,
        }
    }

    /// Says where nonces come from.
    pub(super) fn take_nonces_from(&mut self, new_nonce: &str) {
        new_nonce.clone_into(&mut self.new_nonce);
    }

    /// Counts a certificate that the server must have signed.
    pub(super) fn count_signature(&self) {
        self.tally.signature();
    }

    /// An unsigned GET. Fails if the server refuses, with its [`Problem`].
    pub(super) fn fetch(&mut self, url: &str) -> Result<Answer> {
        self.tally.request();
        let response = self.agent.get(url).call();
        self.read(url, response)
    }

    /// A signed request. Fails if the server refuses, with its [`Problem`].
    pub(super) fn post(
        &mut self,
        signature: (&AccountKey, Signer<'_>),
        url: &str,
        payload: &Payload,
    ) -> Result<Answer> {
        for _ in 1..NONCES_TRIED {
            match self.post_once(signature, url, payload) {
                // RFC 8555 §6.5: the answer brings the nonce to try again with.
                Err(error) if is_bad_nonce(error.as_ref()) => {}
                answer => return answer,
            }
        }
        self.post_once(signature, url, payload)
    }

    fn post_once(
        &mut self,
        (key, who): (&AccountKey, Signer<'_>),
        url: &str,
        payload: &Payload,
    ) -> Result<Answer> {
        let nonce = self.next_nonce()?;
        let jws = key.sign(who, &nonce, url, payload.bytes())?;
        self.tally.request();
        let request = self.agent.post(url);
        let response = request
            .header("Content-Type", "application/jose+json")
            .send(serde_json::to_string(&jws)?);
        self.read(url, response)
    }

    fn next_nonce(&mut self) -> Result<String> {
        if self.nonce.is_none() {
            self.tally.request();
            let url = self.new_nonce.clone();
            let response = self.agent.head(&url).call();
            self.read(&url, response)?;
        }
        let nonce = self.nonce.take();
        nonce.ok_or_else(|| "the ACME server gives no nonce".into())
    }

    fn read(
        &mut self,
        url: &str,
        response: std::result::Result<Response<Body>, ureq::Error>,
    ) -> Result<Answer> {
        let mut response = response
            .map_err(|error| format!("the ACME server does not answer at {url}: {error}"))?;
        if let Some(nonce) = text(&response, "Replay-Nonce") {
            self.nonce = Some(nonce);
        }
        let body = response.body_mut().read_to_string()?;
        if !response.status().is_success() {
            return Err(Problem::read(response.status().as_u16(), &body).into());
        }
        Ok(Answer {
            location: text(&response, "Location"),
            retry_after: text(&response, "Retry-After")
                .and_then(|seconds| seconds.parse().ok())
                .map(Duration::from_secs),
            body,
        })
    }
}

fn text(response: &Response<Body>, header: &str) -> Option<String> {
    let value = response.headers().get(header)?;
    value.to_str().ok().map(str::to_owned)
}

fn is_bad_nonce(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let problem = error.downcast_ref::<Problem>();
    problem.is_some_and(|problem| problem.name() == "badNonce")
}

const NONCES_TRIED: usize = 3;
const LONGEST_REQUEST: Duration = Duration::from_secs(30);
