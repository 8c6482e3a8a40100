//! The code, key or serial number that lets a device enrol: a place is kept for it when more come than can be answered, and for nobody
//! who only has a new key.

use pki_types::{CertificateDer, UnixTime};

use super::enrol::enrolment_key;
use super::{Authority, Error};
use dc_protocol::EnrollRequest;
use dc_store::Find;
use dc_store::registry::{ActivationCode, Manufactured, Sha256};

impl Authority {
    /// The hash of the thing that lets the one who asks enrol: an activation code that is good now; the key that an operator has said; the
    /// serial number in a manufacturer's certificate. None if nothing is issued to them, so that they need not wait for their refusal,
    /// and nobody else because of them.
    ///
    /// Fails with what the database fails with.
    pub(crate) async fn may_enrol(
        &self,
        request: &EnrollRequest,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Option<Sha256>, Error> {
        let Some(code) = &request.code else {
            return self.may_enrol_by_key(chain, now).await;
        };
        let (Ok(code), Ok(key)) = (code.parse::<ActivationCode>(), enrolment_key(chain)) else {
            return Ok(None);
        };
        let Some(pending) = self.store.find_code(code.id()).await? else {
            return Ok(None);
        };
        let macs = self.secrets.now(&self.store).await?;
        let macs = macs.macs(&code, pending.device, now);
        let is_good = macs.iter().any(|mac| pending.check(mac, &key, now).is_ok());
        Ok(is_good.then(|| hash(&format!("code {}", pending.id))))
    }

    async fn may_enrol_by_key(
        &self,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Option<Sha256>, Error> {
        let Ok(key) = enrolment_key(chain) else {
            return Ok(None);
        };
        if self.store.find_device(&Find::Key(key)).await?.is_some() {
            return Ok(Some(key));
        }
        if !self.settings.load().manufacturers.may_have_made(chain) {
            return Ok(None);
        }
        let Manufactured {
            manufacturer,
            serial,
        } = match self.made(chain, now).await {
            Ok(made) => made.manufactured,
            Err(error @ Error::Busy) => return Err(error),
            Err(_) => return Ok(None),
        };
        let length = manufacturer.len();
        Ok(Some(hash(&format!(
            "serial {length} {manufacturer} {serial}"
        ))))
    }
}

/// No key has the same: a key's SubjectPublicKeyInfo is not such a text.
fn hash(what: &str) -> Sha256 {
    Sha256::of(what.as_bytes())
}
