//! The key of a CA, what it has signed, and what it has revoked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use der::Decode as _;
use rcgen::PublicKey;
use serde::Deserialize;
use x509_cert::Certificate;

use crate::Result;
use crate::acme::jws;
use crate::acme::problem::Problem;
use crate::acme::server::parse;
use crate::acme::tally::Tally;
use crate::ca::{Authority, Validity};
use crate::leaf::Leaf;

/// Whose a certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) account: String,
    /// Whether the CA renews it: such certificates are not revoked.
    pub(super) is_star: bool,
}

/// The part of a CA that has its key.
#[derive(Debug)]
pub(super) struct Issuing {
    authority: Authority,
    days: u64,
    tally: Tally,
    signed: Mutex<Signed>,
}

#[derive(Debug, Default)]
struct Signed {
    /// By serial number.
    owners: BTreeMap<Vec<u8>, Owner>,
    /// Serial numbers, and since when.
    revoked: Vec<(Vec<u8>, u64)>,
    names: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Revocation {
    certificate: String,
    #[serde(default)]
    reason: u8,
}

impl Issuing {
    pub(super) fn new(authority: Authority, days: u64, tally: Tally) -> Self {
        Self {
            authority,
            days,
            tally,
            signed: Mutex::default(),
        }
    }

    /// What a certificate that is signed now and not renewed gets.
    pub(super) fn ordinary(&self, now: u64) -> Validity {
        Validity::days(now, self.days)
    }

    /// A chain, in PEM: the certificate, and that of the CA.
    pub(super) fn sign(
        &self,
        names: &[String],
        key: &PublicKey,
        validity: Validity,
        owner: Owner,
    ) -> std::result::Result<String, Problem> {
        let chain = self.certify(names, key, validity, owner);
        chain.map_err(|error| Problem::new(500, "serverInternal", error.to_string()))
    }

    fn certify(
        &self,
        names: &[String],
        key: &PublicKey,
        validity: Validity,
        owner: Owner,
    ) -> Result<String> {
        let leaf = self.authority.certify(key, names, validity)?;
        self.tally.signature();
        let mut signed = self.signed();
        signed.owners.insert(Leaf::read(&leaf)?.serial, owner);
        signed.names.extend(names.iter().cloned());
        Ok(leaf + &self.authority.pem)
    }

    /// Takes back a certificate of this account, but none that the CA renews: RFC 8739 §3.1.2.
    pub(super) fn revoke(
        &self,
        account: &str,
        payload: &[u8],
        now: u64,
    ) -> std::result::Result<(), Problem> {
        let malformed = |detail: String| Problem::new(400, "malformed", detail);
        let wanted: Revocation = parse(payload)?;
        let der = jws::decode(&wanted.certificate).map_err(|error| malformed(error.to_string()))?;
        let certificate =
            Certificate::from_der(&der).map_err(|error| malformed(error.to_string()))?;
        let serial = certificate
            .tbs_certificate()
            .serial_number()
            .as_bytes()
            .to_vec();
        let mut signed = self.signed();
        match signed.owners.get(&serial) {
            Some(owner) if owner.account != account => Err(Problem::new(
                403,
                "unauthorized",
                "the certificate of somebody else",
            )),
            Some(owner) if owner.is_star => {
                let detail = "cancel the order instead";
                Err(Problem::new(
                    403,
                    "autoRenewalRevocationNotSupported",
                    detail,
                ))
            }
            Some(_) if signed.revoked.iter().any(|(revoked, _)| *revoked == serial) => {
                Err(Problem::new(400, "alreadyRevoked", "it is revoked"))
            }
            Some(_) if !REASONS.contains(&wanted.reason) => Err(Problem::new(
                400,
                "badRevocationReason",
                "reasons are 0, 1, 3, 4, 5 and 9",
            )),
            Some(_) => {
                signed.revoked.push((serial, now));
                Ok(())
            }
            None => Err(Problem::new(404, "malformed", "this CA has not signed it")),
        }
    }

    /// The list of revoked certificates, without reasons.
    pub(super) fn list_der(&self, now: u64) -> std::result::Result<Vec<u8>, Problem> {
        let list = self.authority.list(now, &self.signed().revoked);
        let list = list.map_err(|error| Problem::new(500, "serverInternal", error.to_string()));
        Ok(list?.der().to_vec())
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.signed().names.iter().cloned().collect()
    }

    fn signed(&self) -> MutexGuard<'_, Signed> {
        self.signed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// RFC 5280 §5.3.1, without what is for CAs' own certificates or for lists of changes.
const REASONS: [u8; 6] = [0, 1, 3, 4, 5, 9];
