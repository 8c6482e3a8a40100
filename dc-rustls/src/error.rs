//! Errors of connections that were not made, and of identities that were not installed.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::{fmt, io};

use dc_core::UniqueName;
use rustls::CertificateError;
use rustls::client::VerifierBuilderError;
use rustls::pki_types::{EchConfigListBytes, ServerName};

use crate::list_error::ListError;
use crate::refusal::Refusal;
use crate::rejected;

/// Everything that can go wrong in this crate.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A client certificate cannot be used where TLS 1.2 is allowed too.
    ClientAuthBelowTls13,
    /// The delegation certificate leaves no room for the credential in one TLS record.
    CertificateTooLong {
        /// The length of the certificate and the credential, in bytes.
        length: usize,
        /// The most that is sure to fit.
        max: usize,
    },
    /// No peer takes the delegation certificate, whatever it trusts: it is malformed, not valid now or not for this end of
    /// connections, or has a critical extension that nobody knows.
    CertificateUnusable(CertificateError),
    /// The delegation certificate is not the first of its chain.
    ChainOrder {
        /// Where it is, counted from 1.
        at: usize,
    },
    /// A credential in an identity is not one that a client would accept.
    Credential(dc_core::Error),
    /// The credential is not one that can be sent: a length in it is wrong, or its key is not DER.
    CredentialDoesNotFit,
    /// Encrypted ClientHello cannot be used where TLS 1.2 is allowed too.
    EchBelowTls13,
    /// A server that has proved to be an ECHConfig's public name rejected Encrypted ClientHello (RFC 9849 §6.1.6).
    EchRejected {
        /// The ECHConfigList that it wants, for one more attempt on another connection with
        /// `client::Config::with_ech`. With `None` it has given Encrypted ClientHello up: an application may connect
        /// without, and shows the name then.
        retry_configs: Option<EchConfigListBytes<'static>>,
    },
    /// A file of an identity cannot be read.
    File {
        /// Which file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file of an identity is not what its name says.
    FileFormat {
        /// Which file.
        path: PathBuf,
        /// The fault.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The network failed.
    Io(io::Error),
    /// The private key is not the one that the credential is for.
    KeyMismatch,
    /// A list of withdrawn names was not loaded.
    List(ListError),
    /// The client's offer to take credentials is malformed.
    MalformedOffer,
    /// An identity has no certificate.
    MissingCertificate,
    /// An identity has no credential.
    MissingCredential,
    /// A configuration of rustls has a setting that none of this crate has.
    NoCounterpart {
        /// The field.
        setting: &'static str,
    },
    /// The configuration hides names with Encrypted ClientHello, and quinn has no place for the ECHConfigs of a server that
    /// rejects it.
    NoEch,
    /// No HPKE suite was passed, without which nothing can be encrypted for an ECHConfig.
    NoHpke,
    /// The provider lacks TLS_AES_128_GCM_SHA256 for QUIC, which protects the first packets (RFC 9001 §5).
    NoQuic,
    /// The name or address that was to be reached can be no device's unique name, and the policy requires one.
    NoUniqueName {
        /// The name or address that was to be reached.
        wanted: ServerName<'static>,
    },
    /// The host of a URI is no name and no address.
    NotAHost {
        /// The text in its place.
        host: String,
    },
    /// A URI that is to be connected to has not the scheme `https`.
    NotHttps {
        /// The scheme, if it has one.
        scheme: Option<String>,
    },
    /// A named credential would suit the client, but it did not ask for the name that it is for.
    NothingForName {
        /// The name in the client's server_name, if it sent one.
        wanted: Option<String>,
        /// The name that a credential is for.
        held: UniqueName<'static>,
    },
    /// A policy's verifier asks clients for nothing, so that none can present a credential.
    NothingAsked,
    /// The store of a server has nothing, and there is no fallback certificate.
    NothingInstalled {
        /// The reason why an identity folder was last refused, if one is followed.
        failure: Option<String>,
    },
    /// The verifier knows no signature scheme that the key of a credential may use.
    NothingToOffer,
    /// Neither a credential nor a fallback certificate suits what the client offered.
    NothingSuits,
    /// The client changed what it offers in its second ClientHello (RFC 8446 §4.1.2).
    OfferChanged,
    /// The handshake ended without anybody having been verified, which is a bug.
    PeerUnknown,
    /// The peer's credential, or the lack of one, was not acceptable.
    Refused(Refusal),
    /// The roots cannot be used to verify anything.
    Roots(VerifierBuilderError),
    /// TLS failed for a reason that has nothing to do with credentials.
    Tls(rustls::Error),
    /// The names of the authorities that clients' certificates are to be under leave no room in a TLS record.
    TooManyAuthorities {
        /// The length of all names, in bytes.
        length: usize,
        /// The most that is sure to fit.
        max: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CertificateTooLong { length, max } => write!(
                f,
                "the delegation certificate and the credential have {length} bytes together; {max} fit one TLS record"
            ),
            Self::CertificateUnusable(why) => {
                write!(f, "no peer takes the delegation certificate ({why}): ask the CA for another")
            }
            Self::ChainOrder { at } => say_order(f, *at),
            Self::Credential(error) => write!(f, "the credential is of no use: {error}"),
            Self::ClientAuthBelowTls13 => f.write_str(
                "a client certificate can only be presented in TLS 1.3: do not allow TLS 1.2",
            ),
            Self::CredentialDoesNotFit => f.write_str(
                "the credential cannot be sent: a length in it is wrong, or its key is not DER",
            ),
            Self::EchBelowTls13 => f.write_str(rejected::BELOW_TLS13),
            Self::EchRejected { retry_configs } => rejected::say(f, retry_configs.is_some()),
            Self::File { path, source } => {
                write!(f, "cannot read {}: {source}; {IDENTITY}", path.display())
            }
            Self::FileFormat { path, source } => {
                write!(f, "{}: {source}; {IDENTITY}", path.display())
            }
            Self::Io(error) => write!(f, "network: {error}"),
            Self::KeyMismatch => f.write_str(
                "the private key is not the one that the credential is for: enrol again with the device's own key",
            ),
            Self::List(error) => write!(f, "the list of withdrawn names was not loaded: {error}"),
            Self::MalformedOffer => f.write_str(MALFORMED_OFFER),
            Self::MissingCertificate => f.write_str("there is no certificate in the chain"),
            Self::MissingCredential => f.write_str("there is no credential"),
            Self::NoCounterpart { setting } => say_no_counterpart(f, setting),
            Self::NoEch => f.write_str(rejected::NO_ECH),
            Self::NoHpke => f.write_str(rejected::NO_HPKE),
            Self::NoQuic => f.write_str(NO_QUIC),
            Self::NoUniqueName { wanted } => say_no_unique_name(f, wanted),
            Self::NotAHost { host } => write!(f, "'{host}' is no host name and no IP address"),
            Self::NotHttps { scheme } => say_not_https(f, scheme.as_deref()),
            Self::NothingForName { wanted, held } => say_kept_name(f, wanted.as_deref(), held),
            Self::NothingAsked => f.write_str(NOTHING_ASKED),
            Self::NothingInstalled { failure } => say_nothing_installed(f, failure.as_deref()),
            Self::NothingSuits => f.write_str(
                "the client offered nothing that the credential suits, and there is no fallback certificate",
            ),
            Self::NothingToOffer => f.write_str(
                "the verifier knows no signature scheme that the key of a credential may use: use a provider with ECDSA or Ed25519",
            ),
            Self::OfferChanged => f.write_str(OFFER_CHANGED),
            Self::PeerUnknown => f.write_str("the handshake ended without a verified peer"),
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
            Self::Roots(error) => write!(f, "the roots cannot be used: {error}"),
            Self::Tls(error) => write!(f, "TLS: {error}"),
            Self::TooManyAuthorities { length, max } => write!(
                f,
                "the names of the roots for clients have {length} bytes together; {max} fit one TLS record: trust fewer"
            ),
        }
    }
}

