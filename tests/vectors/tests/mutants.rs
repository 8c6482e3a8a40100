//! The reference agrees with every vector, every broken rule is noticed, and the program says so.

// All of it is test code, helpers too.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dc_vectors::mutants::Report;
use dc_vectors::published::Published;
use dc_vectors::reference::Rule;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/vectors")
}

fn published() -> Published {
    Published::read(&folder()).unwrap()
}

fn run(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_dc-vectors");
    Command::new(program).args(arguments).output().unwrap()
}

#[test]
fn the_reference_agrees_with_every_vector_and_every_mutant_is_killed() {
    let files = published();
    let report = Report::new(&files);
    let disagreements: Vec<String> = report
        .disagreements()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(disagreements, [""; 0]);
    assert_eq!(report.survivors().collect::<Vec<_>>(), []);
    assert!(report.is_good());
    // The order of checks with the same alert shows in nothing but the word for the fault.
    assert_eq!(
        report.unseen().collect::<Vec<_>>(),
        [
            Rule::SchemesComeBeforeTheCertificate,
            Rule::CertificateComesBeforeTime,
            Rule::TimeComesBeforeTheKey,
            Rule::KeyComesBeforeTheSignature,
            Rule::SignatureComesBeforeTheName,
            Rule::NameComesBeforeCoverage,
        ]
    );
}

#[test]
fn there_are_at_least_80_rules_and_no_two_say_the_same() {
    let sentences: BTreeSet<&str> = Rule::ALL.iter().map(|rule| rule.sentence()).collect();
    assert!(sentences.len() >= 80, "{}", sentences.len());
    assert_eq!(sentences.len(), Rule::ALL.len());
}

#[test]
fn every_section_of_a_rule_has_a_vector() {
    let files = published();
    let shown: BTreeSet<&str> = files.sections().collect();
    let of_rules: BTreeSet<&str> = Rule::ALL.iter().map(|rule| rule.section()).collect();
    let missing: Vec<_> = of_rules.difference(&shown).collect();
    assert!(missing.is_empty(), "no vector shows {missing:?}");
}

#[test]
fn the_program_succeeds_with_the_published_vectors() {
    let output = run(&[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let rules = Rule::ALL.len();
    assert!(
        text.contains(&format!("{rules} of {rules} mutants are killed")),
        "{text}"
    );
}

#[test]
fn the_program_lists_what_kills_one_mutant() {
    let output = run(&["--rule", "NameIsTheReference"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.lines().any(|line| line.contains("wrong-name")),
        "{text}"
    );
}

#[test]
fn the_program_prints_json_with_every_mutant() {
    let output = run(&["--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mutants = json["mutants"].as_array().unwrap();
    assert_eq!(mutants.len(), Rule::ALL.len());
    assert!(
        mutants
            .iter()
            .all(|mutant| !mutant["killed_by"].as_array().unwrap().is_empty())
    );
}

#[test]
fn the_program_fails_if_a_rule_is_not_shown_any_more() {
    let mut files = published();
    files.handshakes.sessions.clear();
    let folder = tempfile::tempdir().unwrap();
    write(&files, folder.path());
    let output = run(&["--folder", folder.path().to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("survives: SessionIsForOneReference (sessions)"),
        "{text}"
    );
}

#[test]
fn the_program_fails_if_a_vector_is_wrong() {
    let mut files = published();
    let vector = files.handshakes.sessions.values_mut().next().unwrap();
    vector.resumes = !vector.resumes;
    let folder = tempfile::tempdir().unwrap();
    write(&files, folder.path());
    let output = run(&["--folder", folder.path().to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("session "), "{text}");
}

#[test]
fn the_program_has_another_status_for_what_it_cannot_read() {
    for arguments in [&["--folder", "nowhere"][..], &["--rule", "NoSuchRule"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn the_program_writes_the_files_that_are_published() {
    let written = tempfile::tempdir().unwrap();
    let output = run(&["write", written.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    for file in ["credentials.json", "selection.json", "handshakes.json"] {
        let [new, old] = [written.path(), &folder()]
            .map(|folder| std::fs::read_to_string(folder.join(file)).unwrap());
        assert!(
            new == old,
            "{file} is not current: `cargo run -p dc-vectors write` writes it"
        );
    }
}

fn write(files: &Published, folder: &Path) {
    let texts = [
        (
            "credentials.json",
            serde_json::to_string(&files.credentials),
        ),
        ("selection.json", serde_json::to_string(&files.selection)),
        ("handshakes.json", serde_json::to_string(&files.handshakes)),
    ];
    for (name, text) in texts {
        std::fs::write(folder.join(name), text.unwrap()).unwrap();
    }
}
