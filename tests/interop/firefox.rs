//! Firefox, headless: the browser that RFC 9345 was made for.

use std::{fs, path::Path, process::Command};

use crate::{
    handshake::{Client, Expect},
    namespace::Seen,
    process::{Outcome, run, run_ok},
    setup,
};

/// Firefox shows the page and says that it came with a credential.
pub(crate) fn used<'a>() -> Expect<'a> {
    Expect::exit(0).client("delegated: true")
}

/// Firefox shows the page, and says that it came with a certificate.
pub(crate) fn not_used<'a>() -> Expect<'a> {
    Expect::exit(3).client("delegated: false")
}

pub(crate) fn version() -> String {
    run_ok(Command::new("firefox-esr").arg("--version"))
        .trim()
        .to_owned()
}

/// What Firefox made of one page.
#[derive(Clone, Debug)]
pub(crate) struct Page(serde_json::Value);

impl Page {
    /// Whether it came with a credential; `None` if it did not come.
    pub(crate) fn delegated(&self) -> Option<bool> {
        self.0["delegated"].as_bool()
    }

    /// What a user reads.
    pub(crate) fn body(&self) -> Option<&str> {
        self.0["body"].as_str()
    }

    /// Firefox's name for what went wrong.
    pub(crate) fn error(&self) -> Option<&str> {
        self.0["error"].as_str()
    }
}

/// Loads these pages one after the other, in one Firefox with a new profile.
pub(crate) fn pages(roots: &[&Path], arguments: &[&str], urls: &[String]) -> Vec<Page> {
    pages_of(load(roots, arguments, urls), urls)
}

/// The same in a network of its own.
pub(crate) fn pages_seen(from: &Seen<'_>, root: &Path, arguments: &[&str], url: String) -> Page {
    let _one_at_a_time = setup::alone();
    let urls = [url];
    let outcome = run(&mut from.command(&command(&[root], arguments, &urls)));
    pages_of(outcome, &urls).remove(0)
}

fn pages_of(outcome: Outcome, urls: &[String]) -> Vec<Page> {
    let pages: Vec<Page> = outcome.stdout.lines().filter_map(page).collect();
    assert!(
        pages.len() == urls.len(),
        "{} of {} pages:\n{}{}",
        pages.len(),
        urls.len(),
        outcome.stdout,
        outcome.stderr
    );
    pages
}

/// Loads one page of a server. What it says becomes lines such as `delegated: true`.
pub(crate) fn client<'a>(root: &'a Path, name: &'a str, arguments: &'a [&'a str]) -> Client<'a> {
    Client::new("Firefox", move |port| {
        let mut outcome = load(&[root], arguments, &[format!("https://{name}:{port}/")]);
        outcome.stdout = outcome.stdout.lines().map(as_lines).collect();
        outcome
    })
}

fn load(roots: &[&Path], arguments: &[&str], urls: &[String]) -> Outcome {
    // Firefox is large: two at a time take longer than one after the other.
    let _one_at_a_time = setup::alone();
    run(&mut command(roots, arguments, urls))
}

fn command(roots: &[&Path], arguments: &[&str], urls: &[String]) -> Command {
    let mut command = Command::new("python3");
    command.arg("-u").arg(setup::source().join("firefox.py"));
    for root in roots {
        command.arg("--root").arg(root);
    }
    command.args(arguments).args(urls);
    command
}

/// Where a picture of this page goes; an old one is removed.
pub(crate) fn screenshot() -> String {
    let path = setup::cache().join("firefox.png");
    let _ = fs::remove_file(&path);
    path.display().to_string()
}

fn page(line: &str) -> Option<Page> {
    serde_json::from_str(line).ok().map(Page)
}

fn as_lines(line: &str) -> String {
    let Some(Page(serde_json::Value::Object(page))) = page(line) else {
        return format!("{line}\n");
    };
    let lines = page.iter().map(|(key, value)| match value {
        serde_json::Value::String(text) => format!("{key}: {text}\n"),
        other => format!("{key}: {other}\n"),
    });
    lines.collect()
}
