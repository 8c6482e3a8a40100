//! The exchange with the upstream resolver: UDP, and TCP for what does not fit.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use hickory_net::NetError;
use hickory_net::proto::op::{DnsRequest, DnsRequestOptions, DnsResponse, Edns, Message};
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::tcp::TcpClientStream;
use hickory_net::udp::UdpClientStream;
use hickory_net::xfer::{DnsHandle, DnsRequestSender};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::identity::seconds;

/// The resolver that queries are forwarded to.
#[derive(Debug)]
pub(crate) struct Upstream {
    address: SocketAddr,
    timeout: Duration,
    in_flight: Semaphore,
    last: Mutex<Option<Outcome>>,
}

/// The outcome of the last exchange.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// Seconds since 1970.
    pub(crate) at: u64,
    /// The cause of a missing answer.
    pub(crate) failure: Option<String>,
}

/// The cause of a missing answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// It answered another question.
    AnotherQuestion,
    /// Too many queries wait for it already.
    Busy,
    /// It answered, but what it sent is no DNS message, or the network failed.
    Failed(NetError),
    /// It did not answer in time.
    Timeout,
}

impl Upstream {
    /// Each way, UDP and TCP, may take as long as `timeout`.
    pub(crate) fn new(address: SocketAddr, timeout: Duration) -> Self {
        Self {
            address,
            timeout,
            in_flight: Semaphore::new(MAX_IN_FLIGHT),
            last: Mutex::default(),
        }
    }

    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The outcome of the last exchange; none if there was none.
    pub(crate) fn last(&self) -> Option<Outcome> {
        let last = self.last.lock();
        last.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks what this query asks, with an id and a port that nobody can guess.
    ///
    /// Fails with [`Unanswered`].
    pub(crate) async fn ask(&self, query: &Message) -> Result<DnsResponse, Unanswered> {
        let answer = self.exchange(query).await;
        let outcome = Outcome {
            at: seconds(SystemTime::now()),
            failure: answer.as_ref().err().map(ToString::to_string),
        };
        self.remember(outcome);
        answer
    }

    /// Says so when it has changed, rather than for each query.
    fn remember(&self, outcome: Outcome) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.as_ref().and_then(|last| last.failure.as_ref());
        match (before, &outcome.failure) {
            (Some(_), None) => eprintln!("upstream {}: answers again", self.address),
            (before, Some(failure)) if before != Some(failure) => {
                eprintln!("upstream {}: {failure}", self.address);
            }
            _ => {}
        }
        *last = Some(outcome);
    }

    async fn exchange(&self, query: &Message) -> Result<DnsResponse, Unanswered> {
        // Each is a socket or a few, and a process may have so many.
        let permit = timeout(self.timeout, self.in_flight.acquire()).await;
        let _permit = permit.map_err(|_| Unanswered::Busy)?;
        let answer = self.over_udp(request(query)).await?;
        let answer = match answer.truncation {
            true => self.over_tcp(request(query)).await?,
            false => answer,
        };
        match answer.queries == query.queries {
            true => Ok(answer),
            false => Err(Unanswered::AnotherQuestion),
        }
    }

    /// Sends again if there is no answer, each time from another port. What does not come from the upstream, or
    /// has another id or question, is not looked at.
    async fn over_udp(&self, request: DnsRequest) -> Result<DnsResponse, Unanswered> {
        let mut udp = UdpClientStream::builder(self.address, TokioRuntimeProvider::new())
            .with_timeout(Some(self.timeout))
            .build();
        first(udp.send_message(request).next().await)
    }

    async fn over_tcp(&self, request: DnsRequest) -> Result<DnsResponse, Unanswered> {
        // Its own, so that the connection ends with this call.
        let provider = TokioRuntimeProvider::new();
        let connect =
            TcpClientStream::exchange(self.address, None, self.timeout, None, provider.clone());
        let tcp = connect.await.map_err(Unanswered::from)?;
        first(tcp.send(request).next().await)
    }
}

/// The same question with nothing else that the client said but what the upstream has to know.
fn request(query: &Message) -> DnsRequest {
    let mut request = Message::query();
    request.metadata.recursion_desired = query.recursion_desired;
    request.metadata.checking_disabled = query.checking_disabled;
    request.metadata.authentic_data = query.authentic_data;
    request.add_queries(query.queries.iter().cloned());
    // RFC 6891 §6.2.3: EDNS is between neighbours. Without a client's the answer could not be passed on as it is.
    if let Some(theirs) = &query.edns {
        let mut edns = Edns::new();
        edns.set_dnssec_ok(theirs.flags().dnssec_ok);
        request.set_edns(edns);
    }
    DnsRequest::new(request, DnsRequestOptions::default())
}

fn first(answer: Option<Result<DnsResponse, NetError>>) -> Result<DnsResponse, Unanswered> {
    answer.ok_or(Unanswered::Timeout)?.map_err(Unanswered::from)
}

impl From<NetError> for Unanswered {
    fn from(error: NetError) -> Self {
        match error {
            NetError::Timeout => Self::Timeout,
            error => Self::Failed(error),
        }
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnotherQuestion => f.write_str("it answered another question"),
            Self::Busy => f.write_str("too many queries wait for it"),
            Self::Failed(error) => write!(f, "{error}"),
            Self::Timeout => f.write_str("it did not answer in time"),
        }
    }
}

/// With the connections of clients, well below the 1024 files that a process usually may have.
const MAX_IN_FLIGHT: usize = 128;
