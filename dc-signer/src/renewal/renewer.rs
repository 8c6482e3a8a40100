//! Renews the delegation certificates of all zones: looks at what is due, and does it if no other signer does.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dc_core::DelegationCertificate;
use pki_types::UnixTime;

use super::ca::{Asked, Ca, Cas};
use super::folder::{self, KeyOf, OrderFolder};
use super::schedule::{self, Draw, Due};
use super::settings::Settings;
use super::source::OrderError;
use crate::authority::{self, Authority, Import, delegation_folder};
use crate::config::Live;
use dc_pki::names::ZoneName;
use dc_store::registry::{Sha256, Zone};
use dc_store::{Act, Noted, Renewal, Store};

/// Renews the delegation certificates of all zones that have a CA.
pub struct Renewer {
    /// The signer whose zones they are.
    pub authority: Arc<Authority>,
    /// Its database.
    pub store: Arc<Store>,
    /// Its data folder.
    pub data: PathBuf,
    /// Which process this is.
    pub id: [u8; 16],
    /// When to order, and for which key.
    pub settings: Live<Settings>,
    /// The CA of each zone.
    pub cas: Cas,
    /// The time.
    pub clock: Arc<dyn Fn() -> UnixTime + Send + Sync>,
    /// Random numbers, for waits.
    pub draws: Arc<dyn Fn() -> u32 + Send + Sync>,
}

/// The result of a look at a zone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Done {
    /// Its CA was asked when it wants the certificate to be renewed, or that was written down for a new certificate.
    Looked,
    /// A certificate came, and is the next one as this slot.
    Ordered(u32),
    /// None came, for this reason.
    Failed(OrderError),
    /// Another signer does it.
    Elsewhere,
}

impl Renewer {
    /// Does what is due in each zone, one after the other; to be called every minute. Nothing happens while the clock cannot be
    /// right.
    ///
    /// Fails with [`authority::Error::Store`].
    pub async fn look(&self) -> Result<Vec<(ZoneName, Done)>, authority::Error> {
        let mut done = Vec::new();
        let now = (self.clock)();
        if self.authority.cached_issuing_status(now).clock.is_some() {
            return Ok(done);
        }
        let renewals = self.store.renewals().await?;
        for zone in self.authority.zones().await? {
            let Some(ca) = (self.cas)(&zone.zone) else {
                continue;
            };
            let known = renewals.iter().find(|renewal| renewal.zone == zone.zone);
            let known = known.cloned();
            let known = known.unwrap_or_else(|| Renewal::of(zone.zone.clone()));
            if matches!(schedule::due(&zone, &known, now), Due::Wait(_)) {
                continue;
            }
            let name = zone.zone.clone();
            if let Some(what) = self.keep(&name, &ca).await? {
                done.push((name, what));
            }
        }
        Ok(done)
    }

    /// Does what is due in a zone, if this signer is the one that does it.
    async fn keep(&self, name: &ZoneName, ca: &Ca) -> Result<Option<Done>, authority::Error> {
        let now = (self.clock)();
        let Some(renewal) = self.hold(name).await? else {
            return Ok(Some(Done::Elsewhere));
        };
        // As it is now that nobody else changes it.
        let zones = self.authority.zones().await?.into_iter();
        let Some(zone) = zones.into_iter().find(|zone| zone.zone == *name) else {
            return Ok(None);
        };
        let percent = self.settings.load().of(name).order_after;
        match schedule::due(&zone, &renewal, now) {
            Due::Wait(_) => {
                self.note(&renewal, true, None).await?;
                Ok(None)
            }
            Due::Begin => {
                let begun = schedule::begin(&zone, &renewal, percent, self.draw());
                self.note(&begun, true, None).await?;
                Ok(Some(Done::Looked))
            }
            Due::Ask => {
                let asked = self.ask(&zone, renewal, ca, percent).await;
                self.note(&asked, true, None).await?;
                Ok(Some(Done::Looked))
            }
            Due::Order => self.order(&zone, renewal, ca).await,
        }
    }

    async fn ask(&self, zone: &Zone, renewal: Renewal, ca: &Ca, percent: u32) -> Renewal {
        let (slot, now) = (schedule::newest(zone), (self.clock)());
        let der = slot.and_then(|slot| self.certificate(&slot.certificate_sha256));
        let (Some(slot), Some(der)) = (slot, der) else {
            return schedule::not_asked(renewal, now);
        };
        let window = tokio::time::timeout(ASKING, ca.source.renewal_window(&der)).await;
        match window {
            Ok(Ok(window)) => schedule::asked(renewal, slot, window, percent, now, self.draw()),
            Ok(Err(error)) => {
                tracing::debug!(zone = %zone.zone, %error, "the CA does not say when to renew");
                schedule::not_asked(renewal, now)
            }
            Err(_) => schedule::not_asked(renewal, now),
        }
    }

    async fn order(
        &self,
        zone: &Zone,
        renewal: Renewal,
        ca: &Ca,
    ) -> Result<Option<Done>, authority::Error> {
        let renewal = schedule::ordering(renewal, (self.clock)());
        if !self.note(&renewal, false, Some(Noted::Ordered)).await? {
            return Ok(Some(Done::Elsewhere));
        }
        tracing::info!(zone = %zone.zone, attempt = renewal.attempts, "the next delegation certificate is ordered");
        let ordered = tokio::select! {
            ordered = self.bring(zone, ca) => ordered,
            // Whoever has taken over orders one too: this one's would be left over.
            () = self.go_on_holding(&zone.zone) => return Ok(Some(Done::Elsewhere)),
        };
        match ordered {
            Ok(slot) => {
                let renewal = Renewal {
                    try_at: None,
                    failing_since: None,
                    error: None,
                    ..renewal
                };
                self.note(&renewal, true, None).await?;
                tracing::info!(zone = %zone.zone, slot, "the next delegation certificate is here");
                Ok(Some(Done::Ordered(slot)))
            }
            Err(error) => {
                let life = schedule::newest(zone).map(dc_store::registry::ZoneDelegation::life);
                let failed = schedule::failed(renewal, life, &error, (self.clock)(), self.draw());
                self.note(&failed, true, Some(Noted::Failed)).await?;
                tracing::warn!(zone = %zone.zone, %error, "the next delegation certificate could not be had");
                Ok(Some(Done::Failed(error)))
            }
        }
    }

