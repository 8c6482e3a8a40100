//! The credentials that were verified a moment ago, so that the next connection need not do it again.
//!
//! The outcome of verifying a chain and a credential depends on their bytes, the name that is wanted, the roots, the
//! offer, the longest validity, the provider, and the time: on nothing of the connection. The roots and all that follows
//! them belong to one verifier, which has one memory and never changes. Bytes and name are compared, every byte of them. What
//! is left is time, and it decides in one way only: whether now is within the validity of each certificate and within the
//! last days of the credential. So within the span that all of them have in common, the outcome is the same, at a clock that
//! goes back as well. Without that span being known, nothing is remembered.
//!
//! That is so for webpki under given roots, and for no other verifier: one with CRLs or OCSP may change its mind. So
//! only [`WantsVerifier::roots`](super::WantsVerifier::roots) remembers. What may change its mind at any time is asked
//! at each connection all the same, the predicate of the application, and each server has to prove with
//! CertificateVerify that it has the credential's key.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dc_core::{Form, Validity, VerifiedCredential};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use super::Peer;

/// A server's claim, as it arrived, and the name that it was wanted under.
#[derive(Clone, Copy)]
pub(super) struct Claim<'a> {
    pub(super) wanted: &'a ServerName<'a>,
    pub(super) end_entity: &'a CertificateDer<'a>,
    pub(super) intermediates: &'a [CertificateDer<'a>],
    pub(super) form: Form,
    pub(super) credential: &'a [u8],
}

impl Claim<'_> {
    fn len(&self) -> usize {
        let intermediates: usize = self.intermediates.iter().map(|der| der.len()).sum();
        self.end_entity.len() + intermediates + self.credential.len()
    }
}

/// The proof that a claim has passed every check.
pub(super) struct Proved {
    pub(super) peer: Arc<Peer>,
    pub(super) credential: Arc<VerifiedCredential>,
}

/// The claims of one verifier that passed, each the last one of its name.
pub(super) struct Memory(Option<Mutex<VecDeque<Known>>>);

struct Known {
    wanted: ServerName<'static>,
    end_entity: CertificateDer<'static>,
    intermediates: Vec<CertificateDer<'static>>,
    form: Form,
    credential: Vec<u8>,
    proved: Arc<Proved>,
    /// The seconds at which each certificate and the credential are valid.
    holds: Validity,
}

impl Known {
    fn new(claim: &Claim<'_>, proved: &Arc<Proved>, holds: Validity) -> Self {
        let owned = |der: &CertificateDer<'_>| der.clone().into_owned();
        Self {
            wanted: claim.wanted.to_owned(),
            end_entity: owned(claim.end_entity),
            intermediates: claim.intermediates.iter().map(owned).collect(),
            form: claim.form,
            credential: claim.credential.to_vec(),
            proved: Arc::clone(proved),
            holds,
        }
    }

    fn is(&self, claim: &Claim<'_>) -> bool {
        self.wanted == *claim.wanted
            && self.end_entity == *claim.end_entity
            && self.intermediates == claim.intermediates
            && self.form == claim.form
            && self.credential == claim.credential
    }
}

impl Memory {
    /// Remembers nothing.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// Remembers the claims of up to 64 names, of up to 8 KiB each.
    pub(super) fn new() -> Self {
        Self(Some(Mutex::default()))
    }

    /// The proof of this very claim, if it was seen and still holds.
    pub(super) fn recall(&self, claim: &Claim<'_>, now: UnixTime) -> Option<Arc<Proved>> {
        let known = self.known()?;
        let known = known.iter().find(|known| known.is(claim))?;
        let holds = known.holds.contains(now);
        holds.then(|| Arc::clone(&known.proved))
    }

    /// Remembers a claim that was verified now and holds for this span, in the place of the last one of that name.
    ///
    /// The oldest goes if there are too many, and all go that hold no more.
    pub(super) fn remember(
        &self,
        claim: &Claim<'_>,
        proved: &Arc<Proved>,
        holds: Validity,
        now: UnixTime,
    ) {
        let Some(mut known) = self.known() else {
            return;
        };
        known.retain(|known| known.wanted != *claim.wanted && now <= known.holds.not_after);
        if claim.len() > MAX_LEN {
            return;
        }
        if known.len() >= MAX_NAMES {
            known.pop_front();
        }
        known.push_back(Known::new(claim, proved, holds));
    }

    /// Forgets what is known of this name.
    pub(super) fn forget(&self, wanted: &ServerName<'_>) {
        if let Some(mut known) = self.known() {
            known.retain(|known| known.wanted != *wanted);
        }
    }

    fn known(&self) -> Option<MutexGuard<'_, VecDeque<Known>>> {
        let known = self.0.as_ref()?;
        Some(known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

/// A client that talks to a house full of devices remembers all of them, in half a megabyte at most.
const MAX_NAMES: usize = 64;
/// Chain and credential; with ECDSA they have a tenth of it.
const MAX_LEN: usize = 8 * 1024;
