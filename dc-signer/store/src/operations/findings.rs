//! The findings of a comparison of the database with its audit log: all of them, and not the first alone.

use std::collections::HashMap;

use crate::Error;
use crate::registry::{self, Action, Head, Mismatch, Place, Record, Sha256};

use super::times::{StepsBack, Times};

/// All that was found, and the end of the log.
#[derive(Clone, Debug)]
pub struct Findings {
    /// The end of the log.
    pub head: Head,
    /// The first of them, at most [`Self::MOST`].
    pub first: Vec<Finding>,
    /// How many there are.
    pub count: u64,
    /// Where time goes back in the log: no mismatch, but a clock was wrong.
    pub back: StepsBack,
}

/// Something that is not as the audit log, or a checkpoint of it, says.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The fault.
    pub error: Error,
    /// Where.
    pub place: Place,
    /// The record by which somebody says that they know of it, if one does.
    pub acknowledged: Option<Acknowledged>,
}

/// That somebody knows of a mismatch, and why it may stay.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Acknowledged {
    /// The record.
    pub record: u64,
    /// The operator, or whoever else.
    pub by: String,
    /// The reason.
    pub reason: String,
}

impl Findings {
    /// The most that are kept.
    pub const MOST: usize = 1000;

    /// Adds what was found beside the log.
    pub fn add(&mut self, error: Error) {
        self.count += 1;
        if self.first.len() < Self::MOST {
            self.first.push(Finding {
                place: error.place(),
                error,
                acknowledged: None,
            });
        }
    }

    /// How many are neither acknowledged nor left out.
    #[must_use]
    pub fn open(&self) -> u64 {
        let known = self.first.iter().filter(|one| one.acknowledged.is_some());
        let known = u64::try_from(known.count()).unwrap_or(u64::MAX);
        self.count.saturating_sub(known)
    }

    /// Fails with the first that nobody has acknowledged.
    pub(super) fn into_result(self) -> Result<Head, Error> {
        let is_fine = self.open() == 0;
        let is_open = |one: &&Finding| one.acknowledged.is_none();
        // As many may be known as are kept, and there are more.
        let first = self
            .first
            .iter()
            .find(is_open)
            .or_else(|| self.first.last());
        match first.filter(|_| !is_fine) {
            Some(open) => Err(open.error.clone()),
            None => Ok(self.head),
        }
    }
}

/// Collects what is found.
#[derive(Default)]
pub(super) struct Found {
    first: Vec<Error>,
    count: u64,
    /// By what they acknowledge.
    known: HashMap<Sha256, Acknowledged>,
    times: Times,
}

impl Found {
    pub(super) fn add(&mut self, error: impl Into<Error>) {
        self.count += 1;
        if self.first.len() < Findings::MOST {
            self.first.push(error.into());
        }
    }

    /// Adds what is there, if it is.
    pub(super) fn check(&mut self, checked: Result<(), Error>) {
        if let Err(error) = checked {
            self.add(error);
        }
    }

    /// Remembers the time of a record.
    pub(super) fn note(&mut self, record: &Record) {
        self.times.follow(record);
    }

    /// Remembers a record by which somebody says that they know of something, who could say so.
    pub(super) fn acknowledged(&mut self, record: &Record) {
        let entry = &record.entry;
        if let (Action::Acknowledge, Some(digest)) = (entry.action, entry.detail_sha256) {
            let known = Acknowledged {
                record: record.seq,
                by: entry.actor.clone(),
                reason: entry.reason.clone().unwrap_or_default(),
            };
            self.known.insert(digest, known);
        }
    }

    pub(super) fn end(self, head: Head) -> Findings {
        let Self {
            first,
            count,
            known,
            times,
        } = self;
        let finding = |error: Error| {
            let place = error.place();
            // What is wrong with the log itself nobody can say that they know of: the record could be what is wrong.
            let is_row = error.is_of_a_row();
            let acknowledged = known.get(&place.digest()).filter(|_| is_row).cloned();
            Finding {
                error,
                place,
                acknowledged,
            }
        };
        Findings {
            head,
            first: first.into_iter().map(finding).collect(),
            count,
            back: times.end(),
        }
    }
}

impl Error {
    /// True if a row is not as the log says, and the log is as it should be.
    pub(super) const fn is_of_a_row(&self) -> bool {
        match self {
            Self::NotAsAudited { source } => !matches!(
                source,
                Mismatch::Archive { .. } | Mismatch::NotAsArchived { .. }
            ),
            Self::StateNotInAudit { .. } | Self::Corrupt { .. } | Self::OutOfRange { .. } => true,
            _ => false,
        }
    }

    /// Where in the database it is.
    pub(super) fn place(&self) -> Place {
        match self {
            Self::NotAsAudited { source } => source.place(),
            Self::StateNotInAudit { name, state } => Place {
                column: Some("state"),
                found: Some(state.to_string()),
                ..Place::new("state").row("devices", name.as_str())
            },
            Self::Corrupt { place } => Place {
                column: Some(place),
                ..Place::new("unreadable")
            },
            Self::BadPages { faults } => Place {
                found: Some(faults.join("; ")),
                ..Place::new("pages")
            },
            Self::Cut { size, found } => Place::new("log-cut").at(*found).values(
                format!("{size} records or more"),
                format!("{found} records"),
            ),
            Self::OlderThanSeen { known, found } => Place::new("not-as-seen").at(*known).values(
                format!("record {known}, as this machine has seen it"),
                format!("another one, or none: the log ends with record {found}"),
            ),
            Self::Rewritten { after, size } => Place::new("log-rewritten")
                .at(after.saturating_add(1))
                .values(
                    format!("the log of the checkpoint of {size} records"),
                    "another one",
                ),
            Self::Refused {
                source: registry::Error::AuditLink { seq },
            } => Place::new("log-changed")
                .row("audit", &seq.to_string())
                .at(*seq),
            Self::Refused {
                source: registry::Error::AuditSequence { expected, found },
            } => Place::new("log-record-missing")
                .row("audit", &expected.to_string())
                .at(*expected)
                .values(format!("record {expected}"), format!("record {found}")),
            other => Place {
                found: Some(other.to_string()),
                ..Place::new("other")
            },
        }
    }
}
