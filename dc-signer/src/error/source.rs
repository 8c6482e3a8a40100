//! What is behind each error.

use super::Error;

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            #[cfg(feature = "agent")]
            Self::Agent { source } => Some(source),
            #[cfg(feature = "agent")]
            Self::TlsSetup { source } => Some(source),
            #[cfg(any(feature = "agent", feature = "service"))]
            Self::Signals { source } => Some(source),
            Self::BadCertificate { source, .. }
            | Self::BadCredential { source, .. }
            | Self::BadDeviceKey { source, .. }
            | Self::BadName { source, .. }
            | Self::Refused { source } => Some(source),
            Self::BadCsr { source, .. } => Some(source),
            Self::BadPem { source, .. } => Some(source),
            Self::Output { source } | Self::Read { source, .. } | Self::Write { source, .. } => {
                Some(source)
            }
            #[cfg(feature = "tools")]
            Self::NoHandshake { source, .. } => Some(source),
            #[cfg(feature = "tools")]
            Self::ProbeNotMade { source } => Some(source),
            #[cfg(feature = "tools")]
            Self::Unreachable { source, .. } => Some(source),
            #[cfg(feature = "demo")]
            Self::Demo { source, .. } => Some(&**source),
            #[cfg(feature = "demo")]
            Self::DemoFailed { .. } => None,
            #[cfg(feature = "service")]
            Self::Config { source } => Some(source),
            #[cfg(feature = "service")]
            Self::NoBackup { .. }
            | Self::NoDevices { .. }
            | Self::NotConfirmed { .. }
            | Self::SomeRefused { .. } => None,
            #[cfg(feature = "service")]
            Self::Owner { source } => Some(source),
            #[cfg(feature = "service")]
            Self::Server { source } => Some(source),
            #[cfg(feature = "service")]
            Self::Runtime { source } => Some(source),
            #[cfg(feature = "service")]
            Self::Desk { source } => Some(source),
            #[cfg(feature = "service")]
            Self::NotDone { source } => Some(&**source),
            #[cfg(feature = "service")]
            Self::Store { source } => Some(source),
            Self::BadRoot { source, .. } | Self::Sign { source } => Some(source),
            Self::RequestNotMade { source } | Self::TestCertificate { source } => Some(source),
            Self::BadCsrSignature { .. }
            | Self::ClockBefore1970
            | Self::DelegationKeyOnDevice { .. }
            | Self::ChainOrder { .. }
            | Self::EncryptedKey { .. }
            | Self::Exists { .. }
            | Self::KeyMismatch { .. }
            | Self::LifetimeTooLong { .. }
            | Self::LostName { .. }
            | Self::MissingDelegation { .. }
            | Self::MissingPem { .. }
            | Self::MissingZone { .. }
            | Self::NameOutsideZone { .. }
            | Self::NameSpelling { .. }
            | Self::OtherKeyInFolder { .. }
            | Self::PrivateKeyGiven { .. }
            | Self::Randomness
            | Self::TooLarge { .. }
            | Self::UnfitCertificate(..)
            | Self::UnknownFile { .. }
            | Self::UnknownFolder { .. }
            | Self::UnsupportedCsrSignature { .. }
            | Self::UnsupportedKey { .. }
            | Self::WouldBeRefused { .. }
            | Self::ZoneTooLong { .. }
            | Self::ZoneTooShort { .. } => None,
        }
    }
}
