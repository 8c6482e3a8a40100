//! Renewing: new credentials for the same name, once for each request, however often its answer got lost.

use pki_types::UnixTime;

use super::issue::{algorithms, by_device, check};
use super::{Authority, Refusal};
use crate::authority::policy::Denied;
use crate::registry::{self, Change, Device, Sha256};
use crate::store::{Find, Idempotency};
use dc_pki::device_csr as csr;
use dc_protocol::RenewRequest;

impl Authority {
    /// Issues new credentials to the device with this enrolment key, which the handshake has shown that the caller holds.
    /// Returns the JSON of [`Credentials`](dc_protocol::Credentials).
    ///
    /// The same request with the same idempotency key gets the same bytes for an hour. Fails with
    /// [`Refusal`]; then nothing was issued.
    pub async fn renew(
        &self,
        request: &RenewRequest,
        enrolment_key: Sha256,
        now: UnixTime,
    ) -> Result<Vec<u8>, Refusal> {
        self.guard.check(now)?;
        let renewal = Renewal::parse(request)?;
        let found = self.store.find_device(&Find::Key(enrolment_key)).await?;
        let device = found.ok_or(registry::Error::UnknownDevice)?;
        device
            .may_issue(&device.name, &enrolment_key, now)
            .map_err(Denied::from)?;
        if let Some(answer) = self.again(&device, &renewal, now).await? {
            return Ok(answer);
        }
        let spki = csr::public_key(request.csr.as_bytes(), algorithms())?;
        if let Some(next) = renewal.next_key(request, &spki)? {
            let view = self.view(now).await?;
            check(&view, &device, enrolment_key, &spki, now)?;
            self.switch(&device, next, now).await?;
        }
        let (shown, idempotency) = (renewal.previous, Some(renewal.idempotency));
        self.issue(&device, enrolment_key, &spki, shown, idempotency, now)
            .await
    }

    /// What was answered to this request before.
    ///
    /// A device that shows the credential that it holds has its last answer, so only others are looked up.
    async fn again(
        &self,
        device: &Device,
        renewal: &Renewal,
        now: UnixTime,
    ) -> Result<Option<Vec<u8>>, Refusal> {
        let held = device.credential.map(|held| held.sha256);
        if held.is_some() && held == renewal.previous {
            return Ok(None);
        }
        let Idempotency { key, request } = renewal.idempotency;
        let before = self.store.find_answer(device.id, &key, now).await?;
        match before {
            Some(before) if before.request == request => Ok(Some(before.bytes)),
            Some(_) => Err(Refusal::KeyOfOtherRequest),
            None => Ok(None),
        }
    }

    /// Both keys work until the new one is first used, so whichever answer gets lost, the device gets in again.
    async fn switch(&self, device: &Device, key: Sha256, now: UnixTime) -> Result<(), Refusal> {
        let change = Change::SwitchKey { key };
        let by = by_device(now);
        self.store.change_device(device.id, &change, &by).await?;
        Ok(())
    }
}

/// What is in a request besides keys.
#[derive(Debug)]
struct Renewal {
    previous: Option<Sha256>,
    idempotency: Idempotency,
}

impl Renewal {
    fn parse(request: &RenewRequest) -> Result<Self, Refusal> {
        let RenewRequest {
            csr,
            previous_sha256,
            idempotency_key,
            next_enrolment_csr,
        } = request;
        if !(1..=MAX_KEY).contains(&idempotency_key.len()) {
            return Err(Refusal::BadIdempotencyKey { max: MAX_KEY });
        }
        let fields = [
            Some(csr.as_str()),
            previous_sha256.as_deref(),
            next_enrolment_csr.as_deref(),
        ];
        Ok(Self {
            previous: previous_sha256.as_deref().map(str::parse).transpose()?,
            idempotency: Idempotency {
                key: Sha256::of(idempotency_key.as_bytes()),
                request: hash(&fields),
            },
        })
    }

    /// The enrolment key that the device wants to use from now on, of which it has shown that it holds it.
    fn next_key(&self, request: &RenewRequest, spki: &[u8]) -> Result<Option<Sha256>, Refusal> {
        let Some(next) = &request.next_enrolment_csr else {
            return Ok(None);
        };
        let next = csr::public_key(next.as_bytes(), algorithms())?;
        match next == spki {
            true => Err(Denied::EnrolmentKey.into()),
            false => Ok(Some(Sha256::of(&next))),
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
        proptest::collection::vec(proptest::option::of("[ab]{0,3}"), 3)
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
                previous_sha256: Some(previous),
                idempotency_key: key,
                next_enrolment_csr: None,
            });
        }
    }
}
