//! Activation codes: made once, shown once, kept as a keyed hash.

use std::time::Duration;

use pki_types::UnixTime;

use super::{Desk, Refusal};
use crate::protocol::Code;
use crate::registry::{ActivationCode, DeviceId, PendingCode};
use crate::store::Act;

impl Desk {
    /// Makes an activation code for a device that has not enrolled; one made before stops being good.
    ///
    /// Fails with [`Refusal::CodesOff`], and as [`Store::put_code`](crate::store::Store::put_code) does.
    pub async fn new_code(&self, device: DeviceId, by: &Act) -> Result<Code, Refusal> {
        let settings = self.settings.load();
        if !settings.codes {
            return Err(Refusal::CodesOff);
        }
        let code = ActivationCode::random()?;
        let expires = after(by.at, settings.code_lifetime);
        let pending = PendingCode {
            id: code.id(),
            device,
            mac: self.secrets.codes.mac(&code),
            expires,
            tries: 0,
            used_by: None,
        };
        self.store.put_code(&pending, by).await?;
        Ok(Code {
            code: code.expose().to_string(),
            expires: expires.as_secs(),
        })
    }
}

fn after(time: UnixTime, lifetime: Duration) -> UnixTime {
    let seconds = time.as_secs().saturating_add(lifetime.as_secs());
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}
