//! `rustls::compress::CertDecompressor`: Certificate from wire to rustls, inside CompressedCertificate
//! (RFC 8879).

use std::sync::{Mutex, PoisonError};

use rustls::CertificateCompressionAlgorithm;
use rustls::compress::{CertDecompressor, DecompressionFailed};

use crate::view::stream::certificate_body_to_rustls;

/// The same decompressors, whose output is in the rustls view.
///
/// The transcript covers the compressed message, so nothing else changes.
pub(crate) fn wrap(inner: &[&'static dyn CertDecompressor]) -> Vec<&'static dyn CertDecompressor> {
    let mut known = WRAPPED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut wrapped = |&inner: &&'static dyn CertDecompressor| {
        let same = |other: &&Decompressor| {
            std::ptr::addr_eq(other.0, inner) && other.algorithm() == inner.algorithm()
        };
        known.iter().copied().find(same).unwrap_or_else(|| {
            let new: &'static _ = Box::leak(Box::new(Decompressor(inner)));
            known.push(new);
            new
        })
    };
    inner
        .iter()
        .map(|inner| wrapped(inner) as &'static dyn CertDecompressor)
        .collect()
}

#[derive(Debug)]
struct Decompressor(&'static dyn CertDecompressor);

impl CertDecompressor for Decompressor {
    fn decompress(&self, input: &[u8], output: &mut [u8]) -> Result<(), DecompressionFailed> {
        self.0.decompress(input, output)?;
        certificate_body_to_rustls(output);
        Ok(())
    }

    fn algorithm(&self) -> CertificateCompressionAlgorithm {
        self.0.algorithm()
    }
}

/// rustls wants them `&'static`; there are as many as the application has, not as connections.
static WRAPPED: Mutex<Vec<&'static Decompressor>> = Mutex::new(Vec::new());

#[cfg(test)]
mod tests {
    use super::*;

    /// Copies: what is tested is what happens behind it.
    #[derive(Debug)]
    struct Identity;

    impl CertDecompressor for Identity {
        fn decompress(&self, input: &[u8], output: &mut [u8]) -> Result<(), DecompressionFailed> {
            output.copy_from_slice(input);
            Ok(())
        }

        fn algorithm(&self) -> CertificateCompressionAlgorithm {
            CertificateCompressionAlgorithm::Zlib
        }
    }

    #[test]
    fn maps_what_the_inner_one_wrote() {
        // An empty context, one entry: the certificate `c` and a credential with a two-byte key.
        let block = b"\0\x22\0\x12\0\0\0\x01\x08\x07\0\0\x04\x30\x02kk\x08\x07\0\x01s";
        let mut wire = b"\0\0\0\x1c\0\0\x01c\0\x16".to_vec();
        wire.extend(block);
        let mut rustls = vec![0; wire.len()];
        let [decompressor] = wrap(&[&Identity])[..] else {
            panic!("one in, one out");
        };
        decompressor.decompress(&wire, &mut rustls).unwrap();
        assert_eq!(
            rustls[10..],
            *b"\0\x05\0\x12\x01\0\0\x0e\x22\0\0\0\x01\x08\x07\x30\x02kk\x08\x07s"
        );
    }

    #[test]
    fn wraps_once() {
        let [a] = wrap(&[&Identity])[..] else {
            panic!("one in, one out");
        };
        let [b] = wrap(&[&Identity])[..] else {
            panic!("one in, one out");
        };
        assert!(std::ptr::addr_eq(a, b));
    }
}
