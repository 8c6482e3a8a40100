//! Reads a ClientHello, and picks the configuration that answers it.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use dc_core::Offer;
use rustls::crypto::CryptoProvider;
use rustls::server::ClientHello;
use rustls::{AlertDescription, InvalidMessage, ServerConfig};

use super::answer::{Answer, Configured};
use super::greeting::{Greeting, Heard};
use super::offer::{Asked, Offered};
use super::selection::Entry;
use super::{EarlyData, Served, Store, Stream, Watch};
use crate::Error;
use crate::events;
use crate::io::in_records;

/// Makes TLS connections with clients: with a credential where one suits, else with the fallback.
///
/// ```no_run
/// use std::net::TcpListener;
/// use std::sync::Arc;
/// use std::thread;
/// use std::time::Duration;
/// use dc_rustls::server::{Acceptor, Identity, Store};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::new(Arc::new(rustls::crypto::ring::default_provider()));
/// store.install(Identity::load("/etc/dc")?)?;
/// let acceptor = Acceptor::new(store.clone());
/// let listener = TcpListener::bind("0.0.0.0:443")?;
/// let next = || -> Result<(), dc_rustls::Error> {
///     let (tcp, _) = listener.accept()?;
///     tcp.set_read_timeout(Some(Duration::from_secs(10)))?;
///     println!("{:?}", acceptor.accept(tcp)?.served());
///     Ok(())
/// };
/// let work = || loop {
///     if let Err(error) = next() {
///         eprintln!("{error}");
///         thread::sleep(Duration::from_millis(10));
///     }
/// };
/// thread::scope(|scope| (0..64).for_each(|_| drop(scope.spawn(work))));
/// # Ok(())
/// # }
/// ```
///
/// No time is limited here: a client that says nothing waits for as long as the socket does, and keeps one thread, so
/// the socket needs a limit and the server more than one thread.
#[derive(Clone, Debug)]
pub struct Acceptor {
    store: Arc<Store>,
    fallback: Option<Fallback>,
    serves: Predicate,
    /// Keeps the store fresh, for as long as anybody accepts.
    pub(super) watch: Option<Arc<Watch>>,
}

/// A configuration with a certificate.
#[derive(Clone, Debug)]
struct Fallback {
    config: Arc<ServerConfig>,
    /// Its cryptography, to ask for credentials of clients with.
    provider: Option<Arc<CryptoProvider>>,
}

/// The clients that are served with a credential; all of them if it is empty.
#[derive(Clone, Default)]
struct Predicate(Option<Arc<Serves>>);

type Serves = dyn Fn(&ClientHello<'_>, &Offer) -> bool + Send + Sync;

impl fmt::Debug for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Predicate").finish_non_exhaustive()
    }
}

