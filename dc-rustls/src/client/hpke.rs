//! `rustls::crypto::hpke::Hpke`: a suite whose sealer puts our extensions into the hellos that it seals.

use std::sync::{Mutex, PoisonError};

use rustls::crypto::hpke::{
    EncapsulatedSecret, Hpke, HpkeOpener, HpkePrivateKey, HpkePublicKey, HpkeSealer, HpkeSuite,
};
use rustls::{EncryptedClientHelloError, Error};

use crate::view::ech::{Sealable, maximum_name_length, sealable_to_wire};

/// The same suite, for Encrypted ClientHello of clients that make this offer.
///
/// rustls wants it `&'static`: there is one for each suite and offer.
pub(super) fn wrap(inner: &'static dyn Hpke, offer: &'static [u8]) -> &'static dyn Hpke {
    let mut suites = SUITES.lock().unwrap_or_else(PoisonError::into_inner);
    let known = suites.iter().copied().find(|known| {
        // Two suites without any data may have the same address.
        std::ptr::addr_eq(known.inner, inner)
            && known.inner.suite() == inner.suite()
            && known.offer == offer
    });
    known.unwrap_or_else(|| {
        let suite: &'static _ = Box::leak(Box::new(OfferingSuite { inner, offer }));
        suites.push(suite);
        suite
    })
}

#[derive(Debug)]
struct OfferingSuite {
    inner: &'static dyn Hpke,
    offer: &'static [u8],
}

impl Hpke for OfferingSuite {
    fn seal(
        &self,
        info: &[u8],
        aad: &[u8],
        plaintext: &[u8],
        pub_key: &HpkePublicKey,
    ) -> Result<(EncapsulatedSecret, Vec<u8>), Error> {
        let (secret, mut sealer) = self.setup_sealer(info, pub_key)?;
        Ok((secret, sealer.seal(aad, plaintext)?))
    }

    fn setup_sealer(
        &self,
        info: &[u8],
        pub_key: &HpkePublicKey,
    ) -> Result<(EncapsulatedSecret, Box<dyn HpkeSealer>), Error> {
        let maximum_name_length =
            maximum_name_length(info).ok_or(EncryptedClientHelloError::InvalidConfigList)?;
        let (secret, inner) = self.inner.setup_sealer(info, pub_key)?;
        let sealer = OfferingSealer {
            inner,
            offer: self.offer,
            maximum_name_length,
        };
        Ok((secret, Box::new(sealer)))
    }

    fn open(
        &self,
        enc: &EncapsulatedSecret,
        info: &[u8],
        aad: &[u8],
        ciphertext: &[u8],
        secret_key: &HpkePrivateKey,
    ) -> Result<Vec<u8>, Error> {
        self.inner.open(enc, info, aad, ciphertext, secret_key)
    }

    fn setup_opener(
        &self,
        enc: &EncapsulatedSecret,
        info: &[u8],
        secret_key: &HpkePrivateKey,
    ) -> Result<Box<dyn HpkeOpener>, Error> {
        self.inner.setup_opener(enc, info, secret_key)
    }

    fn generate_key_pair(&self) -> Result<(HpkePublicKey, HpkePrivateKey), Error> {
        self.inner.generate_key_pair()
    }

    fn fips(&self) -> bool {
        self.inner.fips()
    }

    fn suite(&self) -> HpkeSuite {
        self.inner.suite()
    }
}

#[derive(Debug)]
struct OfferingSealer {
    inner: Box<dyn HpkeSealer>,
    offer: &'static [u8],
    maximum_name_length: u8,
}

impl HpkeSealer for OfferingSealer {
    /// `aad` is the outer hello, `plaintext` the inner one with its padding.
    ///
    /// rustls gives the extension in the outer hello the length of what this returns. Fails with
    /// [`Error::EncryptError`], and no hello is sent, if the hellos are not what rustls makes.
    fn seal(&mut self, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        let rustls = Sealable {
            additional: aad.to_vec(),
            plaintext: plaintext.to_vec(),
        };
        let wire = sealable_to_wire(&rustls, self.offer, self.maximum_name_length)
            .ok_or(Error::EncryptError)?;
        self.inner.seal(&wire.additional, &wire.plaintext)
    }
}

static SUITES: Mutex<Vec<&'static OfferingSuite>> = Mutex::new(Vec::new());
