//! The signer's word, and how much of it counts: the time, and how long to wait.
//!
//! A signer is authenticated by its certificate, so nothing that it says outlives that, by whichever clock: a time is
//! believed only if the certificate that carried it is valid then, and a refusal or a Retry-After binds only while it
//! is. Whoever holds an old certificate can so make nobody believe in a later time than the end of that, nor make
//! anybody wait whose clock is right. And whatever is believed, the next word is listened to.

use super::client::{Answer, Client, ClientError, Trust, Word};
use super::clock::Verdict;
use super::config::Enrolment;
use super::device::Agent;
use super::enrol;
use super::event::Event;
use super::keys;
use super::rotate::With;
use super::schedule::{self, Failure, Wait};
use super::state::{Asking, Pulled};
use dc_pki::time::Moment;
use dc_protocol::RenewalInfo;

impl Agent {
    /// Says what is new about the clock, and asks the signer if the time is in question.
    pub(super) fn look_at_clock(&mut self) {
        self.announce_clock();
        if self.asks_first() && self.asks_in() == Some(0) {
            self.ask_for_time();
        }
        if !self.is_time_in_question() {
            self.state.asking = None;
        }
    }

    /// Forgets the failures of renewals that were only due by a wrong time: no next request would end them before the
    /// renewal that is due by the right one.
    pub(super) fn forget_needless_failures(&mut self) {
        let is_known = self.reading().verdict.is_good() && !self.is_time_in_question();
        if is_known && self.state.last_failure.is_some() && self.needed_in() > 0 {
            self.state.forget_failures();
        }
    }

    /// In how many seconds the signer is to be asked for the time; none if it is not.
    pub(super) fn asks_in(&self) -> Option<u64> {
        let waits = self.asks_but_for_start()?;
        Some(waits.max(self.quiet_for()))
    }

    pub(super) fn asks_but_for_start(&self) -> Option<u64> {
        if self.generation.is_none() || !self.is_time_in_question() {
            return None;
        }
        let waits = self
            .state
            .asking
            .map_or(0, |asking| asking.wait.left(self.clock.wall()));
        Some(waits.max(self.pause()))
    }

    /// Asks what else is to be asked now and then as well.
    pub(super) fn ask_for_time(&mut self) {
        let is_in_danger = self.reading().verdict != Verdict::Plausible;
        self.poll();
        let now = self.reading().now;
        self.state.asking = self.is_time_in_question().then(|| {
            let times = self.state.asking.map_or(0, |asking| asking.times);
            let wait = schedule::ask_again_after(times, is_in_danger);
            Asking {
                times: times.saturating_add(1),
                wait: Wait::new(now, now.saturating_add(wait), self.clock.wall()),
            }
        });
    }

    /// True if nothing should be decided before the signer has told the time.
    fn asks_first(&self) -> bool {
        let verdict = self.reading().verdict;
        let contradicted = matches!(verdict, Verdict::Wrong { .. });
        verdict.is_doubtful()
            || self.state.signer_clock.is_some()
            // If the device's clock is right after all, clients do not accept what it serves, or it is time to renew.
            || contradicted && !self.is_well_by_own_clock()
    }

    fn is_time_in_question(&self) -> bool {
        self.asks_first() || self.reading().verdict == Verdict::Plausible
    }

    /// True if clients accept the device if its own clock is right, and it need not renew yet.
    fn is_well_by_own_clock(&self) -> bool {
        let wall = self.judge.possible(&*self.clock);
        wall.is_none_or(|wall| self.is_accepted_at(wall) && self.renewal_in(wall) > 0)
    }

    pub(super) fn announce_clock(&mut self) {
        let verdict = self.reading().verdict;
        if !verdict.is_like(&self.verdict) {
            let is_news = !(verdict.is_good() && self.verdict.is_good());
            self.verdict = verdict;
            if is_news {
                self.tell(&Event::Clock(verdict));
            }
        }
    }

    /// Asks whether renewals are pulled forward, and what time it is.
    fn poll(&mut self) {
        let Some(zone) = self
            .generation
            .as_ref()
            .map(|generation| generation.meta.zone.clone())
        else {
            return;
        };
        let asked = self
            .client(With::Present)
            .and_then(|client| self.heard(client.renewal_info(&zone)));
        let info = match asked {
            Ok(info) => Some(info),
            Err(ClientError::Local { source: error }) => {
                self.tell(&Event::Setback { error });
                None
            }
            Err(_) => None,
        };
        let now = self.reading().now;
        let after = info.as_ref().map(|info| info.poll_after);
        self.state.poll = keys::draw().ok().map(|draw| {
            let at = schedule::poll_again_at(now, after, draw);
            Wait::new(now, at, self.clock.wall())
        });
        if let Some(info) = info {
            self.pull(&info, now);
        }
    }

