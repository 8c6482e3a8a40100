//! The agent's report on its renewals, in its status file (`dc-agent`).

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_json::Value;

/// The contents of the status file. Moments are seconds since 1970.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Report {
    pub(crate) level: Level,
    /// The cause of a bad level, or the last failure.
    pub(crate) reason: Option<String>,
    pub(crate) identity: Option<Renewal>,
    /// The number of requests that have failed in a row.
    pub(crate) failures: u64,
    /// When it tries again after a failure.
    pub(crate) next_attempt: Option<u64>,
    /// The fault of the clock.
    pub(crate) clock: Option<String>,
}

/// The agent's own judgement.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Level {
    #[default]
    Fine,
    AtRisk,
    Lost,
}

/// The agent's last renewal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Renewal {
    pub(crate) issued: u64,
    pub(crate) expires: u64,
    pub(crate) renew_at: u64,
}

/// The cause of a missing report.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Silence {
    /// There is no file: no agent runs here, or it has not run yet.
    Absent,
    /// The file cannot be read, or is not what an agent writes.
    Unreadable(String),
}

/// Reads the agent's status file.
///
/// Fails with [`Silence`].
pub(crate) fn read(path: &Path) -> Result<Report, Silence> {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_LENGTH).read_to_end(&mut text));
    match read {
        Ok(_) => Report::parse(&text).ok_or_else(|| {
            Silence::Unreadable(format!(
                "{} is not what an agent writes; give the right one with --status",
                path.display()
            ))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Silence::Absent),
        Err(error) => Err(Silence::Unreadable(format!("{}: {error}", path.display()))),
    }
}

impl Report {
    /// `None` if it is not what an agent writes. Keys that are not known are newer than this program.
    fn parse(text: &[u8]) -> Option<Self> {
        let json: Value = serde_json::from_slice(text).ok()?;
        let text = |key: &str| json[key].as_str().map(str::to_owned);
        Some(Self {
            level: match json["level"].as_str()? {
                "fine" => Level::Fine,
                "at-risk" => Level::AtRisk,
                "lost" => Level::Lost,
                _ => return None,
            },
            reason: text("reason"),
            identity: Renewal::parse(&json["identity"]),
            failures: json["failures"].as_u64()?,
            next_attempt: json["next_attempt"].as_u64(),
            clock: text("clock"),
        })
    }
}

impl Renewal {
    fn parse(json: &Value) -> Option<Self> {
        Some(Self {
            issued: json["issued"].as_u64()?,
            expires: json["expires"].as_u64()?,
            renew_at: json["renew_at"].as_u64()?,
        })
    }
}

/// A thousand times what an agent writes; what is longer does not parse.
const MAX_LENGTH: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// As the agent writes it.
    fn status() -> Value {
        json!({
            "level": "at-risk",
            "reason": "no route",
            "unit": 42,
            "identity": {
                "device": "d", "name": "k3v.cpe.example.com", "zone": "cpe.example.com",
                "issued": 1, "expires": 3, "renew_at": 2, "sha256": "",
            },
            "failures": 2,
            "last_failure": {"at": 1, "kind": "unreachable", "detail": "no route", "permanent": false},
            "next_attempt": 4,
            "hook": null,
            "clock": null,
            "enrolment_key": null,
        })
    }

    fn parse(status: &Value) -> Option<Report> {
        Report::parse(status.to_string().as_bytes())
    }

    #[test]
    fn reads_what_the_agent_writes() {
        let expected = Report {
            level: Level::AtRisk,
            reason: Some("no route".to_owned()),
            identity: Some(Renewal {
                issued: 1,
                expires: 3,
                renew_at: 2,
            }),
            failures: 2,
            next_attempt: Some(4),
            clock: None,
        };
        assert_eq!(parse(&status()), Some(expected));
    }

    #[test]
    fn an_agent_that_has_not_enrolled_has_no_renewal() {
        let mut status = status();
        status["identity"] = Value::Null;
        status["level"] = "lost".into();
        let report = parse(&status).unwrap();
        assert_eq!((report.level, report.identity), (Level::Lost, None));
    }

    #[test]
    fn another_file_is_not_taken_for_a_report() {
        for text in ["", "{}", "[]", "7", r#"{"level":"good","failures":0}"#] {
            assert_eq!(Report::parse(text.as_bytes()), None, "{text}");
        }
        let absent = Path::new("there/is/no/such/file");
        assert_eq!(read(absent), Err(Silence::Absent));
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(text in prop::collection::vec(any::<u8>(), 0..256)) {
            let _ = Report::parse(&text);
        }

        #[test]
        fn a_status_that_was_cut_off_is_no_report(at in 0usize..400) {
            let text = status().to_string();
            prop_assume!(at < text.len());
            prop_assert_eq!(Report::parse(&text.as_bytes()[..at]), None);
        }
    }
}
