//! What somebody asks to have signed: a CSR (PKCS #10, RFC 2986), read once for CAs and for owners of names.

use der::asn1::ObjectIdentifier;
use der::{Decode as _, Encode as _};
use pki_types::CertificateSigningRequestDer;
use rcgen::{
    CertificateSigningRequestParams, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, PublicKey, PublicKeyData as _, SanType,
};
use x509_cert::request::CertReq;

use super::problem::Problem;

/// A CSR that is signed with its own key.
#[derive(Debug)]
pub(crate) struct Csr {
    der: Vec<u8>,
    params: CertificateSigningRequestParams,
    names: Vec<String>,
    key_kind: KeyKind,
}

/// What a key is and how it signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyKind {
    pub(crate) algorithm: ObjectIdentifier,
    /// Of a key on an elliptic curve.
    pub(crate) curve: Option<ObjectIdentifier>,
    pub(crate) signature: ObjectIdentifier,
}

impl Csr {
    /// Fails if the signature is wrong, or if it has something that nobody here could judge.
    pub(crate) fn read(der: &[u8]) -> Result<Self, Problem> {
        let params =
            CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(der))
                .map_err(bad)?;
        let request = CertReq::from_der(der).map_err(bad)?;
        let spki = &request.info.public_key;
        // Its reader takes the curve from the signature's algorithm; the key's own may be another.
        if params.public_key.subject_public_key_info() != spki.to_der().map_err(bad)? {
            return Err(bad(
                "the key does not fit to the algorithm of the signature",
            ));
        }
        let mut attributes = request.info.attributes.iter();
        if !attributes.all(|attribute| attribute.oid == EXTENSION_REQUEST) {
            return Err(bad("it has an attribute beside its extensions"));
        }
        let names = { params.params.subject_alt_names.iter() }
            .map(|name| match name {
                SanType::DnsName(name) => Ok(name.as_str().to_owned()),
                _ => Err(bad("only DNS names are signed here")),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            der: der.to_vec(),
            key_kind: KeyKind {
                algorithm: spki.algorithm.oid,
                curve: { spki.algorithm.parameters.as_ref() }
                    .and_then(|parameters| parameters.decode_as().ok()),
                signature: request.algorithm.oid,
            },
            names,
            params,
        })
    }

    /// Fails unless these are its names, in any order.
    pub(crate) fn expect_names(&self, names: &[String]) -> Result<(), Problem> {
        let sorted = |names: &[String]| {
            let mut names = names.to_vec();
            names.sort_unstable();
            names
        };
        match sorted(&self.names) == sorted(names) {
            true => Ok(()),
            false => {
                let asked = &self.names;
                Err(bad(format!(
                    "the order is for {names:?}, the CSR for {asked:?}"
                )))
            }
        }
    }

    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    pub(crate) fn into_key(self) -> PublicKey {
        self.params.public_key
    }

    pub(crate) fn key_kind(&self) -> &KeyKind {
        &self.key_kind
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The subject's parts; `None` for a value that is no text.
    pub(crate) fn subject(&self) -> Vec<(DnType, Option<String>)> {
        let parts = self.params.params.distinguished_name.iter();
        parts
            .map(|(kind, value)| (kind.clone(), text(value)))
            .collect()
    }

    pub(crate) fn key_usages(&self) -> &[KeyUsagePurpose] {
        &self.params.params.key_usages
    }

    pub(crate) fn extended_key_usages(&self) -> &[ExtendedKeyUsagePurpose] {
        &self.params.params.extended_key_usages
    }

    /// Whether it says something about being a CA, be it no.
    pub(crate) fn has_basic_constraints(&self) -> bool {
        self.params.params.is_ca != IsCa::NoCa
    }
}

fn text(value: &DnValue) -> Option<String> {
    match value {
        DnValue::Utf8String(text) => Some(text.clone()),
        DnValue::PrintableString(text) => Some(text.as_str().to_owned()),
        DnValue::Ia5String(text) => Some(text.as_str().to_owned()),
        _ => None,
    }
}

fn bad(error: impl ToString) -> Problem {
    Problem::new(403, "badCSR", error.to_string())
}

const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");
