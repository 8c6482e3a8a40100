//! A client of RFC 8555 that waits for each answer, with automatic renewal (RFC 8739) and delegation (RFC 9115).
//!
//! ```text
//! let mut client = Client::register(url, AccountKey::generate()?, None, tally)?;
//! let chain = client.order(&["nas.example"], &csr, &mut responder)?;
//! ```

mod http;
mod order;

use der::Decode as _;
use pki_types::CertificateDer;
use pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use x509_cert::Certificate;

use crate::Result;
use crate::ca::Validity;

use super::jws::{self, AccountKey, BindingKey, Signer};
use super::objects::{Directory, Status};
use super::tally::Tally;
use http::{Http, Payload};

pub(crate) use order::StarOrder;

/// An account at an ACME server.
#[derive(Debug)]
pub(crate) struct Client {
    http: Http,
    directory: Directory,
    key: AccountKey,
    /// The account's URL.
    account: String,
    /// The delegations that the server has for this account, if it has any: RFC 9115 §2.3.1.
    delegations: Option<String>,
    counts_signatures: bool,
}

impl Client {
    /// Opens an account, or finds the one that this key has. `binding` is what the server knows the client by, if it
    /// wants that. Requests are counted in `tally`.
    pub(crate) fn register(
        directory_url: &str,
        key: AccountKey,
        binding: Option<&BindingKey>,
        tally: Tally,
    ) -> Result<Self> {
        let mut http = Http::new(tally);
        let directory: Directory = http.fetch(directory_url)?.json()?;
        http.take_nonces_from(&directory.new_nonce);
        let mut request = json!({ "termsOfServiceAgreed": true });
        if let Some(binding) = binding {
            let bound = binding.bind(&key.jwk(), &directory.new_account)?;
            request["externalAccountBinding"] = serde_json::to_value(bound)?;
        }
        let signature = (&key, Signer::Key);
        let answer = http.post(signature, &directory.new_account, &Payload::json(&request)?)?;
        let account = answer.location()?;
        let object: Value = answer.json()?;
        let delegations = object.get("delegations").and_then(Value::as_str);
        Ok(Self {
            delegations: delegations.map(str::to_owned),
            http,
            directory,
            key,
            account,
            counts_signatures: false,
        })
    }

    /// From now on, each certificate that is downloaded counts as a signature of the server: for servers that do not
    /// count theirs themselves.
    pub(crate) fn counting_signatures(mut self) -> Self {
        self.counts_signatures = true;
        self
    }

    /// Says that a certificate must not be used any more; `reason` is one of RFC 5280 §5.3.1, such as 1 for a key that
    /// somebody else has. Fails if the server does not revoke, or not this one.
    pub(crate) fn revoke(&mut self, certificate: &CertificateDer<'_>, reason: u8) -> Result<()> {
        let url = self.directory.revoke_cert.clone();
        let url = url.ok_or("the ACME server has no revokeCert in its directory")?;
        let request = json!({ "certificate": jws::encode(certificate), "reason": reason });
        self.post(&url, &Payload::json(&request)?)?;
        Ok(())
    }

    /// Ends the automatic renewal of an order: RFC 8739 §3.1.2.
    pub(crate) fn cancel(&mut self, order_url: &str) -> Result<()> {
        let request = json!({ "status": Status::Canceled });
        self.post(order_url, &Payload::json(&request)?)?;
        Ok(())
    }

    /// The URLs of what the server lets this account order in its name: RFC 9115 §2.3.1.2.
    pub(crate) fn delegations(&mut self) -> Result<Vec<String>> {
        let url = self.delegations.clone();
        let url = url.ok_or("the ACME server has no delegations for this account")?;
        let list: Value = self.post(&url, &Payload::Nothing)?.json()?;
        let list = list.get("delegations").cloned().unwrap_or_default();
        Ok(serde_json::from_value(list)?)
    }

    /// A delegation object, as the server shows it: RFC 9115 §2.3.1.3.
    pub(crate) fn delegation(&mut self, url: &str) -> Result<Value> {
        self.post(url, &Payload::Nothing)?.json()
    }

    /// What the server can do.
    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// As if the server had given this nonce.
    #[cfg(test)]
    pub(crate) fn replace_nonce(&mut self, nonce: &str) {
        self.http.replace_nonce(nonce);
    }

    fn post(&mut self, url: &str, payload: &Payload) -> Result<http::Answer> {
        let signature = (&self.key, Signer::Account(&self.account));
        self.http.post(signature, url, payload)
    }
}

/// Fetches the current certificate of an order that is renewed automatically, as anybody can if the order allows it:
/// RFC 8739 §3.4.
pub(crate) fn fetch_star(url: &str, tally: &Tally) -> Result<Chain> {
    Chain::new(Http::new(tally.clone()).fetch(url)?.body)
}

/// A certificate and those above it but the root, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain(String);

impl Chain {
    /// Fails if it holds no certificate.
    fn new(pem: String) -> Result<Self> {
        let chain = Self(pem);
        chain.leaf()?;
        Ok(chain)
    }

    pub(crate) fn pem(&self) -> &str {
        &self.0
    }

    /// The first certificate.
    pub(crate) fn leaf(&self) -> Result<CertificateDer<'static>> {
        CertificateDer::from_pem_slice(self.0.as_bytes())
            .map_err(|error| format!("the ACME server sent no certificate: {error}").into())
    }

    /// When the first certificate is valid.
    pub(crate) fn validity(&self) -> Result<Validity> {
        let leaf = Certificate::from_der(&self.leaf()?)?;
        let validity = leaf.tbs_certificate().validity();
        Ok(Validity {
            first: validity.not_before.to_unix_duration().as_secs(),
            last: validity.not_after.to_unix_duration().as_secs(),
        })
    }
}

/// Proves to a CA that its owner has a name.
pub(crate) trait Responder {
    /// The challenge that it can answer, as ACME names it: `dns-01` or `http-01`.
    fn kind(&self) -> &'static str;

    /// Makes the answer public before it returns.
    fn publish(&mut self, answer: &ChallengeAnswer) -> Result<()>;
}

/// What has to be found where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChallengeAnswer {
    /// The name to prove.
    pub(crate) name: String,
    /// Of dns-01, the record: `_acme-challenge.` and the name. Of http-01, the path under the name.
    pub(crate) place: String,
    /// Of dns-01, the text of the TXT record. Of http-01, the whole file.
    pub(crate) content: String,
}

/// For a server that asks for no proof of these names, because of an earlier one or of the account's owner.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PreAuthorized;

impl Responder for PreAuthorized {
    fn kind(&self) -> &'static str {
        "no challenge"
    }

    fn publish(&mut self, answer: &ChallengeAnswer) -> Result<()> {
        Err(format!("{} should need no proof", answer.name).into())
    }
}
