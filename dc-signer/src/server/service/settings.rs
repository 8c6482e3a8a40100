//! The snapshot of all that a reload may change.

use std::sync::Arc;

use arc_swap::ArcSwap;
use dc_admission::AdmissionLimits;
use rustls::crypto::CryptoProvider;

use super::Error;
use crate::access::RateLimits;
use crate::config::{Config, Listen, Live, Retention};
use crate::server::listener::{self, Proxies, ServiceCertificate, tls_config};
use crate::server::telemetry::check_filter;
use crate::{api, authority, renewal};
use dc_pki::clock;

/// The settings of all parts of a service. They are checked and replaced as a whole.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) api: Arc<api::Settings>,
    pub(super) authority: Arc<authority::Settings>,
    pub(super) limits: Arc<RateLimits>,
    pub(super) listener: Arc<listener::Settings>,
    /// Those of the listeners for operators, for health and for proxies: as the first of them where there is no such.
    pub(super) operators: Arc<listener::Settings>,
    pub(super) health: Arc<listener::Settings>,
    pub(super) proxied: Arc<listener::Settings>,
    pub(super) overload: Arc<AdmissionLimits>,
    pub(super) renewal: Arc<renewal::Settings>,
    pub(super) retention: Retention,
    /// All of it, for what is made when it is needed.
    pub(super) config: Arc<Config>,
}

impl Settings {
    /// Reads what a configuration names. Limits that are the same go on with their counts.
    ///
    /// Fails with what reading the certificate, its key and the manufacturers' anchors fails with, and if the log's filter
    /// cannot be used.
    pub(super) fn load(
        config: &Config,
        provider: &Arc<CryptoProvider>,
        before: Option<&Self>,
    ) -> Result<Self, Error> {
        let listen = &config.listen;
        let certificate = ServiceCertificate::load(&listen.certificate, &listen.key, provider)?;
        let ends = certificate.validity().warning(clock::now()?);
        for warning in certificate.warning().into_iter().chain(&ends) {
            tracing::warn!("{warning}");
        }
        check_filter(&config.log.filter)?;
        let validity = certificate.validity().clone();
        let limits = before.map(|before| &before.limits);
        let limits = limits.filter(|limits| *limits.configured() == config.limits);
        let limits = limits.cloned();
        let tls = tls_config(&certificate, listen, provider.clone())?;
        let listener = |own: Option<Listen>, proxies| {
            let (tls, listen) = (tls.clone(), own.unwrap_or_else(|| listen.clone()));
            Arc::new(listener::Settings {
                tls,
                listen,
                proxies,
            })
        };
        let proxies = listen.proxied.as_ref().map(Proxies::read).transpose()?;
        Ok(Self {
            api: api::Settings::new(config, validity).into(),
            authority: authority::Settings::new(config)?.into(),
            limits: limits.unwrap_or_else(|| RateLimits::new(&config.limits).into()),
            listener: listener(None, None),
            operators: listener(listen.for_operators(), None),
            health: listener(listen.for_health(), None),
            proxied: listener(listen.for_proxies(), proxies),
            overload: config.overload.limits(listen).into(),
            renewal: renewal::Settings::new(config).into(),
            retention: config.retention,
            config: Arc::new(config.clone()),
        })
    }
}

/// The snapshot that counts now.
#[derive(Clone, Debug)]
pub(super) struct Current(Arc<ArcSwap<Settings>>);

impl Current {
    pub(super) fn new(settings: Settings) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(settings)))
    }

    pub(super) fn load(&self) -> Arc<Settings> {
        self.0.load_full()
    }

    pub(super) fn swap(&self, settings: Settings) {
        self.0.store(settings.into());
    }

    /// A part of it, whenever it is read.
    pub(super) fn part<T: Send + Sync + 'static>(&self, part: fn(&Settings) -> &Arc<T>) -> Live<T> {
        let current = self.clone();
        Live::new(move || part(&current.0.load()).clone())
    }
}
