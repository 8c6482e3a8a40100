//! Looking after operators: the metrics, and warnings in the log.

use std::time::Duration;

use pki_types::UnixTime;

use crate::authority::approvals::waits;
use crate::authority::{Authority, Error};
use crate::server::telemetry::{Metrics, People};
use dc_pki::time::{Moment, Span};
use dc_store::registry::Operator;

/// Tells the metrics of operators, and the log of acts without a credential that are new; `known` is how many were known.
///
/// Fails with what the database fails with.
pub(super) async fn look_after(
    authority: &Authority,
    metrics: &Metrics,
    known: &mut Option<u64>,
    now: UnixTime,
) -> Result<(), Error> {
    let operators = authority.operators().await?;
    let enabled = operators.iter().filter(|operator| !operator.disabled);
    let ends = enabled.map(|operator| {
        let ends = operator.expires.map_or(0, |end| end.as_secs());
        (operator.name.to_string(), ends)
    });
    let broken = authority.broken_glass().await?;
    let approvals = authority.approvals().await?;
    let waiting = approvals.iter().filter(|one| waits(one, now)).count();
    metrics.set_people(&People {
        ends: ends.collect(),
        broken_glass: broken.acts,
        broken_glass_at: broken.last.map_or(0, |last| last.as_secs()),
        waiting: u64::try_from(waiting).unwrap_or(u64::MAX),
    });
    let is_recent = broken
        .last
        .is_some_and(|last| now.as_secs().saturating_sub(last.as_secs()) < RECENT.as_secs());
    // After a start too: whoever acted while the service was stopped has not been told of.
    if known.map_or(is_recent, |known| broken.acts > known) {
        tracing::warn!(
            acts = broken.acts,
            "somebody acted on the command line without an operator's credential: 'break-glass' in the audit log says who and why"
        );
    }
    *known = Some(broken.acts);
    Ok(())
}

/// Warns, once a day, of what will keep operators out if nobody does anything.
///
/// Fails with what the database fails with.
pub(super) async fn warn_of_ends(authority: &Authority, now: UnixTime) -> Result<(), Error> {
    for operator in authority.operators().await? {
        if let Some(warning) = warning(&operator, authority.warn_before(), now) {
            tracing::warn!("{warning}");
        }
    }
    Ok(())
}

fn warning(operator: &Operator, before: Duration, now: UnixTime) -> Option<String> {
    let Operator {
        name,
        access,
        expires,
        disabled: false,
        ..
    } = operator
    else {
        return None;
    };
    let kind = access.kind();
    let renew = format!("'dc-signer operators renew {name} --reason WHY --config FILE'");
    match *expires {
        None => Some(format!(
            "the {kind} of operator {name} never ends: renew it, so that it does, with {renew}"
        )),
        Some(end) if end <= now => Some(format!(
            "the {kind} of operator {name} has ended on {}: disable them, or use {renew}",
            Moment(end)
        )),
        Some(end) if end.as_secs() - now.as_secs() <= before.as_secs() => Some(format!(
            "the {kind} of operator {name} ends on {}, in {}: renew it with {renew}",
            Moment(end),
            Span::about(now, end)
        )),
        Some(_) => None,
    }
}

/// For how long after it a start warns of an act without a credential.
const RECENT: Duration = Duration::from_secs(7 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::registry::at;
    use dc_store::registry::{Access, Role, Sha256};

    #[test]
    fn an_end_is_warned_of_two_weeks_before_and_never_ending_always() {
        let operator = |expires: Option<u64>, disabled| Operator {
            disabled,
            ..Operator::new(
                "noc".parse().unwrap(),
                Role::Operator,
                Access::Token(Sha256::of(b"token")),
                expires.map(at),
            )
        };
        let (now, day) = (1_800_000_000, 86_400);
        for (expires, words) in [
            (None, Some("never ends")),
            (Some(now), Some("has ended on")),
            (Some(now + day), Some("in 1 d")),
            (Some(now + 14 * day), Some("ends on")),
            (Some(now + 15 * day), None),
        ] {
            let before = Duration::from_secs(14 * day);
            let said = warning(&operator(expires, false), before, at(now));
            match words {
                Some(words) => assert!(said.clone().unwrap().contains(words), "{said:?}"),
                None => assert_eq!(said, None),
            }
            assert_eq!(warning(&operator(expires, true), before, at(now)), None);
        }
    }
}
