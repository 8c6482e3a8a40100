//! `docs/runbook.md` has an entry for each alert and each stolen key, with all that one needs, and a drill that exists.

use std::collections::BTreeSet;

use crate::source::{files, root};

/// An entry of the runbook.
struct Entry {
    chapter: String,
    name: String,
    text: String,
}

impl Entry {
    /// What stands behind a point, up to the next one.
    fn point(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.text.split_once(&format!("* **{name}:** "))?;
        Some(rest.split("\n* **").next().unwrap_or(rest))
    }

    /// As GitHub makes it of a heading.
    fn anchor(&self) -> String {
        let lower = self.name.to_lowercase();
        let kept = lower
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

fn entries() -> Vec<Entry> {
    let text = read("docs/runbook.md");
    let mut found = Vec::new();
    for chapter in text.split("\n## ").skip(1) {
        let (title, rest) = chapter.split_once('\n').unwrap();
        for entry in rest.split("\n### ").skip(1) {
            let (name, text) = entry.split_once('\n').unwrap();
            found.push(Entry {
                chapter: title.to_owned(),
                name: name.to_owned(),
                text: text.to_owned(),
            });
        }
    }
    found
}

const POINTS: [&str; 7] = [
    "Shows",
    "Until when",
    "Now",
    "It worked",
    "Takes",
    "Afterwards",
    "Drill",
];

#[test]
fn every_entry_says_all_that_one_needs_in_one_order() {
    for entry in entries() {
        let points: Vec<&str> = entry
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("* **")?.split_once(":**"))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(points, POINTS, "{}", entry.name);
        for point in POINTS {
            let text = entry.point(point).unwrap_or_default().trim();
            assert!(text.len() > 5, "{}: {point}", entry.name);
        }
    }
}

#[test]
fn every_alert_has_an_entry_that_it_leads_to_and_no_entry_is_without_alert() {
    let rules = read("dc-signer/ops/prometheus-alerts.yaml");
    let alerts: Vec<(&str, &str)> = rules
        .split("- alert: ")
        .skip(1)
        .map(|rule| {
            let name = rule.lines().next().unwrap_or_default();
            let runbook = rule.split("runbook: docs/runbook.md#").nth(1);
            let anchor = runbook.and_then(|rest| rest.lines().next());
            (name, anchor.unwrap_or_default())
        })
        .collect();
    let entries = entries();
    let written: BTreeSet<&str> = entries
        .iter()
        .filter(|entry| entry.chapter == "Alerts")
        .map(|entry| entry.name.as_str())
        .collect();
    let there: BTreeSet<&str> = alerts.iter().map(|(name, _)| *name).collect();
    assert_eq!(written, there);
    for (name, anchor) in alerts {
        assert_eq!(anchor, name.to_lowercase(), "{name}");
    }
}

/// A fence that opens behind other words is none, and what follows is no command that anybody can paste.
#[test]
fn every_fence_of_the_runbook_has_a_line_of_its_own() {
    let text = read("docs/runbook.md");
    let fences: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("```"))
        .map(str::trim)
        .collect();
    assert!(fences.len() > 60 && fences.len().is_multiple_of(2));
    for pair in fences.chunks(2) {
        assert_eq!(pair, ["```sh", "```"]);
    }
}

/// The names of all tests.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in files() {
        for attribute in ["#[test]", "#[tokio::test"] {
            for after in file.text.split(attribute).skip(1) {
                let function = after.split_once("fn ").map(|(_, rest)| rest);
                let name = function.and_then(|rest| rest.split('(').next());
                names.extend(name.map(str::to_owned));
            }
        }
    }
    names
}

#[test]
fn every_entry_names_a_drill_that_exists() {
    let tests = tests();
    for entry in entries() {
        let drill = entry.point("Drill").unwrap_or_default();
        let named: Vec<&str> = drill
            .split('`')
            .skip(1)
            .step_by(2)
            .take_while(|name| !name.contains(' '))
            .collect();
        assert!(!named.is_empty(), "{}", entry.name);
        for name in named {
            assert!(tests.contains(name), "{}: no test {name}", entry.name);
        }
    }
}

/// Whoever is in a hurry pastes them.
#[test]
fn every_command_of_the_runbook_is_one_that_the_program_has() {
    let (mut count, mut pasted) = (0, false);
    for line in read("docs/runbook.md").lines() {
        pasted ^= line.trim_start().starts_with("```");
        // What its test does before.
        if line.trim_start().starts_with("<!--") {
            continue;
        }
        for command in commands(line) {
            let command: Vec<&str> = command.iter().map(String::as_str).collect();
            if let Some(wrong) = wrong_with(&command, pasted) {
                panic!("{wrong} in {line}");
            }
            count += 1;
        }
    }
    assert!(count > 60, "{count}");
}

