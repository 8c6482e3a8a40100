//! When to order a zone's next delegation certificate, and when to try again: pure. Time and randomness are given.

use std::time::Duration;

use pki_types::UnixTime;

use super::plan::Plan;
use super::source::{OrderError, RenewalWindow};
use dc_store::Renewal;
use dc_store::registry::{DelegationState, Zone, ZoneDelegation};

/// A number that is drawn once: the part of a span that a moment is at, from 0 to just below 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Draw(pub u32);

impl Draw {
    fn part_of(self, span: u64) -> u64 {
        let part = (u128::from(span) * u128::from(self.0)) >> u32::BITS;
        u64::try_from(part).unwrap_or(u64::MAX)
    }
}

/// The thing that is due in a zone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Due {
    /// The CA is to be asked when it wants the certificate to be renewed.
    Ask,
    /// There is another certificate than the one that the times are of: draw them anew, with [`begin`].
    Begin,
    /// The next certificate is to be ordered.
    Order,
    /// Nothing, before this time.
    Wait(UnixTime),
}

/// The certificate that the next one follows: of those that are or will be issued from, the one that lasts longest.
///
/// None in a zone that has none: its first is ordered at once.
#[must_use]
pub fn newest(zone: &Zone) -> Option<&ZoneDelegation> {
    let in_use = |slot: &&ZoneDelegation| {
        matches!(slot.state, DelegationState::Next | DelegationState::Active)
    };
    zone.delegations
        .iter()
        .filter(in_use)
        .max_by_key(|slot| slot.not_after)
}

/// The thing that is due in a zone now.
#[must_use]
pub fn due(zone: &Zone, renewal: &Renewal, now: UnixTime) -> Due {
    let of = newest(zone).map(|slot| slot.certificate_sha256);
    if renewal.certificate_sha256 != of {
        return Due::Begin;
    }
    match (renewal.try_at, renewal.ask_at) {
        (Some(try_at), _) if now < try_at => Due::Wait(try_at),
        _ if now >= renewal.order_at => Due::Order,
        (_, Some(ask_at)) if now >= ask_at => Due::Ask,
        (_, Some(ask_at)) => Due::Wait(ask_at.min(renewal.order_at)),
        (_, None) => Due::Wait(renewal.order_at),
    }
}

/// The renewal of the certificate that a zone has now, before anything was tried.
#[must_use]
pub fn begin(zone: &Zone, old: &Renewal, percent: u32, draw: Draw) -> Renewal {
    let mut new = Renewal {
        holder: old.holder.clone(),
        ..Renewal::of(zone.zone.clone())
    };
    if let Some(slot) = newest(zone) {
        let plan = Plan::of(slot.life(), percent);
        let spread = draw.part_of(plan.slack.as_secs() / 2);
        new.certificate_sha256 = Some(slot.certificate_sha256);
        new.order_at = after(slot.not_before, plan.order_after.as_secs() + spread);
        new.ask_at = Some(slot.since);
    } else {
        // What fails for a zone's first certificate goes on failing.
        new = Renewal {
            certificate_sha256: None,
            ..old.clone()
        };
    }
    new
}

/// The same with the answer of the CA, if it has an opinion (RFC 9773 §4.2): a moment in its window, but never later than the
/// plan allows, and not again within a tenth of its life after the certificate came.
///
/// A moment in the window stays: who draws again and again ends up with the earliest.
#[must_use]
pub fn asked(
    renewal: Renewal,
    slot: &ZoneDelegation,
    window: Option<RenewalWindow>,
    percent: u32,
    now: UnixTime,
    draw: Draw,
) -> Renewal {
    let again = window.and_then(|(_, _, again)| again).unwrap_or(ASK_AGAIN);
    let again = again.clamp(ASK_EARLIEST, ASK_LATEST);
    let mut order_at = renewal.order_at;
    if let Some((from, until, _)) = window
        && from < until
    {
        let latest = Plan::of(slot.life(), percent).latest_order().as_secs();
        let latest = after(slot.not_before, latest);
        if order_at < from || order_at > until {
            let span = until.as_secs().saturating_sub(from.as_secs());
            order_at = after(from, draw.part_of(span));
        }
        let earliest = after(slot.since, (slot.life() / 10).as_secs());
        order_at = order_at.min(latest).max(earliest);
    }
    Renewal {
        order_at,
        ask_at: Some(after(now, again.as_secs())),
        ..renewal
    }
}

/// The same after the CA could not be asked for its window: that is no reason to order, or not to.
#[must_use]
pub fn not_asked(renewal: Renewal, now: UnixTime) -> Renewal {
    let ask_at = Some(after(now, ASK_AGAIN.as_secs()));
    Renewal { ask_at, ..renewal }
}

/// The same when an order begins.
#[must_use]
pub fn ordering(renewal: Renewal, now: UnixTime) -> Renewal {
    Renewal {
        attempts: renewal.attempts.saturating_add(1),
        tried: Some(now),
        ..renewal
    }
}

/// The same when an order has failed: it is tried again after a wait that doubles, up to six hours if the CA may have one
/// later and twelve if it said no, and less for short certificates.
#[must_use]
pub fn failed(
    renewal: Renewal,
    life: Option<Duration>,
    error: &OrderError,
    now: UnixTime,
    draw: Draw,
) -> Renewal {
    let wait = wait(renewal.attempts, life.unwrap_or(LONG), error).as_secs();
    // From half of it on: signers and zones that failed together do not come back together.
    let wait = wait / 2 + draw.part_of(wait / 2);
    let wait = match error.retry_after() {
        Some(wanted) => {
            let wanted = wanted.clamp(FIRST, ASK_LATEST).as_secs();
            wanted + draw.part_of(wanted / 10)
        }
        None => wait,
    };
    Renewal {
        try_at: Some(after(now, wait)),
        failing_since: renewal.failing_since.or(Some(now)),
        error: Some(error.to_string()),
        ..renewal
    }
}

fn wait(attempts: u32, life: Duration, error: &OrderError) -> Duration {
    let doubled = |first: Duration| first.saturating_mul(1 << attempts.saturating_sub(1).min(16));
    match error {
        OrderError::Later(..) => doubled(FIRST).min((life / 84).clamp(HALF_AN_HOUR, 6 * HOUR)),
        OrderError::Refused(_) | OrderError::Setup(_) => {
            doubled(HOUR).min((life / 28).clamp(HOUR, 12 * HOUR))
        }
    }
}

fn after(time: UnixTime, seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(time.as_secs().saturating_add(seconds)))
}

const FIRST: Duration = Duration::from_secs(300);
const HALF_AN_HOUR: Duration = Duration::from_secs(1800);
const HOUR: Duration = Duration::from_secs(3600);
/// The life of a zone's first certificate, which nobody knows yet.
const LONG: Duration = Duration::from_secs(90 * 86_400);
/// How often a CA is asked for its window that does not say how often, and the bounds of what it may say.
const ASK_AGAIN: Duration = Duration::from_secs(6 * 3600);
const ASK_EARLIEST: Duration = Duration::from_secs(3600);
const ASK_LATEST: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests;
