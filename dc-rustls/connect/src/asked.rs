//! The part of what was asked for that decides what to do when it fails.

/// The proofs that are accepted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trust {
    /// Also a plain certificate for the name, which the vendor's own server has for all of its devices.
    pub certificate: bool,
    /// Also a credential without a name, which every device of the vendor has for all names.
    pub unnamed: bool,
}

/// The part of what was asked for that decides what to do when it fails.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// To go to an address whatever the name's is.
    pub to: bool,
    /// Some application protocol.
    pub alpn: bool,
    /// The proofs that are accepted.
    pub trust: Trust,
}
