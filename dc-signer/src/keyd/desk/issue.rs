//! Issuing: a key, a name, a lifetime and a role in, and a credential out if no ceiling is above.

use dc_core::{DelegationCertificate, Role, UniqueName};
use pki_types::{SignatureVerificationAlgorithm, UnixTime};
use serde_json::json;
use std::sync::PoisonError;
use std::time::Duration;

use super::super::caller::Caller;
use super::super::holder::Held;
use super::super::policy::{Permitted, Wish};
use super::super::rate::{Full, Reached};
use super::super::turned_away::TurnedAway;
use super::Desk;
use dc_pki::keyd::{Answer, Pause, PauseCause};
use dc_pki::keys::Refusal;
use dc_pki::names::ZoneName;
use dc_pki::time::{Moment, from_seconds};
use dc_pki::{Delegation, Forms, Sha256, Unissued, Wanted, clock};

impl Desk {
    pub(super) fn issue(
        &self,
        certificate: &Sha256,
        wish: &Wish<'_>,
        spki: &[u8],
        caller: Caller,
        now: UnixTime,
    ) -> Result<Answer, TurnedAway> {
        let held = self.held(certificate)?;
        let delegation = of_role(&held, wish.role)?;
        let permitted = self.ceilings.permit(delegation.certificate(), wish, now)?;
        // Before anything is counted: what RFC 9345 forbids uses nothing up.
        let request = dc_core::Request::new(spki).lifetime(permitted.lifetime());
        let request = match wish.name {
            Some(name) => request.unique_name(name.clone()),
            None => request,
        };
        let allowed = delegation.policy().approve(&request, now).map(drop);
        allowed.map_err(|error| TurnedAway::new(Refusal::Rule, error))?;
        self.count(permitted.zone(), now)?;
        let credential = sign(delegation, spki, wish.name, &permitted, now)?;
        let expires = Moment::at(now.as_secs() + permitted.lifetime().as_secs());
        let line = json!({
            "act": "issue",
            "certificate": certificate.to_string(),
            "credential": Sha256::of(&credential).to_string(),
            "expires": expires.to_string(),
            "name": wish.name.map(UniqueName::as_str),
            "role": role_word(wish.role),
            "spki": Sha256::of(spki).to_string(),
            "zone": permitted.zone().to_string(),
        });
        self.write(line, caller, now)?;
        let noted = self.holder.note_use(&held, now);
        noted.map_err(TurnedAway::by_own_fault)?;
        self.counts.issued(&permitted.zone().to_string());
        Ok(Answer::Credential(credential))
    }

    /// `theirs` is the time of whoever asks, in seconds.
    pub(super) fn try_key(
        &self,
        (certificate, role): (&Sha256, Role),
        lifetime: Option<Duration>,
        theirs: Option<u64>,
        now: UnixTime,
    ) -> Result<Answer, TurnedAway> {
        let held = self.held(certificate)?;
        let delegation = of_role(&held, role)?;
        let certificate = delegation.certificate();
        valid_at_both(certificate, theirs, now)?;
        let zone = self.ceilings.zone_of(certificate, role, lifetime)?;
        let name = zone.fresh_name().map_err(TurnedAway::by_own_fault)?;
        // When the certificate begins: whether it has, or is over, says nothing about the key.
        let begin = certificate.not_before();
        let wanted = Wanted::Named(name);
        let tried = dc_pki::try_key(delegation, &self.nobodys, &wanted, algorithms(), begin);
        tried.map_err(unissued)?;
        // An issue is written down before it leaves.
        self.record()
            .try_room()
            .map_err(|error| TurnedAway::by_log(&error))?;
        Ok(self.pause(zone, now).map_or(Answer::Works, Answer::Pauses))
    }

    /// As [`Self::issue`] judges it, but for a key that nobody has; it is not counted, and nobody gets it.
    pub(super) fn try_issue(
        &self,
        certificate: &Sha256,
        wish: &Wish<'_>,
        now: UnixTime,
    ) -> Result<Answer, TurnedAway> {
        let held = self.held(certificate)?;
        let delegation = of_role(&held, wish.role)?;
        let certificate = delegation.certificate();
        self.ceilings.permit(certificate, wish, now).map(drop)?;
        // When the certificate begins, as above.
        let begin = certificate.not_before();
        let wanted = wish
            .name
            .map_or(Wanted::Rfc9345, |name| Forms::Named.with(name));
        let tried = dc_pki::try_key(delegation, &self.nobodys, &wanted, algorithms(), begin);
        tried.map(|()| Answer::Works).map_err(unissued)
    }

    fn held(&self, certificate: &Sha256) -> Result<std::sync::Arc<Held>, TurnedAway> {
        // The mark decides, whatever was loaded meanwhile.
        let ended = self.holder.has_ended(certificate);
        if ended.map_err(TurnedAway::by_own_fault)? {
            return Err(TurnedAway::new(
                Refusal::Certificate,
                format!("certificate {certificate} has ended: nothing is signed under it"),
            ));
        }
        let held = self.holder.find(certificate);
        held.ok_or_else(|| not_held(certificate))
    }

