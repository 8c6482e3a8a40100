//! Who comes in: nonces, signatures and accounts (RFC 8555 §6 and §7.3).

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::http::{HeaderMap, Method};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Deserialize;
use serde_json::json;

use crate::acme::jws::{self, Header, Jwk, Jws};
use crate::acme::objects::Directory;
use crate::acme::problem::Problem;

use super::{Account, Reply, Request, Role, Service};

type Outcome<T> = Result<T, Problem>;

/// The front of a server.
#[derive(Debug)]
pub(super) struct Door<S> {
    base: String,
    service: Arc<S>,
    reachable: Arc<AtomicBool>,
    state: Mutex<Known>,
}

/// Whoever has one was let in.
#[derive(Debug)]
pub(super) struct Verified(());

/// An HTTP request as it came.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

#[derive(Debug, Default)]
struct Known {
    /// Given out, not used yet.
    nonces: HashSet<String>,
    /// By identifier.
    accounts: HashMap<String, Account>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewAccount {
    #[serde(default)]
    only_return_existing: bool,
    #[serde(default)]
    external_account_binding: Option<Jws>,
}

impl<S: Service> Door<S> {
    pub(super) fn new(base: String, service: Arc<S>, reachable: Arc<AtomicBool>) -> Self {
        Self {
            base,
            service,
            reachable,
            state: Mutex::default(),
        }
    }

