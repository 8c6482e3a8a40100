//! How operators show who they are: tokens, and certificates.

use std::path::Path;

use data_encoding::BASE32_NOPAD;
use pki_types::CertificateDer;
use ring::rand::{SystemRandom, generate};
use zeroize::Zeroizing;

use dc_pki::Error;
use dc_pki::{files, pem};

/// A bearer token: 256 random bits behind `dcs_`, by which scanners find one that got loose.
///
/// Fails with [`Error::Randomness`].
pub fn new_token() -> Result<Zeroizing<String>, Error> {
    let random: [u8; 32] = generate(&SystemRandom::new())
        .map_err(|_| Error::Randomness)?
        .expose();
    let random = Zeroizing::new(random);
    let text = Zeroizing::new(BASE32_NOPAD.encode(&*random));
    Ok(Zeroizing::new(format!("dcs_{}", text.to_ascii_lowercase())))
}

/// The certificates of a PEM file, at least one.
///
/// Fails with [`Error::Read`], [`Error::TooLarge`], [`Error::BadPem`] and [`Error::MissingPem`].
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    pem::certificates(path, &files::read(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_tokens_are_the_same_and_each_is_one_word() {
        let (one, two) = (new_token().unwrap(), new_token().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 4 + 52);
        assert!(
            one.starts_with("dcs_") && one.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        );
    }
}