    fn count(&self, zone: &ZoneName, now: UnixTime) -> Result<(), TurnedAway> {
        let uptime = clock::uptime().as_secs();
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(rate) = rates.get_mut(&zone.to_string()) else {
            return Ok(());
        };
        rate.count(uptime).map_err(|reached| {
            let why = match reached {
                Reached::Minute(most) => {
                    format!("zone {zone} has had {most} credentials in a minute, its ceiling")
                }
                Reached::Hour(most) => {
                    format!("zone {zone} has had {most} credentials in an hour, its ceiling")
                }
                Reached::Lost => format!("zone {zone}: {}", PauseCause::Lost),
            };
            let until = rate
                .full(uptime)
                .map(|full| Moment(of(full, now, uptime).until));
            let until = until.map_or(String::new(), |until| {
                format!(": nothing is issued until {until}")
            });
            TurnedAway::new(Refusal::Rate, format!("{why}{until}"))
        })
    }

    /// The time in which nothing is issued in a zone, if it is now.
    pub(super) fn pause(&self, zone: &ZoneName, now: UnixTime) -> Option<Pause> {
        let uptime = clock::uptime().as_secs();
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let full = rates.get_mut(&zone.to_string())?.full(uptime)?;
        Some(of(full, now, uptime))
    }
}

/// Nothing is issued under a certificate that is not valid yet by the clock here, or not any more, and whoever asks would wait for it in
/// vain.
fn valid_at_both(
    certificate: &DelegationCertificate<'_>,
    theirs: Option<u64>,
    now: UnixTime,
) -> Result<(), TurnedAway> {
    let Some(theirs) = theirs.map(from_seconds) else {
        return Ok(());
    };
    let (begin, end) = (certificate.not_before(), certificate.not_after());
    let is_valid = |time: UnixTime| begin <= time && time <= end;
    match is_valid(theirs) && !is_valid(now) {
        false => Ok(()),
        true => Err(TurnedAway::new(
            Refusal::Clock,
            format!(
                "the certificate is valid from {} to {}: its clock says {} and that of whoever asks {}: set the one that is wrong",
                Moment(begin),
                Moment(end),
                Moment(now),
                Moment(theirs)
            ),
        )),
    }
}

/// As a clock on the wall has it, for other processes.
fn of(full: Full, now: UnixTime, uptime: u64) -> Pause {
    Pause {
        cause: match full.reached {
            Reached::Hour(_) => PauseCause::Hour,
            Reached::Lost => PauseCause::Lost,
            Reached::Minute(_) => PauseCause::Minute,
        },
        since: from_seconds(
            now.as_secs()
                .saturating_sub(uptime.saturating_sub(full.since)),
        ),
        until: from_seconds(now.as_secs() + full.until.saturating_sub(uptime)),
    }
}

pub(super) fn not_held(certificate: &Sha256) -> TurnedAway {
    let detail = format!("no certificate {certificate} is held here");
    TurnedAway::new(Refusal::Certificate, detail)
}

fn sign(
    delegation: &Delegation,
    spki: &[u8],
    name: Option<&UniqueName<'static>>,
    permitted: &Permitted<'_>,
    now: UnixTime,
) -> Result<Vec<u8>, TurnedAway> {
    let wanted = name.map_or(Wanted::Rfc9345, |name| Forms::Named.with(name));
    let lifetime = Some(permitted.lifetime());
    let issued = dc_pki::sign(delegation, spki, &wanted, lifetime, algorithms(), now);
    let issued = issued.map_err(unissued)?.into_iter().next();
    let issued = issued.map(dc_core::Issued::into_bytes);
    issued.ok_or_else(|| TurnedAway::new(Refusal::Rule, "nothing was wanted"))
}

fn unissued(unissued: Unissued) -> TurnedAway {
    match unissued {
        Unissued::DelegationKey => TurnedAway::new(
            Refusal::Rule,
            "the key is the delegation certificate's own, which no device may have",
        ),
        Unissued::Refused(error) => TurnedAway::new(Refusal::Rule, error),
        Unissued::Signer(error) => TurnedAway::by_key(error),
    }
}

fn of_role(held: &Held, role: Role) -> Result<&Delegation, TurnedAway> {
    let delegation = match role {
        Role::Server => Some(&held.for_servers),
        Role::Client => held.for_clients.as_ref(),
    };
    delegation.ok_or_else(|| TurnedAway::new(Refusal::Role, "the certificate is for servers alone"))
}

const fn role_word(role: Role) -> &'static str {
    match role {
        Role::Server => "server",
        Role::Client => "client",
    }
}

pub(super) fn algorithms() -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    rustls::crypto::ring::default_provider()
        .signature_verification_algorithms
        .all
}
