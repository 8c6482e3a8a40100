//! The domain: devices, zones, activation codes, operators and the audit log. Pure: no database, no
//! clock, no network.

mod change;
mod code;
mod device;
mod error;
mod hold;
mod ids;
mod label;
mod operator;
mod record;
mod shown;
mod zone;

pub use change::{Change, Changed, NameChange, Replacement};
pub use code::{ActivationCode, CodeId, CodeKey, CodeRefusal, CodeUse, PendingCode};
pub use dc_pki::Sha256;
pub use device::{Device, Held, KeyUse, Manufactured, NextKey, State};
pub use error::{Error, NoRandomness};
pub(crate) use hold::after;
pub use hold::{AHEAD, Hold};
pub use ids::{DeviceId, ExternalId};
pub use label::{NameInput, NameKey};
pub use operator::{Access, Operator, OperatorName, Role};
pub use record::{Action, Entry, Head, Record};
pub use shown::Shown;
pub use zone::{Forms, Slot, SlotState, Zone};
