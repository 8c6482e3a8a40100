//! The listeners beside the first one: for operators, for health, for proxies, and for devices that show their credentials.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use tokio::sync::watch;

use super::Error;
use super::routes;
use super::settings::Current;
use crate::api::App;
use crate::config::{Config, HealthListener as Configured, Listen};
use crate::server;
use crate::server::credential_listener::CredentialListener;
use crate::server::health_listener::HealthListener;
use crate::server::listener::{Expects, Limits, Listener};
use crate::server::telemetry::Metrics;
use crate::web::Web;

/// Those that are configured.
#[derive(Debug)]
pub(super) struct Others {
    pub(super) by_credential: Option<CredentialListener>,
    operators: Option<Listener>,
    health: Option<Listener>,
    proxied: Option<Listener>,
    health_in_the_clear: Option<HealthListener>,
}

impl Others {
    /// Listens at their addresses.
    ///
    /// Fails with what listening there fails with.
    pub(super) async fn bind(
        config: &Config,
        settings: &Current,
        provider: &Arc<CryptoProvider>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, Error> {
        let part = settings.part(|settings| &settings.listener);
        let by_credential = match &config.credential_listener {
            None => None,
            Some(config) => {
                let (part, provider) = (part.clone(), provider.clone());
                let bound = CredentialListener::bind(config, part, provider, metrics.clone());
                Some(bound.await?)
            }
        };
        let listen = &config.listen;
        let operators = match listen.operators {
            None => None,
            Some(_) => {
                let part = settings.part(|settings| &settings.operators);
                Some(Listener::bind("listen.operators.address", part, metrics.clone()).await?)
            }
        };
        let health = match listen.health {
            None | Some(Configured::Plain(_) | Configured::Unix(_)) => None,
            Some(Configured::Tls(_)) => {
                let part = settings.part(|settings| &settings.health);
                Some(Listener::bind("listen.health.address", part, metrics.clone()).await?)
            }
        };
        let proxied = match listen.proxied {
            None => None,
            Some(_) => {
                let part = settings.part(|settings| &settings.proxied);
                Some(Listener::bind("listen.proxied.address", part, metrics.clone()).await?)
            }
        };
        Ok(Self {
            by_credential,
            operators,
            health,
            proxied,
            health_in_the_clear: HealthListener::bind(listen.health.as_ref(), part).await?,
        })
    }

    /// Lets devices in where proxies connect for whom a time is kept that has come.
    pub(super) fn let_in_whom(&self, expects: Expects) {
        if let Some(listener) = &self.proxied {
            listener.let_in_whom(expects);
        }
    }

    /// For telling that the limits have changed, with those of the first listener.
    pub(super) fn limits(&self, first: Limits) -> Vec<Limits> {
        let others = self.operators.iter().chain(&self.health);
        let others = others.chain(&self.proxied);
        let others = others.map(Listener::limits);
        [first].into_iter().chain(others).collect()
    }

    /// Says where each is.
    ///
    /// Fails with [`server::Error::Listen`].
    pub(super) fn announce(&self) -> Result<(), server::Error> {
        if let Some(listener) = &self.by_credential {
            let address = listener.address();
            tracing::info!(%address, "devices are known by their credentials here");
        }
        if let Some(listener) = &self.operators {
            tracing::info!(address = %listener.address()?, "operators come in here, and nowhere else");
        }
        if let Some(listener) = &self.proxied {
            tracing::info!(address = %listener.address()?, "proxies that end TLS connect here");
        }
        Ok(())
    }

    /// Serves until `stopped` says so, then until the requests in progress are answered.
    pub(super) async fn serve(
        self,
        listen: &Listen,
        app: &Arc<App>,
        web: &Arc<Web>,
        stopped: watch::Receiver<bool>,
    ) {
        let Self {
            by_credential,
            operators,
            health,
            proxied,
            health_in_the_clear,
        } = self;
        let about_health = || routes::routes_about_health(app.clone());
        let by_credential = async {
            if let Some(listener) = by_credential {
                let routes = routes::routes_by_credential(app.clone());
                listener.serve(routes, stopped.clone()).await;
            }
        };
        let operators = async {
            if let Some(listener) = operators {
                let routes = routes::routes_for_operators(app.clone(), web.clone());
                listener.serve(routes, until(stopped.clone())).await;
            }
        };
        let health = async {
            if let Some(listener) = health {
                listener.serve(about_health(), until(stopped.clone())).await;
            }
        };
        let proxied = async {
            if let Some(listener) = proxied {
                let routes = routes::routes(listen, app.clone(), web.clone());
                listener.serve(routes, until(stopped.clone())).await;
            }
        };
        let in_the_clear = async {
            if let Some(listener) = health_in_the_clear {
                listener.serve(about_health(), stopped.clone()).await;
            }
        };
        tokio::join!(by_credential, operators, health, proxied, in_the_clear);
    }
}

async fn until(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
