//! `rustls::compress::{CertCompressor, CertDecompressor}`: the two views inside CompressedCertificate
//! (RFC 8879).
//!
//! The transcript covers the compressed message, so nothing else changes.

use std::sync::{Mutex, PoisonError};

use rustls::CertificateCompressionAlgorithm;
use rustls::compress::{
    CertCompressor, CertDecompressor, CompressionFailed, CompressionLevel, DecompressionFailed,
};

use crate::handover;
use crate::refusal::Refusal;
use crate::view::certificate::UnpackError;
use crate::view::from_client::certificate_body_from_client;
use crate::view::stream::{certificate_body_to_rustls, certificate_body_to_wire};
use crate::view::to_server::certificate_body_to_server;

/// A server's compressors, which are given its Certificate in the wire view.
pub(crate) fn compressors(
    base: &[&'static dyn CertCompressor],
) -> Vec<&'static dyn CertCompressor> {
    COMPRESSORS.wrapped(base)
}

/// A client's compressors, which are given its Certificate in the wire view.
pub(crate) fn client_compressors(
    base: &[&'static dyn CertCompressor],
) -> Vec<&'static dyn CertCompressor> {
    CLIENT_COMPRESSORS.wrapped(base)
}

/// A client's decompressors, whose output is in the rustls view.
pub(crate) fn decompressors(
    base: &[&'static dyn CertDecompressor],
) -> Vec<&'static dyn CertDecompressor> {
    DECOMPRESSORS.wrapped(base)
}

/// A server's decompressors of what clients send, whose output is in the rustls view.
pub(crate) fn client_decompressors(
    base: &[&'static dyn CertDecompressor],
) -> Vec<&'static dyn CertDecompressor> {
    CLIENT_DECOMPRESSORS.wrapped(base)
}

