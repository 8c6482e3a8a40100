//! How a device stands, for its log, its status file and its exit status.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::clock::Reading;
use super::generation::{Generation, Meta};
use super::state::{LastFailure, State};
use super::verify::UntrustedError;
use crate::error::Error;
use dc_pki::files::{self, Access, NewFile};
use dc_pki::time::{Moment, Span, from_seconds};

/// How it stands, in one word.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Nobody has to do anything.
    Fine,
    /// Clients still accept the device, but will not for long if nobody does anything.
    AtRisk,
    /// Clients do not accept the device.
    Lost,
}

impl Level {
    /// The exit status: 0, 3 or 4. 1 and 2 are for what could not even be looked at.
    #[must_use]
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::AtRisk => 3,
            Self::Lost => 4,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fine => "fine",
            Self::AtRisk => "AT RISK",
            Self::Lost => "LOST",
        })
    }
}

/// The facts about a device, of which its log, its status file, its exit status and whoever looks from elsewhere
/// make one judgement.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The generation behind `current`.
    pub generation: Option<&'a Generation>,
    /// The fault of that.
    pub fault: Option<&'a str>,
    /// The reason that the agent cannot start with its enrolment key, or is unknown with it, if so.
    pub key_fault: Option<&'a str>,
    /// The fault of what the device is to present as a client, if it is to and that has one.
    pub client_fault: Option<&'a str>,
    /// The reason that there is no place for the next credential, if so.
    pub disk_fault: Option<&'a str>,
    /// The agent's memory.
    pub state: &'a State,
    /// The time.
    pub reading: Reading,
}

/// How a device stands. Moments are seconds since 1970.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Status {
    /// In one word.
    pub level: Level,
    /// The reason that it is not fine, or the last failure.
    pub reason: Option<String>,
    /// The generation that is served; none if there is none.
    #[serde(rename = "unit")]
    pub generation: Option<u64>,
    /// Its description of itself.
    pub identity: Option<Meta>,
    /// How many requests have failed in a row.
    pub failures: u32,
    /// The last failure.
    pub last_failure: Option<LastFailure>,
    /// When to try again after a failure.
    pub next_attempt: Option<u64>,
    /// The fault of the hook.
    pub hook: Option<String>,
    /// The fault of what the device's server serves.
    pub served: Option<String>,
    /// The fault of the list of withdrawn names; the device itself is as well without it.
    pub withdrawn: Option<String>,
    /// The fault of the clock, or with the signer's.
    pub clock: Option<String>,
    /// The SHA-256 of the enrolment key's SubjectPublicKeyInfo.
    pub enrolment_key: Option<String>,
    #[serde(skip)]
    now: u64,
}

impl Status {
    /// Judges what there is; `refusal` says why clients do not accept a generation now.
    #[must_use]
    pub fn new(facts: &Facts<'_>, refusal: impl Fn(&Generation) -> Option<UntrustedError>) -> Self {
        let Facts {
            generation,
            fault,
            key_fault,
            client_fault,
            disk_fault,
            state,
            reading,
        } = *facts;
        let faults =
            [fault, key_fault, client_fault, disk_fault].map(|fault| fault.map(ToOwned::to_owned));
        let faults: Vec<String> = faults.into_iter().flatten().collect();
        let fault = (!faults.is_empty()).then(|| faults.join("; "));
        let fault = fault.as_deref();
        let identity = generation.map(|generation| generation.meta.clone());
        let refusal = generation.and_then(refusal).map(|why| why.to_string());
        let (level, reason) = judge(identity.as_ref(), refusal, fault, state, &reading);
        let clock = (!reading.verdict.is_good()).then(|| reading.verdict.to_string());
        Self {
            level,
            reason,
            // What is no generation has no number.
            generation: generation
                .map(|generation| generation.number)
                .filter(|number| *number > 0),
            identity,
            failures: state.failures,
            last_failure: state.last_failure.clone(),
            next_attempt: state.retry.map(|wait| wait.at),
            hook: state.hook_failure.as_ref().map(|hook| hook.detail.clone()),
            served: state
                .self_check
                .as_ref()
                .and_then(|check| check.detail.clone()),
            withdrawn: state
                .withdrawn
                .as_ref()
                .and_then(|list| list.detail.clone()),
            clock: clock.or_else(|| state.signer_clock.clone()),
            enrolment_key: None,
            now: reading.now,
        }
    }

    /// With the SHA-256 of the enrolment key.
    #[must_use]
    pub fn with_enrolment_key(self, sha256: Option<String>) -> Self {
        Self {
            enrolment_key: sha256,
            ..self
        }
    }
}

