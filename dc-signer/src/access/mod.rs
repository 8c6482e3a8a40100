//! Access of devices and operators, for API and pages alike: authentication, roles, and limits on how often they may come.
//!
//! API and pages differ in how a caller carries the proof: in a header, a cookie or the connection's certificate.

mod buckets;
pub(crate) mod export;
mod limits;
mod overload;
mod promises;
mod reads;
#[cfg(test)]
pub(crate) mod testing;
mod together;

use std::sync::Arc;
use std::time::Instant;

use axum::http::request::Parts;
use dc_admission::{Asks, Later, Whence};
use pki_types::{CertificateDer, UnixTime};

use crate::authority::{self, Authenticated, Authority};
use crate::config::Live;
use crate::server::listener::{ClientAddress, ClientCertificate, Peer};
use crate::server::telemetry::{Metrics, Shed};
use dc_protocol::{EnrollRequest, Kind};
use dc_store::registry::{Access, Role, Sha256};
pub(crate) use limits::Counted;
pub use limits::RateLimits;
pub use overload::{Overload, Place};
use promises::Promises;
use reads::Reads;
use together::Among;

/// Lets devices and operators in.
#[derive(Debug)]
pub struct Gate {
    authority: Arc<Authority>,
    limits: Live<RateLimits>,
    overload: Arc<Overload>,
    metrics: Arc<Metrics>,
    reads: Reads,
    promises: Promises,
}

/// An operator who is let in: authenticated, and not too often here. Only [`Gate`] makes one.
#[derive(Debug)]
pub(crate) struct Admitted {
    operator: Authenticated,
    /// Answered as long as this is kept.
    _place: Place,
}

/// The operator's certificate of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shown {
    /// There is no certificate.
    Nothing,
    /// The certificate is not valid now: operators' are added with their end in them.
    Ended,
    /// The holder of this certificate.
    Holder(Access),
}

/// A caller that is not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccessError {
    /// It cannot be looked up who it is.
    #[error(transparent)]
    Authority(#[from] authority::Error),
    /// A device, or whoever else has this key, comes too often.
    #[error("this device has come too often: come again in {seconds} s")]
    DeviceTooOften {
        /// After how many seconds to come again.
        seconds: u64,
    },
    /// The operator comes too often.
    #[error("you have come too often: come again in {seconds} s")]
    OperatorTooOften {
        /// After how many seconds to come again.
        seconds: u64,
    },
    /// There is too much to do, and this device has a time of its own now.
    #[error(
        "the service has too much to do: send the same request again in {seconds} s, a place is kept for it then"
    )]
    Reserved {
        /// After how many seconds to come again.
        seconds: u64,
    },
    /// There is too much to do.
    #[error("the service has too much to do: try again in {seconds} s")]
    Overloaded {
        /// After how many seconds to come again.
        seconds: u64,
    },
    /// The operator's role does not allow it.
    #[error("your role is {role}, and this takes {needed}: ask an admin")]
    Role {
        /// The operator's role.
        role: Role,
        /// The least role that is needed.
        needed: Role,
    },
}

impl AccessError {
    /// The kind of problem.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Authority(error) => error.kind(),
            Self::DeviceTooOften { .. } | Self::OperatorTooOften { .. } => Kind::RateLimited,
            Self::Overloaded { .. } | Self::Reserved { .. } => Kind::Busy,
            Self::Role { .. } => Kind::Forbidden,
        }
    }
}

impl Gate {
    /// Over an authority, with limits that a reload may change.
    #[must_use]
    pub fn new(
        limits: Live<RateLimits>,
        overload: Arc<Overload>,
        authority: Arc<Authority>,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        Arc::new(Self {
            limits,
            overload,
            authority,
            metrics,
            reads: Reads::default(),
            promises: Promises::default(),
        })
    }

    /// Notes that an operator got an answer with so many devices in it.
    pub(crate) fn note_read(&self, operator: &Authenticated, rows: usize, now: UnixTime) {
        let who = (operator.actor(), operator.address());
        self.reads.note(who, rows, now);
    }

