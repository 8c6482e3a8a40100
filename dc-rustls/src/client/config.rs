//! A client's configuration, and how its connections begin.

use std::io::{Read, Write};
use std::sync::Arc;

use dc_core::UniqueName;
use rustls::ClientConfig;
use rustls::client::{Resumption, Tls12Resumption};
use rustls::pki_types::ServerName;

use super::authorization::Authorization;
use super::beginning::Beginning;
use super::ech::EchMode;
use super::offering::Offering;
use super::sessions::{ConnectionSessions, Sessions};
use super::{EarlyData, Stream};
use crate::{Error, events};

/// A client's configuration, for any number of connections.
///
/// Sessions are kept in it, and so were all made under its one policy: a clone resumes them, and no other
/// configuration does.
///
/// ```no_run
/// use std::net::TcpStream;
/// use std::sync::Arc;
/// use dc_rustls::client::{Config, Peer, NamePolicy};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let roots = rustls::RootCertStore::empty();
/// let tls = Config::builder(Arc::new(rustls::crypto::ring::default_provider()))
///     .roots(roots)
///     .unique_name(NamePolicy::Required)
///     .build()?;
/// let tcp = TcpStream::connect("192.0.2.1:443")?;
/// let stream = tls.connect("k3v.cpe.example.com".try_into()?, tcp)?;
/// assert!(!stream.authenticates(&"neighbour.cpe.example.com".try_into()?));
/// match stream.peer() {
///     Peer::Delegated { unique_name, expires, .. } => println!("{unique_name:?} until {expires:?}"),
///     _ => println!("an ordinary certificate"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    by_name: Offering,
    /// For what can be nobody's unique name; none if only a unique name will do.
    without_name: Option<Offering>,
    sessions: Arc<Sessions>,
    /// Of connections that hide the name: a ticket of one of them would be seen on another.
    hidden_sessions: Arc<Sessions>,
    hides_name: bool,
    resumes: bool,
    early_data: bool,
    authorization: Authorization,
}

impl Config {
    pub(super) fn new(
        by_name: Offering,
        without_name: Option<Offering>,
        resumes: bool,
        authorization: Authorization,
    ) -> Self {
        Self {
            by_name,
            without_name,
            sessions: Arc::default(),
            hidden_sessions: Arc::default(),
            hides_name: false,
            resumes,
            early_data: false,
            authorization,
        }
    }

    pub(super) fn with_early_data(mut self, early_data: bool) -> Self {
        self.early_data = early_data;
        self
    }

    /// Connects over a blocking stream: does the whole handshake, and returns when the peer is known.
    ///
    /// `name` is the name that the caller wants to reach, not one that it was redirected to. An IP address, or
    /// another name that no device can have, is no reason to ask whoever is there for a unique name: the
    /// form that carries one is not offered then, so [`NamePolicy::Preferred`](super::NamePolicy::Preferred)
    /// is as [`Ignored`](super::NamePolicy::Ignored).
    ///
    /// As with all of TLS, set `TCP_NODELAY`: else the first request may wait for 40 ms until a server that has
    /// nothing to say has acknowledged the end of the handshake.
    ///
    /// Fails with [`Error::NoUniqueName`], before anything is sent, if the policy requires a unique name and
    /// `name` can be none. Fails with [`Error::Refused`] if the server's credential is not acceptable, or if it
    /// has none and the policy asks for one; the server has got the alert by then. Fails with [`Error::Tls`] or
    /// [`Error::Io`] for all other reasons.
    pub fn connect<T: Read + Write>(
        &self,
        name: ServerName<'static>,
        io: T,
    ) -> Result<Stream<T>, Error> {
        let wanted = name.clone();
        self.begin(name)
            .and_then(|beginning| Stream::handshake(beginning, io, |_| Ok(())))
            .inspect_err(|error| events::not_connected(&wanted, error))
    }

    /// The same with another mode of Encrypted ClientHello: the ECHConfigs that DNS has for the next name, or those that
    /// a server wants instead of the ones it got.
    ///
    /// The two have their sessions in common as far as both hide the name, or neither does. Sessions of connections that
    /// do are never offered by one that does not. It is as quick as a clone.
    ///
    /// ```no_run
    /// # fn example(
    /// #     tls: dc_rustls::client::Config,
    /// #     from_dns: rustls::pki_types::EchConfigListBytes<'static>,
    /// #     suites: &[&'static dyn rustls::crypto::hpke::Hpke],
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// use dc_rustls::Error;
    /// use dc_rustls::client::EchMode;
    /// use std::net::TcpStream;
    ///
    /// let name = "k3v.cpe.example.com".try_into()?;
    /// let hiding = tls.with_ech(&EchMode::enable(from_dns, suites)?)?;
    /// let stream = match hiding.connect(name, TcpStream::connect("192.0.2.1:443")?) {
    ///     // Once more, with the server's own; without any, it has given Encrypted ClientHello up.
    ///     Err(Error::EchRejected { retry_configs: Some(list) }) => {
    ///         let name = "k3v.cpe.example.com".try_into()?;
    ///         let hiding = tls.with_ech(&EchMode::enable(list, suites)?)?;
    ///         hiding.connect(name, TcpStream::connect("192.0.2.1:443")?)?
    ///     }
    ///     connected => connected?,
    /// };
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Fails with [`Error::EchBelowTls13`] if TLS 1.2 is allowed.
    pub fn with_ech(&self, mode: &EchMode) -> Result<Self, Error> {
        let without_name = self.without_name.as_ref();
        Ok(Self {
            by_name: self.by_name.with_ech(mode)?,
            without_name: without_name.map(|o| o.with_ech(mode)).transpose()?,
            hides_name: mode.hides(),
            ..self.clone()
        })
    }

