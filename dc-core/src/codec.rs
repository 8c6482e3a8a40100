//! Bounded reading and writing of the vectors of the TLS presentation language (RFC 8446 §3.4).

use bytes::{Buf, BufMut};

use crate::error::{Error, Field};

/// A cursor over the bytes of one structure; every read names the field it is for.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn u16(&mut self, field: Field) -> Result<u16, Error> {
        self.rest.try_get_u16().map_err(|e| truncated(field, &e))
    }

    pub(crate) fn u32(&mut self, field: Field) -> Result<u32, Error> {
        self.rest.try_get_u32().map_err(|e| truncated(field, &e))
    }

    pub(crate) fn u64(&mut self, field: Field) -> Result<u64, Error> {
        self.rest.try_get_u64().map_err(|e| truncated(field, &e))
    }

    /// Reads `opaque field<min..2^bits-1>`, where the vector says how wide its length is.
    pub(crate) fn vector(&mut self, vector: Vector) -> Result<&'a [u8], Error> {
        let Vector { field, width, .. } = vector;
        let length = self
            .rest
            .try_get_uint(width)
            .map_err(|e| truncated(field, &e))?;
        // A u24 fits every `usize` this crate can be built for; were it not to, the vector would
        // be longer than any input.
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        vector.check(length)?;
        self.take(length, field)
    }

    /// Reads as many bytes of `field`.
    pub(crate) fn take(&mut self, length: usize, field: Field) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Error::Truncated {
            field,
            needed: length,
            available: self.rest.len(),
        })?;
        self.rest = rest;
        Ok(taken)
    }

    /// Refuses whatever is left, which belongs to `field` and has no meaning there.
    pub(crate) fn expect_empty(self, field: Field) -> Result<(), Error> {
        match self.rest.len() {
            0 => Ok(()),
            bytes => Err(Error::TrailingData { field, bytes }),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The rest, which has not been read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

fn truncated(field: Field, error: &bytes::TryGetError) -> Error {
    Error::Truncated {
        field,
        needed: error.requested,
        available: error.available,
    }
}

/// The definition of one variable-length vector: `opaque field<min..max>`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vector {
    field: Field,
    width: usize,
    min: usize,
    max: usize,
}

impl Vector {
    /// `ASN1_subjectPublicKeyInfo<1..2^24-1>` (RFC 9345 §4).
    pub(crate) const SPKI: Self = Self::new(Field::SubjectPublicKeyInfo, 3, 1, 0xff_ffff);
    /// `unique_name<1..255>`.
    pub(crate) const UNIQUE_NAME: Self = Self::new(Field::UniqueName, 1, 1, 0xff);
    /// `signature<1..2^16-1>`: no signature scheme has an empty signature.
    pub(crate) const SIGNATURE: Self = Self::new(Field::Signature, 2, 1, 0xffff);
    /// `supported_signature_algorithms<2..2^16-2>` (RFC 8446 §4.2.3).
    pub(crate) const SCHEME_LIST: Self = Self::new(Field::SchemeList, 2, 2, 0xfffe);
    /// `next_keys<0..2^16-1>` of a list of withdrawn names.
    pub(crate) const LIST_KEYS: Self = Self::new(Field::ListKeys, 2, 0, 0xffff);
    /// `signatures<96..2^16-1>` behind a list of withdrawn names.
    pub(crate) const LIST_SIGNATURES: Self = Self::new(Field::ListSignatures, 2, 96, 0xffff);

    const fn new(field: Field, width: usize, min: usize, max: usize) -> Self {
        Self {
            field,
            width,
            min,
            max,
        }
    }

    /// Writes the length and then `body`; nothing is written when `body` has a forbidden length.
    pub(crate) fn write(self, body: &[u8], out: &mut impl BufMut) -> Result<(), Error> {
        self.check(body.len())?;
        // `check` bounds the length by `max`, which fits `width` bytes.
        let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
        out.put_uint(length, self.width);
        out.put_slice(body);
        Ok(())
    }

    fn check(self, length: usize) -> Result<(), Error> {
        let Self {
            field, min, max, ..
        } = self;
        if (min..=max).contains(&length) {
            return Ok(());
        }
        Err(Error::LengthOutOfRange {
            field,
            length,
            min,
            max,
        })
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    const VECTORS: [Vector; 4] = [
        Vector::SPKI,
        Vector::UNIQUE_NAME,
        Vector::SIGNATURE,
        Vector::SCHEME_LIST,
    ];

    #[test]
    fn refuses_a_length_below_the_minimum() {
        for vector in VECTORS {
            let input = [0; 3];
            let error = Reader::new(&input[..vector.width])
                .vector(vector)
                .unwrap_err();
            assert!(
                matches!(error, Error::LengthOutOfRange { length: 0, .. }),
                "{error}"
            );
        }
    }

    #[test]
    fn refuses_a_length_above_the_maximum() {
        let error = Reader::new(&[0xff; 2])
            .vector(Vector::SCHEME_LIST)
            .unwrap_err();
        assert_eq!(
            error,
            Error::LengthOutOfRange {
                field: Field::SchemeList,
                length: 0xffff,
                min: 2,
                max: 0xfffe
            }
        );
    }

    #[test]
    fn a_huge_length_on_a_short_buffer_is_truncation() {
        let error = Reader::new(&[0xff, 0xff, 0xff, 0x30])
            .vector(Vector::SPKI)
            .unwrap_err();
        assert_eq!(
            error,
            Error::Truncated {
                field: Field::SubjectPublicKeyInfo,
                needed: 0xff_ffff,
                available: 1
            }
        );
    }

    #[test]
    fn writes_nothing_when_the_body_does_not_fit() {
        let mut out = Vec::new();
        assert!(Vector::UNIQUE_NAME.write(&[b'a'; 256], &mut out).is_err());
        assert!(out.is_empty());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(body in proptest::collection::vec(any::<u8>(), 2..=255)) {
            for vector in VECTORS {
                let mut out = Vec::new();
                vector.write(&body, &mut out).unwrap();
                let mut reader = Reader::new(&out);
                prop_assert_eq!(reader.vector(vector).unwrap(), &body[..]);
                prop_assert!(reader.is_empty());
            }
        }

        #[test]
        fn reading_never_panics(input: Vec<u8>) {
            for vector in VECTORS {
                let _ = Reader::new(&input).vector(vector);
            }
        }
    }
}