    /// Records what operators have read, once a quarter of an hour or all of it.
    ///
    /// Fails with what the database fails with; then it is kept for the next time.
    pub(crate) async fn record_reads(
        &self,
        now: UnixTime,
        all: bool,
    ) -> Result<(), authority::Error> {
        self.reads.record(&self.authority, now, all).await
    }

    /// Tells the other signers how often devices came here, and hears how often they came there; to be called every five seconds,
    /// and at the start and the end.
    ///
    /// Fails with what the database fails with; then it is told the next time.
    pub(crate) async fn share_limits(&self, now: UnixTime) -> Result<(), authority::Error> {
        let limits = self.limits.load();
        let (untold, since) = limits.untold();
        let period = limits.configured().device_period;
        let exchange = self.authority.exchange_limits(&untold, period, since, now);
        let (heard, signers, place) = exchange.await?;
        let among = Among { signers, place };
        limits.exchanged(&untold, &heard, among, Instant::now());
        self.share_promises(now).await
    }

    /// The same with the times that are kept for devices: whichever signer they come to then serves them.
    async fn share_promises(&self, now: UnixTime) -> Result<(), authority::Error> {
        let (given, since) = self.promises.take(Instant::now());
        let exchanged = self.authority.exchange_promises(&given, since, now).await;
        let heard = exchanged.inspect_err(|_| self.promises.put_back(given, Instant::now()))?;
        self.promises.told(heard.number);
        if !heard.after.is_empty() {
            let count = heard.after.len();
            tracing::debug!(count, "times are kept for devices that came to any signer");
        }
        let all = heard.after.iter();
        self.overload
            .hear(all.map(|(key, after)| (number(key), *after)));
        Ok(())
    }

    /// True if a time is kept for the device with this key, and has come.
    pub(crate) fn expects(&self, key: &Sha256) -> bool {
        self.overload.is_expected(number(key))
    }

    /// Forgets limits that do not bind anybody any more.
    pub(crate) fn tidy(&self) {
        self.limits.load().tidy(Instant::now());
    }

    /// The authority behind it.
    pub(crate) fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    /// Counts the holder of an enrolment key.
    ///
    /// Fails with [`AccessError::DeviceTooOften`].
    pub(crate) fn device(&self, key: &Sha256) -> Result<Counted, AccessError> {
        let counted = self.limits.load().device(key, Instant::now());
        counted.map_err(|seconds| {
            self.metrics.shed(Shed::DeviceRate);
            AccessError::DeviceTooOften { seconds }
        })
    }

    /// Remembers that the holder of a key, counted as a stranger's, is a device.
    pub(crate) fn remember_device(&self, key: &Sha256) {
        self.limits.load().remember_device(key, Instant::now());
    }

    /// Gives back what the holder of a key was counted for, because the service could not serve them.
    pub(crate) fn give_back(&self, key: &Sha256, counted: Counted) {
        self.limits.load().give_back(key, counted, Instant::now());
    }

    /// Waits for the turn of a renewal, which goes by the end of what the database says that the device holds. None if nothing
    /// will be issued to whoever asks, so that nobody waits because of them.
    ///
    /// Fails with [`AccessError::Reserved`], and with what the database fails with.
    pub(crate) async fn renewal(
        &self,
        key: &Sha256,
        peer: Option<&Peer>,
        now: UnixTime,
    ) -> Result<Option<Place>, AccessError> {
        if let Some(place) = self.overload.admit_at_once() {
            return Ok(Some(place));
        }
        let Some(left) = self.authority.left(*key, now).await? else {
            return Ok(None);
        };
        if let Some(peer) = peer {
            peer.is_known_here();
        }
        let device = number(key);
        let asks = Asks::Renewal { device, left };
        self.admit_device(asks, *key).await.map(Some)
    }