    /// The same with sessions of its own: those of TLS over TCP know nothing of QUIC's transport parameters.
    pub(crate) fn with_own_sessions(&self) -> Self {
        Self {
            sessions: Arc::default(),
            hidden_sessions: Arc::default(),
            ..self.clone()
        }
    }

    /// Fails with [`Error::NoEch`] if names are hidden, and with [`Error::NoQuic`] if the provider has not what QUIC
    /// needs.
    pub(crate) fn check_quic(&self) -> Result<(), Error> {
        if self.hides_name {
            return Err(Error::NoEch);
        }
        let suites = &self.by_name.rustls.crypto_provider().cipher_suites;
        let has_initial = suites
            .iter()
            .filter_map(rustls::SupportedCipherSuite::tls13)
            .any(|suite| {
                suite.common.suite == rustls::CipherSuite::TLS13_AES_128_GCM_SHA256
                    && suite.quic.is_some()
            });
        has_initial.then_some(()).ok_or(Error::NoQuic)
    }

    /// Connects as [`connect`](Self::connect) does, and sends with the first flight what `early` writes, so that the
    /// server can answer a round trip sooner.
    ///
    /// `early` is called at most once, before anything is sent: if [`Builder::early_data`](super::Builder::early_data)
    /// allows it and there is a session with a server of this name that takes early data, whose credential is still valid and
    /// that the application still wants. It may write nothing. [`Stream::early_data`] says afterwards what became of it:
    /// whatever was rejected, by a server that has lost the session or asks for another key share, is to be sent again.
    ///
    /// **Whoever has recorded early data can send it once more**, and whoever gets at the server's sessions can read it
    /// (RFC 8446 §8 and §2.3): write only what may happen twice, such as a GET (RFC 8470) or a DNS query.
    ///
    /// ```no_run
    /// use std::io::Write;
    /// use dc_rustls::client::EarlyDataStatus;
    ///
    /// # fn example(tls: dc_rustls::client::Config, tcp: std::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
    /// let query = b"a query that may be asked twice";
    /// let name = "k3v.cpe.example.com".try_into()?;
    /// let mut stream = tls.connect_early(name, tcp, |early| early.write_all(query))?;
    /// if stream.early_data() != EarlyDataStatus::Accepted {
    ///     stream.write_all(query)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Fails as [`connect`](Self::connect) does, with [`Error::Io`] if `early` does, and nothing was sent then, and with
    /// [`Refusal::ProtocolChanged`](crate::Refusal::ProtocolChanged) if the server took early data for another
    /// application protocol than that of the session.
    pub fn connect_early<T: Read + Write>(
        &self,
        name: ServerName<'static>,
        io: T,
        early: impl FnOnce(&mut EarlyData<'_>) -> std::io::Result<()>,
    ) -> Result<Stream<T>, Error> {
        let wanted = name.clone();
        self.begin_early(name)
            .and_then(|beginning| Stream::handshake(beginning, io, early))
            .inspect_err(|error| events::not_connected(&wanted, error))
    }

    /// The beginning of one connection, which may send early data.
    pub(super) fn begin_early(&self, name: ServerName<'static>) -> Result<Beginning, Error> {
        let mut beginning = self.begin(name)?;
        Arc::make_mut(&mut beginning.rustls).enable_early_data = self.early_data;
        Ok(beginning)
    }

    /// The beginning of one connection.
    ///
    /// The verifier stays the same one: rustls resumes only under the verifier of the full handshake.
    pub(crate) fn begin(&self, name: ServerName<'static>) -> Result<Beginning, Error> {
        let offering = match (UniqueName::wanted(&name), &self.without_name) {
            (Some(_), _) => &self.by_name,
            (None, Some(offering)) => offering,
            (None, None) => return Err(Error::NoUniqueName { wanted: name }),
        };
        let mut rustls = ClientConfig::clone(&offering.rustls);
        let clock = Arc::clone(&rustls.time_provider);
        let sessions = Arc::new(ConnectionSessions::new(
            Arc::clone(match self.hides_name {
                true => &self.hidden_sessions,
                false => &self.sessions,
            }),
            clock,
            self.authorization.clone(),
        ));
        rustls.resumption = match self.resumes {
            true => Resumption::store(sessions.clone()).tls12_resumption(Tls12Resumption::Disabled),
            false => Resumption::disabled(),
        };
        Ok(Beginning {
            rustls: Arc::new(rustls),
            sessions,
            hidden: self.hides_name.then(|| Arc::new(name.clone())),
            name,
            offer: offering.extensions,
        })
    }
}
