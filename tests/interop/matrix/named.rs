//! Credentials of the named form under the lab's delegation certificates, which its own issuers do not know.

use dc_core::{
    DelegationCertificate, Form, IssuingPolicy, Request, Role, SignatureScheme, Signer, UniqueName,
    pem::StoredCredential,
};
use rustls::{
    crypto::aws_lc_rs,
    pki_types::{SubjectPublicKeyInfoDer, UnixTime, pem::PemObject as _},
    sign::SigningKey,
};
use std::sync::Arc;

use super::our_end::{read_chain, read_key};
use crate::lab::{NAME, Served};

/// A named credential for the key of this one, under the same certificate.
pub(crate) fn named(served: &Served) -> StoredCredential {
    let certificate = read_chain(&served.chain).remove(0);
    let certificate = DelegationCertificate::parse(certificate).unwrap();
    let public = served.credential_key.with_extension("pub");
    let spki = SubjectPublicKeyInfoDer::from_pem_file(public).unwrap();
    let request = Request::new(&spki).unique_name(UniqueName::try_from(NAME).unwrap());
    let provider = aws_lc_rs::default_provider();
    let issued = IssuingPolicy::new(certificate, Role::Server)
        .approve(&request, UnixTime::now())
        .unwrap()
        .sign(
            &Key::read(served),
            provider.signature_verification_algorithms.all,
        )
        .unwrap_or_else(|error| panic!("not issued: {error}"));
    let pem = dc_core::pem::write(Form::Named, issued.bytes());
    dc_core::pem::read(pem.as_bytes()).unwrap().remove(0)
}

/// The private key of a delegation certificate, of any kind.
struct Key {
    key: Arc<dyn SigningKey>,
    scheme: rustls::SignatureScheme,
}

impl Key {
    fn read(served: &Served) -> Self {
        let provider = aws_lc_rs::default_provider();
        let key = provider
            .key_provider
            .load_private_key(read_key(&served.key))
            .unwrap();
        let spki = key.public_key().unwrap();
        let schemes: Vec<_> = SignatureScheme::for_key(&spki)
            .unwrap()
            .map(|scheme| scheme.0.into())
            .collect();
        let scheme = key.choose_scheme(&schemes).unwrap().scheme();
        Self { key, scheme }
    }
}

impl Signer for Key {
    type Error = rustls::Error;

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme(self.scheme.into())
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let signer = self.key.choose_scheme(&[self.scheme]);
        signer.map_or_else(
            || Err(rustls::Error::General("no signer".into())),
            |signer| signer.sign(message),
        )
    }
}
