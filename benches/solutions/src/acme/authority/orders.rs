//! Orders and what belongs to them, from pending to valid: RFC 8555 §7.1.6.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::acme::csr::Csr;
use crate::acme::jws;
use crate::acme::objects::{
    Authorization, AutoRenewal, Challenge, Identifier, NewOrder, Order, Status,
};
use crate::acme::problem::Problem;
use crate::acme::server::{Reply, Request, parse, random};

use super::issuing::{Issuing, Owner};
use super::names::names_of;
use super::schedule::Schedule;
use super::star::Star;
use super::validation::Question;

type Outcome<T> = Result<T, Problem>;

/// All orders of a CA; everything in it is found by what nobody can guess.
#[derive(Debug, Default)]
pub(super) struct Orders {
    orders: BTreeMap<String, Entry>,
    authorizations: BTreeMap<String, Proof>,
    /// Whose they are, and the chain.
    certificates: BTreeMap<String, (String, String)>,
    stars: BTreeMap<String, Star>,
}

#[derive(Debug)]
struct Entry {
    account: String,
    names: Vec<String>,
    authorizations: Vec<String>,
    renewal: Option<(AutoRenewal, Schedule)>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Open,
    /// The identifier of its certificate.
    Issued(String),
    Renewed(String),
    Canceled(String),
}

/// An authorization and its only challenge, which has the same identifier.
#[derive(Debug)]
struct Proof {
    account: String,
    name: String,
    token: String,
    status: Status,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Finalize {
    csr: String,
}

impl Orders {
    /// RFC 8555 §7.4.
    pub(super) fn open(&mut self, request: &Request, base: &str, now: u64) -> Outcome<Reply> {
        let wanted: NewOrder = parse(&request.payload)?;
        if wanted.delegation.is_some() {
            let detail = "this CA delegates nothing: ask the owner of the name";
            return Err(Problem::new(400, "malformed", detail));
        }
        let names = names_of(&wanted.identifiers)?;
        let renewal = match wanted.auto_renewal {
            Some(renewal) => {
                let schedule = Schedule::new(&renewal, now)?;
                Some((renewal, schedule))
            }
            None => None,
        };
        let mut authorizations = Vec::new();
        for name in &names {
            let id = random()?;
            let proof = Proof {
                account: request.account.id.clone(),
                name: name.clone(),
                token: random()?,
                status: Status::Pending,
                error: None,
            };
            self.authorizations.insert(id.clone(), proof);
            authorizations.push(id);
        }
        let id = random()?;
        let entry = Entry {
            account: request.account.id.clone(),
            names,
            authorizations,
            renewal,
            stage: Stage::Open,
        };
        self.orders.insert(id.clone(), entry);
        self.reply(201, &id, base)
    }

    pub(super) fn show(&self, request: &Request, id: &str, base: &str) -> Outcome<Reply> {
        self.order(request, id)?;
        self.reply(200, id, base)
    }

    /// RFC 8739 §3.1.2: the only change there is.
    pub(super) fn change(
        &mut self,
        request: &Request,
        id: &str,
        base: &str,
        change: &Value,
    ) -> Outcome<Reply> {
        self.order(request, id)?;
        if change != &json!({ "status": "canceled" }) {
            let detail = "an order can be canceled, nothing else";
            return Err(Problem::new(400, "malformed", detail));
        }
        let entry = self.orders.get_mut(id).ok_or_else(nothing)?;
        let Stage::Renewed(star) = &entry.stage else {
            let detail = "only a valid order with automatic renewal can be canceled";
            return Err(Problem::new(400, "autoRenewalCancellationInvalid", detail));
        };
        let star = star.clone();
        if let Some(star) = self.stars.get_mut(&star) {
            star.cancel();
        }
        entry.stage = Stage::Canceled(star);
        self.reply(200, id, base)
    }

