//! Activation codes: made once, shown once, kept as a keyed hash.

use std::time::Duration;

use pki_types::UnixTime;

use super::{Authority, Error};
use crate::authority::json::Code;
use dc_store::registry::{self, ActivationCode, DeviceId, PendingCode};
use dc_store::{Act, Keep, Kept};

/// The outcome of making a code for a device.
pub(super) enum CodeMade {
    /// It has, and this is the one time that it is shown.
    Now(Code),
    /// One that was shown before is good until then.
    Before(UnixTime),
}

impl Authority {
    /// Makes an activation code for a device that has not enrolled; one made before stops being good.
    ///
    /// Fails with [`Error::CodesOff`], and with what [`Store::put_codes`](dc_store::Store::put_codes) says.
    pub async fn new_code(&self, device: DeviceId, by: &Act) -> Result<Code, Error> {
        let made = self.new_codes(&[device], by).await?.pop();
        // One device was given, so one answer comes back.
        Ok(made.unwrap_or(Err(registry::Error::UnknownDevice))?)
    }

    /// Makes codes for devices that have none that is good, and says for each, in order, what came of it: one that was handed
    /// out must not stop being good because somebody asks twice.
    ///
    /// Fails as [`Self::new_codes`].
    pub(super) async fn missing_codes(
        &self,
        devices: &[DeviceId],
        by: &Act,
    ) -> Result<Vec<Result<CodeMade, registry::Error>>, Error> {
        self.make_codes(devices, Keep::Missing, by).await
    }

    /// The same for many devices in one transaction; says for each, in order, what came of it.
    ///
    /// Fails with [`Error::CodesOff`], and with [`Error::Store`]; then none was made.
    pub async fn new_codes(
        &self,
        devices: &[DeviceId],
        by: &Act,
    ) -> Result<Vec<Result<Code, registry::Error>>, Error> {
        let made = self.make_codes(devices, Keep::New, by).await?;
        let new = |made| match made {
            CodeMade::Now(code) => Ok(code),
            CodeMade::Before(_) => Err(registry::Error::CodeTaken),
        };
        Ok(made.into_iter().map(|made| made.and_then(new)).collect())
    }

    async fn make_codes(
        &self,
        devices: &[DeviceId],
        keep: Keep,
        by: &Act,
    ) -> Result<Vec<Result<CodeMade, registry::Error>>, Error> {
        let settings = self.settings.load();
        if !settings.codes {
            return Err(Error::CodesOff);
        }
        let expires = after(by.at, settings.code_lifetime);
        let keys = self.secrets.now(&self.store).await?;
        let (mut codes, mut pending) = (Vec::new(), Vec::new());
        for device in devices {
            let code = ActivationCode::random()?;
            pending.push(PendingCode {
                id: code.id(),
                device: *device,
                mac: keys.new_mac(&code, *device),
                expires,
                tries: 0,
                used_by: None,
            });
            codes.push(code);
        }
        let kept = self.store.put_codes(&pending, keep, by).await?;
        let told = |code: &ActivationCode, kept| match kept {
            Kept::Now(expires) => CodeMade::Now(Code {
                code: code.expose().to_string(),
                expires: expires.as_secs(),
            }),
            Kept::Before(expires) => CodeMade::Before(expires),
        };
        let codes = codes.iter().zip(kept);
        Ok(codes
            .map(|(code, kept)| kept.map(|kept| told(code, kept)))
            .collect())
    }
}

fn after(time: UnixTime, lifetime: Duration) -> UnixTime {
    let seconds = time.as_secs().saturating_add(lifetime.as_secs());
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}
