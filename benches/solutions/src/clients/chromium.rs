//! Chromium.

use super::browser::Browser;
use super::program::version;
use super::{Client, Outcome, Visit};
use crate::clock::Clock;

#[derive(Debug)]
pub(super) struct Chromium(Browser);

impl Default for Chromium {
    fn default() -> Self {
        Self(Browser::new(include_str!("chromium.py")))
    }
}

impl Client for Chromium {
    fn name(&self) -> &'static str {
        "Chromium"
    }

    fn version(&self) -> Result<String, String> {
        // `Chromium 156.0.8078.108 built on Debian GNU/Linux 12 (bookworm)`
        let line = version("chromium", "--version")?;
        let words: Vec<&str> = line.split(' ').take(2).collect();
        Ok(words.join(" "))
    }

    fn visit(&self, clock: &Clock, visits: &[Visit<'_>]) -> Vec<Outcome> {
        self.0.visit(clock, visits)
    }
}
