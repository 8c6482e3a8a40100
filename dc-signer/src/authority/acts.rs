//! Acts that no operator asks for, as the audit log names their actors.

use pki_types::UnixTime;

use dc_store::Act;

/// An act of a device: the record has the device's name beside it.
pub(super) fn by_device(now: UnixTime) -> Act {
    Act::new("device", now)
}

/// An act of the signer itself.
pub(crate) fn by_signer(now: UnixTime) -> Act {
    Act::new("signer", now)
}