    pub(super) fn authorization(&self, request: &Request, id: &str, base: &str) -> Outcome<Reply> {
        let proof = self.proof(request, id)?;
        let object = Authorization {
            status: proof.status,
            identifier: Identifier::dns(&proof.name),
            challenges: vec![proof.challenge(id, base)],
        };
        Reply::json(200, &object)
    }

    /// What the CA has to find out now that the account says it is ready: RFC 8555 §7.5.1.
    pub(super) fn question(&self, request: &Request, id: &str) -> Outcome<Question> {
        let proof = self.proof(request, id)?;
        if proof.status != Status::Pending {
            return Err(Problem::new(400, "malformed", "the challenge is over"));
        }
        Ok(Question {
            name: proof.name.clone(),
            key_authorization: request.account.jwk.key_authorization(&proof.token),
        })
    }

    /// What came of it.
    pub(super) fn settle(
        &mut self,
        id: &str,
        found: crate::Result<()>,
        base: &str,
    ) -> Outcome<Reply> {
        let proof = self.authorizations.get_mut(id).ok_or_else(nothing)?;
        match found {
            Ok(()) => proof.status = Status::Valid,
            Err(error) => {
                let problem = Problem::new(403, "incorrectResponse", error.to_string());
                proof.status = Status::Invalid;
                proof.error = serde_json::to_value(problem).ok();
            }
        }
        Reply::json(200, &proof.challenge(id, base))
    }

    /// Signs: RFC 8555 §7.4.
    pub(super) fn finalize(
        &mut self,
        request: &Request,
        id: &str,
        base: &str,
        issuing: &Issuing,
        now: u64,
    ) -> Outcome<Reply> {
        let entry = self.order(request, id)?;
        if self.status(entry) != Status::Ready {
            let detail = "the order is not ready";
            return Err(Problem::new(403, "orderNotReady", detail));
        }
        let Finalize { csr } = parse(&request.payload)?;
        let csr =
            jws::decode(&csr).map_err(|error| Problem::new(400, "badCSR", error.to_string()))?;
        let csr = Csr::read(&csr)?;
        csr.expect_names(&entry.names)?;
        let key = csr.into_key();
        let (names, account) = (entry.names.clone(), entry.account.clone());
        let certificate = random()?;
        let stage = match &entry.renewal {
            Some((renewal, schedule)) => {
                let for_all = renewal.allow_certificate_get;
                let mut star = Star::new(*schedule, for_all, names, key, account, now);
                star.roll(issuing, now)?;
                self.stars.insert(certificate.clone(), star);
                Stage::Renewed(certificate)
            }
            None => {
                let owner = Owner {
                    account: account.clone(),
                    is_star: false,
                };
                let pem = issuing.sign(&names, &key, issuing.ordinary(now), owner)?;
                self.certificates
                    .insert(certificate.clone(), (account, pem));
                Stage::Issued(certificate)
            }
        };
        let entry = self.orders.get_mut(id).ok_or_else(nothing)?;
        entry.stage = stage;
        self.reply(200, id, base)
    }

    /// RFC 8555 §7.4.2.
    pub(super) fn certificate(&self, request: &Request, id: &str) -> Outcome<Reply> {
        match self.certificates.get(id) {
            Some((account, pem)) if account == &request.account.id => Ok(pem_reply(pem)),
            Some(_) => Err(foreign()),
            None => Err(nothing()),
        }
    }

    /// RFC 8739 §3.3, for an account.
    pub(super) fn star(
        &mut self,
        request: &Request,
        id: &str,
        issuing: &Issuing,
        now: u64,
    ) -> Outcome<Reply> {
        let owner = self.orders.values().any(|entry| {
            entry.account == request.account.id
                && matches!(&entry.stage, Stage::Renewed(star) | Stage::Canceled(star) if star == id)
        });
        let star = self.stars.get_mut(id).ok_or_else(nothing)?;
        match owner || star.for_all {
            true => star.fetch(issuing, now),
            false => Err(foreign()),
        }
    }

