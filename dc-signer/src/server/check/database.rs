//! The database of a configuration, and what it says of the zones, the keys, the renewals and the log.

use crate::authority::{self, Authority, IssuingStatus, Missing, SameNodeWarning, Untold};
use crate::checkpoints;
use crate::config::Config;
use crate::renewal;
use dc_pki::clock;
use dc_store::Store;

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
