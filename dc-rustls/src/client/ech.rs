//! The modes of Encrypted ClientHello (RFC 9849).

use rustls::client::{EchConfig, EchGreaseConfig};
use rustls::crypto::hpke::Hpke;
use rustls::pki_types::EchConfigListBytes;

use super::hpke;
use crate::Error;

/// A way to use Encrypted ClientHello (RFC 9849), which hides the wanted name and the application protocols from
/// whoever watches the network.
///
/// The server's address stays visible, and so does the offer to take credentials: it is in the hello that everybody
/// sees too.
///
/// HPKE comes from outside of the provider: rustls has suites in `rustls::crypto::aws_lc_rs::hpke`, which also serve
/// a configuration with the provider of ring, and none of ring's own.
#[derive(Clone, Debug)]
pub struct EchMode(Mode);

#[derive(Clone, Debug)]
enum Mode {
    Enable {
        list: EchConfigListBytes<'static>,
        suites: Vec<&'static dyn Hpke>,
    },
    Grease(EchGreaseConfig),
}

impl EchMode {
    /// Encrypts for the first of these ECHConfigs that has one of these suites. The list is the `ech` parameter of
    /// the HTTPS record of the wanted name (RFC 9848), or what a server gave with [`Error::EchRejected`].
    ///
    /// Whoever gives a client a list of their own learns the names that it wants to reach, and can do no more: take
    /// it from DNS that is protected, such as over HTTPS.
    ///
    /// A server that rejects has to prove to be the ECHConfig's public name, by a certificate at least; if that is the
    /// wanted name, by what the policy asks for.
    ///
    /// Fails with [`Error::NoHpke`] if there are no suites, and with [`Error::Tls`] if the list is malformed or
    /// none of its configurations suits.
    pub fn enable(
        list: EchConfigListBytes<'_>,
        suites: &[&'static dyn Hpke],
    ) -> Result<Self, Error> {
        if suites.is_empty() {
            return Err(Error::NoHpke);
        }
        EchConfig::new(list.clone(), suites)?;
        Ok(Self(Mode::Enable {
            list: list.into_owned(),
            suites: suites.to_vec(),
        }))
    }

    /// Looks as if it did, where there is no ECHConfig (RFC 9849 §6.2): so clients that have one do not stand out.
    ///
    /// It is as long as with the longest name and without the offer of credentials, whose 8 to 32 bytes may make the real one 32
    /// bytes longer. Most servers that have Encrypted ClientHello use DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-128-GCM.
    ///
    /// Fails with [`Error::Tls`] if the suite makes no key.
    pub fn grease(suite: &'static dyn Hpke) -> Result<Self, Error> {
        let (placeholder, _) = suite.generate_key_pair()?;
        let config = EchGreaseConfig::new(suite, placeholder);
        Ok(Self(Mode::Grease(config)))
    }

    /// True if the wanted name is hidden.
    pub(super) fn hides(&self) -> bool {
        matches!(self.0, Mode::Enable { .. })
    }

    /// For connections that make this offer.
    pub(super) fn to_rustls(
        &self,
        offer: &'static [u8],
    ) -> Result<rustls::client::EchMode, rustls::Error> {
        match &self.0 {
            Mode::Enable { list, suites } => {
                let suites: Vec<_> = suites.iter().map(|&s| hpke::wrap(s, offer)).collect();
                Ok(EchConfig::new(list.clone(), &suites)?.into())
            }
            Mode::Grease(config) => Ok(config.clone().into()),
        }
    }
}