    /// RFC 8739 §3.4, for anybody; nothing if the order does not allow that.
    pub(super) fn star_for_all(
        &mut self,
        id: &str,
        issuing: &Issuing,
        now: u64,
    ) -> Option<Outcome<Reply>> {
        let star = self.stars.get_mut(id)?;
        star.for_all.then(|| star.fetch(issuing, now))
    }

    /// Signs what automatic renewal wants by now.
    pub(super) fn roll(&mut self, issuing: &Issuing, now: u64) -> Outcome<()> {
        self.stars
            .values_mut()
            .try_for_each(|star| star.roll(issuing, now))
    }

    /// Leaves out what should have been signed before now.
    pub(super) fn skip(&mut self, now: u64) {
        self.stars.values_mut().for_each(|star| star.skip(now));
    }

    fn order(&self, request: &Request, id: &str) -> Outcome<&Entry> {
        match self.orders.get(id) {
            Some(entry) if entry.account == request.account.id => Ok(entry),
            Some(_) => Err(foreign()),
            None => Err(nothing()),
        }
    }

    fn proof(&self, request: &Request, id: &str) -> Outcome<&Proof> {
        match self.authorizations.get(id) {
            Some(proof) if proof.account == request.account.id => Ok(proof),
            Some(_) => Err(foreign()),
            None => Err(nothing()),
        }
    }

    fn status(&self, entry: &Entry) -> Status {
        match entry.stage {
            Stage::Issued(_) | Stage::Renewed(_) => return Status::Valid,
            Stage::Canceled(_) => return Status::Canceled,
            Stage::Open => {}
        }
        let proofs = { entry.authorizations.iter() }.filter_map(|id| self.authorizations.get(id));
        let all: Vec<Status> = proofs.map(|proof| proof.status).collect();
        if all.contains(&Status::Invalid) {
            return Status::Invalid;
        }
        match all.contains(&Status::Pending) {
            true => Status::Pending,
            false => Status::Ready,
        }
    }

    fn reply(&self, status: u16, id: &str, base: &str) -> Outcome<Reply> {
        let entry = self.orders.get(id).ok_or_else(nothing)?;
        let url = format!("{base}/order/{id}");
        let mut order = Order {
            status: self.status(entry),
            identifiers: entry
                .names
                .iter()
                .map(|name| Identifier::dns(name))
                .collect(),
            authorizations: { entry.authorizations.iter() }
                .map(|id| format!("{base}/authorization/{id}"))
                .collect(),
            finalize: format!("{url}/finalize"),
            certificate: None,
            star_certificate: None,
            auto_renewal: { entry.renewal.as_ref() }.map(|(renewal, _)| renewal.clone()),
            delegation: None,
            error: None,
        };
        match &entry.stage {
            Stage::Open => {}
            Stage::Issued(id) => order.certificate = Some(format!("{base}/certificate/{id}")),
            Stage::Renewed(id) | Stage::Canceled(id) => {
                order.star_certificate = Some(format!("{base}{STAR}{id}"));
            }
        }
        Ok(Reply::json(status, &order)?.with("location", url))
    }
}

impl Proof {
    fn challenge(&self, id: &str, base: &str) -> Challenge {
        Challenge {
            kind: "dns-01".to_owned(),
            url: format!("{base}/challenge/{id}"),
            status: self.status,
            token: self.token.clone(),
            error: self.error.clone(),
        }
    }
}

/// A chain: RFC 8555 §9.1.
pub(super) fn pem_reply(pem: &str) -> Reply {
    Reply::new(200, "application/pem-certificate-chain", pem)
}

fn nothing() -> Problem {
    Problem::new(404, "malformed", "there is nothing here")
}

fn foreign() -> Problem {
    Problem::new(403, "unauthorized", "this belongs to another account")
}

/// Where certificates are that are renewed automatically.
pub(super) const STAR: &str = "/star/";
