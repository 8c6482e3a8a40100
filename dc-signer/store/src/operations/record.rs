//! Recording credentials, many with a few statements.

use std::collections::HashMap;

use pki_types::UnixTime;

use crate::connection::{Row, Session};
use crate::registry::{self, Action, Device, DeviceId, Held, KeyUse, NameChange, Sha256};
use crate::sql::{Batch, Kind, Value};
use crate::{Answer, Error, Issuance, Recorded, Store};
use dc_pki::names::ZoneName;

use super::asked::{DeviceAsks, DeviceGets};
use super::queue::closed;
use super::work::Work;
use super::{devices, issues, rows, withdrawn};

impl Store {
    /// Records credentials before they are released: what the device holds, the issue rows, the
    /// answer for whoever asks again, and the audit records. Many callers share one commit.
    ///
    /// Checks in the same transaction that the device may still get them, and finishes a switch of
    /// enrolment keys. Fails as [`Device::may_issue`] does, and with
    /// [`UnknownDevice`](crate::registry::Error::UnknownDevice); then they must not leave.
    pub async fn record(&self, issuance: Issuance) -> Result<Recorded, Error> {
        let granted = self.recorder.ask(DeviceAsks::Record(issuance.into()));
        match self.timed("record", granted).await? {
            DeviceGets::Recorded(recorded) => Ok(recorded),
            DeviceGets::Answered(_) => Err(closed()),
        }
    }

    /// The answer to a request with this idempotency key, if that was less than
    /// [`Answer::KEPT`] ago.
    pub async fn find_answer(
        &self,
        device: DeviceId,
        key: &Sha256,
        now: UnixTime,
    ) -> Result<Option<Answer>, Error> {
        self.read("find_answer", async |session| {
            find_answer(session, device, key, now).await
        })
        .await
    }
}

/// The result of one issuance; a refusal of one says nothing about the others.
pub(super) type Outcome = Result<Recorded, registry::Error>;

/// Records what may be recorded, in order.
pub(super) async fn record(work: &mut Work, issuances: &[Issuance]) -> Result<Vec<Outcome>, Error> {
    let mut devices = load_devices(&mut work.session, issuances).await?;
    let mut answers = load_answers(&mut work.session, issuances).await?;
    let mut outcomes = Vec::with_capacity(issuances.len());
    let mut good = Vec::with_capacity(issuances.len());
    let mut touched = Touched::default();
    for issuance in issuances {
        work.touch(issuance.device.as_bytes());
        if let Some(answer) = answered_before(&answers, issuance) {
            outcomes.push(Ok(Recorded::Before(answer)));
            continue;
        }
        let outcome = judge(&mut devices, issuance).map(|judged| {
            touched.note(issuance.device, &judged);
            Recorded::Now {
                seq: log(work, issuance, &judged),
                flagged: judged.flagged,
            }
        });
        if outcome.is_ok() {
            good.push(issuance);
            answers.extend(keep(issuance));
        }
        outcomes.push(outcome);
    }
    if !good.is_empty() {
        write(work, &devices, &good, &touched).await?;
    }
    Ok(outcomes)
}

/// The other effects of an issuance on its device.
struct Judged {
    key_use: KeyUse,
    zone: ZoneName,
    /// That two boxes seem to use it, which nobody had noticed.
    flagged: bool,
    name: NameChange,
}

/// Devices of which more changed than the credential that they hold.
#[derive(Default)]
struct Touched {
    all: Vec<DeviceId>,
    /// Whose names are not withdrawn any more.
    restored: Vec<DeviceId>,
}

impl Touched {
    fn note(&mut self, device: DeviceId, judged: &Judged) {
        let is_restored = judged.name == NameChange::Restored;
        if judged.key_use == KeyUse::Next || judged.flagged || is_restored {
            self.all.push(device);
        }
        if is_restored {
            self.restored.push(device);
        }
    }
}

/// By device and idempotency key: until when, and the answer.
type Answers = HashMap<(DeviceId, Sha256), (u64, Answer)>;

fn answered_before(answers: &Answers, issuance: &Issuance) -> Option<Answer> {
    let key = issuance.idempotency?.key;
    let (expires, answer) = answers.get(&(issuance.device, key))?;
    (*expires > issuance.by.at.as_secs()).then(|| answer.clone())
}

