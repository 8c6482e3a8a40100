//! An offer to take credentials: the lists, and the extensions that carry them.

use dc_core::{Form, Offer, SchemeList, SignatureScheme};

use crate::Error;

/// Offers every scheme for credential keys that is among `verifiable`, in these forms.
///
/// The list is a subset of signature_algorithms, because RFC 8446 §4.4.3 wants the scheme of a
/// CertificateVerify there and RFC 9345 does not say otherwise.
pub(crate) fn offer(
    forms: &[Form],
    verifiable: &[rustls::SignatureScheme],
) -> Result<Offer, Error> {
    let verifiable = || {
        verifiable
            .iter()
            .map(|&scheme| SignatureScheme(scheme.into()))
    };
    let usable = SignatureScheme::FOR_CREDENTIAL_KEYS
        .into_iter()
        .filter(|scheme| verifiable().any(|other| other == *scheme));
    let schemes = SchemeList::new(usable).map_err(|_| Error::NothingToOffer)?;
    let signature_algorithms = SchemeList::new(verifiable()).map_err(|_| Error::NothingToOffer)?;
    Ok(forms
        .iter()
        .fold(Offer::new(signature_algorithms), |offer, &form| {
            offer.with(form, schemes.clone())
        }))
}

/// The extensions, of a ClientHello or a CertificateRequest, that make this offer.
pub(crate) fn extensions(forms: &[Form], offer: &Offer) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    for &form in forms {
        let mut body = Vec::new();
        if let Some(schemes) = offer.schemes(form) {
            schemes.encode(&mut body).map_err(Error::Credential)?;
        }
        let length = u16::try_from(body.len()).map_err(|_| Error::NothingToOffer)?;
        out.extend_from_slice(&form.extension_type().to_be_bytes());
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&body);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    use rustls::SignatureScheme as Rustls;

    #[test]
    fn offers_what_fits_credentials_and_can_be_verified() {
        let verifiable = [
            Rustls::RSA_PSS_SHA256,
            Rustls::ED25519,
            Rustls::ECDSA_NISTP256_SHA256,
        ];
        let offer = offer(&[Form::Named, Form::Rfc9345], &verifiable).unwrap();
        assert_eq!(
            extensions(&[Form::Named, Form::Rfc9345], &offer).unwrap(),
            [
                0xff, 0x22, 0, 6, 0, 4, 4, 3, 8, 7, // named
                0, 34, 0, 6, 0, 4, 4, 3, 8, 7, // RFC 9345
            ]
        );
        assert!(offer.signature_algorithms.contains(SignatureScheme(0x0804)));
    }

    #[test]
    fn a_provider_that_verifies_nothing_usable_is_refused() {
        let error = offer(&[Form::Named], &[Rustls::RSA_PSS_SHA256]).unwrap_err();
        assert!(matches!(error, Error::NothingToOffer));
    }
}
