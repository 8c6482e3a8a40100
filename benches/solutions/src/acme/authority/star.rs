//! An order whose certificate the CA renews until it is canceled or ends: RFC 8739.

use std::time::{Duration, SystemTime};

use rcgen::PublicKey;

use crate::acme::problem::Problem;
use crate::acme::server::Reply;
use crate::ca::Validity;

use super::issuing::{Issuing, Owner};
use super::schedule::Schedule;

/// The certificates of an order, one after the other, for the same key.
#[derive(Debug)]
pub(super) struct Star {
    schedule: Schedule,
    /// Whether anybody may fetch them: RFC 8739 §3.4.
    pub(super) for_all: bool,
    names: Vec<String>,
    key: PublicKey,
    account: String,
    /// The number of the one that is signed next.
    next: u64,
    current: Option<(String, Validity)>,
    canceled: bool,
}

impl Star {
    /// Begins with the newest certificate that can be fetched now.
    pub(super) fn new(
        schedule: Schedule,
        for_all: bool,
        names: Vec<String>,
        key: PublicKey,
        account: String,
        now: u64,
    ) -> Self {
        Self {
            schedule,
            for_all,
            names,
            key,
            account,
            next: schedule.current(now).unwrap_or_default(),
            current: None,
            canceled: false,
        }
    }

    /// Signs what should have been signed by now: a CA does that whether or not somebody fetches it.
    pub(super) fn roll(&mut self, issuing: &Issuing, now: u64) -> Result<(), Problem> {
        while !self.canceled
            && self
                .schedule
                .available(self.next)
                .is_some_and(|from| from <= now)
        {
            let Some(validity) = self.schedule.validity(self.next) else {
                break;
            };
            let owner = Owner {
                account: self.account.clone(),
                is_star: true,
            };
            let pem = issuing.sign(&self.names, &self.key, validity, owner)?;
            self.current = Some((pem, validity));
            self.next += 1;
        }
        Ok(())
    }

    /// Leaves out what should have been signed before now, but for the newest.
    pub(super) fn skip(&mut self, now: u64) {
        if let Some(current) = self.schedule.current(now) {
            self.next = self.next.max(current);
        }
    }

    /// RFC 8739 §3.1.2: what has been signed stays valid, and nobody can fetch it any more.
    pub(super) fn cancel(&mut self) {
        self.canceled = true;
    }

    pub(super) fn is_over(&self, now: u64) -> bool {
        self.schedule.is_over(now)
    }

    /// RFC 8739 §3.3.
    pub(super) fn fetch(&mut self, issuing: &Issuing, now: u64) -> Result<Reply, Problem> {
        if self.canceled {
            let detail = "the order was canceled";
            return Err(Problem::new(403, "autoRenewalCanceled", detail));
        }
        if self.is_over(now) {
            let detail = "the order has come to its end";
            return Err(Problem::new(403, "autoRenewalExpired", detail));
        }
        self.roll(issuing, now)?;
        let Some((pem, validity)) = &self.current else {
            let detail = "the first certificate is not there yet";
            return Err(Problem::new(404, "malformed", detail));
        };
        Ok(super::orders::pem_reply(pem)
            .with("cert-not-before", http_date(validity.first))
            .with("cert-not-after", http_date(validity.last)))
    }
}

fn http_date(moment: u64) -> String {
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(moment))
}
