//! A browser that stays open from one visit to the next: a program in Python drives it, and is told by lines of JSON.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use pki_types::UnixTime;
use serde_json::{Value, json};

use super::files::Files;
use super::{Outcome, Visit};
use crate::Result;
use crate::clock::Clock;
use crate::server::PAGE;

/// A browser, started with the first visit. It has a clock of its own, which each visit sets: to start one anew for each
/// world would take longer than all visits.
#[derive(Debug)]
pub(super) struct Browser {
    /// The program that drives it, in Python.
    driver: &'static str,
    running: Mutex<Option<Running>>,
}

impl Browser {
    pub(super) const fn new(driver: &'static str) -> Self {
        Self {
            driver,
            running: Mutex::new(None),
        }
    }

    pub(super) fn visit(&self, clock: &Clock, visits: &[Visit<'_>]) -> Vec<Outcome> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        super::each(visits, |visit| {
            if visit.revocation_list.is_some() {
                return Ok(Outcome::Unable("loads no revocation list"));
            }
            let browser = match &mut *running {
                Some(browser) => browser,
                none => none.insert(Running::start(self.driver, clock)?),
            };
            let said = browser.ask(clock, visit);
            if said.is_err() {
                // The next visit has a new one.
                *running = None;
            }
            outcome(&said?)
        })
    }
}

/// What a driver says: `page` if the page came, `error` if something else did, `overridable` if the user can go on from
/// there, `failed` if nothing is known.
fn outcome(said: &Value) -> Result<Outcome> {
    let text = |key: &str| said[key].as_str().map(str::to_owned);
    let page = text("page").is_some_and(|page| page.contains(PAGE));
    let (error, can_go_on) = (text("error"), said["overridable"] == true);
    let went_on = said.get("page").is_some();
    match (error, page) {
        (None, true) => Ok(Outcome::Connected),
        (Some(error), page) if can_go_on && page == went_on => Ok(Outcome::Warned(error)),
        (Some(error), false) if !can_go_on => Ok(Outcome::Refused(error)),
        _ => Err(format!("the browser's driver said {said}").into()),
    }
}

/// A browser and its driver.
#[derive(Debug)]
struct Running {
    child: Child,
    /// Closing it ends both.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    clock: PathBuf,
    files: Files,
}

impl Running {
    fn start(driver: &str, clock: &Clock) -> Result<Self> {
        let files = Files::new()?;
        let own = files.write("clock", 0u64.to_ne_bytes())?;
        let mut command: Command = clock.command("python3");
        let mut child = command
            .env("DC_CLOCK", &own)
            // What Firefox and Chromium leave behind goes with the folder.
            .env("TMPDIR", files.folder())
            .args(["-c", driver])
            .arg(INTEROP)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(files.folder().join("errors"))?)
            .spawn()
            .map_err(|error| format!("python3: {error}"))?;
        let (orders, answers) = (child.stdin.take(), child.stdout.take());
        Ok(Self {
            child,
            orders,
            answers: BufReader::new(answers.ok_or("no answers")?),
            clock: own,
            files,
        })
    }

    fn ask(&mut self, clock: &Clock, visit: &Visit<'_>) -> Result<Value> {
        self.set(clock)?;
        let order = json!({
            "name": visit.name,
            "port": visit.port,
            "roots": visit.roots,
            "accepted": self.files.accepted(visit)?,
            "goes_on": visit.accepts_warning,
        });
        let orders = self.orders.as_mut().ok_or("no orders")?;
        writeln!(orders, "{order}").map_err(|_| self.errors())?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let said: Value = serde_json::from_str(&line).map_err(|_| self.errors())?;
        match said["failed"].as_str() {
            Some(why) => Err(why.into()),
            None => Ok(said),
        }
    }

    /// Makes it as late for the browser as in this clock, which may be earlier than before.
    fn set(&self, clock: &Clock) -> Result<()> {
        let ahead = clock.now().saturating_sub(UnixTime::now().as_secs());
        // In place: the browser has the file in its memory.
        let file = fs::File::options().write(true).open(&self.clock)?;
        std::os::unix::fs::FileExt::write_all_at(&file, &ahead.to_ne_bytes(), 0)?;
        Ok(())
    }

    /// The last of what the driver complains about.
    fn errors(&self) -> String {
        let path = self.files.folder().join("errors");
        let text = fs::read_to_string(path).unwrap_or_default();
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        format!("the browser's driver ended: {}", last.unwrap_or("no words"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.orders = None;
        // It closes the browser first.
        let _ = self.child.wait();
    }
}

/// Where the driver of Firefox is that other tests have.
const INTEROP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/interop");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_behind_a_warning_is_a_warning_and_nothing_is_no_answer() {
        let page = format!("{PAGE} a.example");
        let of = |said| outcome(&said).unwrap();
        assert_eq!(of(json!({ "page": page })), Outcome::Connected);
        let warned = json!({ "error": "E", "overridable": true, "page": page });
        assert_eq!(of(warned), Outcome::Warned("E".to_owned()));
        let refused = json!({ "error": "E", "overridable": false });
        assert_eq!(of(refused), Outcome::Refused("E".to_owned()));
        assert!(outcome(&json!({ "page": "something else" })).is_err());
        assert!(outcome(&json!({})).is_err());
    }
}
