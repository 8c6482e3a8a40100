//! The start: one process a folder, and what the log says was issued in the last hour and signed for last.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use pki_types::UnixTime;
use serde_json::{Map, Value, json};

use super::super::checkpoints::Signed;
use super::super::error::Error;
use super::super::policy::Ceilings;
use super::super::rate::Rate;
use super::super::record::{COUNTS, Past, Record};
use dc_pki::clock;
use dc_pki::time::{Moment, from_seconds};

/// The past, as the lines of the log tell it one after the other.
#[derive(Debug)]
pub(super) struct Recalled {
    pub(super) rates: BTreeMap<String, Rate>,
    /// The checkpoint that was signed last.
    pub(super) signed: Option<Signed>,
    /// The records that checkpoints have got beyond those before.
    pub(super) grown: Rate,
}

impl Recalled {
    /// Nothing, below these ceilings; `most_new` is that of the records of checkpoints in an hour.
    pub(super) fn new(ceilings: &Ceilings, most_new: u64) -> Self {
        let rate = |ceiling: &crate::config::Ceiling| {
            let rate = Rate::new(ceiling.per_minute, ceiling.per_hour);
            (ceiling.zone.to_string(), rate)
        };
        Self {
            rates: ceilings.0.iter().map(rate).collect(),
            signed: None,
            grown: Rate::new(usize::MAX, usize::try_from(most_new).unwrap_or(usize::MAX)),
        }
    }

    /// Counts what a line says was issued in the last hour: whoever makes the process end, or its log long, gains nothing by it.
    pub(super) fn read(&mut self, line: &Value, now: UnixTime, uptime: u64) {
        match line["act"].as_str() {
            Some("issue") => {
                let time = line["time"].as_str();
                let time = time.and_then(|time| time.parse::<Moment>().ok());
                if let (Some(zone), Some(Moment(time))) = (line["zone"].as_str(), time) {
                    self.count(zone, (time, 1), now, uptime);
                }
            }
            Some("checkpoint") => {
                let signed = Signed::read(line);
                let time = line["time"].as_str();
                let time = time.and_then(|time| time.parse::<Moment>().ok());
                if let (Some(new), Some(Moment(time))) = (&signed, time) {
                    let before = self.signed.as_ref().filter(|before| before.key == new.key);
                    let before = before.map_or(0, |before| before.size);
                    let count = usize::try_from(new.size.saturating_sub(before));
                    let count = count.unwrap_or(usize::MAX);
                    add(&mut self.grown, (time, count), now, uptime);
                }
                self.signed = signed.or_else(|| self.signed.take());
            }
            Some(COUNTS) => {
                self.signed = Signed::read(&line["checkpoint"]).or_else(|| self.signed.take());
                // It has all of those before it.
                self.rates.values_mut().for_each(Rate::forget);
                self.grown.forget();
                if line["lost"] == true {
                    self.was_lost(line, now, uptime);
                }
                for counted in counted(&line["grown"]) {
                    add(&mut self.grown, counted, now, uptime);
                }
                for (zone, minutes) in line["zones"].as_object().into_iter().flatten() {
                    for counted in counted(minutes) {
                        self.count(zone, counted, now, uptime);
                    }
                }
            }
            _ => {}
        }
    }

    /// A past that is not known counts as the most that there may have been.
    pub(super) fn lose(&mut self, uptime: u64) {
        self.rates.values_mut().for_each(|rate| rate.fill(uptime));
        self.grown.fill(uptime);
    }

    /// The cause is known also after the next start.
    fn was_lost(&mut self, line: &Value, now: UnixTime, uptime: u64) {
        let time = line["time"].as_str();
        let Some(Moment(time)) = time.and_then(|time| time.parse().ok()) else {
            return;
        };
        let ago = now.as_secs().saturating_sub(time.as_secs());
        if ago < 3600 {
            let at = uptime.saturating_sub(ago);
            self.rates.values_mut().for_each(|rate| rate.was_lost(at));
            self.grown.was_lost(at);
        }
    }