const NOTHING_ASKED: &str = "the verifier asks clients for no certificate: give one that does, and say `optional` if they need not have one";
const MALFORMED_OFFER: &str = "the client's offer to take credentials is malformed";
const OFFER_CHANGED: &str = "the client changed what it offers in its second ClientHello";
const NO_QUIC: &str = "the provider cannot protect the packets of QUIC: use one whose TLS_AES_128_GCM_SHA256 does QUIC, as those of ring and aws-lc-rs";

fn say_order(f: &mut fmt::Formatter<'_>, at: usize) -> fmt::Result {
    write!(
        f,
        "the order of the chain is wrong: the delegation certificate is number {at}: put it first, then the one that signed it, and so on"
    )
}

fn say_no_counterpart(f: &mut fmt::Formatter<'_>, setting: &str) -> fmt::Result {
    write!(
        f,
        "{setting} of the rustls configuration has no counterpart for credentials: leave it as rustls has it by default"
    )
}

fn say_no_unique_name(f: &mut fmt::Formatter<'_>, wanted: &ServerName<'_>) -> fmt::Result {
    let wanted = wanted.to_str();
    write!(
        f,
        "no device can prove to be {wanted}, which is no unique name: connect to its address, but with its name, such as k3v.cpe.example.com, or accept other proofs by policy"
    )
}

