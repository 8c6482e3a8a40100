//! The policy for unique names.

use dc_core::Form;

/// The policy for the peer's unique name: a client's protects it from an evil twin, another device of the
/// same vendor that poses as the wanted one; a server's makes it know which device its client is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum NamePolicy {
    /// Offers and accepts a credential for exactly the wanted name, or of a client with any name, and nothing else
    /// unless `or_certificate` is called too. For clients of home servers, and for servers of devices.
    ///
    /// Connecting to an IP address fails: nobody can prove to be one.
    #[default]
    Required,
    /// Offers both forms and accepts either, or a certificate.
    ///
    /// A server that wants to can leave the name out, so this is the security of RFC 9345: every
    /// holder of a credential can pose as every name of the delegation certificate.
    Preferred,
    /// Offers and accepts the form of RFC 9345 alone, or a certificate. No protection from an evil
    /// twin.
    Ignored,
}

impl NamePolicy {
    pub(crate) fn forms(self) -> &'static [Form] {
        match self {
            Self::Required => &[Form::Named],
            Self::Preferred => &[Form::Named, Form::Rfc9345],
            Self::Ignored => &[Form::Rfc9345],
        }
    }

    /// The forms for what can be nobody's unique name.
    pub(crate) fn forms_without_name(self) -> &'static [Form] {
        match self {
            Self::Required => &[],
            Self::Preferred | Self::Ignored => &[Form::Rfc9345],
        }
    }
}
