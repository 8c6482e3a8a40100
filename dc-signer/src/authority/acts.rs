//! Acts that no operator asks for, as the audit log names their actors.

use pki_types::UnixTime;

use dc_store::Act;

/// An act of a device: the record has the device's name beside it.
pub(super) fn by_device(now: UnixTime) -> Act {
    Act {
        actor: "device".to_owned(),
        at: now,
    }
}

/// An act of the signer itself.
pub(crate) fn by_signer(now: UnixTime) -> Act {
    Act {
        actor: "signer".to_owned(),
        at: now,
    }
}
