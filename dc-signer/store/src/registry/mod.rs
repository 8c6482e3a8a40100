//! The domain: devices, zones, activation codes, operators and the audit log. Pure: no database, no
//! clock, no network.

mod approval;
mod archive;
mod change;
mod clones;
mod code;
mod device;
mod error;
mod fields;
mod hold;
mod ids;
mod label;
mod mismatch;
mod one_name;
mod operator;
mod place;
mod reason;
mod record;
mod retold;
mod shared;
mod state;
mod zone;

pub use approval::{Approval, ApprovalState};
pub use archive::Archive;
pub use change::{Change, Changed, Replacement};
pub use code::{ActivationCode, CodeError, CodeId, CodeKey, CodeUse, PendingCode};
pub use dc_pki::Sha256;
pub use device::{Device, Held, KeyUse, Manufactured, NextKey, Shown};
pub use error::Error;
pub(crate) use hold::after;
pub use hold::{AHEAD, Hold};
pub use ids::{DeviceId, ExternalId};
pub use label::{NameInput, NameKey};
pub use mismatch::Mismatch;
pub use one_name::NameChange;
pub(crate) use operator::keeps_an_admin;
pub use operator::{Access, BrokenGlass, Operator, OperatorName, Previous, Role, Standing};
pub use place::Place;
pub use reason::Reason;
pub(crate) use record::DeviceChange;
pub use record::{Action, Entry, Head, Record};
pub(crate) use retold::{Given, Retold};
pub use shared::{Purpose, SharedDelegation, SharedSecret};
pub use state::{DelegationState, State};
pub use zone::{BothForms, Zone, ZoneDelegation};
