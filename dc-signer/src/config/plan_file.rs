//! Reads the file of a plan, and says which of its values are each right and do not go together.

use std::path::Path;

use super::error::{Error, KeyError, KeyErrorKind};
use super::path::Step;
use super::plan::{PlanConfig, PlanOf, PlanOutage, PlanSite};
use super::reader::Reading;
use super::{file, reader};

impl PlanConfig {
    /// Reads a file.
    ///
    /// Fails with [`Error::Read`], and with [`Error::Invalid`], which has everything that is wrong.
    pub fn load(path: &Path) -> Result<Self, Error> {
        file::load(path, |text, _| Self::parse(text))
    }

    /// Reads the text of a file.
    ///
    /// Fails with everything that is wrong, in the order of the lines.
    pub fn parse(text: &str) -> Result<Self, Vec<KeyError>> {
        let mut reading = reader::read::<Self>(text);
        let unfit = unfit(text, &reading);
        reading.errors.extend(unfit);
        reading.errors.sort_by_key(|error| error.line);
        match reading.errors.is_empty() {
            true => Ok(reading.value),
            false => Err(reading.errors),
        }
    }
}

/// Reads a value that stands somewhere else than in a file, such as on a command line: by the same rules.
///
/// Fails with the words that a file's mistake has, but for the line.
pub fn read_setting(key: &str, value: &str) -> Result<PlanConfig, String> {
    read_text(&line(key, value))
}

/// Reads an outage that is given by its keys, as [`read_setting`] does.
///
/// Fails as that does.
pub fn read_outage(pairs: &[(&str, &str)]) -> Result<PlanOutage, String> {
    let lines: String = pairs.iter().map(|(key, value)| line(key, value)).collect();
    let config = read_text(&format!("[[outages]]\n{lines}"))?;
    let outage = config.outages.first().copied();
    outage.ok_or_else(|| "outages has none".to_owned())
}

fn read_text(text: &str) -> Result<PlanConfig, String> {
    PlanConfig::parse(text).map_err(|errors| {
        let said = errors
            .iter()
            .map(|error| format!("{} {}", error.key, error.kind));
        said.collect::<Vec<_>>().join("; ")
    })
}

/// A line of a file. What is a number for a key of numbers stands as it is, but for the zeros in front, which TOML has not.
fn line(key: &str, value: &str) -> String {
    let is_text = matches!(key, "run" | "of" | "start" | "length" | "share");
    let (sign, digits) = match value.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", value),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.trim_start_matches('0') {
        _ if is_text || !is_number => {
            format!("{key} = {}\n", toml::Value::String(value.to_owned()))
        }
        "" => format!("{key} = 0\n"),
        digits => format!("{key} = {sign}{digits}\n"),
    }
}

/// All that do not, with what to write instead. What is missing or cannot be read was said before.
fn unfit(text: &str, reading: &Reading<PlanConfig>) -> Vec<KeyError> {
    let config = &reading.value;
    let site = site(&config.site).map(|said| (vec!["site".into(), "handshake".into()], said));
    let outages = config
        .outages
        .iter()
        .enumerate()
        .filter_map(|(place, outage)| {
            let (key, said) = match (outage.of, outage.share, outage.site) {
                (PlanOf::Site, Some(_), _) => (
                    "share",
                    "says nothing of a site, which is down for all of its devices: leave it out",
                ),
                (PlanOf::Ca, Some(_), _) => ("share", "says nothing of a CA: leave it out"),
                (PlanOf::Signer | PlanOf::Region | PlanOf::Ca, _, Some(_)) => (
                    "site",
                    "is for of = \"site\" alone: write that, or leave it out",
                ),
                _ => return None,
            };
            Some((
                vec!["outages".into(), place.into(), key.into()],
                said.to_owned(),
            ))
        });
    let clients = config
        .wrong_clients
        .iter()
        .enumerate()
        .filter_map(|(place, client)| {
            let said = match (client.behind, client.ahead) {
                (Some(_), Some(_)) => "is behind and ahead at once: write one of them",
                (None, None) => "says neither \"behind\" nor \"ahead\": write one of them",
                _ => return None,
            };
            Some((vec!["wrong_clients".into(), place.into()], said.to_owned()))
        });
    site.into_iter()
        .chain(outages)
        .chain(clients)
        .filter(|(path, _)| {
            !reading
                .mended
                .iter()
                .any(|mended| path.starts_with(mended) || mended.starts_with(path))
        })
        .map(|(path, said)| KeyError {
            line: Step::line(text, &path),
            key: Step::name(&path),
            kind: KeyErrorKind::Unfit(said),
        })
        .collect()
}

