//! The owner of names, who lets devices have certificates for them: the IdO of RFC 9115.
//!
//! Devices order here as they would at a CA, under a delegation with a template for their CSR. The owner checks the CSR,
//! orders at the CA in its own name, and passes on where the CA keeps the certificate that it renews. From then on the
//! device needs the CA alone. Only delegations of automatically renewed certificates are there (RFC 9115 §2.3.2).

mod template;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Deserialize;
use serde_json::json;

use crate::Result;

use super::client::{Client, Responder, StarOrder};
use super::csr::Csr;
use super::jws::{self, BindingKey};
use super::objects::{Identifier, Meta, NewOrder, Order, Status};
use super::problem::Problem;
use super::server::{Account, Place, Reply, Request, Role, Server, Service, parse, random};

pub(crate) use template::Template;

type Outcome<T> = std::result::Result<T, Problem>;

/// The owner; [`Owner::start`] serves it.
pub(crate) struct Owner {
    base: String,
    ca: Mutex<AtCa>,
    state: Mutex<State>,
}

/// The owner's account at the CA, and how it proves there that names are its own.
struct AtCa {
    client: Client,
    responder: Box<dyn Responder + Send>,
}

#[derive(Default)]
struct State {
    /// What devices leave the factory with, by its name.
    bindings: BTreeMap<String, BindingKey>,
    /// By identifier.
    delegations: BTreeMap<String, Delegation>,
    orders: BTreeMap<String, Entry>,
}

struct Delegation {
    /// Whose accounts may use it: those that are bound with this key.
    kid: String,
    template: Template,
}

struct Entry {
    account: String,
    /// What the account is bound with.
    kid: String,
    /// The identifier of its delegation.
    delegation: String,
    request: NewOrder,
    stage: Stage,
}

enum Stage {
    Ready,
    /// The owner waits for the CA.
    Processing,
    Valid(StarOrder),
    /// The owner has stopped it at the CA.
    Ended,
    Invalid(Problem),
}

#[derive(Deserialize)]
struct Finalize {
    csr: String,
}

impl Owner {
    /// Serves it on a port of loopback. `client` is its account at the CA.
    pub(crate) fn start(
        client: Client,
        responder: Box<dyn Responder + Send>,
    ) -> Result<Server<Self>> {
        let place = Place::new()?;
        let owner = Self {
            base: place.base(),
            ca: Mutex::new(AtCa { client, responder }),
            state: Mutex::default(),
        };
        Server::start(place, owner)
    }

    /// Makes the key that a device shows when it opens its account.
    pub(crate) fn admit(&self, kid: &str) -> Result<BindingKey> {
        let mut secret = [0; 32];
        SystemRandom::new()
            .fill(&mut secret)
            .map_err(|_| "the system has no randomness")?;
        let key = BindingKey {
            kid: kid.to_owned(),
            secret: secret.to_vec(),
        };
        self.state().bindings.insert(kid.to_owned(), key.clone());
        Ok(key)
    }

    /// Lets the device with this key have certificates as the template says.
    pub(crate) fn delegate(&self, kid: &str, template: Template) -> Result<()> {
        let delegation = Delegation {
            kid: kid.to_owned(),
            template,
        };
        self.state().delegations.insert(random()?, delegation);
        Ok(())
    }

    /// Takes all delegations of this key back, and stops their certificates at the CA: RFC 9115 §2.3.6.1. Fails if the CA
    /// does not stop one, and can be tried again then; the device can order no more in any case.
    pub(crate) fn end(&self, kid: &str) -> Result<()> {
        let running = self.forget(kid);
        let mut ca = self.ca();
        for (id, order_url) in running {
            ca.client.cancel(&order_url)?;
            if let Some(entry) = self.state().orders.get_mut(&id) {
                entry.stage = Stage::Ended;
            }
        }
        Ok(())
    }

    /// Removes the key and its delegations; returns the orders that the CA still renews, and where it has them.
    fn forget(&self, kid: &str) -> Vec<(String, String)> {
        let mut state = self.state();
        state.bindings.remove(kid);
        state
            .delegations
            .retain(|_, delegation| delegation.kid != kid);
        let running = { state.orders.iter() }.filter_map(|(id, entry)| match &entry.stage {
            Stage::Valid(star) if entry.kid == kid => Some((id.clone(), star.order_url.clone())),
            _ => None,
        });
        running.collect()
    }