impl Acceptor {
    /// Serves with the credentials of this store, and nothing else.
    #[must_use]
    pub fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            fallback: None,
            serves: Predicate::default(),
            watch: None,
        }
    }

    /// Serves clients that no credential suits with this configuration, as stock rustls would.
    ///
    /// If clients are asked for credentials, [`Settings::client_credentials`](super::Settings::client_credentials),
    /// this is done in TLS 1.3 with what `config` lets others read: everything but its verifier of clients, its
    /// `max_fragment_size`, its `ticketer` (sessions are in its `session_storage`) and its
    /// `send_half_rtt_data`. A client that has TLS 1.2 only is then refused, unless the policy is
    /// [`optional`](super::ClientCredentials::optional): `config` serves it as it is, and asks it for a certificate if its
    /// verifier does, but whatever it presents, [`peer`](Stream::peer) is `None`.
    #[must_use]
    pub fn fallback(mut self, config: Arc<ServerConfig>) -> Self {
        let provider = self
            .store
            .asking()
            .map(|asking| asking.provider(config.crypto_provider(), false));
        self.fallback = Some(Fallback { config, provider });
        self
    }

    /// Serves a credential only to clients that this accepts; the others are served as if they had not
    /// offered to take one.
    ///
    /// Some clients imitate the hello of a browser and offer what they cannot do: they end the connection
    /// when they get a credential.
    #[must_use]
    pub fn only_if(
        mut self,
        serves: impl Fn(&ClientHello<'_>, &Offer) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.serves = Predicate(Some(Arc::new(serves)));
        self
    }

    /// Accepts over a blocking stream: does the whole handshake.
    ///
    /// Fails with [`Error::NothingSuits`] if neither a credential nor a fallback answers the client, or with
    /// [`Error::NothingForName`] if a credential would if the client had named the device it is for, or with
    /// [`Error::NothingInstalled`] if there is no credential at all: it gets handshake_failure. A ClientHello that has not
    /// ended after 28 KiB gets decode_error. Fails with [`Error::Tls`] or [`Error::Io`] for all other reasons. The
    /// client has got its alert by then.
    ///
    /// Takes no early data, which the client then sends again, and the sessions that it makes allow none; but what a fallback's `max_early_data_size` allows is
    /// in [`Stream::connection_mut`], as with rustls alone.
    pub fn accept<T: Read + Write>(&self, io: T) -> Result<Stream<T>, Error> {
        self.serve(io, Stream::handshake)
            .inspect_err(events::not_served)
    }

    /// Accepts as [`accept`](Self::accept) does, and gives `take` what the client sends before the handshake is over, to
    /// answer it a round trip sooner.
    ///
    /// Needs [`Settings::max_early_data`](super::Settings::max_early_data), which says what protects from replay, or the
    /// fallback's own `max_early_data_size`. `take` gets the bytes in order and as they arrive, of which nothing else is kept;
    /// what the client sends later is read from the stream. As long as `take` has not been called, nothing was taken early.
    ///
    /// ```no_run
    /// use std::io::{Read, Write};
    ///
    /// # fn example(acceptor: dc_rustls::server::Acceptor, tcp: std::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
    /// # fn is_whole(request: &[u8]) -> bool { !request.is_empty() }
    /// # fn answer(request: &[u8]) -> &'static [u8] { b"" }
    /// let mut request = Vec::new();
    /// let mut stream = acceptor.accept_early(tcp, |early| {
    ///     request.extend_from_slice(early.bytes());
    ///     match is_whole(&request) {
    ///         true => early.write_all(answer(&request)),
    ///         false => Ok(()),
    ///     }
    /// })?;
    /// // What did not come early comes now.
    /// let mut rest = [0; 4096];
    /// let length = stream.read(&mut rest)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Fails as [`accept`](Self::accept) does, and with [`Error::Io`] if `take` does; the connection is lost then.
    pub fn accept_early<T: Read + Write>(
        &self,
        io: T,
        take: impl FnMut(&mut EarlyData<'_>) -> io::Result<()>,
    ) -> Result<Stream<T>, Error> {
        self.serve(io, |answer, io| Stream::handshake_early(answer, io, take))
            .inspect_err(events::not_served)
    }

    fn serve<T: Read + Write>(
        &self,
        mut io: T,
        handshake: impl FnOnce(Answer, T) -> Result<Stream<T>, Error>,
    ) -> Result<Stream<T>, Error> {
        match self.answer(&mut io)? {
            Ok(answer) => handshake(answer, io),
            Err(rejection) => Err(rejection.send(&mut io)),
        }
    }

    /// Reads a ClientHello, and decides how to answer it.
    ///
    /// With its buffers on the heap, and off the stack before the handshake begins: a thread keeps every page of
    /// its stack that was ever written.
    #[inline(never)]
    fn answer(&self, io: &mut impl Read) -> Result<Result<Answer, Rejection>, Error> {
        let mut greeting = Greeting::default();
        let mut chunk = vec![0; CHUNK];
        loop {
            if let Some(heard) = greeting.push(read_some(io, &mut chunk)?) {
                return Ok(self.decide(heard));
            }
        }
    }

    /// The credential for this client, unless the application serves it none.
    fn pick(&self, hello: &ClientHello<'_>, asked: &Asked) -> Result<Arc<Entry>, Error> {
        match self
            .serves
            .0
            .as_ref()
            .is_none_or(|serves| serves(hello, &asked.offer))
        {
            true => self.store.pick(asked, hello.server_name()),
            false => Err(Error::NothingSuits),
        }
    }

    /// Decides how to answer what has arrived.
    pub(super) fn decide(&self, heard: Heard) -> Result<Answer, Rejection> {
        let hello = match heard {
            Heard::Hello(hello) => hello,
            Heard::Nonsense(received) => return self.refuse(received),
            Heard::TooMuch => return Err(Rejection::too_much()),
        };
        let Offered {
            has_tls13,
            has_session,
            ref asked,
            ..
        } = *match &hello.offered {
            Ok(offered) => offered,
            Err(alert) => return Err(Rejection::new(Error::MalformedOffer, *alert)),
        };
        let picked = match asked {
            Some(asked) => self.pick(&hello.client_hello(), asked),
            None => Err(Error::NothingSuits),
        };
        match (picked, &self.fallback) {
            (Ok(entry), _) => {
                let provider = Some(entry.config.crypto_provider());
                let begun = match has_session {
                    true => self.ask(&self.store.resuming(&entry), provider, has_tls13)?,
                    false => self.ask(&entry.config, provider, has_tls13)?,
                };
                Ok(Answer::new(entry.served.clone(), begun, hello))
            }
            (Err(reason), Some(fallback)) => {
                events::served_certificate(&reason);
                let begun = self.ask(&fallback.config, fallback.provider.as_ref(), has_tls13)?;
                Ok(Answer::new(Served::Certificate, begun, hello))
            }
            (Err(reason), None) => {
                let reason = self.store.nothing_installed().unwrap_or(reason);
                Err(Rejection::new(reason, AlertDescription::HandshakeFailure))
            }
        }
    }

    /// Decides how to answer a whole ClientHello that came without records, or gives the reason why not and the alert.
    pub(crate) fn answer_hello(&self, hello: &[u8]) -> Result<Answer, (Error, AlertDescription)> {
        let heard = Greeting::default().push(&in_records(hello));
        let answer = self.decide(heard.unwrap_or_else(|| Heard::Nonsense(Vec::new())));
        answer.map_err(|Rejection { error, alert }| (error, alert))
    }

    /// The configuration for a peer that is no client.
    pub(crate) fn empty_config(&self) -> Result<Arc<ServerConfig>, Error> {
        self.store.empty_config()
    }

    /// The configuration for clients that no credential suits.
    pub(crate) fn fallback_config(&self) -> Option<&Arc<ServerConfig>> {
        self.fallback.as_ref().map(|fallback| &fallback.config)
    }

    /// The configuration that answers, with a question for the client's credential, if there is one, in suites that ask it.
    fn ask(
        &self,
        config: &Arc<ServerConfig>,
        provider: Option<&Arc<CryptoProvider>>,
        has_tls13: bool,
    ) -> Result<Configured, Rejection> {
        let (Some(asking), Some(provider)) = (self.store.asking(), provider) else {
            return Ok((Arc::clone(config), None));
        };
        // Below TLS 1.3 nobody has a credential, and whom the fallback's own verifier takes is nobody to the policy.
        if asking.is_optional() && !has_tls13 {
            return Ok((Arc::clone(config), Some(asking.nobody())));
        }
        match asking.connection(config, Arc::clone(provider)) {
            Ok((config, client)) => Ok((config, Some(client))),
            Err(error) => Err(Rejection::new(error, AlertDescription::InternalError)),
        }
    }

    /// Lets stock rustls say what is wrong with what is no ClientHello.
    ///
    /// With no certificate: whatever it may make of these bytes, nobody has looked at what they offer.
    fn refuse(&self, received: Vec<u8>) -> Result<Answer, Rejection> {
        match self.store.empty_config() {
            Ok(config) => Ok(Answer::over(config, received)),
            Err(error) => Err(Rejection::new(error, AlertDescription::InternalError)),
        }
    }
}

fn read_some<'a>(io: &mut impl Read, chunk: &'a mut [u8]) -> Result<&'a [u8], Error> {
    loop {
        match io.read(chunk) {
            Ok(0) => return Err(Error::Io(ErrorKind::UnexpectedEof.into())),
            Ok(read) => return Ok(chunk.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A connection that ends before it began, and what the client is to be told.
pub(super) struct Rejection {
    error: Error,
    alert: AlertDescription,
}

impl Rejection {
    fn new(error: Error, alert: AlertDescription) -> Self {
        Self { error, alert }
    }

    /// As rustls says it of a message that is longer than it takes.
    fn too_much() -> Self {
        let error = rustls::Error::from(InvalidMessage::HandshakePayloadTooLarge);
        Self::new(error.into(), AlertDescription::DecodeError)
    }

    /// Tells the client, as far as the network lets us, and gives the reason.
    fn send(self, io: &mut impl Write) -> Error {
        let (error, record) = self.into_parts();
        let _ = io.write_all(&record).and_then(|()| io.flush());
        error
    }

    /// The reason, and the record with the alert.
    pub(super) fn into_parts(self) -> (Error, [u8; 7]) {
        // A plaintext alert record (RFC 8446 §5.1): nothing is encrypted yet.
        (self.error, [21, 3, 3, 0, 2, 2, self.alert.into()])
    }
}

/// A ClientHello with a post-quantum key share has less.
pub(super) const CHUNK: usize = 2048;
