//! A CA that speaks ACME (RFC 8555), with External Account Binding, profiles, and its word on renewal (RFC 9773).

mod account;
mod challenge;
mod failure;
mod https;
mod identifier;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dc_pki::time::from_seconds;
use dc_pki::trust;
use instant_acme::{
    Account, AuthorizationStatus, Error as Acme, Identifier, NewOrder, Order, OrderStatus,
    RetryPolicy,
};
use pki_types::UnixTime;

use self::account::Folder;
use self::challenge::Shown;
use self::failure::{Failure, will_pass};
use self::https::Https;
use super::source::{Answer, CertificateSource, OrderError, RenewalWindow};
use crate::config;

/// A CA that speaks ACME.
#[derive(Clone, Debug)]
pub struct AcmeSource {
    settings: config::Acme,
    folder: Folder,
}

impl AcmeSource {
    /// The CA of a configuration, the account at which is kept in a folder of the data folder.
    #[must_use]
    pub fn new(settings: config::Acme, data: &Path) -> Self {
        let folder = Folder::of(&settings, data);
        Self { settings, folder }
    }

    /// The URL of the account, which a record for `dns-persist-01` names; none before the first order.
    ///
    /// Fails with [`OrderError::Setup`].
    pub fn account_url(&self) -> Result<Option<String>, OrderError> {
        let url = self.folder.account_url();
        url.map_err(|failure| failure.to_order_error(None))
    }

    /// The file with the account's key, which only its owner may read.
    #[must_use]
    pub fn account_file(&self) -> PathBuf {
        self.folder.account_file()
    }

    fn https(&self) -> Result<Https, Failure> {
        let roots = trust::read_roots(&self.settings.roots).map_err(Failure::Roots)?;
        Ok(Https::new(roots)?)
    }

    async fn place(
        &self,
        csr_der: &[u8],
        names: &[String],
        replaces: Option<&[u8]>,
    ) -> Result<Vec<u8>, OrderError> {
        let https = self
            .https()
            .map_err(|failure| failure.to_order_error(None))?;
        let placed = self.place_over(&https, csr_der, names, replaces).await;
        placed.map_err(|failure| failure.to_order_error(https.retry_after()))
    }

    async fn place_over(
        &self,
        https: &Https,
        csr_der: &[u8],
        names: &[String],
        replaces: Option<&[u8]>,
    ) -> Result<Vec<u8>, Failure> {
        let account = self.folder.open(&self.settings, https).await?;
        let mut order = match self.resume(&account, csr_der).await? {
            Some(order) => order,
            None => {
                let order = self.begin(&account, names, replaces).await?;
                self.folder.remember(csr_der, order.url())?;
                order
            }
        };
        let chain = self.finish(&account, &mut order, csr_der).await;
        if chain.as_ref().err().is_none_or(Failure::ends_order) {
            self.folder.forget(csr_der)?;
        }
        Ok(chain?.into_bytes())
    }

