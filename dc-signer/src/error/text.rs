//! The errors in words: what is wrong with which thing, and what to do about it.

use std::{fmt, io};

use super::Error;
use crate::human::Span;
use crate::names::Zone;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "agent")]
            Self::Agent { source } => fmt::Display::fmt(source, f),
            #[cfg(feature = "service")]
            Self::Config { source } => fmt::Display::fmt(source, f),
            Self::BadCertificate { path, source } => {
                write!(f, "{}, first certificate: {source}", path.display())
            }
            Self::BadCredential { path, source } => write!(
                f,
                "{}: the credential in it cannot be read: {source}",
                path.display()
            ),
            Self::BadCsr { path, source } => write!(
                f,
                "{} is not a certificate signing request (PKCS#10): {source}; make one with 'openssl req -new -key key.pem -subj / -out device.csr'",
                path.display()
            ),
            Self::BadCsrSignature { path } => write!(
                f,
                "{} is not signed by the key in it, so whoever made it may not hold that key: make a new one on the device",
                path.display()
            ),
            Self::BadDeviceKey { path, source } => write!(f, "{}: {source}", path.display()),
            Self::BadName { given, source } => write!(f, "{given:?}: {source}"),
            Self::BadPem { path, source } => write!(f, "{}, {source}", path.display()),
            Self::BadRoot { path, source } => write!(
                f,
                "{}: a certificate in it cannot be a root: {source}",
                path.display()
            ),
            Self::ChainOrder { path, at } => write!(
                f,
                "{}: the order is wrong: the delegation certificate is number {at} in it: put it first, then the one that signed it, and so on",
                path.display()
            ),
            Self::ClockBefore1970 => f.write_str("the clock says that it is before 1970: set it"),
            Self::DelegationKeyOnDevice { path } => write!(
                f,
                "{} holds the delegation certificate's own key, which must never be on a device: make a new key there",
                path.display()
            ),
            #[cfg(feature = "demo")]
            Self::Demo { step, source } => write!(f, "the demo cannot {step}: {source}"),
            #[cfg(feature = "demo")]
            Self::DemoFailed { failed } => write!(
                f,
                "{failed} rows of the demo did not come out as expected: please report them with the output of 'dc-signer demo --json'"
            ),
            #[cfg(feature = "service")]
            Self::Desk { source } => fmt::Display::fmt(source, f),
            Self::EncryptedKey { path } => write!(
                f,
                "{} needs a passphrase: decrypt it with 'openssl pkey -in {0} -out key.pem' to a file that only you can read",
                path.display()
            ),
            Self::Exists { path } => write!(
                f,
                "{} exists, and keys are never overwritten: choose another folder, or move it away",
                path.display()
            ),
            Self::KeyMismatch { key, certificate } => write!(
                f,
                "{} is not the key of the first certificate in {}: put the two that belong together side by side",
                key.display(),
                certificate.display()
            ),
            Self::LifetimeTooLong { wanted, max } => write!(
                f,
                "a lifetime of {} is too long: RFC 9345 allows {} at most; 164h, the default, leaves room for slow clocks",
                Span::new(*wanted),
                Span::new(*max)
            ),
            Self::LostName { path } => write!(
                f,
                "{} does not say any more which name the device has had: give it with --name",
                path.display()
            ),
            Self::MissingDelegation { folder } => write!(
                f,
                "{} has no chain.pem and key.pem: put the delegation certificate's there; 'dc-signer csr' makes the request for one",
                folder.display()
            ),
            Self::MissingPem { path, label } => write!(
                f,
                "{} has no PEM block {label}: check that it is the right file",
                path.display()
            ),
            Self::MissingZone { path } => write!(
                f,
                "the first certificate of {} has no wildcard under which to make up a name: give one with --name",
                path.display()
            ),
            Self::NameOutsideZone { name, covered } => write!(
                f,
                "the delegation certificate does not cover {name}: use a name that is among {}, where * stands for one label",
                covered.join(", ")
            ),
            Self::NameSpelling { given, valid } => write!(
                f,
                "{given:?} is not how a unique name is written: use {valid}"
            ),
            #[cfg(feature = "tools")]
            Self::NoHandshake { target, source } => write!(f, "{target}: {source}"),
            #[cfg(feature = "service")]
            Self::NoBackup { folder } => write!(
                f,
                "{} is no whole backup: give a folder that 'dc-signer backup' made",
                folder.display()
            ),
            #[cfg(feature = "service")]
            Self::NotDone { source } => fmt::Display::fmt(source, f),
            Self::OtherKeyInFolder { key, request } => write!(
                f,
                "{} is not the key of {}, so the device could not use the credential: check --out, or remove the old key",
                key.display(),
                request.display()
            ),
            Self::Output { source } => write!(
                f,
                "standard output failed: {source}; what belongs in files is written"
            ),
            #[cfg(feature = "service")]
            Self::Owner { source } => fmt::Display::fmt(source, f),
            Self::PrivateKeyGiven { path } => write!(
                f,
                "{} has a private key in it, which must not leave the device: give its public key, made with 'openssl pkey -in {0} -pubout'",
                path.display()
            ),
            #[cfg(feature = "tools")]
            Self::ProbeNotMade { source } => write!(f, "cannot make a TLS client: {source}"),
            Self::Randomness => f.write_str("the system has no random numbers: check /dev/urandom"),
            Self::Read { path, source } => {
                write!(f, "cannot read {}: {source}{}", path.display(), fix(source))
            }
            Self::Refused { source } => write!(f, "not issued: {source}"),
            Self::RequestNotMade { source } => {
                write!(f, "cannot make a certificate signing request: {source}")
            }
            #[cfg(feature = "service")]
            Self::Runtime { source } => write!(f, "cannot start threads: {source}"),
            #[cfg(feature = "service")]
            Self::Server { source } => fmt::Display::fmt(source, f),
            Self::Sign { source } => {
                write!(f, "the delegation certificate's key did not sign: {source}")
            }
            #[cfg(any(feature = "agent", feature = "service"))]
            Self::Signals { source } => write!(f, "cannot listen for signals: {source}"),
            #[cfg(feature = "service")]
            Self::NoDevices { path } => write!(
                f,
                "{} names no device: write one a line, by its external id, its id or its name",
                path.display()
            ),
            #[cfg(feature = "service")]
            Self::NotConfirmed { asked } => f.write_str(match asked {
                true => "nothing was changed, because it was not confirmed",
                false => {
                    "nothing was changed: this wants to be confirmed, and there is no terminal to ask at: add --yes if it is meant"
                }
            }),
            #[cfg(feature = "service")]
            Self::SomeRefused { refused, of } => write!(
                f,
                "{refused} of {of} devices were refused: correct these, and give them again"
            ),
            #[cfg(feature = "service")]
            Self::Store { source } => fmt::Display::fmt(source, f),
            Self::TestCertificate { source } => {
                write!(f, "cannot make a certificate for trying out: {source}")
            }
            #[cfg(feature = "agent")]
            Self::TlsSetup { source } => write!(
                f,
                "TLS with this certificate and key is not possible: {source}: check that they belong together"
            ),
            Self::TooLarge { path, max } => write!(
                f,
                "{} is longer than {max} bytes: check that it is the right file",
                path.display()
            ),
            Self::UnfitCertificate(path, fault) => write!(
                f,
                "{}: every client refuses this delegation certificate: {fault}",
                path.display()
            ),
            Self::UnknownFile { path } => write!(
                f,
                "{} is no certificate, credential, request or key that can be recognised, in PEM or bare: check that it is the right file, and whole",
                path.display()
            ),
            Self::UnknownFolder { path } => write!(
                f,
                "{} has no chain.pem, credential.pem, key.pem, request.csr or root.pem: name the files themselves",
                path.display()
            ),
            #[cfg(feature = "tools")]
            Self::Unreachable { target, source } => {
                write!(f, "no connection to {target}: {source}")
            }
            Self::UnsupportedCsrSignature { path } => write!(
                f,
                "{} is signed with an algorithm that does not fit its key or is not supported: use ECDSA P-256 with SHA-256, P-384 with SHA-384, or Ed25519",
                path.display()
            ),
            Self::UnsupportedKey { path, fault } => write!(f, "{}: {fault}", path.display()),
            Self::WouldBeRefused { refused: 1, of: 1 } => {
                f.write_str("it would be refused or cannot be read")
            }
            Self::WouldBeRefused { refused, of } => {
                write!(f, "{refused} of {of} would be refused or cannot be read")
            }
            Self::Write { path, source } => write!(
                f,
                "cannot write {}: {source}{}",
                path.display(),
                fix(source)
            ),
            Self::ZoneTooLong { zone } => write!(
                f,
                "the zone {zone} leaves no room for names under it: use {} characters at most",
                Zone::MAX_LEN
            ),
            Self::ZoneTooShort { zone } => write!(
                f,
                "the zone {zone} has one label, and clients take no wildcard for a whole top-level domain: use two or more, as in cpe.example.com"
            ),
        }
    }
}

/// What to do about an operating system's error, where that is not obvious.
fn fix(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::IsADirectory => ": give a file, not a folder",
        // Which is also what making a folder under a file's name fails with.
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            ": a part of the path is a file, not a folder"
        }
        io::ErrorKind::NotFound => ": check the path",
        io::ErrorKind::PermissionDenied => ": change its permissions, or run as its owner",
        io::ErrorKind::QuotaExceeded | io::ErrorKind::StorageFull => ": make room",
        _ => "",
    }
}