fn keep(issuance: &Issuance) -> Option<((DeviceId, Sha256), (u64, Answer))> {
    let idempotency = issuance.idempotency?;
    let answer = Answer {
        request: idempotency.request,
        bytes: issuance.answer.clone(),
    };
    let key = (issuance.device, idempotency.key);
    Some((key, (answer_expires(issuance), answer)))
}

fn answer_expires(issuance: &Issuance) -> u64 {
    let now = issuance.by.at.as_secs();
    now.saturating_add(Answer::KEPT.as_secs())
}

/// Checks an issuance against the device as it is after the ones before, and changes it.
fn judge(
    devices: &mut HashMap<DeviceId, Device>,
    issuance: &Issuance,
) -> Result<Judged, registry::Error> {
    let Issuance { name, key, by, .. } = issuance;
    let device = devices.get_mut(&issuance.device);
    let device = device.ok_or(registry::Error::UnknownDevice)?;
    let key_use = device.may_issue(name, key, by.at)?;
    if key_use == KeyUse::Next {
        *device = device.switch_finished(by.at);
    }
    let (shown, spki) = (issuance.shown.as_ref(), &issuance.spki_sha256);
    let flagged = !device.possible_clone && device.looks_cloned(shown, spki, by.at);
    if flagged {
        (device.possible_clone, device.changed) = (true, by.at);
    }
    let held = issuance.credentials.first().map(|sha256| Held {
        sha256: *sha256,
        spki_sha256: issuance.spki_sha256,
        issued: issuance.issued,
        expires: issuance.expires,
    });
    let name = held.map_or(NameChange::Kept, |held| {
        device.hand_out(held, issuance.shown)
    });
    Ok(Judged {
        key_use,
        zone: device.zone.clone(),
        flagged,
        name,
    })
}

fn log(work: &mut Work, issuance: &Issuance, judged: &Judged) -> u64 {
    let entry = |action, work: &Work| {
        let mut entry = work.entry(action, &issuance.by);
        entry.name = Some(issuance.name.to_string());
        entry.zone = Some(judged.zone.to_string());
        entry
    };
    if judged.flagged {
        let entry = entry(Action::FlagClone, work);
        work.log(entry);
    }
    if judged.key_use == KeyUse::Next {
        let mut entry = entry(Action::FinishSwitch, work);
        entry.spki_sha256 = Some(issuance.key);
        work.log(entry);
    }
    let mut issued = |action, credentials: &[Sha256], spki| {
        for credential in credentials {
            let mut entry = entry(action, work);
            // Which device's it is says its name; where its customer was each time is nobody's business for good.
            entry.scope = None;
            entry.spki_sha256 = Some(spki);
            entry.credential_sha256 = Some(*credential);
            entry.expires = Some(issuance.expires);
            work.log(entry);
        }
    };
    issued(Action::Issue, &issuance.credentials, issuance.spki_sha256);
    if let Some(client) = &issuance.client {
        issued(Action::IssueClient, &client.credentials, client.spki_sha256);
    }
    work.head.seq
}

async fn write(
    work: &mut Work,
    devices: &HashMap<DeviceId, Device>,
    issuances: &[&Issuance],
    touched: &Touched,
) -> Result<(), Error> {
    for device in touched.restored.iter().filter_map(|id| devices.get(id)) {
        withdrawn::restore(work, device).await?;
    }
    let session = &mut work.session;
    write_held(session, devices, issuances).await?;
    for device in touched.all.iter().filter_map(|id| devices.get(id)) {
        devices::update(session, device).await?;
    }
    issues::insert(session, issuances).await?;
    write_answers(session, issuances).await
}

async fn write_held(
    session: &mut Session,
    devices: &HashMap<DeviceId, Device>,
    issuances: &[&Issuance],
) -> Result<(), Error> {
    let mut changed: Vec<&Device> = issuances
        .iter()
        .filter_map(|issuance| devices.get(&issuance.device))
        .collect();
    changed.sort_by_key(|device| device.id);
    changed.dedup_by_key(|device| device.id);
    let row = |device: &Device| -> Option<Vec<Value>> {
        let held = device.credential.as_ref()?;
        Some(vec![
            device.id.as_bytes()[..].into(),
            (&held.sha256).into(),
            (&held.spki_sha256).into(),
            held.issued.into(),
            held.expires.into(),
            device.hold.until.into(),
            rows::shown_hash(device.shown).as_ref().into(),
        ])
    };
    let batch = Batch {
        columns: &[
            ("device", Kind::Blob),
            ("sha256", Kind::Blob),
            ("spki", Kind::Blob),
            ("since", Kind::Int),
            ("until", Kind::Int),
            ("held", Kind::Int),
            ("shown", Kind::Blob),
        ],
        rows: changed.into_iter().filter_map(row).collect(),
    };
    let sql = "UPDATE devices SET credential_sha256 = r.sha256, credential_spki = r.spki, \
               issued = r.since, expires = r.until, held_until = r.held, free_from = NULL, \
               shown_sha256 = r.shown FROM {rows} WHERE devices.id = r.device";
    session.write_all("devices", sql, batch).await
}

