//! Enrolling: a device becomes known by a key, in one of three ways, and gets its first credentials.

use pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use subtle::ConstantTimeEq;

use super::acts::Visit;
use super::issue::{AsClient, Reply, check, spkis};
use super::manufacturers::Made;
use super::policy::{self, PolicyError, Spkis};
use super::{Authority, Error};
use dc_pki::names::ZoneName;
use dc_protocol::EnrollRequest;
use dc_store::registry::{
    self, ActivationCode, Change, CodeError, Device, DeviceId, ExternalId, PendingCode, Sha256,
    State,
};
use dc_store::{Find, Issuance, Redeemed, Redemption};

/// The three ways to enrol.
enum Way {
    Code(ActivationCode, PendingCode),
    /// An operator has said which device has this key, or it enrolled before.
    Known(Box<Device>),
    /// Its certificate may say which device it is.
    Made,
}

/// The caller, and the key that credentials are asked for.
struct Asking<'a> {
    chain: &'a [CertificateDer<'a>],
    enrolment_key: Sha256,
    spkis: Spkis,
    visit: Visit,
}

impl Authority {
    /// Makes a device known by the key of its client certificate, `chain[0]`, which the handshake has shown that the
    /// caller holds, and issues its first credentials.
    ///
    /// With an activation code, that says which device it is; else an operator has said which device has
    /// this key; else a manufacturer's certificate says it. A device that has enrolled with this key gets credentials
    /// again. Fails with [`Error`]; then no code was used up.
    pub async fn enrol(
        &self,
        request: &EnrollRequest,
        chain: &[CertificateDer<'_>],
        visit: impl Into<Visit>,
    ) -> Result<Reply, Error> {
        let visit = visit.into();
        let now = visit.now;
        self.guard.check(now)?;
        let enrolment_key = enrolment_key(chain)?;
        let way = match &request.code {
            Some(code) => self.way_by_code(code.parse()?).await?,
            None => self.way_by_key(chain, enrolment_key).await?,
        };
        let (csr, client_csr) = (request.csr.clone(), request.client_csr.clone());
        let check = move || spkis(&csr, client_csr.as_deref());
        let asking = Asking {
            chain,
            enrolment_key,
            spkis: self.checks.run(check).await??,
            visit,
        };
        let shown = request.previous_sha256.as_deref();
        let shown = shown.map(str::parse).transpose()?;
        let device = match way {
            Way::Code(code, pending) => self.enrol_by_code(&code, &pending, &asking).await?,
            Way::Known(device) => *device,
            Way::Made => self.enrol_made(&asking).await?,
        };
        let Asking {
            enrolment_key,
            spkis,
            ..
        } = asking;
        let zone = device.zone.to_string();
        let admitted = policy::admit(device, enrolment_key, now)?;
        let (issuance, ()) = self.sign(admitted, move || Ok((spkis, ()))).await?;
        let as_client = AsClient::of(request.client_csr.as_ref(), &issuance);
        let json = self
            .record(Issuance {
                shown,
                by: visit.act(),
                ..issuance
            })
            .await?;
        Ok(Reply {
            zone,
            json,
            as_client,
        })
    }

    async fn enrol_by_code(
        &self,
        code: &ActivationCode,
        pending: &PendingCode,
        asking: &Asking<'_>,
    ) -> Result<Device, Error> {
        // After the code was made, so its key is among these.
        let keys = self.secrets.now(&self.store).await?;
        let macs = keys.macs(code, pending.device, asking.visit.now);
        let kept = |mac: &&Sha256| bool::from(pending.mac.as_bytes().ct_eq(mac.as_bytes()));
        // A wrong one is wrong with every key.
        let mac = macs.iter().find(kept).copied();
        let redemption = Redemption {
            code: code.id(),
            mac: mac.unwrap_or_else(|| keys.new_mac(code, pending.device)),
            key: asking.enrolment_key,
        };
        let checked = pending.check(&redemption.mac, &redemption.key, asking.visit.now);
        let refusal = match checked {
            // Nothing is counted any more, so nothing is written.
            Err(spent @ (CodeError::Expired | CodeError::TooManyTries | CodeError::Used)) => spent,
            // What a wrong one is told is for the store to say, which counts it.
            _ => {
                if checked.is_ok() {
                    self.check_before_use(pending.device, asking).await?;
                }
                let by = asking.visit.act();
                match self.store.redeem_code(&redemption, &by).await? {
                    Redeemed::Enrolled(device) => return Ok(*device),
                    Redeemed::Refused(refusal) => refusal,
                }
            }
        };
        self.flag_used_code(&redemption, refusal, asking.visit)
            .await?;
        Err(refusal.into())
    }

    /// A right code is good once, so what would fail afterwards fails before.
    async fn check_before_use(&self, device: DeviceId, asking: &Asking<'_>) -> Result<(), Error> {
        let found = self.store.find_device(&Find::Id(device)).await?;
        let device = found.ok_or(registry::Error::UnknownDevice)?;
        self.check(device, asking).await
    }

    /// Checks that a device would get credentials once it has enrolled, without changing anything.
    async fn check(&self, device: Device, asking: &Asking<'_>) -> Result<(), Error> {
        if let state @ (State::Suspended | State::Retired) = device.state {
            return Err(registry::Error::NotActive { state }.into());
        }
        let (key, now) = (asking.enrolment_key, asking.visit.now);
        let enrolled = device.apply(&Change::Enrol { key }, now)?;
        let enrolled = enrolled.map_or(device, |changed| changed.device);
        let view = self.view(now).await?;
        let admitted = policy::admit(enrolled, key, now)?;
        check(&view, &admitted, &asking.spkis)
    }

    /// Somebody has the code of a device that enrolled: two devices may be meant to be one. Only the right secret
    /// counts, so that nobody can flag a device who never had its code.
    async fn flag_used_code(
        &self,
        redemption: &Redemption,
        refusal: CodeError,
        visit: Visit,
    ) -> Result<(), Error> {
        if refusal != CodeError::Used {
            return Ok(());
        }
        let Some(pending) = self.store.find_code(redemption.code).await? else {
            return Ok(());
        };
        let used_by = pending.used_by;
        let is_right =
            used_by.is_some_and(|key| pending.check(&redemption.mac, &key, visit.now).is_ok());
        if is_right
            && let Some(key) = used_by
            && let Some(device) = self.store.find_device(&Find::Key(key)).await?
        {
            self.flag(&device, visit).await?;
        }
        Ok(())
    }

    /// No signature is checked for whoever can be no device.
    async fn way_by_code(&self, code: ActivationCode) -> Result<Way, Error> {
        if !self.settings.load().codes {
            return Err(Error::CodesOff);
        }
        let pending = self.store.find_code(code.id()).await?;
        Ok(Way::Code(code, pending.ok_or(CodeError::Unknown)?))
    }

    /// Here neither.
    async fn way_by_key(
        &self,
        chain: &[CertificateDer<'_>],
        enrolment_key: Sha256,
    ) -> Result<Way, Error> {
        let by_key = Find::Key(enrolment_key);
        if let Some(device) = self.store.find_device(&by_key).await? {
            return Ok(Way::Known(device.into()));
        }
        let settings = self.settings.load();
        match settings.manufacturers.may_have_made(chain) {
            true => Ok(Way::Made),
            false => Err(Error::Stranger),
        }
    }

    /// Its certificate says which device it is.
    async fn enrol_made(&self, asking: &Asking<'_>) -> Result<Device, Error> {
        let made = self.made(asking.chain, asking.visit.now).await?;
        let device = self.made_device(&made, asking.visit).await?;
        // It has a key, and would have been found by it.
        if matches!(device.state, State::Active) {
            self.flag(&device, asking.visit).await?;
            return Err(PolicyError::CloneSuspected.into());
        }
        let (id, key) = (device.id, asking.enrolment_key);
        self.check(device, asking).await?;
        let enrol = Change::Enrol { key };
        let by = asking.visit.act();
        Ok(self.store.change_device(id, &enrol, &by).await?)
    }

    /// The device that a manufacturer's certificate names.
    ///
    /// Fails as [`Manufacturers::made`](super::manufacturers::Manufacturers::made) does, and if too many are checked.
    pub(super) async fn made(
        &self,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Made, Error> {
        let settings = self.settings.load();
        let chain = chain.iter().map(|one| one.clone().into_owned());
        let chain: Vec<_> = chain.collect();
        let check = move || settings.manufacturers.made(&chain, now);
        self.checks.run(check).await?
    }

    /// The device with the serial number of a manufacturer's certificate.
    async fn made_device(&self, made: &Made, visit: Visit) -> Result<Device, Error> {
        let find = Find::Manufactured(made.manufactured.clone());
        if let Some(device) = self.store.find_device(&find).await? {
            return Ok(device);
        }
        if !made.unregistered {
            return Err(Error::UnknownSerial);
        }
        let external_id: ExternalId = made.manufactured.serial.parse()?;
        let zone: Option<&ZoneName> = made.zone.as_ref();
        self.add_made(external_id, zone, &made.manufactured, &visit.act())
            .await?;
        let found = self.store.find_device(&find).await?;
        Ok(found.ok_or(registry::Error::UnknownDevice)?)
    }
}

/// SHA-256 of the SubjectPublicKeyInfo of a client certificate.
pub(super) fn enrolment_key(chain: &[CertificateDer<'_>]) -> Result<Sha256, Error> {
    let first = chain.first().ok_or(Error::Stranger)?;
    let parsed = ParsedCertificate::try_from(first).map_err(|_| Error::Stranger)?;
    Ok(Sha256::of(&parsed.subject_public_key_info()))
}
