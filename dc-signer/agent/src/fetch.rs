//! Fetches the list of withdrawn names, now and then.

use super::client::{ClientError, FoundList};
use super::device::{Agent, algorithms};
use super::event::Event;
use super::keys;
use super::rotate::With;
use super::schedule::{self, Failure, Wait};
use super::withdrawn::{ListError, ListState, WithdrawnList};
use crate::error::Error;

impl Agent {
    /// In how many seconds the list is to be fetched; none if it is not.
    pub(super) fn withdrawn_in(&self) -> Option<u64> {
        let (Some(_), Some(_)) = (&self.config.withdrawn, &self.generation) else {
            return None;
        };
        let state = self.state.withdrawn.as_ref();
        let wait = state.and_then(|state| state.wait);
        let waits = wait.map_or(0, |wait| wait.left(self.clock.wall()));
        Some(waits.max(self.quiet_for()))
    }

    /// Fetches the list if that is due.
    pub(super) fn fetch_withdrawn(&mut self) {
        let Some(wanted) = self.config.withdrawn.clone() else {
            // The operator may have taken it away when it had a fault.
            self.state.withdrawn = None;
            return;
        };
        if self.withdrawn_in() != Some(0) {
            return;
        }
        let known = self.state.withdrawn.take().unwrap_or_default();
        let fetched = self.fetch(&wanted, known.etag.clone());
        let every = wanted.every.as_secs();
        self.state.withdrawn = Some(match fetched {
            Ok((etag, changed)) => {
                if let Some(names) = changed {
                    self.tell(&Event::ListFetched { names });
                }
                ListState {
                    etag,
                    wait: self.wait_for(every),
                    ..ListState::default()
                }
            }
            Err(error) => {
                let detail = error.to_string();
                if known.detail.as_ref() != Some(&detail) {
                    self.tell(&Event::ListFailed {
                        why: detail.clone(),
                    });
                }
                let failures = known.failures.saturating_add(1);
                let doubled = FIRST_WAIT << failures.min(8);
                let wanted = error.retry_after().unwrap_or_default();
                let seconds = doubled.min(every).max(wanted.min(schedule::LONGEST_WAIT));
                ListState {
                    etag: known.etag,
                    wait: self.wait_for(seconds),
                    failures,
                    detail: Some(detail),
                }
            }
        });
    }

    fn wait_for(&self, seconds: u64) -> Option<Wait> {
        let now = self.reading().now;
        let at = keys::draw().map_or_else(
            |_| now.saturating_add(seconds),
            |draw| schedule::about(now, seconds, draw),
        );
        Some(Wait::new(now, at, self.clock.wall()))
    }

    /// Returns the entity tag of the list that is in the file now, and the number of its names if it is another one.
    fn fetch(
        &mut self,
        wanted: &WithdrawnList,
        etag: Option<String>,
    ) -> Result<(Option<String>, Option<usize>), FetchError> {
        let zone = self
            .generation
            .as_ref()
            .map(|generation| generation.meta.zone.clone());
        let zone = zone.unwrap_or_default();
        let kept = wanted.kept(&zone, algorithms());
        // Whoever lost the file gets it again.
        let etag = etag.filter(|_| kept.is_some());
        let client = self.client(With::Present)?;
        let found = self.heard(client.withdrawn(&zone, etag.as_deref()))?;
        let (bytes, etag) = match found {
            FoundList::Same => return Ok((etag, None)),
            FoundList::New { bytes, etag } => (bytes, etag),
        };
        let now = self.reading().now;
        let list = wanted.check(bytes.clone(), &zone, kept.as_ref(), now, algorithms())?;
        wanted.write(&bytes)?;
        Ok((etag, Some(list.len())))
    }
}

/// The reason that there is no newer list.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Local(#[from] Error),
    #[error("the signer's list of withdrawn names is not used: {0}")]
    List(#[from] ListError),
}

impl FetchError {
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Client(error) => match error.failure() {
                Failure::Transient { retry_after } => retry_after,
                Failure::Reserved { after } => Some(after),
                Failure::Permanent => None,
            },
            Self::Local(_) | Self::List(_) => None,
        }
    }
}

/// How long to wait after a failure, in seconds; then twice as long each time.
const FIRST_WAIT: u64 = 150;
