//! The errors of this crate: each names the thing and what to do about it, in one line.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use dc_core::{Role, UniqueName};

use crate::advice::{fix, peers};
use crate::chain::ChainError;
use crate::key_error::KeyError;
use crate::lock_fault::LockFault;
use crate::process_fault::ProcessFault;
use crate::secret::SecretError;
use crate::signing::{KeyLocation, NotSigned};
use crate::time::Span;
use crate::token_fault::TokenFault;
use crate::token_uri::BadTokenUri;

/// The reason that a file, a key, a certificate or a credential was not read, written or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A delegation certificate cannot be used, or not now.
    #[error("{}, first certificate: {source}", .path.display())]
    BadCertificate {
        /// The file whose first certificate it is.
        path: PathBuf,
        /// The fault.
        source: dc_core::Error,
    },
    /// A file that says it has a credential has none that can be read.
    #[error("{}: the credential in it cannot be read: {source}", .path.display())]
    BadCredential {
        /// The file.
        path: PathBuf,
        /// The fault.
        source: dc_core::Error,
    },
    /// A file is not a certificate signing request (PKCS#10, RFC 2986).
    #[error(
        "{} is not a certificate signing request (PKCS#10): {source}; make one with 'openssl req -new -key key.pem -subj / -out device.csr'",
        .path.display()
    )]
    BadCsr {
        /// The file.
        path: PathBuf,
        /// Where reading it stopped.
        source: der::Error,
    },
    /// A certificate signing request is not signed by the key in it: whoever made it does not hold
    /// that key, or it was changed on the way.
    #[error(
        "{} is not signed by the key in it, so whoever made it may not hold that key: make a new one on the device",
        .path.display()
    )]
    BadCsrSignature {
        /// The file.
        path: PathBuf,
    },
    /// A device's key is not one for which RFC 9345 lets a credential be issued.
    #[error("{}: {source}", .path.display())]
    BadDeviceKey {
        /// The file.
        path: PathBuf,
        /// The fault.
        source: dc_core::Error,
    },
    /// The name constraints of a chain cannot be read.
    #[error("{}, behind the first certificate: {source}", .path.display())]
    BadIssuer {
        /// The file with the chain.
        path: PathBuf,
        /// The fault.
        source: dc_core::Error,
    },
    /// A name is no unique name in any spelling.
    #[error("{given:?}: {source}")]
    BadName {
        /// The text that was given.
        given: String,
        /// The fault.
        source: dc_core::Error,
    },
    /// A PEM file is damaged, or has something in it that is not taken.
    #[error("{}, {source}", .path.display())]
    BadPem {
        /// The file.
        path: PathBuf,
        /// The fault, and its line.
        source: dc_core::Error,
    },
    /// A certificate cannot be trusted as a root.
    #[error("{}: a certificate in it cannot be a root: {source}", .path.display())]
    BadRoot {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rustls::Error,
    },
    /// A file does not say which signing process has the key.
    #[error("{} names no signing process: write the path of its socket into it, or tls://HOST:PORT", .0.display())]
    BadSocket(PathBuf),
    /// A file does not say which key in a token is meant.
    #[error("{} names no key in a token: {source}", .path.display())]
    BadTokenUri {
        /// The file.
        path: PathBuf,
        /// The fault.
        source: BadTokenUri,
    },
    /// A chain does not begin with its delegation certificate.
    #[error(
        "{}: the order is wrong: the delegation certificate is number {at} in it: put it first, then the one that signed it, and so on",
        .path.display()
    )]
    ChainOrder {
        /// The file.
        path: PathBuf,
        /// Where in it the delegation certificate is, counted from 1.
        at: usize,
    },
    /// The clock is wrong.
    #[error("the clock says that it is before 1970: set it")]
    ClockBefore1970,
    /// A device brought the delegation certificate's own key, which no device may hold.
    #[error(
        "{} holds the delegation certificate's own key, which must never be on a device: make a new key there",
        .path.display()
    )]
    DelegationKeyOnDevice {
        /// The file with the device's public key.
        path: PathBuf,
    },
    /// A private key is protected by a passphrase.
    #[error(
        "{} needs a passphrase, and none is asked for here: give a key that takes none, made for this and readable by its user alone",
        .path.display()
    )]
    EncryptedKey {
        /// The file.
        path: PathBuf,
    },
    /// A file is there already, and what it holds may not exist anywhere else.
    #[error(
        "{} exists, and keys are never overwritten: choose another folder, or move it away",
        .path.display()
    )]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A private key is not the key of the certificate next to it.
    #[error(
        "{key} is not the key of the first certificate in {}: put the two that belong together side by side",
        .certificate.display()
    )]
    KeyMismatch {
        /// The key's place.
        key: KeyLocation,
        /// The file with the certificate.
        certificate: PathBuf,
    },
    /// A lifetime is longer than RFC 9345 allows.
    #[error(
        "a lifetime of {} is too long: RFC 9345 allows {} at most; 164h, the default, leaves room for slow clocks",
        Span::new(*.wanted),
        Span::new(*.max)
    )]
    LifetimeTooLong {
        /// The lifetime that was asked for.
        wanted: Duration,
        /// The most that is allowed.
        max: Duration,
    },
    /// An encrypted key was not decrypted.
    #[error("{} {fault}", .path.display())]
    LockedKey {
        /// The file.
        path: PathBuf,
        /// The reason.
        fault: LockFault,
    },
    /// Which unique name a device has had can no longer be read from its identity folder.
    #[error(
        "{} does not say any more which name the device has had: give it with --name",
        .path.display()
    )]
    LostName {
        /// The file that should say it.
        path: PathBuf,
    },
    /// A folder has no delegation certificate.
    #[error(
        "{} has no chain.pem and key.pem: put the delegation certificate's there; 'dc-signer csr' makes the request for one",
        .folder.display()
    )]
    MissingDelegation {
        /// The folder.
        folder: PathBuf,
    },
    /// A PEM file does not have the block that is needed.
    #[error(
        "{} has no PEM block {label}: check that it is the right file",
        .path.display()
    )]
    MissingPem {
        /// The file.
        path: PathBuf,
        /// The label of the block.
        label: &'static str,
    },
    /// No name was given, and the delegation certificate has no wildcard to make one up under.
    #[error(
        "the first certificate of {} has no wildcard under which to make up a name: give one with --name",
        .path.display()
    )]
    MissingZone {
        /// The file with the certificate.
        path: PathBuf,
    },
    /// The delegation certificate does not cover a name.
    #[error(
        "the delegation certificate does not cover {name}: use a name that is among {}, where * stands for one label",
        .covered.join(", ")
    )]
    NameOutsideZone {
        /// The name.
        name: UniqueName<'static>,
        /// The dNSNames of the certificate.
        covered: Vec<String>,
    },
    /// A unique name was written in a way that others would read as another one.
    #[error("{given:?} is not how a unique name is written: use {valid}")]
    NameSpelling {
        /// The text that was given.
        given: String,
        /// The right spelling.
        valid: UniqueName<'static>,
    },
    /// The key that lies in an identity folder is not the one that the credential would be for.
    #[error(
        "{} is not the key of {}, so the device could not use the credential: check --out, or remove the old key",
        .key.display(),
        .request.display()
    )]
    OtherKeyInFolder {
        /// The private key in the folder.
        key: PathBuf,
        /// The file with the device's public key.
        request: PathBuf,
    },
    /// An identity folder has credentials for the other end of connections.
    #[error(
        "{} has the credentials of a {}, which those of a {} would replace: give them a folder of their own with --out, and better a key of their own",
        .folder.display(), .got, .wanted
    )]
    OtherRoleInFolder {
        /// The folder.
        folder: PathBuf,
        /// The end that new credentials would be for.
        wanted: Role,
        /// The end that those in the folder are for.
        got: Role,
    },
    /// A private key was given where a public key belongs.
    #[error(
        "{} has a private key in it, which must not leave the device: give its public key, made with 'openssl pkey -in {0} -pubout'",
        .path.display()
    )]
    PrivateKeyGiven {
        /// The file.
        path: PathBuf,
    },
    /// A signing process does not sign with a key.
    #[error("{key}: {fault}")]
    Process {
        /// The key, by the process's socket.
        key: KeyLocation,
        /// The reason.
        fault: ProcessFault,
    },
    /// The system has no random numbers.
    #[error("the system has no random numbers: check /dev/urandom")]
    Randomness,
    /// A file cannot be read.
    #[error("cannot read {}: {source}{}", .path.display(), fix(.source))]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// RFC 9345 or the rules of the unique name forbid it.
    #[error("not issued: {source}")]
    Refused {
        /// Which rule.
        source: dc_core::Error,
    },
    /// A passphrase cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The delegation certificate's key could not sign.
    #[error("the delegation certificate's key did not sign: {source}")]
    Sign {
        /// The key, and the cause.
        source: NotSigned,
    },
    /// A certificate for trying out could not be made.
    #[error("cannot make a certificate for trying out: {source}")]
    TestCertificate {
        /// The cause.
        source: rcgen::Error,
    },
    /// A key in a token is not there.
    #[error("{key}: {fault}")]
    Token {
        /// The key.
        key: KeyLocation,
        /// The reason.
        fault: TokenFault,
    },
    /// A module has not the token that is wanted, or does not show it.
    #[error("{}: {fault}", .module.display())]
    TokenModule {
        /// The module's file.
        module: PathBuf,
        /// The reason.
        fault: TokenFault,
    },
    /// A file is longer than any such file.
    #[error(
        "{} is longer than {max} bytes: check that it is the right file",
        .path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most bytes that are read.
        max: usize,
    },
    /// A folder has a key, and says that it is elsewhere, or names two places.
    #[error("{} has more than one of key.pem, key.uri and key.keyd: leave the one that is meant", .0.display())]
    TwoKeys(PathBuf),
    /// No peer accepts a delegation certificate of this end of connections.
    #[error(
        "{}: {} refuse this delegation certificate: {source}",
        .path.display(), peers(*.role)
    )]
    UnfitCertificate {
        /// The file whose first certificate it is.
        path: PathBuf,
        /// The end that would present it.
        role: Role,
        /// The cause.
        source: ChainError,
    },
    /// A certificate signing request is signed in a way that cannot be checked.
    #[error(
        "{} is signed with an algorithm that does not fit its key or is not supported: use ECDSA P-256 with SHA-256, P-384 with SHA-384, or Ed25519",
        .path.display()
    )]
    UnsupportedCsrSignature {
        /// The file.
        path: PathBuf,
    },
    /// A private key cannot sign here.
    #[error("{}: {fault}", .path.display())]
    UnsupportedKey {
        /// The file.
        path: PathBuf,
        /// The cause.
        fault: KeyError,
    },
    /// A file or folder cannot be written.
    #[error("cannot write {}: {source}{}", .path.display(), fix(.source))]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A zone leaves no room for the names under it.
    #[error("the zone {zone} leaves no room for names under it: use {max} characters at most")]
    ZoneTooLong {
        /// The zone.
        zone: UniqueName<'static>,
        /// The most characters of a zone.
        max: usize,
    },
    /// A zone has one label only.
    #[error(
        "the zone {zone} has one label, and clients take no wildcard for a whole top-level domain: use two or more, as in cpe.example.com"
    )]
    ZoneTooShort {
        /// The zone.
        zone: UniqueName<'static>,
    },
}
