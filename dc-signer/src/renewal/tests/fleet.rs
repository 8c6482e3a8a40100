//! Devices that renew as their agent would, by the agent's own schedule.

use dc_agent::schedule::{self, Draw, Failure, Life};
use dc_protocol::{Credentials, RenewalWindow};

use super::rig::{Rig, by, time};
use crate::authority::json::NewDevice;
use crate::authority::tests::device::{Cpe, delegation, forms, renewal};

/// A device with what it holds.
pub(super) struct Device {
    cpe: Cpe,
    held: Credentials,
    failures: u32,
    requests: u32,
    draws: u32,
    /// When it asks next.
    pub(super) next: u64,
    /// The least that was left of its credential when it got another one, in seconds.
    pub(super) closest: u64,
    /// The shortest and the longest life of its credentials.
    pub(super) lives: (u64, u64),
}

impl Device {
    /// Enrols now.
    pub(super) async fn enrolled(rig: &Rig, zone: &str, number: u32) -> Self {
        let (authority, now) = (&rig.signers[0].authority, rig.now());
        let new = NewDevice {
            external_id: format!("{zone}-{number}"),
            zone: Some(zone.to_owned()),
            code: true,
            ..NewDevice::default()
        };
        let added = authority.add_devices(&[&new], &by(now)).await.unwrap();
        let code = added
            .into_iter()
            .next()
            .unwrap()
            .unwrap()
            .code
            .unwrap()
            .code;
        let cpe = Cpe::new();
        let held = cpe.enrol_with(authority, &code, now).await.unwrap();
        let life = held.expires - held.issued;
        let mut device = Self {
            cpe,
            held,
            failures: 0,
            requests: 0,
            draws: number.wrapping_mul(0x9e37_79b9),
            next: 0,
            closest: u64::MAX,
            lives: (life, life),
        };
        device.next = device.renew_at();
        device
    }

    fn draw(&mut self) -> Draw {
        self.draws = self
            .draws
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        Draw(self.draws)
    }

    fn renew_at(&mut self) -> u64 {
        let draw = self.draw();
        let held = &self.held;
        let life = Life {
            issued: held.issued,
            expires: held.expires,
            window: RenewalWindow {
                from: held.renew_from,
                until: held.renew_until,
            },
        };
        life.renew_at(draw)
    }

    /// Asks one of the signers, in turn; true if it got a credential.
    pub(super) async fn renew(&mut self, rig: &Rig) -> bool {
        let now = rig.now().as_secs();
        assert!(now < self.held.expires, "{} is out", self.held.name);
        self.requests += 1;
        let signer = &rig.signers[usize::from(self.requests.is_multiple_of(2))];
        let request = renewal(&self.held, &self.requests.to_string());
        match self.cpe.renew(&signer.authority, &request, time(now)).await {
            Ok(held) => {
                self.closest = self.closest.min(self.held.expires - now);
                let certificate = delegation(&held);
                assert!(held.expires < certificate.not_after().as_secs());
                forms(&held);
                let life = held.expires - held.issued;
                let (shortest, longest) = self.lives;
                self.lives = (shortest.min(life), longest.max(life));
                (self.held, self.failures) = (held, 0);
                self.next = self.renew_at();
                true
            }
            Err(error) => {
                assert!(error.is_temporary(), "{error}");
                self.failures += 1;
                let (expires, draw) = (Some(self.held.expires), self.draw());
                let failure = Failure::Transient { retry_after: None };
                self.next = schedule::try_again_at(now, expires, self.failures, failure, draw);
                false
            }
        }
    }

    /// True if it is served with what it holds.
    pub(super) fn is_served(&self, now: u64) -> bool {
        self.held.issued <= now && now < self.held.expires
    }
}
