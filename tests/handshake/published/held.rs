//! Credentials that a server holds, and a server that holds them.

use std::sync::Arc;
use std::time::Duration;

use dc_core::DelegatedCredential;
use dc_core::pem::StoredCredential;
use dc_rustls::Error;
use dc_rustls::server::{Identity, Settings, Store};
use dc_vectors::format::selection::Held;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::files::CREDENTIALS;
use super::form;
use crate::setup::Clock;

/// A credential with its chain and key, as a server installs it.
pub(super) fn identity(held: &Held) -> Identity {
    let certificate = &CREDENTIALS.certificates[&held.certificate];
    let chain = [&certificate.der]
        .into_iter()
        .chain(&certificate.intermediates);
    let chain = chain.map(|der| CertificateDer::from(der.0.clone()));
    let stored = StoredCredential::new(form(held.form), &held.credential.0);
    let key = PrivateKeyDer::Pkcs8(held.private_key.0.clone().into());
    Identity::new(chain.collect(), vec![stored], key)
}

/// The name of a credential of the named form.
pub(super) fn unique_name(held: &Held) -> Option<String> {
    let credential = DelegatedCredential::decode(form(held.form), &held.credential.0).unwrap();
    let name = credential.credential().unique_name.as_ref()?;
    Some(name.as_str().to_owned())
}

/// Unix time, the last second of a credential.
pub(super) fn last_second(held: &Held) -> u64 {
    let credential = DelegatedCredential::decode(form(held.form), &held.credential.0).unwrap();
    let begin = CREDENTIALS.certificates[&held.certificate].not_before;
    begin + u64::from(credential.credential().valid_time)
}

/// A store with these credentials at the time `now`. They came while all of them were valid: what has ended is still
/// there, as on a device that could not renew.
pub(super) fn store(
    held: &[&Held],
    provider: Arc<CryptoProvider>,
    change: impl Fn(Settings) -> Settings,
    now: u64,
) -> Arc<Store> {
    let ends = held.iter().map(|held| last_second(held));
    let clock = Clock::at(ends.fold(now, u64::min));
    // Both are this project's own: a server may keep a margin, and may spare NSS what it cannot do.
    let settings = Settings::new(provider)
        .time_provider(Arc::new(clock.clone()))
        .expiry_margin(Duration::ZERO)
        .without_nss_workaround();
    let store = Store::with_settings(change(settings));
    // A name that the certificate does not cover is not even installed, and so not served.
    let installs = |held: &&&Held| match store.install(identity(held)) {
        Ok(()) => true,
        Err(Error::Credential(dc_core::Error::NameNotCovered { .. })) => false,
        Err(other) => panic!("{other}"),
    };
    let good: Vec<_> = held.iter().filter(installs).collect();
    if !good.is_empty() {
        store
            .install_all(good.into_iter().map(|held| identity(held)))
            .unwrap();
    }
    clock.set(now);
    store
}
