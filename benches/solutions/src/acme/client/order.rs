//! An order, from the names to the certificate: RFC 8555 §7.4.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Result;
use crate::acme::jws;
use crate::acme::objects::{
    Authorization, AutoRenewal, Challenge, Identifier, NewOrder, Order, Status,
};
use crate::acme::problem::Problem;

use super::http::Payload;
use super::{Chain, ChallengeAnswer, Client, Responder};

/// An order whose certificate the CA renews by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StarOrder {
    /// Whoever ordered cancels here.
    pub(crate) order_url: String,
    /// Where the current certificate is; of the CA, even if the order was made elsewhere under a delegation.
    pub(crate) certificate_url: String,
}

impl Client {
    /// A certificate for these names and the key of `csr`, in DER.
    pub(crate) fn order(
        &mut self,
        names: &[&str],
        csr: &[u8],
        responder: &mut dyn Responder,
    ) -> Result<Chain> {
        let (_, order) = self.complete(&NewOrder::of(names), csr, responder)?;
        let url = order.certificate;
        let url = url.ok_or("the ACME server's order is valid but has no certificate")?;
        let chain = Chain::new(self.post(&url, &Payload::Nothing)?.body)?;
        if self.counts_signatures {
            self.http.count_signature();
        }
        Ok(chain)
    }

    /// A certificate that the CA renews until the end of `renewal`: RFC 8739.
    pub(crate) fn order_star(
        &mut self,
        names: &[&str],
        renewal: AutoRenewal,
        csr: &[u8],
        responder: &mut dyn Responder,
    ) -> Result<StarOrder> {
        let request = NewOrder {
            auto_renewal: Some(renewal),
            ..NewOrder::of(names)
        };
        self.complete_star(&request, csr, responder)
    }

    /// The same from the owner of the names, which lets this account have such certificates: RFC 9115 §2.3.2. The
    /// owner proves to the CA that it owns them.
    pub(crate) fn order_delegated(
        &mut self,
        delegation: &str,
        names: &[&str],
        renewal: AutoRenewal,
        csr: &[u8],
    ) -> Result<StarOrder> {
        let request = NewOrder {
            auto_renewal: Some(renewal),
            delegation: Some(delegation.to_owned()),
            ..NewOrder::of(names)
        };
        self.complete_star(&request, csr, &mut super::PreAuthorized)
    }

    fn complete_star(
        &mut self,
        request: &NewOrder,
        csr: &[u8],
        responder: &mut dyn Responder,
    ) -> Result<StarOrder> {
        let (order_url, order) = self.complete(request, csr, responder)?;
        let certificate_url = order.star_certificate;
        Ok(StarOrder {
            order_url,
            certificate_url: certificate_url
                .ok_or("the ACME server's order is valid but has no star-certificate")?,
        })
    }

    /// Makes the order, proves what it asks for, and returns it and its URL when it is valid.
    fn complete(
        &mut self,
        request: &NewOrder,
        csr: &[u8],
        responder: &mut dyn Responder,
    ) -> Result<(String, Order)> {
        let new_order = self.directory.new_order.clone();
        let answer = self.post(&new_order, &Payload::json(request)?)?;
        let url = answer.location()?;
        let mut order: Order = answer.json()?;
        if order.status == Status::Pending {
            for authorization in &order.authorizations {
                self.authorize(authorization, responder)?;
            }
            order = self.poll(&url, |order: &Order| order.status == Status::Pending)?;
        }
        if order.status == Status::Ready {
            let finalize = json!({ "csr": jws::encode(csr) });
            order = self
                .post(&order.finalize, &Payload::json(&finalize)?)?
                .json()?;
        }
        if order.status == Status::Processing {
            order = self.poll(&url, |order: &Order| order.status == Status::Processing)?;
        }
        match order.status {
            Status::Valid => Ok((url, order)),
            status => Err(fault("order", status, order.error)),
        }
    }

    fn authorize(&mut self, url: &str, responder: &mut dyn Responder) -> Result<()> {
        let authorization: Authorization = self.post(url, &Payload::Nothing)?.json()?;
        if authorization.status == Status::Valid {
            return Ok(());
        }
        let name = &authorization.identifier.value;
        let kind = responder.kind();
        let challenge = authorization
            .challenges
            .iter()
            .find(|challenge| challenge.kind == kind)
            .ok_or_else(|| format!("the ACME server wants a proof for {name}, but not {kind}"))?;
        responder.publish(&self.answer(name, challenge))?;
        self.post(&challenge.url, &Payload::json(&json!({}))?)?;
        let authorization: Authorization = self.poll(url, |authorization: &Authorization| {
            authorization.status == Status::Pending
        })?;
        match authorization.status {
            Status::Valid => Ok(()),
            status => {
                let mut errors = authorization.challenges.into_iter();
                let error = errors.find_map(|challenge| challenge.error);
                Err(fault("authorization", status, error))
            }
        }
    }

    fn answer(&self, name: &str, challenge: &Challenge) -> ChallengeAnswer {
        let content = self.key.key_authorization(&challenge.token);
        let (place, content) = match challenge.kind.as_str() {
            // RFC 8555 §8.4.
            "dns-01" => (format!("_acme-challenge.{name}"), jws::sha256(&content)),
            // RFC 8555 §8.3.
            _ => (
                format!("/.well-known/acme-challenge/{}", challenge.token),
                content,
            ),
        };
        ChallengeAnswer {
            name: name.to_owned(),
            place,
            content,
        }
    }

    /// Asks again and again while `waits` says so.
    fn poll<T: DeserializeOwned>(&mut self, url: &str, waits: impl Fn(&T) -> bool) -> Result<T> {
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let answer = self.post(url, &Payload::Nothing)?;
            let object: T = answer.json()?;
            if !waits(&object) {
                return Ok(object);
            }
            if started.elapsed() > LONGEST_WAIT {
                return Err(format!("{url} is not done after {LONGEST_WAIT:?}").into());
            }
            thread::sleep(answer.retry_after.unwrap_or(pause).min(LONGEST_PAUSE));
            pause *= 2;
        }
    }
}

impl NewOrder {
    fn of(names: &[&str]) -> Self {
        Self {
            identifiers: names.iter().map(|name| Identifier::dns(name)).collect(),
            ..Self::default()
        }
    }
}

/// Why something did not become valid.
fn fault(what: &str, status: Status, error: Option<Value>) -> Box<dyn Error + Send + Sync> {
    let Some(error) = error else {
        return format!("the ACME server says that the {what} is {status:?}").into();
    };
    let status = error
        .get("status")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    Problem::read(
        u16::try_from(status).unwrap_or_default(),
        &error.to_string(),
    )
    .into()
}

const FIRST_PAUSE: Duration = Duration::from_millis(2);
/// A server on loopback that asks for more is asked again sooner: nobody else waits for it.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