    /// Waits for the turn of an enrolment, which goes by where it comes from; the place that is kept for one that is sent away is for
    /// what lets it enrol. None if nothing will be issued to whoever asks, so that no place is kept for strangers.
    ///
    /// Fails with [`AccessError::Reserved`], and with what the database fails with.
    pub(crate) async fn enrolment(
        &self,
        request: &EnrollRequest,
        chain: &[CertificateDer<'_>],
        whence: Whence,
        now: UnixTime,
    ) -> Result<Option<Place>, AccessError> {
        if let Some(place) = self.overload.admit_at_once() {
            return Ok(Some(place));
        }
        let Some(by) = self.authority.may_enrol(request, chain, now).await? else {
            return Ok(None);
        };
        let device = number(&by);
        let asks = Asks::Enrolment { device, whence };
        self.admit_device(asks, by).await.map(Some)
    }

    /// Whoever is sent away is expected at any signer at the time that it is told.
    async fn admit_device(&self, asks: Asks, key: Sha256) -> Result<Place, AccessError> {
        let admitted = self.overload.admit(asks).await;
        Ok(admitted.inspect_err(|later| {
            if later.is_reserved {
                self.promises.give(key, later.after, Instant::now());
            }
        })?)
    }

    /// Lets an operator in who does not come too often, when its turn has come; the request's span and connection know who it is.
    ///
    /// Fails with [`AccessError::OperatorTooOften`] and [`AccessError::Overloaded`].
    pub(crate) async fn admit(
        &self,
        operator: Authenticated,
        parts: &Parts,
        is_long: bool,
    ) -> Result<Admitted, AccessError> {
        tracing::Span::current().record("caller", operator.name());
        let address = parts.extensions.get::<ClientAddress>();
        let address = address.and_then(|ClientAddress(from)| self.authority.of_operator(*from));
        let operator = operator.at_address(address);
        self.count(&operator)?;
        if let Some(peer) = parts.extensions.get::<Peer>() {
            peer.is_known_here();
        }
        let asks = Asks::Operator {
            operator: number(&Sha256::of(operator.name().as_bytes())),
            is_long,
        };
        Ok(Admitted {
            operator,
            _place: self.overload.admit(asks).await?,
        })
    }

    /// Counts an operator.
    ///
    /// Fails with [`AccessError::OperatorTooOften`].
    pub(crate) fn count(&self, operator: &Authenticated) -> Result<(), AccessError> {
        let limits = self.limits.load();
        let counted = limits.operator(operator.name(), Instant::now());
        counted.map_err(|seconds| {
            self.metrics.shed(Shed::OperatorRate);
            AccessError::OperatorTooOften { seconds }
        })
    }
}

impl Admitted {
    /// The operator.
    pub(crate) fn operator(&self) -> &Authenticated {
        &self.operator
    }

    /// Lets through whoever may do what a role may.
    ///
    /// Fails with [`AccessError::Role`].
    pub(crate) fn with_role(self, needed: Role) -> Result<Self, AccessError> {
        let role = self.operator.role();
        match role >= needed {
            true => Ok(self),
            false => Err(AccessError::Role { role, needed }),
        }
    }
}

impl From<Later> for AccessError {
    fn from(later: Later) -> Self {
        let seconds = later.after.as_secs();
        match later.is_reserved {
            true => Self::Reserved { seconds },
            false => Self::Overloaded { seconds },
        }
    }
}

/// The first bits of a hash, of which nobody finds another one in time.
fn number(hash: &Sha256) -> u64 {
    let bytes = hash.as_bytes().first_chunk();
    bytes.map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// The certificate of a request's connection, at a time.
pub(crate) fn shown(parts: &Parts, now: UnixTime) -> Shown {
    let Some(certificate) = parts.extensions.get::<ClientCertificate>() else {
        return Shown::Nothing;
    };
    match certificate.is_valid_at(now) {
        true => Shown::Holder(Access::Certificate(certificate.sha256())),
        false => Shown::Ended,
    }
}