    /// What the server answers to this.
    pub(super) fn answer(&self, call: &Call) -> Reply {
        if !self.reachable.load(Ordering::SeqCst) {
            return Reply::empty(503);
        }
        let reply = self.route(call);
        let reply = reply.unwrap_or_else(|problem| Reply::refuse(&problem));
        let reply = reply.with("link", format!(r#"<{}/directory>;rel="index""#, self.base));
        if call.method == Method::GET && call.path != NEW_NONCE {
            return reply;
        }
        match self.fresh_nonce() {
            Ok(nonce) => reply
                .with("replay-nonce", nonce)
                .with("cache-control", "no-store"),
            Err(problem) => Reply::refuse(&problem),
        }
    }

    fn route(&self, call: &Call) -> Outcome<Reply> {
        match (call.method.as_str(), call.path.as_str()) {
            ("GET", "/directory") => Reply::json(200, &self.directory()),
            ("HEAD", NEW_NONCE) => Ok(Reply::empty(200)),
            ("GET", NEW_NONCE) => Ok(Reply::empty(204)),
            ("POST", NEW_ACCOUNT) => self.open_account(call),
            ("POST", path) => {
                let request = self.let_in(call)?;
                match path.strip_prefix("/account/") {
                    Some(_) => self.show_account(&request),
                    None => self.service.post(&request),
                }
            }
            ("GET", path) => self.service.get(path).unwrap_or_else(|| {
                // RFC 8555 §6.3.
                Err(Problem::new(
                    405,
                    "malformed",
                    "this needs a signed POST-as-GET",
                ))
            }),
            _ => Err(Problem::new(405, "malformed", "only GET, HEAD and POST")),
        }
    }

    fn directory(&self) -> Directory {
        let url = |path: &str| format!("{}{path}", self.base);
        let authority = self.service.role() == Role::Authority;
        Directory {
            new_nonce: url(NEW_NONCE),
            new_account: url(NEW_ACCOUNT),
            new_order: url("/order"),
            new_authz: None,
            revoke_cert: authority.then(|| url("/revoke")),
            meta: self.service.meta(),
        }
    }

    /// RFC 8555 §7.3.
    fn open_account(&self, call: &Call) -> Outcome<Reply> {
        let (jws, header) = self.read(call)?;
        let jwk = header
            .jwk
            .ok_or_else(|| Problem::new(400, "malformed", "a new account needs a jwk"))?;
        let payload = verify(&jws, &jwk)?;
        let wanted: NewAccount = parse(&payload)?;
        if let Some(account) = self.account_of(&jwk) {
            return self.account(200, &account);
        }
        if wanted.only_return_existing {
            let detail = "this key has no account";
            return Err(Problem::new(400, "accountDoesNotExist", detail));
        }
        let account = Account {
            id: random()?,
            binding: self.bind(&jwk, wanted.external_account_binding.as_ref())?,
            jwk,
        };
        let reply = self.account(201, &account)?;
        self.state().accounts.insert(account.id.clone(), account);
        Ok(reply)
    }

    /// RFC 8555 §7.3.4: the name of the key that the account is bound with.
    fn bind(&self, jwk: &Jwk, binding: Option<&Jws>) -> Outcome<Option<String>> {
        let Some(binding) = binding else {
            return if self.service.meta().external_account_required {
                let detail = "accounts need a key that this server has given out";
                Err(Problem::new(403, "externalAccountRequired", detail))
            } else {
                Ok(None)
            };
        };
        let refuse = |detail: String| Problem::new(403, "unauthorized", detail);
        let header = binding.header().map_err(malformed)?;
        let kid = header.kid.unwrap_or_default();
        let key = self.service.binding(&kid);
        let key = key.ok_or_else(|| refuse(format!("nobody has the key {kid}")))?;
        let bound = binding.verify_binding(&key);
        let bound: Jwk = parse(&bound.map_err(|error| refuse(error.to_string()))?)?;
        if &bound != jwk || header.url != format!("{}{NEW_ACCOUNT}", self.base) {
            return Err(refuse("the binding is for another account".to_owned()));
        }
        Ok(Some(kid))
    }

    fn show_account(&self, request: &Request) -> Outcome<Reply> {
        if request.path != format!("/account/{}", request.account.id) {
            return Err(Problem::new(
                403,
                "unauthorized",
                "the account of somebody else",
            ));
        }
        self.account(200, &request.account)
    }

    fn account(&self, status: u16, account: &Account) -> Outcome<Reply> {
        let mut object = json!({ "status": "valid" });
        if self.service.role() == Role::Owner {
            // RFC 9115 §2.3.1.1.
            object["delegations"] = json!(format!("{}/delegations", self.base));
        }
        let url = self.account_url(&account.id);
        Ok(Reply::json(status, &object)?.with("location", url))
    }

    /// Checks who signed a request of an account.
    fn let_in(&self, call: &Call) -> Outcome<Request> {
        let (jws, header) = self.read(call)?;
        let kid = header.kid.unwrap_or_default();
        let id = kid.strip_prefix(self.account_url("").as_str());
        let account = id.and_then(|id| self.state().accounts.get(id).cloned());
        let account = account.ok_or_else(|| {
            let detail = format!("there is no account {kid}");
            Problem::new(400, "accountDoesNotExist", detail)
        })?;
        let payload = verify(&jws, &account.jwk)?;
        Ok(Request {
            account,
            path: call.path.clone(),
            payload,
            _verified: Verified(()),
        })
    }

    /// The JWS of a request, its nonce used up and its URL right; the signature is still to be checked.
    fn read(&self, call: &Call) -> Outcome<(Jws, Header)> {
        let kind = call.headers.get("content-type");
        if kind.is_none_or(|kind| kind != "application/jose+json") {
            // RFC 8555 §6.2.
            let detail = "requests are application/jose+json";
            return Err(Problem::new(415, "malformed", detail));
        }
        let jws: Jws = parse(&call.body)?;
        let header = jws.header().map_err(malformed)?;
        let nonce = header.nonce.clone().unwrap_or_default();
        if !self.state().nonces.remove(&nonce) {
            return Err(Problem::new(
                400,
                "badNonce",
                "this nonce is not one of ours, or used",
            ));
        }
        if header.url != format!("{}{}", self.base, call.path) {
            // RFC 8555 §6.4.
            return Err(Problem::new(401, "unauthorized", "signed for another URL"));
        }
        Ok((jws, header))
    }

    fn fresh_nonce(&self) -> Outcome<String> {
        let nonce = random()?;
        self.state().nonces.insert(nonce.clone());
        Ok(nonce)
    }

    fn account_of(&self, jwk: &Jwk) -> Option<Account> {
        let state = self.state();
        state
            .accounts
            .values()
            .find(|account| &account.jwk == jwk)
            .cloned()
    }

    fn account_url(&self, id: &str) -> String {
        format!("{}/account/{id}", self.base)
    }

    fn state(&self) -> MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn verify(jws: &Jws, jwk: &Jwk) -> Outcome<Vec<u8>> {
    jws.verify(jwk).map_err(malformed)
}

/// Reads an object that somebody sent.
pub(in crate::acme) fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Outcome<T> {
    serde_json::from_slice(bytes).map_err(|error| Problem::new(400, "malformed", error.to_string()))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn malformed(error: Box<dyn std::error::Error + Send + Sync>) -> Problem {
    Problem::new(400, "malformed", error.to_string())
}

/// What nobody can guess: nonces, and the last part of URLs.
pub(in crate::acme) fn random() -> Outcome<String> {
    let mut bytes = [0; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Problem::new(500, "serverInternal", "the system has no randomness"))?;
    Ok(jws::encode(&bytes))
}

const NEW_NONCE: &str = "/nonce";
const NEW_ACCOUNT: &str = "/account";
