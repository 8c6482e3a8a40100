//! The next thing to do, by the fault.

use dc_core::Error as Fault;
use dc_rustls::{Error, Refusal};
use rustls::{AlertDescription, CertificateError};

use crate::asked::Asked;

/// A clause to put behind the error of a connection for which this was asked; empty if the error says it itself.
#[must_use]
pub fn advice(error: &Error, asked: Asked) -> &'static str {
    match error {
        Error::Refused(refusal) => of_refusal(refusal, asked),
        Error::Tls(rustls::Error::InvalidCertificate(fault)) => of_certificate(fault),
        Error::Tls(rustls::Error::AlertReceived(AlertDescription::HandshakeFailure)) => {
            "; the server has no credential for this name: is it another device, or has its own credential not been renewed?"
        }
        Error::Tls(rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)) => {
            match asked.alpn {
                true => {
                    "; the server speaks no protocol that --alpn says: ask for another, or for none"
                }
                false => "; the server wants to be asked for its protocol: give it with --alpn",
            }
        }
        Error::Tls(rustls::Error::InvalidMessage(_)) => "; is there a TLS server on this port?",
        Error::Io(_) => "; the server ended the connection: is there a TLS server on this port?",
        _ => "",
    }
}

fn of_refusal(refusal: &Refusal, asked: Asked) -> &'static str {
    match refusal {
        Refusal::Credential(Fault::NameMismatch { .. }) => match asked.to {
            true => "; another device answers here: look at what --to says",
            false => {
                "; another device answers here: look at DNS, or say with --to where this one is"
            }
        },
        Refusal::Credential(Fault::Expired { .. } | Fault::CertificateNotValid { .. }) => {
            "; the device has to renew it, unless the clock of this machine is wrong"
        }
        Refusal::Credential(Fault::ValidityTooLong { .. }) => {
            "; is the clock of this machine behind?"
        }
        Refusal::CredentialRequired => {
            "; an ordinary certificate is a device's only with --danger-accept-certificate"
        }
        Refusal::UnexpectedExtension if !asked.trust.unnamed => {
            "; a credential without the name proves only the vendor: it is taken with --danger-accept-unnamed"
        }
        Refusal::ListNotCurrent { .. } => {
            "; fetch it anew to where --withdrawn says, or go on without with --list-policy prefer"
        }
        Refusal::Withdrawn { .. } => "; do not trust what answers here, and ask the vendor",
        _ => "",
    }
}

fn of_certificate(fault: &CertificateError) -> &'static str {
    match fault {
        CertificateError::UnknownIssuer => {
            "; is the vendor's root certificate in the file of --roots?"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "; the vendor that answers here makes no devices of this name"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "; the vendor has to renew it, unless the clock of this machine is wrong"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "; is the clock of this machine behind?"
        }
        _ => "",
    }
}
