//! A server's claims, shown to the application before anything is judged.

use std::fmt;
use std::sync::Arc;

use dc_core::{Form, Offer};
use rustls::pki_types::CertificateDer;

/// A server's claims in one full handshake, none of which has been checked.
#[derive(Debug)]
#[non_exhaustive]
pub struct Presented<'a> {
    /// The client's offer.
    pub offer: &'a Offer,
    /// The end-entity certificate.
    pub end_entity: &'a CertificateDer<'a>,
    /// The certificates behind it, as they were sent.
    pub intermediates: &'a [CertificateDer<'a>],
    /// The credential, and the form of the extension that it came in. Its bytes may be anything.
    pub credential: Option<(Form, &'a [u8])>,
}

/// Told of every certificate that arrives; cannot change what comes of it.
#[derive(Clone, Default)]
pub(super) struct Observer(Option<Arc<Observe>>);

type Observe = dyn Fn(&Presented<'_>) + Send + Sync;

impl Observer {
    pub(super) fn new(observe: impl Fn(&Presented<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(observe)))
    }

    pub(super) fn show(&self, presented: &Presented<'_>) {
        if let Some(observe) = &self.0 {
            observe(presented);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").finish_non_exhaustive()
    }
}
