//! What can go wrong, naming the thing and the fix; always one line.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use dc_core::UniqueName;

#[cfg(feature = "service")]
mod from;
mod source;
mod text;

/// Why nothing was issued, or nothing was made.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An agent cannot work with its configuration or its folders.
    #[cfg(feature = "agent")]
    Agent {
        /// Why not.
        source: crate::agent::AgentError,
    },
    /// A delegation certificate cannot be used, or not now.
    BadCertificate {
        /// The file whose first certificate it is.
        path: PathBuf,
        /// What is wrong with it.
        source: dc_core::Error,
    },
    /// A configuration file says something that cannot be done.
    #[cfg(feature = "service")]
    BadConfig {
        /// The file.
        path: PathBuf,
        /// All that is wrong in it, at least one thing.
        problems: Vec<crate::config::Problem>,
    },
    /// A file that says it has a credential has none that can be read.
    BadCredential {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: dc_core::Error,
    },
    /// A file is not a certificate signing request (PKCS#10, RFC 2986).
    BadCsr {
        /// The file.
        path: PathBuf,
        /// Where reading it stopped.
        source: der::Error,
    },
    /// A certificate signing request is not signed by the key in it: whoever made it does not hold
    /// that key, or it was changed on the way.
    BadCsrSignature {
        /// The file.
        path: PathBuf,
    },
    /// A device's key is not one for which RFC 9345 lets a credential be issued.
    BadDeviceKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: dc_core::Error,
    },
    /// What to log cannot be understood.
    #[cfg(feature = "service")]
    BadLogFilter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// A name is no unique name in any spelling.
    BadName {
        /// What was given.
        given: String,
        /// What is wrong with it.
        source: dc_core::Error,
    },
    /// A PEM file is damaged, or has something in it that is not taken.
    BadPem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and in which line.
        source: dc_core::Error,
    },
    /// A certificate cannot be trusted as a root.
    BadRoot {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: rustls::Error,
    },
    /// A chain does not begin with its delegation certificate.
    ChainOrder {
        /// The file.
        path: PathBuf,
        /// Where in it the delegation certificate is, counted from 1.
        at: usize,
    },
    /// The clock is wrong.
    ClockBefore1970,
    /// A device brought the delegation certificate's own key, which no device may hold.
    DelegationKeyOnDevice {
        /// The file with the device's public key.
        path: PathBuf,
    },
    /// The demo could not be set up.
    #[cfg(feature = "demo")]
    Demo {
        /// What it could not do.
        step: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Something in the demo did not come out as expected.
    #[cfg(feature = "demo")]
    DemoFailed {
        /// How many rows of its table.
        failed: usize,
    },
    /// The signer cannot work as it is set up.
    #[cfg(feature = "service")]
    Authority {
        /// Why.
        source: crate::authority::SetupError,
    },
    /// A private key is protected by a passphrase.
    EncryptedKey {
        /// The file.
        path: PathBuf,
    },
    /// A file is there already, and what it holds may not exist anywhere else.
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A private key is not the key of the certificate next to it.
    KeyMismatch {
        /// The file with the key.
        key: PathBuf,
        /// The file with the certificate.
        certificate: PathBuf,
    },
    /// A lifetime is longer than RFC 9345 allows.
    LifetimeTooLong {
        /// What was asked for.
        wanted: Duration,
        /// The most that is allowed.
        max: Duration,
    },
    /// The service cannot be reached at an address.
    #[cfg(feature = "service")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Something in this process logs already.
    #[cfg(feature = "service")]
    LogStarted,
    /// Which unique name a device has had can no longer be read from its identity folder.
    LostName {
        /// The file that should say it.
        path: PathBuf,
    },
    /// A folder has no delegation certificate.
    MissingDelegation {
        /// The folder.
        folder: PathBuf,
    },
    /// A PEM file does not have the block that is needed.
    MissingPem {
        /// The file.
        path: PathBuf,
        /// The label of the block.
        label: &'static str,
    },
    /// No name was given, and the delegation certificate has no wildcard to make one up under.
    MissingZone {
        /// The file with the certificate.
        path: PathBuf,
    },
    /// The delegation certificate does not cover a name.
    NameOutsideZone {
        /// The name.
        name: UniqueName<'static>,
        /// The dNSNames of the certificate.
        covered: Vec<String>,
    },
    /// A unique name was written in a way that others would read as another one.
    NameSpelling {
        /// What was given.
        given: String,
        /// What it should be.
        valid: UniqueName<'static>,
    },
    /// A server did not get as far as a handshake.
    #[cfg(feature = "tools")]
    NoHandshake {
        /// The server.
        target: crate::probe::Target,
        /// Why.
        source: crate::probe::Failure,
    },
    /// A folder is no backup, or not a whole one.
    #[cfg(feature = "service")]
    NoBackup {
        /// The folder.
        folder: PathBuf,
    },
    /// A list of devices has none in it.
    #[cfg(feature = "service")]
    NoDevices {
        /// The file.
        path: PathBuf,
    },
    /// What cannot be undone was not done, because nobody said that it is meant.
    #[cfg(feature = "service")]
    NotConfirmed {
        /// Whether somebody was asked.
        asked: bool,
    },
    /// The signer did not do what it was asked.
    #[cfg(feature = "service")]
    NotDone {
        /// Why.
        source: Box<crate::authority::Error>,
    },
    /// The key that lies in an identity folder is not the one that the credential would be for.
    OtherKeyInFolder {
        /// The private key in the folder.
        key: PathBuf,
        /// The file with the device's public key.
        request: PathBuf,
    },
    /// The result cannot be shown; what was written stays.
    Output {
        /// Why.
        source: io::Error,
    },
    /// A command cannot work for the user whose folder it is.
    #[cfg(feature = "service")]
    Owner {
        /// Why not.
        source: crate::owner::Problem,
    },
    /// A private key was given where a public key belongs.
    PrivateKeyGiven {
        /// The file.
        path: PathBuf,
    },
    /// The client that should probe a server could not be made.
    #[cfg(feature = "tools")]
    ProbeNotMade {
        /// Why.
        source: dc_rustls::Error,
    },
    /// The system has no random numbers.
    Randomness,
    /// A file cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// RFC 9345 or the rules of the unique name forbid it.
    Refused {
        /// Which rule.
        source: dc_core::Error,
    },
    /// A request to a CA could not be made.
    RequestNotMade {
        /// Why.
        source: rcgen::Error,
    },
    /// The process cannot have the threads that the service needs.
    #[cfg(feature = "service")]
    Runtime {
        /// Why.
        source: io::Error,
    },
    /// The service's own certificate is one that signs credentials.
    #[cfg(feature = "service")]
    ServesWithDelegation {
        /// The file with the certificate.
        path: PathBuf,
    },
    /// The delegation certificate's key could not sign.
    Sign {
        /// Why.
        source: rustls::Error,
    },
    /// The process cannot be told to stop.
    #[cfg(any(feature = "agent", feature = "service"))]
    Signals {
        /// Why.
        source: io::Error,
    },
    /// Some devices of many were refused.
    #[cfg(feature = "service")]
    SomeRefused {
        /// How many.
        refused: usize,
        /// Of how many.
        of: usize,
    },
    /// The database does not do what it should.
    #[cfg(feature = "service")]
    Store {
        /// Why.
        source: crate::store::Error,
    },
    /// A certificate for trying out could not be made.
    TestCertificate {
        /// Why.
        source: rcgen::Error,
    },
    /// The TLS stack cannot do what the configuration asks for.
    #[cfg(feature = "service")]
    Tls {
        /// Why.
        source: rustls::Error,
    },
    /// An agent's connections cannot be set up.
    #[cfg(feature = "agent")]
    TlsSetup {
        /// Why.
        source: rustls::Error,
    },
    /// A file is longer than any such file.
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most bytes that are read.
        max: usize,
    },
    /// No client accepts the delegation certificate that is the first one of this file, for this reason.
    UnfitCertificate(PathBuf, crate::judge::Fault),
    /// A file holds nothing that is known here.
    UnknownFile {
        /// The file.
        path: PathBuf,
    },
    /// A folder holds nothing that is known here.
    UnknownFolder {
        /// The folder.
        path: PathBuf,
    },
    /// There is no connection to a server.
    #[cfg(feature = "tools")]
    Unreachable {
        /// The server.
        target: crate::probe::Target,
        /// Why.
        source: io::Error,
    },
    /// A certificate signing request is signed in a way that cannot be checked.
    UnsupportedCsrSignature {
        /// The file.
        path: PathBuf,
    },
    /// A private key cannot sign here.
    UnsupportedKey {
        /// The file.
        path: PathBuf,
        /// Why.
        fault: crate::keys::KeyFault,
    },
    /// Of what was looked at, a client would refuse something, or it could not be read.
    WouldBeRefused {
        /// How much of it.
        refused: usize,
        /// How much was looked at.
        of: usize,
    },
    /// A file or folder cannot be written.
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A zone leaves no room for the names under it.
    ZoneTooLong {
        /// The zone.
        zone: UniqueName<'static>,
    },
    /// A zone has one label only.
    ZoneTooShort {
        /// The zone.
        zone: UniqueName<'static>,
    },
}