    /// RFC 9115 §2.3.1.2.
    fn list(&self, account: &Account) -> Outcome<Reply> {
        let state = self.state();
        let urls: Vec<String> = { state.delegations.iter() }
            .filter(|(_, delegation)| account.binding.as_ref() == Some(&delegation.kid))
            .map(|(id, _)| self.delegation_url(id))
            .collect();
        Reply::json(200, &json!({ "delegations": urls }))
    }

    /// RFC 9115 §2.3.1.3.
    fn show_delegation(&self, account: &Account, id: &str) -> Outcome<Reply> {
        let state = self.state();
        let delegation = state.delegation(account, id)?;
        Reply::json(200, &json!({ "csr-template": delegation.template }))
    }

    /// RFC 9115 §2.3.2.
    fn open(&self, request: &Request) -> Outcome<Reply> {
        let malformed = |detail: &str| Problem::new(400, "malformed", detail);
        let wanted: NewOrder = parse(&request.payload)?;
        let delegation = { wanted.delegation.as_deref() }
            .and_then(|url| url.strip_prefix(self.delegation_url("").as_str()))
            .unwrap_or_default()
            .to_owned();
        let mut state = self.state();
        let template = &state.delegation(&request.account, &delegation)?.template;
        let renewal = wanted.auto_renewal.as_ref();
        let renewal = renewal.ok_or_else(|| malformed("only auto-renewal is delegated"))?;
        if !renewal.allow_certificate_get {
            return Err(malformed("allow-certificate-get has to be true"));
        }
        let names: Vec<Identifier> = template
            .names()
            .iter()
            .map(|name| Identifier::dns(name))
            .collect();
        if let Some(other) = { wanted.identifiers.iter() }.find(|name| !names.contains(name)) {
            let detail = format!("the delegation does not have {}", other.value);
            return Err(Problem::new(403, "rejectedIdentifier", detail));
        }
        if names.len() != wanted.identifiers.len() {
            return Err(malformed("an order is for each name of its delegation"));
        }
        let id = random()?;
        let entry = Entry {
            account: request.account.id.clone(),
            kid: request.account.binding.clone().unwrap_or_default(),
            delegation,
            request: wanted,
            stage: Stage::Ready,
        };
        let reply = self.show(201, &id, &entry)?;
        state.orders.insert(id, entry);
        Ok(reply)
    }

    /// Checks the CSR, and orders at the CA before it answers.
    fn finalize(&self, request: &Request, id: &str) -> Outcome<Reply> {
        let Finalize { csr } = parse(&request.payload)?;
        let csr =
            jws::decode(&csr).map_err(|error| Problem::new(403, "badCSR", error.to_string()))?;
        let csr = Csr::read(&csr)?;
        let (approved, order) = {
            let mut state = self.state();
            let entry = state.order(request, id)?;
            if !matches!(entry.stage, Stage::Ready) {
                return Err(Problem::new(403, "orderNotReady", "the order is not ready"));
            }
            // The delegation may be gone since the order was made.
            let delegation = state.delegation(&request.account, &entry.delegation)?;
            let approved = delegation.template.approve(csr)?;
            let order = entry.request.clone();
            if let Some(entry) = state.orders.get_mut(id) {
                entry.stage = Stage::Processing;
            }
            (approved, order)
        };
        let stage = match self.order_at_ca(&order, &approved) {
            Ok(star) => Stage::Valid(star),
            Err(problem) => Stage::Invalid(problem),
        };
        let mut state = self.state();
        let entry = state.orders.get_mut(id).ok_or_else(nothing)?;
        entry.stage = stage;
        if let (Stage::Invalid(problem), Some(renewal)) =
            (&entry.stage, entry.request.auto_renewal.as_mut())
        {
            // RFC 9115 §2.3.2: so the device learns that nothing else was wrong.
            renewal.allow_certificate_get = problem.name() != NOT_FOR_ALL;
        }
        self.show(200, id, entry)
    }

