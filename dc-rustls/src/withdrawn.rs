//! Lists of withdrawn names, by which a stolen device is refused before its last credential has ended.

mod follow;
mod zone;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dc_core::{ListKey, NameHash, UniqueName, WithdrawnNames};
use rustls::crypto::CryptoProvider;
use rustls::crypto::hash::{Hash, HashAlgorithm};
use rustls::pki_types::{SignatureVerificationAlgorithm, UnixTime};
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};

use crate::list_error::ListError;
use crate::{Error, Refusal};
use zone::Zone;

/// The policy for names of a zone without a list that is current.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ListPolicy {
    /// Refuses all names of the zone. Whoever keeps lists away from this end, or stops the signer for longer than a list
    /// lives, keeps it from all of the zone.
    Require,
    /// Goes on: with the names of the last list, if there was one, and says so in
    /// [`Withdrawals::report`]. Whoever keeps lists away can use a stolen device until its credential ends.
    Prefer,
}

/// How the list of a zone stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ListStanding {
    /// It is there, was made within the last 7 days, and has not ended.
    Current,
    /// There has been none yet.
    Missing,
    /// It has ended, or was made more than 7 days ago, and there is no newer one.
    Stale,
    /// It was made more than a day after the time that it is: the clock of the signer or that of this machine is wrong.
    Early,
}

impl fmt::Display for ListStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Current => "current",
            Self::Missing => "missing",
            Self::Stale => "stale",
            Self::Early => "from a time that has not come",
        })
    }
}

/// The lists of withdrawn names of some zones, as their signers publish them, for any number of clients and servers.
///
/// A list is loaded while connections are made: handshakes take no lock. One is taken only if a key signed it that is
/// trusted for its zone, and if it is not older than the one that is there. So that this holds over restarts too, load first
/// what was loaded last, from a file of the application's.
///
/// ```
/// # fn example(
/// #     provider: std::sync::Arc<rustls::crypto::CryptoProvider>,
/// #     roots: rustls::RootCertStore,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use std::time::Duration;
/// use dc_rustls::client::Config;
/// use dc_rustls::{ListKey, ListPolicy, Withdrawals};
///
/// let key = ListKey::try_from("XVv6jTzYUTnBWMv60dAwKCPaGhrNcLzGvdFs7eSuBLE=")?;
/// let lists = Withdrawals::new(&provider)?
///     .zone("cpe.example.com".try_into()?, [key], ListPolicy::Prefer)
///     .report(|zone, standing| eprintln!("the list of {zone} is {standing}"));
/// let lists = Arc::new(lists);
/// let every = Duration::from_secs(3600);
/// let _watch = lists.follow_file("/var/lib/app/cpe.withdrawn", every, |loaded| {
///     if let Err(error) = loaded {
///         eprintln!("{error}");
///     }
/// })?;
/// let tls = Config::builder(provider).roots(roots).withdrawals(lists).build()?;
/// # Ok(())
/// # }
/// ```
pub struct Withdrawals {
    sha256: &'static dyn Hash,
    algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
    zones: Vec<Zone>,
    report: Option<Arc<Report>>,
    time: Arc<dyn TimeProvider>,
}

