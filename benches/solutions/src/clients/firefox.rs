//! Firefox, which takes credentials of RFC 9345: the browser that they were made for.

use super::browser::Browser;
use super::program::version;
use super::{Client, Outcome, Visit};
use crate::clock::Clock;

#[derive(Debug)]
pub(super) struct Firefox(Browser);

impl Default for Firefox {
    fn default() -> Self {
        Self(Browser::new(include_str!("firefox.py")))
    }
}

impl Client for Firefox {
    fn name(&self) -> &'static str {
        "Firefox"
    }

    fn version(&self) -> Result<String, String> {
        // `Mozilla Firefox 153.8.0esr`
        let line = version("firefox-esr", "--version")?;
        Ok(line.trim_start_matches("Mozilla ").trim_end().to_owned())
    }

    fn visit(&self, clock: &Clock, visits: &[Visit<'_>]) -> Vec<Outcome> {
        self.0.visit(clock, visits)
    }
}