    /// The twin of a device's order. The identifiers, the renewal and the CSR are the device's: RFC 9115 §2.3.2.
    fn order_at_ca(&self, order: &NewOrder, csr: &template::Approved) -> Outcome<StarOrder> {
        let AtCa { client, responder } = &mut *self.ca();
        let for_all = { client.directory().meta.auto_renewal.as_ref() }
            .is_some_and(|meta| meta.allow_certificate_get);
        let not_for_all = || {
            let detail = "the CA gives renewed certificates to its own accounts only";
            Problem::new(403, NOT_FOR_ALL, detail)
        };
        if !for_all {
            return Err(not_for_all());
        }
        let names: Vec<&str> = order
            .identifiers
            .iter()
            .map(|name| name.value.as_str())
            .collect();
        let renewal = order.auto_renewal.clone().unwrap_or_default();
        let star = client.order_star(&names, renewal, csr.der(), responder.as_mut());
        let star = star.map_err(|error| match error.downcast::<Problem>() {
            Ok(problem) => *problem,
            Err(error) => Problem::new(500, "serverInternal", error.to_string()),
        })?;
        match star.for_all {
            true => Ok(star),
            false => Err(not_for_all()),
        }
    }

    fn show(&self, status: u16, id: &str, entry: &Entry) -> Outcome<Reply> {
        let url = format!("{}/order/{id}", self.base);
        let (stage, certificate, problem) = match &entry.stage {
            Stage::Ready => (Status::Ready, None, None),
            Stage::Processing => (Status::Processing, None, None),
            Stage::Valid(star) => (Status::Valid, Some(star.certificate_url.clone()), None),
            Stage::Ended => (Status::Canceled, None, None),
            Stage::Invalid(problem) => (Status::Invalid, None, Some(problem)),
        };
        let order = Order {
            status: stage,
            identifiers: entry.request.identifiers.clone(),
            authorizations: Vec::new(),
            finalize: format!("{url}/finalize"),
            certificate: None,
            star_certificate: certificate,
            auto_renewal: entry.request.auto_renewal.clone(),
            delegation: entry.request.delegation.clone(),
            error: problem.and_then(|problem| serde_json::to_value(problem).ok()),
        };
        Ok(Reply::json(status, &order)?.with("location", url))
    }

    fn delegation_url(&self, id: &str) -> String {
        format!("{}/delegation/{id}", self.base)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ca(&self) -> MutexGuard<'_, AtCa> {
        self.ca.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service for Owner {
    fn meta(&self) -> Meta {
        Meta {
            external_account_required: true,
            delegation_enabled: true,
            auto_renewal: self.ca().client.directory().meta.auto_renewal.clone(),
        }
    }

    fn role(&self) -> Role {
        Role::Owner
    }

    fn binding(&self, kid: &str) -> Option<BindingKey> {
        self.state().bindings.get(kid).cloned()
    }

    fn get(&self, _: &str) -> Option<Outcome<Reply>> {
        None
    }

    fn post(&self, request: &Request) -> Outcome<Reply> {
        let mut parts = request.path.trim_start_matches('/').splitn(3, '/');
        match [parts.next(), parts.next(), parts.next()] {
            [Some("delegations"), None, None] => self.list(&request.account),
            [Some("delegation"), Some(id), None] => self.show_delegation(&request.account, id),
            [Some("order"), None, None] => self.open(request),
            [Some("order"), Some(id), None] => {
                let state = self.state();
                self.show(200, id, state.order(request, id)?)
            }
            [Some("order"), Some(id), Some("finalize")] => self.finalize(request, id),
            _ => Err(nothing()),
        }
    }
}

impl State {
    fn delegation(&self, account: &Account, id: &str) -> Outcome<&Delegation> {
        let delegation = self.delegations.get(id);
        delegation
            .filter(|delegation| account.binding.as_ref() == Some(&delegation.kid))
            .ok_or_else(|| {
                let detail = "this account has no such delegation";
                Problem::new(403, "unknownDelegation", detail)
            })
    }

    fn order(&self, request: &Request, id: &str) -> Outcome<&Entry> {
        match self.orders.get(id) {
            Some(entry) if entry.account == request.account.id => Ok(entry),
            Some(_) => Err(Problem::new(
                403,
                "unauthorized",
                "the order of another account",
            )),
            None => Err(nothing()),
        }
    }
}

fn nothing() -> Problem {
    Problem::new(404, "malformed", "there is nothing here")
}

/// What the owner calls a CA whose certificates nobody but itself could fetch.
const NOT_FOR_ALL: &str = "unsupportedAutoRenewal";

#[cfg(test)]
mod tests;
