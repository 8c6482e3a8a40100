//! Looking after operators: the metrics, and warnings in the log.

use std::time::Duration;

use pki_types::UnixTime;

use crate::authority::approvals::waits;
use crate::authority::{Authority, Error};
use crate::server::telemetry::{Metrics, People};
use dc_pki::time::{Moment, Span};
use dc_store::registry::Operator;

/// Acts without a credential that were told of already.
#[derive(Debug, Default)]
pub(super) struct BrokenGlassTold {
    /// The newest record of one; none before anybody looked.
    newest: Option<u64>,
    acts: u64,
    /// When one was last new here, in seconds since 1970.
    at: u64,
}

/// Tells the metrics of operators, and the log of acts without a credential that are new. When one was is what this process has seen:
/// whoever acts so writes the time.
///
/// Fails with what the database fails with.
pub(super) async fn look_after(
    authority: &Authority,
    metrics: &Metrics,
    told: &mut BrokenGlassTold,
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
    let is_recent = broken
        .last
        .is_some_and(|last| now.as_secs().saturating_sub(last.as_secs()) < RECENT.as_secs());
    // After a start too: whoever acted while the service was stopped has not been told of.
    let is_new = match (told.newest, authority.seen_before()) {
        (Some(known), _) => broken.newest > known || broken.acts > told.acts,
        (None, Some(seen)) => broken.newest > seen,
        (None, None) => is_recent,
    };
    if is_new {
        told.at = now.as_secs();
    }
    if is_new || told.newest.is_none() && is_recent {
        tracing::warn!(
            acts = broken.acts,
            "somebody acted on the command line without an operator's credential: 'break-glass' in the audit log says who and why"
        );
    }
    (told.newest, told.acts) = (Some(broken.newest), broken.acts);
    metrics.set_people(&People {
        ends: ends.collect(),
        broken_glass: broken.acts,
        broken_glass_at: broken.last.map_or(0, |last| last.as_secs()).max(told.at),
        waiting: u64::try_from(waiting).unwrap_or(u64::MAX),
    });
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
    use crate::authority::Act;
    use crate::authority::tests::bench::Bench;
    use crate::testing::Database;
    use crate::testing::registry::at;
    use dc_store::registry::{Access, Role, Sha256};

    #[tokio::test]
    async fn an_act_that_says_an_old_time_is_told_of_when_it_is_seen() {
        let database = Database::sqlite().await;
        let bench = Bench::empty(&database, "").await;
        let (metrics, mut told) = (Metrics::new(), BrokenGlassTold::default());
        let last = |expected: u64| {
            let line = format!("\ndc_break_glass_last_seconds {expected}\n");
            metrics.encode().contains(&line)
        };
        let now = bench.now;
        let looked = look_after(&bench.authority, &metrics, &mut told, now);
        looked.await.unwrap();
        assert!(last(0));
        let before = at(now.as_secs() - 90_000);
        let root = Act::new("root:uid=0,login=none", before).because("night".parse().ok());
        bench.store.break_glass(&root).await.unwrap();
        for later in [60, 120] {
            let looked = look_after(&bench.authority, &metrics, &mut told, bench.after(later));
            looked.await.unwrap();
            assert!(last(now.as_secs() + 60), "{}", metrics.encode());
        }
    }

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
