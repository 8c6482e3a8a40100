//! Python's `ssl` and `http.client`.

use serde_json::{Value, json};

use super::files::Files;
use super::program::{run, version};
use super::{Client, Outcome, Visit};
use crate::Result;
use crate::clock::Clock;
use crate::server::PAGE;

#[derive(Debug)]
pub(super) struct Python;

impl Client for Python {
    fn name(&self) -> &'static str {
        "Python"
    }

    fn version(&self) -> std::result::Result<String, String> {
        let own = version(PROGRAM, "--version")?;
        let library = version(PROGRAM, "-cimport ssl; print(ssl.OPENSSL_VERSION)")?;
        let library: Vec<&str> = library.split(' ').take(2).collect();
        Ok(format!("{own} with {}", library.join(" ")))
    }

    /// All in one process, which takes longer to start than to visit.
    fn visit(&self, clock: &Clock, visits: &[Visit<'_>]) -> Vec<Outcome> {
        let failed = |error: String| {
            visits
                .iter()
                .map(|_| Outcome::Failed(error.clone()))
                .collect()
        };
        match all(clock, visits) {
            Ok(outcomes) if outcomes.len() == visits.len() => outcomes,
            Ok(outcomes) => failed(format!("Python ended after {} visits", outcomes.len())),
            Err(error) => failed(error.to_string()),
        }
    }
}

fn all(clock: &Clock, visits: &[Visit<'_>]) -> Result<Vec<Outcome>> {
    let folders = visits
        .iter()
        .map(|_| Files::new())
        .collect::<Result<Vec<_>>>()?;
    let orders = { visits.iter().zip(&folders) }.map(|(visit, files)| {
        Ok(json!({
            "name": visit.name,
            "port": visit.port,
            "trusted": files.trusted(visit)?,
            "list": visit.revocation_list,
            "accepted": matches!(visit.accepted, Some((_, Some(_)))),
        }))
    });
    let orders = orders.collect::<Result<Vec<Value>>>()?;
    let mut command = clock.command(PROGRAM);
    command.args(["-I", "-c", SCRIPT]);
    let said = run(&mut command, &serde_json::to_vec(&orders)?)?;
    if said.exit != Some(0) {
        return Err(format!("Python said: {}", said.all()).into());
    }
    said.stdout.lines().map(outcome).collect()
}

fn outcome(line: &str) -> Result<Outcome> {
    let said: Value = serde_json::from_str(line)?;
    let text = |key: &str| said[key].as_str().map(str::to_owned);
    Ok(match (text("page"), text("error"), text("failed")) {
        (Some(page), ..) if page.contains(PAGE) => Outcome::Connected,
        (_, Some(error), _) => Outcome::Refused(error),
        (page, _, failed) => Outcome::Failed(failed.or(page).unwrap_or_default()),
    })
}

const PROGRAM: &str = "python3";
const SCRIPT: &str = include_str!("python.py");
