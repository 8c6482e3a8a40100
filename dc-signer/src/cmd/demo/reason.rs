//! The reasons for which attempts fail.

use dc_core::Error as Wrong;
use dc_rustls::{Error as Tls, Refusal};
use rustls::AlertDescription;

/// The error of a credential that was refused.
pub(super) fn why(error: &Tls) -> Option<&Wrong> {
    match error {
        Tls::Refused(Refusal::Credential(wrong)) => Some(wrong),
        _ => None,
    }
}

pub(super) fn is_bad_signature(error: &Tls) -> bool {
    matches!(why(error), Some(Wrong::BadSignature))
}

pub(super) fn is_expired(error: &Tls) -> bool {
    matches!(why(error), Some(Wrong::Expired { .. }))
}

pub(super) fn is_handshake_failure(error: &Tls) -> bool {
    let Tls::Tls(rustls::Error::AlertReceived(alert)) = error else {
        return false;
    };
    *alert == AlertDescription::HandshakeFailure
}

pub(super) fn is_not_the_holder(error: &Tls) -> bool {
    matches!(why(error), Some(Wrong::BadCertificateVerify))
}