fn judge(
    identity: Option<&Meta>,
    refusal: Option<String>,
    fault: Option<&str>,
    state: &State,
    reading: &Reading,
) -> (Level, Option<String>) {
    let failure = state.last_failure.as_ref();
    let left = identity.map(|identity| identity.expires.saturating_sub(reading.now));
    let is_refused = failure.is_some_and(|failure| failure.permanent);
    let level = match left {
        None | Some(0) => Level::Lost,
        Some(_) if refusal.is_some() => Level::Lost,
        Some(left) if left < AT_RISK || is_refused || fault.is_some() => Level::AtRisk,
        Some(_) => Level::Fine,
    };
    let own = match (identity, left, refusal) {
        (Some(identity), Some(0), _) => Some(format!(
            "the credential ended at {}",
            Moment::at(identity.expires)
        )),
        (_, _, Some(refusal)) => Some(format!("clients do not accept the device: {refusal}")),
        (Some(identity), Some(left), None) if left < AT_RISK => Some(format!(
            "the credential ends soon, at {}",
            Moment::at(identity.expires)
        )),
        (None, ..) if failure.is_none() && fault.is_none() => {
            Some("the device has not enrolled yet".to_owned())
        }
        _ => None,
    };
    let failure = failure.map(|failure| failure.detail.clone());
    let code = state.code_trouble.as_ref().map(|code| code.detail.clone());
    let all = [own, fault.map(ToOwned::to_owned), code, failure];
    let reasons: Vec<String> = all.into_iter().flatten().collect();
    (level, (!reasons.is_empty()).then(|| reasons.join("; ")))
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.level)?;
        if let Some(reason) = &self.reason {
            write!(f, ": {reason}")?;
        }
        if let Some(identity) = &self.identity {
            write!(f, "\nname       {}", identity.name)?;
            write!(f, "\ndevice     {}", identity.device)?;
            if let Some(number) = self.generation {
                write!(f, "\ngeneration dc-{number}")?;
            }
            let [now, expires] = [self.now, identity.expires].map(from_seconds);
            write!(f, "\nexpires    {}", Moment(expires))?;
            if now < expires {
                write!(f, ", in {}", Span::about(now, expires))?;
            }
            write!(f, "\nrenew at   {}", Moment::at(identity.renew_at))?;
        }
        if let Some(next) = self.next_attempt {
            let after = match self.failures {
                1 => "a failure".to_owned(),
                failures => format!("{failures} failures"),
            };
            write!(f, "\nnext try   {}, after {after}", Moment::at(next))?;
        }
        for (what, wrong) in [
            ("hook  ", &self.hook),
            ("server", &self.served),
            ("list  ", &self.withdrawn),
            ("clock ", &self.clock),
        ] {
            if let Some(wrong) = wrong {
                write!(f, "\n{what}     {wrong}")?;
            }
        }
        match &self.enrolment_key {
            Some(sha256) => write!(f, "\nenrolment key (SHA-256)  {sha256}"),
            None => Ok(()),
        }
    }
}

/// The status file, which anybody may read.
#[derive(Debug)]
pub struct StatusFile {
    folder: PathBuf,
    written: Option<String>,
}

impl StatusFile {
    /// In this folder.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.into(),
            written: None,
        }
    }

    /// Writes the status, if it is another one than last time.
    ///
    /// Fails with [`Error::Write`](dc_pki::Error::Write).
    pub fn save(&mut self, status: &Status) -> Result<(), Error> {
        let path = self.folder.join(NAME);
        let json = serde_json::to_string_pretty(status)
            .map_err(|source| Error::BadFile { path, source })?;
        if self.written.as_ref() == Some(&json) {
            return Ok(());
        }
        let file = NewFile {
            name: NAME,
            contents: json.as_bytes(),
            access: Access::Everyone,
        };
        files::stage(&self.folder, &file)?.replace()?;
        self.written = Some(json);
        Ok(())
    }
}

const NAME: &str = "status.json";
/// A working day for somebody to look: renewals begin with three days left.
const AT_RISK: u64 = 24 * 3600;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Verdict;

    const NOW: u64 = 1_800_000_000;

    fn meta(left: u64) -> Meta {
        Meta {
            device: "d".to_owned(),
            name: "k3v.cpe.example.com".to_owned(),
            zone: "cpe.example.com".to_owned(),
            issued: NOW,
            expires: NOW + left,
            renew_at: NOW + 5,
            sha256: String::new(),
            asked_as_client: false,
            is_client: false,
        }
    }

    fn failed(permanent: bool) -> State {
        State {
            failures: 2,
            last_failure: Some(LastFailure {
                at: NOW,
                kind: "unreachable".to_owned(),
                detail: "no route".to_owned(),
                permanent,
            }),
            ..State::default()
        }
    }

    fn level(meta: Option<&Meta>, state: &State) -> Level {
        let reading = Reading {
            now: NOW,
            verdict: Verdict::Plausible,
        };
        judge(meta, None, None, state, &reading).0
    }

    #[test]
    fn a_device_is_lost_without_a_credential_or_after_its_end() {
        assert_eq!(level(None, &State::default()), Level::Lost);
        assert_eq!(level(Some(&meta(0)), &State::default()), Level::Lost);
    }

    #[test]
    fn it_is_at_risk_on_the_last_day_and_when_it_is_refused() {
        assert_eq!(
            level(Some(&meta(AT_RISK - 1)), &failed(false)),
            Level::AtRisk
        );
        assert_eq!(
            level(Some(&meta(6 * AT_RISK)), &failed(true)),
            Level::AtRisk
        );
    }

    #[test]
    fn it_is_fine_while_failures_can_pass() {
        assert_eq!(level(Some(&meta(AT_RISK)), &failed(false)), Level::Fine);
    }

    #[test]
    fn each_level_has_an_exit_status_that_is_no_failure_of_the_program() {
        let all = [Level::Fine, Level::AtRisk, Level::Lost].map(Level::exit_status);
        assert_eq!(all, [0, 3, 4]);
    }
}