type Report = dyn Fn(&UniqueName<'_>, ListStanding) + Send + Sync;

impl Withdrawals {
    /// No lists yet. The provider has to have Ed25519 and SHA-256.
    ///
    /// Fails with [`ListError::NoSha256`].
    pub fn new(provider: &CryptoProvider) -> Result<Self, Error> {
        let suites = provider.cipher_suites.iter();
        let sha256 = suites
            .filter_map(rustls::SupportedCipherSuite::tls13)
            .map(|suite| suite.common.hash_provider)
            .find(|hash| hash.algorithm() == HashAlgorithm::SHA256)
            .ok_or(Error::List(ListError::NoSha256))?;
        Ok(Self {
            sha256,
            algorithms: provider.signature_verification_algorithms.all,
            zones: Vec::new(),
            report: None,
            time: Arc::new(DefaultTimeProvider),
        })
    }

    /// Looks up the names directly below this zone, in lists that one of these keys has signed: several while the
    /// signer replaces its key ([`WithdrawnNames::next_keys`] has those to trust next).
    ///
    /// A name of no zone that was said is refused by no list.
    #[must_use]
    pub fn zone(
        mut self,
        zone: UniqueName<'static>,
        keys: impl IntoIterator<Item = ListKey>,
        policy: ListPolicy,
    ) -> Self {
        self.zones.retain(|known| *known.name() != zone);
        self.zones.push(Zone::new(zone, keys, policy));
        self
    }

    /// Tells the application how the list of a zone stands, when a name of it is looked up for the first time and whenever
    /// that has changed since. It runs inside a handshake, so it should be quick.
    #[must_use]
    pub fn report(
        mut self,
        report: impl Fn(&UniqueName<'_>, ListStanding) + Send + Sync + 'static,
    ) -> Self {
        self.report = Some(Arc::new(report));
        self
    }

    /// Takes the time at which a list is loaded from elsewhere than the system's clock: by it a list that was made while the signer's clock was
    /// ahead gives way to the next one. Handshakes have a clock of their own.
    #[must_use]
    pub fn time_provider(mut self, time: Arc<dyn TimeProvider>) -> Self {
        self.time = time;
        self
    }

    /// Loads a list from its bytes, and gives it: for the handshakes from now on, and for
    /// [`Stream::recheck`](crate::client::Stream::recheck) of the connections that are open.
    ///
    /// Fails with [`Error::List`] if it is malformed, forged, of another zone, or older than the one that is there, which
    /// counts on then.
    pub fn load(&self, list: impl Into<Vec<u8>>) -> Result<Arc<WithdrawnNames>, Error> {
        self.take(list.into()).map_err(Error::List)
    }

    /// Loads a list from a file.
    ///
    /// Fails as [`load`](Self::load) does, and if the file cannot be read.
    pub fn load_file(&self, path: impl AsRef<Path>) -> Result<Arc<WithdrawnNames>, Error> {
        let path = path.as_ref();
        let list = std::fs::read(path).map_err(|source| {
            Error::List(ListError::File {
                path: path.to_owned(),
                source,
            })
        })?;
        self.load(list)
    }

    fn take(&self, bytes: Vec<u8>) -> Result<Arc<WithdrawnNames>, ListError> {
        let zone = WithdrawnNames::claimed_zone(&bytes).map_err(ListError::Invalid)?;
        let known = self.zones.iter().find(|known| *known.name() == zone);
        let known = known.ok_or(ListError::OtherZone { zone })?;
        let list = WithdrawnNames::verify(bytes, known.keys(), self.algorithms);
        // Without a clock nothing is of a time that has not come.
        let now = self.time.current_time();
        let now = now.unwrap_or(UnixTime::since_unix_epoch(Duration::MAX));
        known.swap(Arc::new(list.map_err(ListError::Invalid)?), now)
    }

    /// The list of a zone; `None` if there is none yet.
    #[must_use]
    pub fn list(&self, zone: &UniqueName<'_>) -> Option<Arc<WithdrawnNames>> {
        self.find(zone)?.list()
    }

    /// How the list of a zone stands; `None` if it is not one of these.
    #[must_use]
    pub fn standing(&self, zone: &UniqueName<'_>, now: UnixTime) -> Option<ListStanding> {
        Some(self.find(zone)?.standing(now))
    }

    fn find(&self, zone: &UniqueName<'_>) -> Option<&Zone> {
        self.zones.iter().find(|known| known.name() == zone)
    }

    /// Fails if a name is withdrawn, or if that is not known and has to be.
    pub(crate) fn check(&self, name: &UniqueName<'_>, now: UnixTime) -> Result<(), Refusal> {
        let Some(zone) = self.zones.iter().find(|zone| zone.has(name)) else {
            return Ok(());
        };
        let hash = NameHash::new(name, |bytes| self.sha256(bytes));
        let outcome = zone.check(name, hash, now);
        if let Some(report) = &self.report
            && let Some(standing) = zone.news(now)
        {
            report(zone.name(), standing);
        }
        outcome
    }

    fn sha256(&self, bytes: &[u8]) -> [u8; 32] {
        let mut hash = [0; 32];
        let output = self.sha256.hash(bytes);
        hash.iter_mut()
            .zip(output.as_ref())
            .for_each(|(to, from)| *to = *from);
        hash
    }
}

impl fmt::Debug for Withdrawals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sha256: _,
            algorithms: _,
            zones,
            report: _,
            time: _,
        } = self;
        f.debug_struct("Withdrawals")
            .field("zones", zones)
            .finish_non_exhaustive()
    }
}