    fn count(&mut self, zone: &str, counted: (UnixTime, usize), now: UnixTime, uptime: u64) {
        if let Some(rate) = self.rates.get_mut(zone) {
            add(rate, counted, now, uptime);
        }
    }
}

/// Counts as many as there were at a time, if that was in the last hour.
fn add(rate: &mut Rate, (time, count): (UnixTime, usize), now: UnixTime, uptime: u64) {
    // What a clock that was ahead has written counts as of now.
    let ago = now.as_secs().saturating_sub(time.as_secs());
    if ago < 3600 {
        rate.add_some(uptime.saturating_sub(ago), count);
    }
}

/// The minutes that a first line has, each with how many there were.
fn counted(minutes: &Value) -> impl Iterator<Item = (UnixTime, usize)> {
    let minutes = minutes.as_array().into_iter().flatten();
    minutes.filter_map(|minute| {
        let count = minute[1].as_u64().map(usize::try_from)?.ok()?;
        Some((from_seconds(minute[0].as_u64()?), count))
    })
}

/// How long ago how many there were, as [`counted`] reads it.
fn minutes(rate: &mut Rate, now: UnixTime, uptime: u64) -> Value {
    let minutes = rate.minutes(uptime).into_iter();
    let minutes = minutes.map(|(ago, count)| json!([now.as_secs().saturating_sub(ago), count]));
    Value::Array(minutes.collect())
}

/// The things that the first line of a file says of those before it.
pub(super) fn carried(
    rates: &mut BTreeMap<String, Rate>,
    (signed, grown): (Option<&Signed>, Option<&mut Rate>),
    now: UnixTime,
    uptime: u64,
) -> Map<String, Value> {
    let zones = rates.iter_mut();
    let zones: Map<String, Value> = zones
        .map(|(zone, rate)| (zone.clone(), minutes(rate, now, uptime)))
        .collect();
    let signed = signed.map_or(Value::Null, Signed::json);
    Map::from_iter([
        ("zones".to_owned(), Value::Object(zones)),
        ("checkpoint".to_owned(), signed),
        (
            "grown".to_owned(),
            grown.map_or(Value::Null, |grown| minutes(grown, now, uptime)),
        ),
    ])
}

/// Opens the log of a folder, with what it says of the past. What is lost counts as the most that there may have been, and the
/// log says so: nothing is issued for an hour then.
pub(super) fn recall(
    state: &Path,
    is_new: bool,
    recalled: &mut Recalled,
    now: UnixTime,
) -> Result<Record, Error> {
    let uptime = clock::uptime().as_secs();
    let (mut record, past) = Record::open(state, is_new, |line| recalled.read(line, now, uptime))?;
    if past == Past::Lost {
        let until = Moment::at(now.as_secs() + 3600).to_string();
        tracing::error!(
            folder = %state.display(), until,
            "its log is gone or damaged, so nobody knows what was issued in the last hour: nothing is issued until that is over; whoever has moved the log away may put it back and start anew"
        );
        recalled.lose(uptime);
    }
    if past != Past::Known {
        let signed = recalled.signed.as_ref();
        let of_log = (signed, Some(&mut recalled.grown));
        let mut carried = carried(&mut recalled.rates, of_log, now, uptime);
        carried.insert("lost".to_owned(), (past == Past::Lost).into());
        let begun = record.begin(carried, now);
        begun.map_err(|source| Error::File {
            path: state.into(),
            source,
        })?;
    }
    Ok(record)
}

/// Locks a folder, and says whether it is new.
pub(super) fn lock(state: &Path) -> Result<(File, bool), Error> {
    let path = state.join("lock");
    let failed = |source| Error::File {
        path: path.clone(),
        source,
    };
    let is_there = path.try_exists().map_err(failed)?;
    let lock = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(failed)?;
    let is_new = !is_there;
    match lock.try_lock() {
        Ok(()) => Ok((lock, is_new)),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::InUse { path: state.into() }),
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

pub(super) fn nobodys_key() -> Result<Vec<u8>, Error> {
    let key = rcgen::KeyPair::generate();
    let key = key.map_err(|source| dc_pki::Error::TestCertificate { source })?;
    Ok(rcgen::PublicKeyData::subject_public_key_info(&key))
}