/// The commands of a line, each as `dcs` or `dc-signer` and its words, up to what ends it.
fn commands(line: &str) -> Vec<Vec<String>> {
    let line = line.split(" # ").next().unwrap_or_default();
    let apart = line.replace(';', " ; ").replace(['`', '(', ')'], " ");
    let mut found: Vec<Vec<String>> = Vec::new();
    let mut goes_on = false;
    for word in apart.split_whitespace() {
        if matches!(word, "dcs" | "dc-signer") {
            found.push(Vec::new());
            goes_on = true;
        }
        goes_on &= !matches!(word, ";" | "|" | ">");
        if let (true, Some(command)) = (goes_on, found.last_mut()) {
            command.push(word.to_owned());
        }
    }
    found
}

/// What a command line has that the help of the command has not, or lacks, if it is to be pasted; none if it is right. The name of
/// the service is followed by no command.
fn wrong_with(words: &[&str], pasted: bool) -> Option<String> {
    let help = |name: &str| {
        let path = format!("dc-signer/tests/help/dc-signer-{name}.txt");
        std::fs::read_to_string(root().join(path)).ok()
    };
    let [program, first, rest @ ..] = words else {
        return None;
    };
    if !first.chars().all(|c| c.is_ascii_lowercase()) {
        return None;
    }
    let one = help(first)?;
    let second = rest.first().unwrap_or(&"");
    let alone = Some(one).filter(|help| !help.contains("<COMMAND>"));
    let Some(help) = help(&format!("{first}-{second}")).or(alone) else {
        return Some(format!("no command {first} {second}"));
    };
    let known: BTreeSet<&str> = help
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .collect();
    let mut options = words.iter().filter(|word| word.starts_with("--"));
    if let Some(option) = options.find(|option| !known.contains(**option)) {
        return Some(format!("no option {option}"));
    }
    let lacking = needed(&help)
        .into_iter()
        .find(|option| !words.contains(&option.as_str()));
    // The function adds the configuration.
    let lacking = lacking.filter(|option| *program != "dcs" || option != "--config");
    lacking
        .filter(|_| pasted)
        .map(|option| format!("{option} is missing"))
}

/// The options that a command must have: those that its usage has neither in brackets nor among several.
fn needed(help: &str) -> Vec<String> {
    let usage = help.lines().find(|line| line.starts_with("Usage:"));
    let mut depth = 0_i32;
    let mut words = vec![String::new()];
    for c in usage.unwrap_or_default().chars() {
        match c {
            '[' | '<' => depth += 1,
            ']' | '>' => depth -= 1,
            ' ' => words.push(String::new()),
            c => {
                if let (0, Some(word)) = (depth, words.last_mut()) {
                    word.push(c);
                }
            }
        }
    }
    words.retain(|word| word.starts_with("--"));
    words
}

#[test]
fn the_options_that_a_command_must_have_are_told_from_the_others() {
    let usage =
        "Usage: p x [OPTIONS] --zone <ZONE> --out <DIR> <--csr <FILE>|--spki <FILE>> [--last]";
    assert_eq!(needed(usage), ["--zone", "--out"]);
    let words = |line| commands(line).concat();
    assert_eq!(words("say `dcs check`; then go"), ["dcs", "check"]);
    let lacking = wrong_with(&["dc-signer", "csr", "--zone", "z"], true);
    assert_eq!(lacking.as_deref(), Some("--out is missing"));
    assert_eq!(
        wrong_with(&["dcs", "zones", "end", "--now"], false).as_deref(),
        Some("no option --now")
    );
    assert_eq!(
        wrong_with(&["dcs", "zones", "finish"], false).as_deref(),
        Some("no command zones finish")
    );
}

#[test]
fn every_key_in_the_threat_table_leads_to_an_entry() {
    let security = read("docs/security.md");
    let anchors: BTreeSet<String> = entries().iter().map(Entry::anchor).collect();
    let linked: BTreeSet<&str> = security
        .split("(runbook.md#")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .collect();
    for anchor in &linked {
        assert!(
            anchors.contains(*anchor),
            "docs/security.md: no entry {anchor}"
        );
    }
    let stolen = entries().into_iter().filter(|e| e.chapter == "Stolen keys");
    for entry in stolen {
        let anchor = entry.anchor();
        assert!(
            linked.contains(anchor.as_str()),
            "docs/security.md has not {anchor}"
        );
    }
}

/// What a page says instead of running a command.
#[test]
fn every_test_that_a_page_names_in_place_of_a_command_exists() {
    let (tests, mut count) = (tests(), 0);
    for page in root().join("docs").read_dir().unwrap().map(Result::unwrap) {
        let name = page.file_name().into_string().unwrap();
        if !name.ends_with(".md") {
            continue;
        }
        for line in read(&format!("docs/{name}")).lines() {
            let Some((_, reason)) = line.split_once("<!-- not run: ") else {
                continue;
            };
            for word in reason
                .split(' ')
                .filter(|word| word.matches('_').count() > 2)
            {
                count += 1;
                assert!(tests.contains(word), "{name}: no test {word}");
            }
        }
    }
    assert!(count > 0);
}