/// As the service would end them all.
fn site(site: &PlanSite) -> Option<String> {
    let (takes, may) = (site.handshake, site.handshake_timeout);
    (takes >= may).then(|| {
        format!(
            "is {}, and site.handshake_timeout ends each after {}: no device would get in",
            humantime::format_duration(takes),
            humantime::format_duration(may)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_do_not_go_together_are_named_with_their_line_and_what_to_write() {
        let outage = |rest: &str| format!("[[outages]]\nstart = '1d'\nlength = '1h'\n{rest}");
        for (text, said) in [
            (
                "[site]\nhandshake = '6s'".to_owned(),
                "line 2: site.handshake is 6s, and site.handshake_timeout ends each after 5s",
            ),
            (
                "[site]\nhandshake = '1s'\nhandshake_timeout = '1s'".to_owned(),
                "line 2: site.handshake is 1s",
            ),
            (
                outage("of = 'site'\nshare = '5%'"),
                "line 5: outages.share says nothing of a site",
            ),
            (
                outage("of = 'ca'\nshare = '5%'"),
                "line 5: outages.share says nothing of a CA",
            ),
            (
                outage("of = 'signer'\nsite = 1"),
                "line 5: outages.site is for of = \"site\" alone",
            ),
            (
                "[[wrong_clients]]".to_owned(),
                "line 1: wrong_clients says neither",
            ),
            (
                "\n[[wrong_clients]]\nahead = '1h'\nbehind = '1h'".to_owned(),
                "line 2: wrong_clients is behind and ahead at once",
            ),
        ] {
            let errors = PlanConfig::parse(&text).unwrap_err();
            assert_eq!(errors.len(), 1, "{errors:?}");
            let error = errors[0].to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
        for text in [
            outage("of = 'site'\nsite = 2"),
            outage("of = 'region'\nshare = '5%'"),
            "[[wrong_clients]]\nahead = '1h'".to_owned(),
        ] {
            PlanConfig::parse(&text).unwrap();
        }
    }

    #[test]
    fn a_value_from_elsewhere_is_read_and_refused_as_in_a_file() {
        assert_eq!(read_setting("devices", "007").unwrap().devices, 7);
        assert_eq!(read_setting("seed", "-00").unwrap().seed, 0);
        for (key, value) in [
            ("devices", "0"),
            ("devices", "-5"),
            ("devices", "99999999999999999999"),
            ("run", "10m"),
            ("run", "5"),
            ("seed", "5000000000"),
        ] {
            let said = read_setting(key, value).unwrap_err();
            let toml = match key {
                "run" => format!("run = '{value}'"),
                _ => format!("{key} = {value}"),
            };
            let errors = PlanConfig::parse(&toml).unwrap_err();
            assert_eq!(format!("line 1: {said}"), errors[0].to_string());
        }
        // Nothing but a value comes of it.
        for value in ["1\nseed = 2", "\"", "\u{0}\u{1b}", "", "-", "+5"] {
            let said = read_setting("devices", value).unwrap_err();
            assert_eq!(said, "devices is a text: it has to be a whole number");
        }
    }

    #[test]
    fn a_mistake_is_said_once() {
        let text = "[[wrong_clients]]\nahead = 'soon'\n[[outages]]\nof = 'ca'\nstart = '1d'\nlength = '1h'\nshare = '200%'";
        let errors = PlanConfig::parse(text).unwrap_err();
        let lines: Vec<_> = errors.iter().map(|error| error.line).collect();
        assert_eq!(lines, [2, 7], "{errors:?}");
    }
}
