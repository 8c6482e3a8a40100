//! A small CA: RFC 8555 with automatic renewal (RFC 8739).
//!
//! It signs for whoever proves to own a name by a TXT record. What it signs is an end entity's
//! certificate with the names of the order and the key of the CSR, and nothing else that the CSR asks for. It does not do:
//! http-01, wildcards, key changes, deactivation, and revocation signed with the certificate's own key. Each order is proved
//! anew.

mod issuing;
mod names;
mod orders;
mod schedule;
mod star;
mod validation;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::Result;
use crate::ca;
use crate::clock::Clock;

use super::jws::BindingKey;
use super::objects::{AutoRenewalMeta, Meta};
use super::problem::Problem;
use super::server::{Place, Reply, Request, Role, Server, Service, parse};
use super::tally::Tally;
use issuing::Issuing;
use orders::Orders;

/// What a CA is made from.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What it signs with.
    pub(crate) issuing: ca::Authority,
    pub(crate) clock: Arc<Clock>,
    /// Where its signatures are counted.
    pub(crate) tally: Tally,
    /// How many days certificates live that are not renewed automatically.
    pub(crate) days: u64,
    /// The DNS server that it asks for proofs.
    pub(crate) dns: SocketAddr,
}

/// The CA; [`Authority::start`] serves it.
#[derive(Debug)]
pub(crate) struct Authority {
    base: String,
    clock: Arc<Clock>,
    issuing: Issuing,
    dns: SocketAddr,
    orders: Mutex<Orders>,
}

impl Authority {
    /// Serves it on a port of loopback.
    pub(crate) fn start(plan: Plan) -> Result<Server<Self>> {
        let place = Place::new()?;
        let base = place.base();
        let authority = Self {
            issuing: Issuing::new(plan.issuing, plan.days, plan.tally),
            clock: plan.clock,
            dns: plan.dns,
            orders: Mutex::default(),
            base,
        };
        Server::start(place, authority)
    }

    /// The names that it has signed, each once, as a certificate transparency log shows them.
    pub(crate) fn names(&self) -> Vec<String> {
        self.issuing.names()
    }

    /// Signs what automatic renewal wants by now; also done whenever somebody asks the CA for anything.
    pub(crate) fn roll(&self) -> Result<()> {
        Ok(self.orders().roll(&self.issuing, self.now())?)
    }

    /// Goes on after a time in which it signed nothing: what has been missed stays so.
    pub(crate) fn recover(&self) {
        self.orders().skip(self.now());
    }

    /// RFC 8555 §7.6.
    fn revoke(&self, request: &Request) -> std::result::Result<Reply, Problem> {
        self.issuing
            .revoke(&request.account.id, &request.payload, self.now())?;
        Ok(Reply::empty(200))
    }

    fn now(&self) -> u64 {
        self.clock.now()
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service for Authority {
    fn meta(&self) -> Meta {
        Meta {
            external_account_required: false,
            delegation_enabled: false,
            auto_renewal: Some(AutoRenewalMeta {
                min_lifetime: schedule::SHORTEST,
                max_duration: schedule::LONGEST,
                allow_certificate_get: true,
            }),
        }
    }

    fn role(&self) -> Role {
        Role::Authority
    }

    fn binding(&self, _: &str) -> Option<BindingKey> {
        None
    }

    fn get(&self, path: &str) -> Option<std::result::Result<Reply, Problem>> {
        if path == LIST {
            let list = self.issuing.list_der(self.now());
            return Some(list.map(|der| Reply::new(200, "application/pkix-crl", der)));
        }
        let id = path.strip_prefix(orders::STAR)?;
        self.orders().star_for_all(id, &self.issuing, self.now())
    }

    fn post(&self, request: &Request) -> std::result::Result<Reply, Problem> {
        let base = self.base.as_str();
        let mut parts = request.path.trim_start_matches('/').splitn(3, '/');
        let part = [parts.next(), parts.next(), parts.next()];
        match part {
            [Some("order"), None, None] => self.orders().open(request, base, self.now()),
            [Some("order"), Some(id), None] if request.payload.is_empty() => {
                self.orders().show(request, id, base)
            }
            [Some("order"), Some(id), None] => {
                let change: Value = parse(&request.payload)?;
                self.orders().change(request, id, base, &change)
            }
            [Some("order"), Some(id), Some("finalize")] => {
                self.orders()
                    .finalize(request, id, base, &self.issuing, self.now())
            }
            [Some("authorization"), Some(id), None] => {
                self.orders().authorization(request, id, base)
            }
            [Some("challenge"), Some(id), None] => {
                let question = self.orders().question(request, id)?;
                // Not under the lock: this asks others.
                let proof = validation::prove(self.dns, &question);
                self.orders().settle(id, proof, base)
            }
            [Some("certificate"), Some(id), None] => self.orders().certificate(request, id),
            [Some("star"), Some(id), None] => {
                self.orders().star(request, id, &self.issuing, self.now())
            }
            [Some("revoke"), None, None] => self.revoke(request),
            _ => Err(Problem::new(404, "malformed", "there is nothing here")),
        }
    }
}

const LIST: &str = "/list.crl";

#[cfg(test)]
mod tests;
