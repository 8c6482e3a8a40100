//! The database of a configuration, and what it says of the zones, the keys, the renewals and the log.

use crate::authority::{self, Authority, IssuingStatus, Missing, SameNodeWarning, Untold};
use crate::checkpoints;
use crate::config::Config;
use crate::renewal;
use dc_pki::clock;
use dc_pki::time::Moment;
use dc_store::registry::Action;
use dc_store::{Ahead, Store};
use pki_types::UnixTime;

pub(super) async fn look(config: &Config) -> Result<Looked, authority::Error> {
    let store = dc_store::open(&config.database, &config.node).await?;
    let looked = async {
        belongs_here(config, &store).await?;
        let looked = Authority::look(config, &store).await?;
        let renewals = renewal::Status::all(config, &store, &[], clock::now()?).await?;
        let log = checkpoints::compare(config, &store).await.err();
        let log = log.map(|error| format!("{error}: see 'Audit mismatch' in docs/runbook.md"));
        let mut log: Vec<String> = log.into_iter().collect();
        let operators = store.wrong_operators().await?;
        log.extend(operators.iter().map(ToString::to_string));
        let policies = store.wrong_policies().await?;
        log.extend(policies.iter().map(|wrong| {
            format!("{wrong}; it counts for nothing: see 'Audit mismatch' in docs/runbook.md")
        }));
        let (ends, later) = ahead(&store, clock::now()?).await?;
        log.extend(ends);
        let replicas = store.replicas(clock::now()?).await?;
        let one_name = authority::of_one_name(&replicas);
        let there = store.zones().await?;
        let mut not_there = config.named_zones();
        not_there.retain(|named| !there.iter().any(|zone| named.is(&zone.zone)));
        let servers = store.servers().await?;
        let servers = servers.map(|servers| servers.warnings());
        let mut servers = servers.unwrap_or_default();
        if let Some(Err(why)) = store.replica().await {
            servers.push(format!(
                "database.read is not read from, but the primary: {why}"
            ));
        }
        servers.extend(not_there.iter().map(ToString::to_string));
        servers.extend(later);
        Ok((looked, renewals, log, one_name, servers))
    };
    let looked = looked.await;
    store.close().await;
    looked
}

/// The findings in the database: what could be issued, the keys that are missing, the signing processes that do not know of an end, how
/// far renewals are, why the audit log is not the one that was signed for or operators are not what it says, signers with one name, and
/// warnings about the database's servers and zones that the configuration names and that are not there.
pub(super) type Looked = (
    (IssuingStatus, Vec<Missing>, Vec<Untold>),
    Vec<renewal::Status>,
    Vec<String>,
    Vec<SameNodeWarning>,
    Vec<String>,
);

/// Checks that the database is the newest that was seen here, and that its secrets are here too.
async fn belongs_here(config: &Config, store: &Store) -> Result<(), authority::Error> {
    dc_store::check_newest(&config.data, store).await?;
    authority::look_at_secrets(config, store).await
}

/// Records whose time has not come: those that end a delegation certificate, which is not to be taken back when it has, and the others.
async fn ahead(
    store: &Store,
    now: UnixTime,
) -> Result<(Vec<String>, Vec<String>), authority::Error> {
    let found = store.records_ahead_of(now).await?;
    let is_end = |one: &Ahead| one.action == Action::EndDelegation;
    let (ends, later): (Vec<_>, Vec<_>) = found.into_iter().partition(is_end);
    let text = |one: Ahead| {
        let Ahead {
            record,
            time,
            action,
        } = one;
        let (time, now) = (Moment(time), Moment(now));
        format!(
            "record {record} of the audit log ({action}) has the time {time}, and by the clock here it is {now}: a signer's clock is or was ahead, or somebody has written it into the database; see 'Audit mismatch' in docs/runbook.md"
        )
    };
    Ok((
        ends.into_iter().map(text).collect(),
        later.into_iter().map(text).collect(),
    ))
}
