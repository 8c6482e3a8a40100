//! `DelegatedCredential` and `NamedDelegatedCredential`, from their octets.

use super::Reference;
use super::bytes::Bytes;
use super::rule::Rule;
use crate::fault::Fault;
use crate::format::Form;

/// A credential that could be decoded.
#[derive(Clone, Debug)]
pub(super) struct Credential<'a> {
    pub(super) form: Form,
    /// Seconds from the certificate's notBefore.
    pub(super) valid_time: u32,
    /// `dc_cert_verify_algorithm`.
    pub(super) scheme: u16,
    /// ASN1_subjectPublicKeyInfo.
    pub(super) spki: &'a [u8],
    pub(super) unique_name: Option<String>,
    /// `Credential` or `NamedCredential`, as it is encoded.
    pub(super) signed: &'a [u8],
    /// The same without `unique_name`.
    pub(super) before_name: &'a [u8],
    pub(super) algorithm: u16,
    pub(super) algorithm_octets: &'a [u8],
    pub(super) signature: &'a [u8],
}

impl Reference<'_> {
    /// Decodes the whole extension_data.
    pub(super) fn decode<'a>(&self, form: Form, data: &'a [u8]) -> Result<Credential<'a>, Fault> {
        let (mut credential, name) = self.fields(form, data).ok_or(Fault::Malformed)?;
        if let Some(name) = name {
            credential.unique_name = Some(self.unique_name(name)?);
        }
        Ok(credential)
    }

    /// The fields, and the octets of the name.
    fn fields<'a>(&self, form: Form, data: &'a [u8]) -> Option<(Credential<'a>, Option<&'a [u8]>)> {
        let mut bytes = Bytes(data);
        let valid_time = self.valid_time(bytes.take(4)?);
        let scheme = bytes.u16()?;
        let spki = self.bounded(Rule::KeyNotEmpty, self.spki(&mut bytes)?)?;
        let before_name = data.get(..data.len() - bytes.0.len())?;
        let name = match form {
            Form::Rfc9345 => None,
            Form::Named => Some(self.bounded(Rule::NameNotEmpty, bytes.vector(1)?)?),
        };
        let signed = data.get(..data.len() - bytes.0.len())?;
        let algorithm_octets = bytes.take(2)?;
        let algorithm = Bytes(algorithm_octets).u16()?;
        let signature = self.bounded(Rule::SignatureNotEmpty, self.signature(&mut bytes)?)?;
        if !bytes.is_empty() && self.keeps(Rule::NothingAfterTheStructure) {
            return None;
        }
        let credential = Credential {
            form,
            valid_time,
            scheme,
            spki,
            unique_name: None,
            signed,
            before_name,
            algorithm,
            algorithm_octets,
            signature,
        };
        Some((credential, name))
    }

    fn valid_time(&self, octets: &[u8]) -> u32 {
        let octets = octets.try_into().unwrap_or_default();
        match self.keeps(Rule::MostSignificantOctetFirst) {
            true => u32::from_be_bytes(octets),
            false => u32::from_le_bytes(octets),
        }
    }

    /// A vector with a length of three octets.
    fn spki<'a>(&self, bytes: &mut Bytes<'a>) -> Option<&'a [u8]> {
        if self.keeps(Rule::KeyLengthHasThreeOctets) {
            return bytes.vector(3);
        }
        bytes.take(1)?;
        bytes.vector(2)
    }

    fn signature<'a>(&self, bytes: &mut Bytes<'a>) -> Option<&'a [u8]> {
        let mut copy = *bytes;
        if let Some(signature) = bytes.vector(2) {
            return Some(signature);
        }
        if self.keeps(Rule::VectorsAreWhole) {
            return None;
        }
        copy.u16()?;
        *bytes = Bytes(&[]);
        Some(copy.0)
    }

    /// A vector of at least one octet.
    fn bounded<'a>(&self, rule: Rule, vector: &'a [u8]) -> Option<&'a [u8]> {
        (!vector.is_empty() || !self.keeps(rule)).then_some(vector)
    }
}