    /// Orders a certificate, looks at it, and takes it as the zone's next one.
    async fn bring(&self, zone: &Zone, ca: &Ca) -> Result<u32, OrderError> {
        let before = schedule::newest(zone);
        let before = before.and_then(|slot| self.certificate(&slot.certificate_sha256));
        let folder = self.prepare(zone, before.clone()).await?;
        match self.bring_with(zone, ca, &folder, before.as_deref()).await {
            Err(error @ OrderError::Later(..)) => {
                folder.keep();
                Err(error)
            }
            brought => brought,
        }
    }

    async fn bring_with(
        &self,
        zone: &Zone,
        ca: &Ca,
        folder: &OrderFolder,
        before: Option<&[u8]>,
    ) -> Result<u32, OrderError> {
        let names = [zone.zone.wildcard()];
        let order = ca.source.order(folder.csr_der(), &names, before);
        let returned = tokio::time::timeout(ORDERING, order).await.map_err(|_| {
            OrderError::Later(None, "the CA has not answered within an hour".to_owned())
        })??;
        let asked = Asked {
            zone: zone.zone.clone(),
            roles: zone.roles,
            csr_der: folder.csr_der().to_vec(),
        };
        let now = (self.clock)();
        let chain = (ca.check)(&returned, &asked, now).map_err(|wrong| {
            OrderError::Refused(format!("the CA returned what nobody asked for: {wrong}"))
        })?;
        folder.add_chain(&chain)?;
        let (path, unlock) = (folder.path().to_owned(), self.authority.unlock().clone());
        let import = off_thread(move || Import::read(&path, &unlock, now)).await?;
        let import = import.map_err(|error| OrderError::Refused(error.to_string()))?;
        let taken = self
            .authority
            .take_delegation(&zone.zone, import, &by_signer(now))
            .await;
        taken.map(|taken| taken.slot).map_err(not_taken)
    }

    async fn prepare(
        &self,
        zone: &Zone,
        certificate: Option<Vec<u8>>,
    ) -> Result<OrderFolder, OrderError> {
        let is_new = self.settings.load().of(&zone.zone).new_key;
        let before = match schedule::newest(zone) {
            Some(slot) if !is_new => Some(delegation_folder(&self.data, &slot.certificate_sha256)),
            _ => None,
        };
        let path = folder::of_service(&self.data, &zone.zone, zone.roles);
        let (name, roles) = (zone.zone.clone(), zone.roles);
        let unlock = self.authority.unlock().clone();
        off_thread(move || {
            let key = before.as_deref().map_or(KeyOf::New, KeyOf::Before);
            let certificate = certificate.map(|der| DelegationCertificate::parse(der.into()));
            let certificate = certificate.and_then(Result::ok);
            let taken = certificate.as_ref().map(DelegationCertificate::spki);
            OrderFolder::make(path, &name, roles, key, &unlock, taken)
        })
        .await?
    }

    /// Ends when another signer has taken over. While the database does not answer it goes on: nothing can be taken over either.
    async fn go_on_holding(&self, zone: &ZoneName) {
        loop {
            tokio::time::sleep(HOLD / 5).await;
            if let Ok(None) = self.hold(zone).await {
                return;
            }
        }
    }

    async fn hold(&self, zone: &ZoneName) -> Result<Option<Renewal>, authority::Error> {
        let held = self.store.hold_renewal(zone, self.id, HOLD, (self.clock)());
        Ok(held.await?)
    }

    async fn note(
        &self,
        renewal: &Renewal,
        free: bool,
        noted: Option<Noted>,
    ) -> Result<bool, authority::Error> {
        let by = by_signer((self.clock)());
        let written = self.store.note_renewal(renewal, self.id, free, noted, &by);
        Ok(written.await?)
    }

    fn certificate(&self, certificate_sha256: &Sha256) -> Option<Vec<u8>> {
        self.authority.certificate_der(certificate_sha256)
    }

    fn draw(&self) -> Draw {
        Draw((self.draws)())
    }
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, OrderError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| OrderError::Setup("the work on the key has panicked".to_owned()))
}

/// The certificate is fine for whoever looked at it, and not for the zone.
fn not_taken(error: authority::Error) -> OrderError {
    match error.is_temporary() {
        true => OrderError::Later(None, error.to_string()),
        false => OrderError::Refused(error.to_string()),
    }
}

fn by_signer(now: UnixTime) -> Act {
    authority::by_signer(now)
}

impl fmt::Debug for Renewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            authority: _,
            store: _,
            data,
            id: _,
            settings,
            cas: _,
            clock: _,
            draws: _,
        } = self;
        f.debug_struct("Renewer")
            .field("data", data)
            .field("settings", settings)
            .finish_non_exhaustive()
    }
}

/// How long a signer keeps the others from ordering that does not say any more that it works.
const HOLD: Duration = Duration::from_secs(300);
/// The longest that a CA may take for an order, and for its window.
const ORDERING: Duration = Duration::from_secs(3600);
const ASKING: Duration = Duration::from_secs(60);
