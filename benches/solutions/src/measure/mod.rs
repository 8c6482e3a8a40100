//! The measurements, the same for all solutions.

pub(crate) mod authority;
pub(crate) mod cost;
pub(crate) mod encounters;
pub(crate) mod interactions;
pub(crate) mod life;
pub(crate) mod names;
pub(crate) mod outage;
pub(crate) mod raw_key_peers;

use clap::ValueEnum;
use serde::Serialize;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Measure {
    /// Who is asked how often, in a virtual year
    Interactions,
    /// What an outage of 3 and of 30 days does
    Outages,
    /// What unmodified clients do: with the device, a twin, and a thief
    Clients,
    /// What a handshake costs, in bytes and processor time
    Cost,
    /// What names say, and where they can be read
    Names,
    /// What a CA of today answers
    Authority,
    /// How rustls and GnuTLS get along with raw public keys
    RawKeyPeers,
}
