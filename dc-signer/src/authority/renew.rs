//! Renewing: new credentials for the same name, once for each request, however often its answer got lost.

use pki_types::UnixTime;

use super::acts::Visit;
use super::algorithms::algorithms;
use super::issue::{AsClient, Reply, spkis};
use super::policy::{self, PolicyError, Spkis};
use super::{Authority, Error};
use dc_pki::device_csr as csr;
use dc_protocol::RenewRequest;
use dc_store::registry::{self, Change, Device, DeviceId, Sha256};
use dc_store::{Find, Idempotency, Issuance};

impl Authority {
    /// Issues new credentials to the device with this enrolment key, which the handshake has shown that the caller holds.
    ///
    /// The same request with the same idempotency key gets the same bytes for an hour. Fails with
    /// [`Error`]; then nothing was issued.
    pub async fn renew(
        &self,
        request: &RenewRequest,
        enrolment_key: Sha256,
        visit: impl Into<Visit>,
    ) -> Result<Reply, Error> {
        let visit = visit.into();
        let now = visit.now;
        self.guard.check(now)?;
        let renewal = Renewal::parse(request)?;
        let found = self.store.find_device(&Find::Key(enrolment_key)).await?;
        let device = found.ok_or(registry::Error::UnknownDevice)?;
        let (id, zone) = (device.id, device.zone.to_string());
        let admitted = policy::admit(device, enrolment_key, now)?;
        if let Some(json) = self
            .recorded_answer(admitted.device(), &renewal, now)
            .await?
        {
            return Ok(Reply {
                zone,
                json,
                as_client: AsClient::NotAsked,
            });
        }
        let Renewal {
            previous,
            idempotency,
        } = renewal;
        let keys = Keys::of(request);
        let (issuance, next) = self.sign(admitted, move || keys.check()).await?;
        // Nothing has left yet: whoever cannot switch gets nothing.
        if let Some(next) = next {
            self.switch(id, next, visit).await?;
        }
        let issuance = Issuance {
            shown: previous,
            idempotency: Some(idempotency),
            by: visit.act(),
            ..issuance
        };
        let as_client = AsClient::of(request.client_csr.as_ref(), &issuance);
        let json = self.record(issuance).await?;
        Ok(Reply {
            zone,
            json,
            as_client,
        })
    }

    /// The answer that was given to this request before.
    ///
    /// A device that shows the credential that it holds has its last answer, so only others are looked up.
    async fn recorded_answer(
        &self,
        device: &Device,
        renewal: &Renewal,
        now: UnixTime,
    ) -> Result<Option<Vec<u8>>, Error> {
        let held = device.credential.map(|held| held.sha256);
        if held.is_some() && held == renewal.previous {
            return Ok(None);
        }
        let Idempotency { key, request } = renewal.idempotency;
        let before = self.store.find_answer(device.id, &key, now).await?;
        match before {
            Some(before) if before.request == request => Ok(Some(before.bytes)),
            Some(_) => Err(Error::KeyOfOtherRequest),
            None => Ok(None),
        }
    }

    /// Lets the device change to another enrolment key: both work until the new one is first used, so whichever answer gets lost, the device gets in again.
    async fn switch(&self, device: DeviceId, key: Sha256, visit: Visit) -> Result<(), Error> {
        let change = Change::SwitchKey { key };
        let by = visit.act();
        self.store.change_device(device, &change, &by).await?;
        Ok(())
    }
}

/// A renewal request without its keys.
#[derive(Debug)]
struct Renewal {
    previous: Option<Sha256>,
    idempotency: Idempotency,
}

impl Renewal {
    fn parse(request: &RenewRequest) -> Result<Self, Error> {
        let RenewRequest {
            csr,
            client_csr,
            previous_sha256,
            idempotency_key,
            next_enrolment_csr,
        } = request;
        if !(1..=MAX_KEY).contains(&idempotency_key.len()) {
            return Err(Error::BadIdempotencyKey { max: MAX_KEY });
        }
        let mut fields = vec![
            Some(csr.as_str()),
            previous_sha256.as_deref(),
            next_enrolment_csr.as_deref(),
        ];
        // Signers of the version before, beside this one, know three fields.
        fields.extend(client_csr.as_deref().map(Some));
        Ok(Self {
            previous: previous_sha256.as_deref().map(str::parse).transpose()?,
            idempotency: Idempotency {
                key: Sha256::of(idempotency_key.as_bytes()),
                request: hash(&fields),
            },
        })
    }
}

/// The certificate signing requests of a renewal. Their signatures are not checked yet.
#[derive(Debug)]
struct Keys {
    csr: String,
    client_csr: Option<String>,
    next_enrolment_csr: Option<String>,
}

impl Keys {
    fn of(request: &RenewRequest) -> Self {
        Self {
            csr: request.csr.clone(),
            client_csr: request.client_csr.clone(),
            next_enrolment_csr: request.next_enrolment_csr.clone(),
        }
    }

    /// The keys that the credentials are for, and the enrolment key that the device wants to use from now on, of which it has
    /// shown that it holds it.
    fn check(&self) -> Result<(Spkis, Option<Sha256>), Error> {
        let spkis = spkis(&self.csr, self.client_csr.as_deref())?;
        let Some(next) = &self.next_enrolment_csr else {
            return Ok((spkis, None));
        };
        let next = csr::public_key(next.as_bytes(), algorithms())?;
        match next == spkis.server || spkis.client.as_ref() == Some(&next) {
            true => Err(PolicyError::EnrolmentKey.into()),
            false => Ok((spkis, Some(Sha256::of(&next)))),
        }
    }
}

/// Each field with its length in front, so that nothing can move from one to the next.
fn hash(fields: &[Option<&str>]) -> Sha256 {
    let mut bytes = Vec::new();
    for field in fields {
        bytes.push(u8::from(field.is_some()));
        let text = field.unwrap_or_default();
        let len = u64::try_from(text.len()).unwrap_or(u64::MAX);
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    Sha256::of(&bytes)
}

/// The most characters of an idempotency key.
const MAX_KEY: usize = 128;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields() -> impl Strategy<Value = Vec<Option<String>>> {
        proptest::collection::vec(proptest::option::of("[ab]{0,3}"), 3..5)
    }

    proptest! {
        #[test]
        fn requests_that_differ_have_other_hashes(one in fields(), other in fields()) {
            prop_assume!(one != other);
            let of = |fields: &[Option<String>]| {
                let fields: Vec<_> = fields.iter().map(Option::as_deref).collect();
                hash(&fields)
            };
            prop_assert_ne!(of(&one), of(&other));
        }

        #[test]
        fn no_text_makes_parsing_panic(previous in ".{0,70}", key in ".{0,140}") {
            let _ = Renewal::parse(&RenewRequest {
                csr: String::new(),
                client_csr: None,
                previous_sha256: Some(previous),
                idempotency_key: key,
                next_enrolment_csr: None,
            });
        }
    }
}
