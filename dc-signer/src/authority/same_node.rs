//! Two signers with one name: the audit log cannot tell them apart, and an error that names one sends people to the wrong machine.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use pki_types::UnixTime;

use super::{Authority, Error};
use dc_pki::text::Hex;
use dc_store::Replica;

/// Several signers of a database that have one name (`node`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SameNodeWarning {
    /// The name.
    pub node: String,
    /// The ids of their processes, which each says in its log when it starts.
    pub ids: Vec<String>,
}

impl fmt::Display for SameNodeWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, ids } = self;
        let (count, ids) = (ids.len(), ids.join(", "));
        write!(
            f,
            "{count} signers of this database call themselves {node} (ids {ids}): give each a name of its own ('node' in its configuration) and restart it, or nobody can tell which of them did something; one that was killed counts for 3 minutes more"
        )
    }
}

/// When others of this signer's name were first heard of: one that was killed says nothing more, and is no second one.
#[derive(Debug, Default)]
pub(super) struct Heard(Mutex<BTreeMap<[u8; 16], UnixTime>>);

impl Authority {
    /// How this process is called among signers with one name.
    #[must_use]
    pub fn id(&self) -> String {
        brief(&self.me.0)
    }

    /// The others that have this signer's name and go on working; to be asked once a minute.
    ///
    /// Fails with [`Error::Store`].
    pub async fn same_node(&self, now: UnixTime) -> Result<Option<SameNodeWarning>, Error> {
        let replicas = self.store.replicas(now).await?;
        let me = self.me.0;
        let Some(mine) = replicas.iter().find(|replica| replica.id == me) else {
            return Ok(None);
        };
        let mut heard = self.heard.0.lock().unwrap_or_else(PoisonError::into_inner);
        let others = replicas.iter().filter(|other| is_like(other, mine));
        let mut ids = vec![brief(&me)];
        for other in others {
            let first = *heard.entry(other.id).or_insert(other.seen);
            if other.seen > first {
                ids.push(brief(&other.id));
            }
        }
        Ok((ids.len() > 1).then(|| SameNodeWarning {
            node: mine.node.clone(),
            ids,
        }))
    }
}

/// The names that several signers have which have reported lately.
#[must_use]
pub fn of_one_name(replicas: &[Replica]) -> Vec<SameNodeWarning> {
    let mut names: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for replica in replicas.iter().filter(|replica| replica.live) {
        let ids = names.entry(&replica.node).or_default();
        ids.push(brief(&replica.id));
    }
    names
        .into_iter()
        .filter(|(_, ids)| ids.len() > 1)
        .map(|(node, ids)| SameNodeWarning {
            node: node.to_owned(),
            ids,
        })
        .collect()
}

/// The name of a signer, with its id if another one among these has that name.
pub(super) fn called(replica: &Replica, all: &[Replica]) -> String {
    match all.iter().any(|other| is_like(other, replica)) {
        true => format!("{} (id {})", replica.node, brief(&replica.id)),
        false => replica.node.clone(),
    }
}

fn is_like(other: &Replica, one: &Replica) -> bool {
    other.live && other.node == one.node && other.id != one.id
}

/// Enough to tell a few apart.
fn brief(id: &[u8; 16]) -> String {
    Hex(id).to_string().chars().take(8).collect()
}
