//! One request, from its head to its answer: what every request passes, and what every answer says.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    CONNECTION, CONTENT_TYPE, DATE, RETRY_AFTER, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use dc_admission::Whence;
use dc_pki::clock;
use dc_pki::time::to_http_date;
use hyper::body::{Body as _, Incoming};
use tower::ServiceExt;

use super::Settings;
use super::address::ClientAddress;
use super::arriving;
use super::client::ClientCertificate;
use super::expects::Expects;
use super::forwarded::{self, BadHeader, Proxies};
use super::intake::{Intake, Ticket};
use super::open::Peer;
use super::requests::InProgress;
use super::unread::Unread;
use crate::server::telemetry::{Metrics, Shed};
use dc_protocol::{Kind, PROBLEM_JSON, Problem};

/// The state that the requests of a connection share.
pub(super) struct Answering {
    pub(super) router: Router,
    pub(super) entrance: Entrance,
    pub(super) peer: Peer,
    pub(super) address: IpAddr,
    pub(super) intake: Arc<Intake>,
    /// Who is let in although all places are taken.
    pub(super) expects: Expects,
    pub(super) unread: Arc<Unread>,
    /// The most requests in progress, over all connections.
    pub(super) most: usize,
    pub(super) metrics: Arc<Metrics>,
}

/// The one that says whose the requests of a connection are.
pub(super) enum Entrance {
    /// The connection itself, in which this was shown.
    Direct(Option<ClientCertificate>),
    /// The proxy at its other end.
    Proxy(Proxies),
}

impl Entrance {
    /// The one of a connection in which this was shown; none if a proxy has to show something else.
    pub(super) fn of(settings: &Settings, shown: Option<ClientCertificate>) -> Option<Self> {
        match &settings.proxies {
            None => Some(Self::Direct(shown)),
            Some(proxies) if proxies.are_shown_by(shown.as_ref()) => {
                Some(Self::Proxy(proxies.clone()))
            }
            Some(_) => None,
        }
    }
}

impl Answering {
    /// Answers a request, unless there are too many.
    pub(super) async fn answer(
        self: Arc<Self>,
        in_progress: InProgress,
        request: hyper::Request<Incoming>,
    ) -> Result<Response, Infallible> {
        let (address, client) = match self.whose(request.headers()) {
            Ok(whose) => whose,
            Err(error) => {
                let mut response = self.refuse(&error);
                protect(&mut response);
                return Ok(self.unread.clone().last_as(in_progress, response));
            }
        };
        let more = self.more_for(&request, client.as_ref());
        let most = self.most.saturating_add(more);
        let ticket = self.intake.enter(address.into(), &self.peer, most);
        let mut response = match ticket {
            Some(ticket) => {
                let mut request = request.map(Body::new);
                mark(&mut request, address, client);
                self.answer_with(ticket.into(), &in_progress, request).await
            }
            None => self.full(),
        };
        protect(&mut response);
        Ok(self.unread.clone().last_as(in_progress, response))
    }

    async fn answer_with(
        &self,
        ticket: Arc<Ticket>,
        in_progress: &InProgress,
        mut request: Request,
    ) -> Response {
        let http1 = request.version() < Version::HTTP_2;
        request.extensions_mut().insert(self.peer.clone());
        let (request, arrival) = arriving::watch(
            request,
            ticket.clone(),
            in_progress.clone(),
            self.peer.clone(),
        );
        let answered = async {
            let Ok(response) = self.router.clone().oneshot(request).await;
            (response, arrival.finish().await)
        };
        let (mut response, whole) = tokio::select! {
            answered = answered => answered,
            () = ticket.over() => (self.full(), false),
            () = in_progress.over() => (self.full(), false),
        };
        if http1 && !whole {
            // hyper closes such a connection, so nobody should send a second request over it.
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        response
    }

    /// The places beyond the most that a request may take.
    fn more_for(
        &self,
        request: &hyper::Request<Incoming>,
        client: Option<&ClientCertificate>,
    ) -> usize {
        let is_expected = |it: &ClientCertificate| self.expects.holder_of(&it.spki_sha256());
        if client.is_some_and(is_expected) {
            // Only devices are told a time, and it does not make room for strangers either.
            self.peer.is_known_here();
            return (self.most / EXPECTED).max(HEALTH);
        }
        // Whoever asks whether the service is well takes nothing that others wait for.
        if is_about_health(request) { HEALTH } else { 0 }
    }

    /// The address and the certificate of a request's client.
    ///
    /// Fails if a header about them cannot be taken.
    fn whose(&self, headers: &HeaderMap) -> Result<(IpAddr, Option<ClientCertificate>), BadHeader> {
        match &self.entrance {
            Entrance::Direct(certificate) => {
                forwarded::none(headers)?;
                Ok((self.address, certificate.clone()))
            }
            Entrance::Proxy(proxies) => {
                let certificate = forwarded::certificate(headers)?;
                Ok((proxies.client(headers, self.address), certificate))
            }
        }
    }

    fn refuse(&self, error: &BadHeader) -> Response {
        let client = self.address.to_canonical();
        tracing::info!(%client, "a request is refused: {error}");
        self.metrics.problem(Kind::BadRequest.name());
        let problem = axum::Json(Problem::new(Kind::BadRequest, error.to_string()));
        let headers = [(CONTENT_TYPE, PROBLEM_JSON), (CONNECTION, "close")];
        (StatusCode::BAD_REQUEST, headers, problem).into_response()
    }

    fn full(&self) -> Response {
        self.metrics.shed(Shed::Requests);
        let detail = "too many requests are in progress: send the same request again later";
        let problem = axum::Json(Problem::new(Kind::Busy, detail));
        let headers = [(CONTENT_TYPE, PROBLEM_JSON)];
        let mut response = (StatusCode::SERVICE_UNAVAILABLE, headers, problem).into_response();
        let after = HeaderValue::from(self.intake.next_turn());
        response.headers_mut().insert(RETRY_AFTER, after);
        response
    }
}

/// Tells whoever answers a request whose it is.
fn mark(request: &mut Request, address: IpAddr, client: Option<ClientCertificate>) {
    let extensions = request.extensions_mut();
    if let Some(client) = client {
        extensions.insert(client);
    }
    extensions.insert(Whence::from(address));
    extensions.insert(ClientAddress(address.to_canonical()));
}

/// Whatever it is, a browser takes it for nothing else, and comes over HTTPS the next time too.
///
/// The time is that of now: hyper would say the latest that it ever saw, for as long as a clock that was ahead is set back.
fn protect(response: &mut Response) {
    let headers: [(HeaderName, &'static str); 2] = [
        (STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in headers {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    let date = clock::now().map(to_http_date).map(HeaderValue::try_from);
    if let Ok(Ok(date)) = date {
        response.headers_mut().insert(DATE, date);
    }
}

fn is_about_health(request: &hyper::Request<Incoming>) -> bool {
    request.body().is_end_stream() && matches!(request.uri().path(), "/healthz" | "/readyz")
}

/// Requests about the service's health beyond the most that may be in progress: overload is no reason to take it out of a balancer.
const HEALTH: usize = 16;
/// Those of devices at a time that is kept for them, as a part of the most: they are told times at less than the rate at which the service
/// answers, so there are never many.
const EXPECTED: usize = 8;