    fn pull(&mut self, info: &RenewalInfo, now: u64) {
        let Some(generation) = &self.generation else {
            return;
        };
        let issued_before = info.renew_issued_before;
        let known = self.state.pulled.map(|pulled| pulled.issued_before);
        if generation.meta.issued >= issued_before {
            self.state.pulled = None;
        } else if known != Some(issued_before)
            && let Ok(draw) = keys::draw()
        {
            let at = schedule::pulled_to(now, info.spread, generation.meta.expires, draw);
            self.state.pulled = Some(Pulled { issued_before, at });
            self.tell(&Event::Pulled { at });
        }
    }

    /// For one request.
    pub(super) fn client(&self, with: With) -> Result<Client, ClientError> {
        let reading = self.reading();
        let wall = self.judge.possible(&*self.clock);
        let trust = Trust {
            roots: self.config.signer_roots.clone(),
            now: reading.now,
            wall,
            floor: self.judge.floor(),
            // Who has nothing to lose by it asks a signer whose certificate has ended what time it is.
            may_be_late: !reading.verdict.is_good()
                || !wall.is_some_and(|wall| self.is_accepted_at(wall)),
            sends_code: with == With::Enrolling
                && matches!(self.config.enrolment, Enrolment::Code(_)),
        };
        let key = self.enrolment_key(with);
        enrol::who(&self.config.enrolment, key)
            .and_then(|who| Client::new(&self.config.signer, self.config.timeout, trust, who))
            .map_err(|source| ClientError::Local { source })
    }

    /// Takes in what an answer says about the time, and gives back what else it says, if that counts.
    pub(super) fn heard<T>(&mut self, answer: Answer<T>) -> Result<T, ClientError> {
        let Answer { date, word, result } = answer;
        let is_believed = match (date, &word) {
            (Some(date), Some(word)) => self.hear(date, word),
            _ => false,
        };
        let doubt = word.as_ref().and_then(|word| word.doubt.clone());
        self.word = word;
        match doubt {
            Some(error) if !is_believed => {
                // The signer would give the same answer to the same request again.
                self.state.pending = None;
                let error = ureq::Error::Other(error.into());
                Err(ClientError::unreachable(&self.config.signer, error))
            }
            _ => result,
        }
    }

    fn hear(&mut self, date: u64, word: &Word) -> bool {
        if !word.is_valid(date) {
            self.signer_is_wrong(format!(
                "the signer's clock says {}, when its certificate is not valid, and is not believed: set it, or renew its certificate",
                Moment::at(date)
            ));
            return false;
        }
        let before = self.reading().now;
        if !self.judge.learn_from_signer(date, &*self.clock) {
            self.signer_is_wrong(format!(
                "the signer's clock says {}, but it is {} at least: set it",
                Moment::at(date),
                Moment::at(self.judge.floor())
            ));
            return false;
        }
        // What was put off at another time was put off by mistake.
        let was_wrong = self.state.signer_clock.take().is_some();
        if was_wrong || self.reading().now.abs_diff(before) > A_MISTAKE {
            self.state.retry = None;
        }
        true
    }

    fn signer_is_wrong(&mut self, why: String) {
        if self.state.signer_clock.is_none() {
            self.tell(&Event::SignersClock { why: why.clone() });
        }
        self.state.signer_clock = Some(why);
    }

    /// The consequence of a failure for the next request, if the signer's word counts.
    pub(super) fn binding(&self, trouble: &ClientError) -> Failure {
        let wall = self.judge.possible(&*self.clock);
        match (trouble.failure(), &self.word, wall) {
            (failure @ Failure::Transient { retry_after: None }, ..) => failure,
            (_, Some(word), Some(wall)) if !word.is_valid(wall) => {
                Failure::Transient { retry_after: None }
            }
            (failure, ..) => failure,
        }
    }

    /// So many seconds, but not longer than the certificate of whoever said so.
    pub(super) fn bounded(&self, seconds: u64) -> u64 {
        match (&self.word, self.judge.possible(&*self.clock)) {
            (Some(word), Some(wall)) if word.is_valid(wall) => word
                .nearest(wall.saturating_add(seconds))
                .map_or(seconds, |end| end.saturating_sub(wall).min(seconds)),
            _ => seconds,
        }
    }
}

/// By this, in seconds, a time is another one.
const A_MISTAKE: u64 = 4 * 3600;