async fn write_answers(session: &mut Session, issuances: &[&Issuance]) -> Result<(), Error> {
    // One batch must not write a row twice; of two equal keys the second was answered with the first.
    let row = |issuance: &&Issuance| -> Option<Vec<Value>> {
        let idempotency = issuance.idempotency?;
        Some(vec![
            issuance.device.as_bytes()[..].into(),
            (&idempotency.key).into(),
            (&idempotency.request).into(),
            issuance.answer.as_slice().into(),
            answer_expires(issuance).into(),
        ])
    };
    let batch = Batch {
        columns: &[
            ("device", Kind::Blob),
            ("key", Kind::Blob),
            ("request", Kind::Blob),
            ("answer", Kind::Blob),
            ("expires", Kind::Int),
        ],
        rows: issuances.iter().filter_map(row).collect(),
    };
    if batch.rows.is_empty() {
        return Ok(());
    }
    // SQLite reads ON CONFLICT behind FROM as part of a join, unless WHERE stands between.
    let sql = "INSERT INTO answers (device, key, request, answer, expires) \
               SELECT device, key, request, answer, expires FROM {rows} WHERE 1 = 1 \
               ON CONFLICT (device, key) DO UPDATE SET request = excluded.request, \
               answer = excluded.answer, expires = excluded.expires";
    session.tell_batch(sql, batch).await
}

async fn load_devices(
    session: &mut Session,
    issuances: &[Issuance],
) -> Result<HashMap<DeviceId, Device>, Error> {
    let mut ids: Vec<DeviceId> = issuances.iter().map(|issuance| issuance.device).collect();
    ids.sort();
    ids.dedup();
    let found = devices::find_by_ids(session, &ids).await?;
    found
        .into_iter()
        .map(|(id, device)| Ok((id, device?)))
        .collect()
}

async fn load_answers(session: &mut Session, issuances: &[Issuance]) -> Result<Answers, Error> {
    let row = |issuance: &Issuance| -> Option<Vec<Value>> {
        let idempotency = issuance.idempotency?;
        Some(vec![
            issuance.device.as_bytes()[..].into(),
            (&idempotency.key).into(),
        ])
    };
    let batch = Batch {
        columns: &[("wanted", Kind::Blob), ("wanted_key", Kind::Blob)],
        rows: issuances.iter().filter_map(row).collect(),
    };
    if batch.rows.is_empty() {
        return Ok(Answers::new());
    }
    let sql = "SELECT answers.device, answers.key, answers.request, answers.answer, answers.expires \
               FROM {rows} CROSS JOIN answers \
               WHERE answers.device = r.wanted AND answers.key = r.wanted_key";
    let mut answers = Answers::new();
    for row in session.fetch_batch(sql, batch).await? {
        let key = (rows::device_id(&row, "device")?, row.hash("key")?);
        answers.insert(key, (row.time("expires")?.as_secs(), answer(&row)?));
    }
    Ok(answers)
}

pub(super) fn answer(row: &Row) -> Result<Answer, Error> {
    Ok(Answer {
        request: row.hash("request")?,
        bytes: row.blob("answer")?,
    })
}

/// The answer that was given to a request, if it is still kept.
pub(super) async fn find_answer(
    session: &mut Session,
    device: DeviceId,
    key: &Sha256,
    now: UnixTime,
) -> Result<Option<Answer>, Error> {
    let sql = "SELECT request, answer FROM answers WHERE device = $1 AND key = $2 AND expires > $3";
    let values = vec![device.as_bytes()[..].into(), key.into(), now.into()];
    let row = session.fetch_one(sql, values).await?;
    row.as_ref().map(answer).transpose()
}