    /// The order that was begun for this request, if the CA still has it.
    async fn resume(&self, account: &Account, csr_der: &[u8]) -> Result<Option<Order>, Failure> {
        let Some(url) = self.folder.order(csr_der)? else {
            return Ok(None);
        };
        match account.order(url).await {
            Ok(mut order) => {
                let has_ended = order.state().status == OrderStatus::Invalid;
                Ok((!has_ended).then_some(order))
            }
            // It has forgotten it.
            Err(Acme::Api(problem)) if !will_pass(&problem) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn begin(
        &self,
        account: &Account,
        names: &[String],
        replaces: Option<&[u8]>,
    ) -> Result<Order, Failure> {
        if let Some(wanted) = &self.settings.profile
            && !account.profiles().any(|offered| offered.name == wanted)
        {
            let mut offered: Vec<String> = account.profiles().map(|one| one.name.into()).collect();
            offered.sort();
            let wanted = wanted.clone();
            return Err(Failure::NoProfile { wanted, offered });
        }
        let names: Vec<Identifier> = names.iter().cloned().map(Identifier::Dns).collect();
        let new = || match &self.settings.profile {
            Some(profile) => NewOrder::new(&names).profile(profile),
            None => NewOrder::new(&names),
        };
        if let Some(replaced) = replaces.and_then(identifier::identifier) {
            match account.new_order(&new().replaces(replaced)).await {
                Ok(order) => return Ok(order),
                Err(Acme::Api(problem)) if will_pass(&problem) => {
                    return Err(Acme::Api(problem).into());
                }
                // It does not know the certificate, or nothing of replacing: an order like any other is as good.
                Err(Acme::Api(_) | Acme::Unsupported(_) | Acme::Other(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(account.new_order(&new()).await?)
    }

    /// Brings an order to its end, from wherever it is.
    async fn finish(
        &self,
        account: &Account,
        order: &mut Order,
        csr_der: &[u8],
    ) -> Result<String, Failure> {
        if order.state().status == OrderStatus::Pending {
            let mut shown = Shown::default();
            let authorized = self.authorize(account, order, &mut shown).await;
            shown.take_back(&self.settings).await;
            authorized?;
            let limit = self.settings.timeout;
            order.poll_ready(&RetryPolicy::new().timeout(limit)).await?;
        }
        if order.state().status == OrderStatus::Ready {
            order.finalize_csr(csr_der).await?;
        }
        let policy = RetryPolicy::new().timeout(self.settings.timeout);
        Ok(order.poll_certificate(&policy).await?)
    }

    /// Shows the CA whose the names are, and waits until it has looked.
    async fn authorize(
        &self,
        account: &Account,
        order: &mut Order,
        shown: &mut Shown,
    ) -> Result<(), Failure> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let authorization = authorization?;
            if authorization.status == AuthorizationStatus::Pending {
                let added = shown.add(&self.settings, account.id(), authorization);
                added.await?;
            }
        }
        shown.open(&self.settings).await?;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Pending {
                let kind = challenge::kind(self.settings.challenge);
                if let Some(mut challenge) = authorization.challenge(kind) {
                    challenge.set_ready().await?;
                }
            }
        }
        self.wait(order).await
    }

    async fn wait(&self, order: &mut Order) -> Result<(), Failure> {
        let limit = self.settings.timeout;
        let deadline = Instant::now() + limit;
        let mut pause = FIRST_PAUSE;
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
            if self.all_valid(order).await? {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let step = "looked at the challenge";
                return Err(Failure::Slow { step, limit });
            }
        }
    }

    async fn all_valid(&self, order: &mut Order) -> Result<bool, Failure> {
        let mut all = true;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let state = authorization.refresh().await?;
            match state.status {
                AuthorizationStatus::Valid => {}
                AuthorizationStatus::Pending => all = false,
                _ => {
                    let mut problems = state.challenges.iter().map(|one| one.error.clone());
                    return Err(Failure::NotShown {
                        name: state.identifier().to_string(),
                        problem: problems.find_map(|problem| problem),
                    });
                }
            }
        }
        Ok(all)
    }

    async fn window(&self, certificate_der: &[u8]) -> Result<Option<RenewalWindow>, OrderError> {
        let https = self
            .https()
            .map_err(|failure| failure.to_order_error(None))?;
        let window = self.window_over(&https, certificate_der).await;
        window.map_err(|failure| failure.to_order_error(https.retry_after()))
    }

    async fn window_over(
        &self,
        https: &Https,
        certificate_der: &[u8],
    ) -> Result<Option<RenewalWindow>, Failure> {
        // Without an account the certificate is none of this CA's.
        let Some(account) = self.folder.open_old(https).await? else {
            return Ok(None);
        };
        let Some(certificate) = identifier::identifier(certificate_der) else {
            return Ok(None);
        };
        let (info, after) = match account.renewal_info(&certificate).await {
            Ok(info) => info,
            Err(Acme::Unsupported(_)) => return Ok(None),
            // Another CA's, such as one that a person has brought.
            Err(Acme::Api(problem)) if !will_pass(&problem) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let window = info.suggested_window;
        let [start, end] = [window.start, window.end].map(|at| moment(at.unix_timestamp()));
        // RFC 9773 §4.2: one that ends before it begins counts as none.
        Ok((start < end).then(|| (start, end, Some(after.clamp(ASK_SOONEST, ASK_LATEST)))))
    }
}

impl CertificateSource for AcmeSource {
    fn order<'a>(
        &'a self,
        csr_der: &'a [u8],
        names: &'a [String],
        replaces: Option<&'a [u8]>,
    ) -> Answer<'a, Vec<u8>> {
        Box::pin(self.place(csr_der, names, replaces))
    }

    fn renewal_window<'a>(
        &'a self,
        certificate_der: &'a [u8],
    ) -> Answer<'a, Option<RenewalWindow>> {
        Box::pin(self.window(certificate_der))
    }
}

fn moment(seconds: i64) -> UnixTime {
    from_seconds(u64::try_from(seconds).unwrap_or_default())
}

/// The pauses between questions whether the CA has looked.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(8);
/// RFC 9773 §4.3.3: what a server may say about when to ask again is bounded by a minute and a day.
const ASK_SOONEST: Duration = Duration::from_secs(60);
const ASK_LATEST: Duration = Duration::from_secs(86_400);
