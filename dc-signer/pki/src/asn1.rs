//! Parts of DER that signatures cover or are made of, as signature verifiers want them.

use der::asn1::{AnyRef, BitStringRef};
use der::{Decode, Encode, Reader, SliceReader};

/// The DER of the first field of a SEQUENCE: what a signature in it covers.
pub fn first_of_sequence(der: &[u8]) -> der::Result<&[u8]> {
    let mut outer = SliceReader::new(der)?;
    outer.sequence(|fields| {
        let first = fields.tlv_bytes()?;
        fields.drain(fields.remaining_len())?;
        Ok(first)
    })
}

/// The contents of an AlgorithmIdentifier, as signature verifiers compare them.
pub fn contents(algorithm: &impl Encode) -> der::Result<Vec<u8>> {
    let der = algorithm.to_der()?;
    Ok(AnyRef::from_der(&der)?.value().to_vec())
}

/// Keys and signatures are whole octets in BIT STRINGs.
pub fn whole_bytes(bits: BitStringRef<'_>) -> der::Result<Vec<u8>> {
    bits.as_bytes()
        .map(<[u8]>::to_vec)
        .ok_or_else(|| der::Tag::BitString.value_error().into())
}