fn say_not_https(f: &mut fmt::Formatter<'_>, scheme: Option<&str>) -> fmt::Result {
    match scheme {
        Some(scheme) => write!(f, "{scheme}:// is not protected by TLS: use https://"),
        None => f.write_str("the URI has no scheme: put https:// in front"),
    }
}

fn say_nothing_installed(f: &mut fmt::Formatter<'_>, failure: Option<&str>) -> fmt::Result {
    f.write_str("no credential is installed")?;
    match failure {
        Some(failure) => write!(f, ": {failure}"),
        None => Ok(()),
    }
}

fn say_kept_name(
    f: &mut fmt::Formatter<'_>,
    wanted: Option<&str>,
    held: &UniqueName<'_>,
) -> fmt::Result {
    match wanted {
        Some(wanted) => write!(f, "the client wants to reach {wanted}")?,
        None => f.write_str("the client sent no server_name")?,
    }
    write!(
        f,
        ", and the named credential goes only to clients that send its name, {held}"
    )
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Credential(error) => Some(error),
            Self::File { source, .. } => Some(source),
            Self::FileFormat { source, .. } => Some(source.as_ref()),
            Self::Io(error) => Some(error),
            Self::List(error) => Some(error),
            Self::Refused(refusal) => Some(refusal),
            Self::Roots(error) => Some(error),
            Self::Tls(error) => Some(error),
            Self::CertificateTooLong { .. }
            | Self::CertificateUnusable(_)
            | Self::ChainOrder { .. }
            | Self::ClientAuthBelowTls13
            | Self::CredentialDoesNotFit
            | Self::EchBelowTls13
            | Self::EchRejected { .. }
            | Self::KeyMismatch
            | Self::MalformedOffer
            | Self::MissingCertificate
            | Self::MissingCredential
            | Self::NoCounterpart { .. }
            | Self::NoEch
            | Self::NoHpke
            | Self::NoQuic
            | Self::NoUniqueName { .. }
            | Self::NotAHost { .. }
            | Self::NotHttps { .. }
            | Self::NothingForName { .. }
            | Self::NothingAsked
            | Self::NothingInstalled { .. }
            | Self::NothingSuits
            | Self::NothingToOffer
            | Self::OfferChanged
            | Self::PeerUnknown
            | Self::TooManyAuthorities { .. } => None,
        }
    }
}

impl From<rustls::Error> for Error {
    fn from(error: rustls::Error) -> Self {
        if let Some(refusal) = Refusal::find(&error) {
            return Self::Refused(refusal.clone());
        }
        match rejected::retry_configs(&error) {
            Some(retry_configs) => Self::EchRejected { retry_configs },
            None => Self::Tls(error),
        }
    }
}

impl From<io::Error> for Error {
    /// An I/O error may carry one of ours, or one of rustls's, which may carry a refusal.
    fn from(error: io::Error) -> Self {
        let other = match error.downcast::<Self>() {
            Ok(error) => return error,
            Err(other) => other,
        };
        match other.downcast::<rustls::Error>() {
            Ok(error) => error.into(),
            Err(error) => Self::Io(error),
        }
    }
}

const IDENTITY: &str = "an identity folder has chain.pem and credential.pem as the signer wrote them, and the device's own key.pem";