/// True if both are of the same algorithms, in the same order.
pub(crate) fn is_same_compression(
    one: &[&'static dyn CertCompressor],
    other: &[&'static dyn CertCompressor],
) -> bool {
    let algorithms = |list: &[&'static dyn CertCompressor]| -> Vec<_> {
        list.iter().map(|it| it.algorithm()).collect()
    };
    algorithms(one) == algorithms(other)
}

/// The same of decompressors.
pub(crate) fn is_same_decompression(
    one: &[&'static dyn CertDecompressor],
    other: &[&'static dyn CertDecompressor],
) -> bool {
    let algorithms = |list: &[&'static dyn CertDecompressor]| -> Vec<_> {
        list.iter().map(|it| it.algorithm()).collect()
    };
    algorithms(one) == algorithms(other)
}

/// Maps a body before it is compressed.
type ToWire = fn(&mut [u8]);

#[derive(Debug)]
struct Compressor {
    base: &'static dyn CertCompressor,
    to_wire: ToWire,
}

impl CertCompressor for Compressor {
    fn compress(
        &self,
        mut input: Vec<u8>,
        level: CompressionLevel,
    ) -> Result<Vec<u8>, CompressionFailed> {
        (self.to_wire)(&mut input);
        self.base.compress(input, level)
    }

    fn algorithm(&self) -> CertificateCompressionAlgorithm {
        self.base.algorithm()
    }
}

/// Maps a body that was decompressed.
type ToRustls = fn(&mut [u8]) -> Result<(), UnpackError>;

#[derive(Debug)]
struct Decompressor {
    base: &'static dyn CertDecompressor,
    to_rustls: ToRustls,
}

impl CertDecompressor for Decompressor {
    fn decompress(&self, input: &[u8], output: &mut [u8]) -> Result<(), DecompressionFailed> {
        self.base.decompress(input, output)?;
        (self.to_rustls)(output).map_err(|error| {
            // rustls has an alert of its own for what cannot be decompressed.
            handover::leave_alert(Refusal::from(error).alert());
            DecompressionFailed
        })
    }

    fn algorithm(&self) -> CertificateCompressionAlgorithm {
        self.base.algorithm()
    }
}

/// Algorithms and their wrapped forms: rustls wants both `&'static`, so each is made once. There are as
/// many as the application has, not as configurations or connections.
struct Table<T: ?Sized + 'static> {
    known: Mutex<Vec<(&'static T, &'static T)>>,
    algorithm: fn(&T) -> CertificateCompressionAlgorithm,
    wrap: fn(&'static T) -> &'static T,
}

impl<T: ?Sized> Table<T> {
    fn wrapped(&self, base: &[&'static T]) -> Vec<&'static T> {
        let mut table = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut find = |&base: &&'static T| {
            // Two without any data may have one address.
            let is_it = |(known, _): &&(&'static T, _)| {
                std::ptr::addr_eq(*known, base) && (self.algorithm)(known) == (self.algorithm)(base)
            };
            if let Some((_, wrapped)) = table.iter().find(is_it) {
                return *wrapped;
            }
            let wrapped = (self.wrap)(base);
            table.push((base, wrapped));
            wrapped
        };
        base.iter().map(&mut find).collect()
    }
}

impl Table<dyn CertCompressor> {
    const fn compressors(
        wrap: fn(&'static dyn CertCompressor) -> &'static dyn CertCompressor,
    ) -> Self {
        Self {
            known: Mutex::new(Vec::new()),
            algorithm: |compressor| compressor.algorithm(),
            wrap,
        }
    }
}

impl Table<dyn CertDecompressor> {
    const fn decompressors(
        wrap: fn(&'static dyn CertDecompressor) -> &'static dyn CertDecompressor,
    ) -> Self {
        Self {
            known: Mutex::new(Vec::new()),
            algorithm: |decompressor| decompressor.algorithm(),
            wrap,
        }
    }
}

fn compressor(base: &'static dyn CertCompressor, to_wire: ToWire) -> &'static dyn CertCompressor {
    Box::leak(Box::new(Compressor { base, to_wire }))
}

fn decompressor(
    base: &'static dyn CertDecompressor,
    to_rustls: ToRustls,
) -> &'static dyn CertDecompressor {
    Box::leak(Box::new(Decompressor { base, to_rustls }))
}

static COMPRESSORS: Table<dyn CertCompressor> =
    Table::<dyn CertCompressor>::compressors(|base| compressor(base, certificate_body_to_wire));
static CLIENT_COMPRESSORS: Table<dyn CertCompressor> =
    Table::<dyn CertCompressor>::compressors(|base| compressor(base, certificate_body_to_server));
static DECOMPRESSORS: Table<dyn CertDecompressor> =
    Table::<dyn CertDecompressor>::decompressors(|base| {
        decompressor(base, certificate_body_to_rustls)
    });
static CLIENT_DECOMPRESSORS: Table<dyn CertDecompressor> =
    Table::<dyn CertDecompressor>::decompressors(|base| {
        // What TLS does not allow is in the entries, for the verifier to refuse.
        decompressor(base, |body| {
            certificate_body_from_client(body);
            Ok(())
        })
    });

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

    impl CertCompressor for Identity {
        fn compress(
            &self,
            input: Vec<u8>,
            _: CompressionLevel,
        ) -> Result<Vec<u8>, CompressionFailed> {
            Ok(input)
        }

        fn algorithm(&self) -> CertificateCompressionAlgorithm {
            CertificateCompressionAlgorithm::Zlib
        }
    }

    /// An empty context, one entry: the certificate `c` and a credential with a two-byte key.
    const WIRE: &[u8] = b"\0\0\0\x1c\0\0\x01c\0\x16\
        \0\x22\0\x12\0\0\0\x01\x08\x07\0\0\x04\x30\x02kk\x08\x07\0\x01s";
    const RUSTLS: &[u8] = b"\0\0\0\x1c\0\0\x01c\0\x16\
        \0\x05\0\x12\x01\0\0\x0e\x22\0\0\0\x01\x08\x07\x30\x02kk\x08\x07s";

    #[test]
    fn what_is_decompressed_is_in_the_rustls_view() {
        let mut output = vec![0; WIRE.len()];
        decompressors(&[&Identity])[0]
            .decompress(WIRE, &mut output)
            .unwrap();
        assert_eq!(output, RUSTLS);
    }

    #[test]
    fn what_is_compressed_is_in_the_wire_view() {
        let output = compressors(&[&Identity])[0]
            .compress(RUSTLS.to_vec(), CompressionLevel::Interactive)
            .unwrap();
        assert_eq!(output, WIRE);
    }

    #[test]
    fn each_is_wrapped_once() {
        let [a, b] = [(); 2].map(|()| decompressors(&[&Identity])[0]);
        assert!(std::ptr::addr_eq(a, b));
    }
}
