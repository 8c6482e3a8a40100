//! The Internet-Draft, its page for implementers, and the vectors that show its sections.

use std::collections::BTreeSet;
use std::fs;

use crate::source::root;

/// The alerts of TLS that the draft may name (RFC 8446 §6).
const ALERTS: [(&str, u32); 17] = [
    ("access_denied", 49),
    ("bad_certificate", 42),
    ("certificate_expired", 45),
    ("certificate_required", 116),
    ("certificate_revoked", 44),
    ("certificate_unknown", 46),
    ("decode_error", 50),
    ("decrypt_error", 51),
    ("ech_required", 121),
    ("handshake_failure", 40),
    ("illegal_parameter", 47),
    ("missing_extension", 109),
    ("protocol_version", 70),
    ("unexpected_message", 10),
    ("unknown_ca", 48),
    ("unrecognized_name", 112),
    ("unsupported_extension", 110),
];
const PAGE: &str = "docs/unique-name.md";
/// What one page has.
const PAGE_LINES: usize = 120;
/// The vector that the draft and the page show.
const EXAMPLE: &str = "server-named-valid";

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn draft() -> String {
    read("docs/draft-named-delegated-credentials-00.xml")
}

/// The anchors of its sections.
fn anchors(draft: &str) -> BTreeSet<&str> {
    let sections = draft.split("<section anchor=\"").skip(1);
    sections.filter_map(|rest| rest.split('"').next()).collect()
}

/// The files of vectors, whole.
fn vectors() -> Vec<(String, serde_json::Value)> {
    let folder = root().join("docs/vectors");
    let paths = folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .filter(|path| !path.ends_with("schema.json"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (
                name,
                serde_json::from_slice(&fs::read(&path).unwrap()).unwrap(),
            )
        })
        .collect();
    assert_eq!(files.len(), 3, "{}", folder.display());
    files
}

/// Every `section` below a value.
fn sections_of(value: &serde_json::Value, found: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            let section = fields.get("section").and_then(|section| section.as_str());
            found.extend(section.map(str::to_owned));
            fields.values().for_each(|field| sections_of(field, found));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| sections_of(item, found)),
        _ => {}
    }
}

/// The octets of a listing: the first word of each line, where it is hexadecimal.
fn octets(listing: &str) -> String {
    let is_hex =
        |word: &&str| word.len().is_multiple_of(2) && word.bytes().all(|b| b.is_ascii_hexdigit());
    let words = listing
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    words.filter(is_hex).collect()
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("{start}"));
    rest.split_once(end).unwrap_or_else(|| panic!("{end}")).0
}

#[test]
fn every_vector_shows_a_section_that_the_draft_lists() {
    let draft = draft();
    let listed = between(&draft, "<table anchor=\"anchor-table\">", "</table>");
    for (file, vectors) in vectors() {
        let mut sections = BTreeSet::new();
        sections_of(&vectors, &mut sections);
        assert!(sections.len() > 2, "{file}: {sections:?}");
        let lost: Vec<&String> = { sections.iter() }
            .filter(|section| !listed.contains(&format!("<tt>{section}</tt>")))
            .collect();
        assert!(lost.is_empty(), "{file}: {lost:?}");
    }
}

#[test]
fn the_example_is_a_vector() {
    let vectors = vectors();
    let (_, credentials) = vectors
        .iter()
        .find(|(name, _)| name == "credentials.json")
        .unwrap();
    let vector = &credentials["credentials"][EXAMPLE];
    let bytes = vector["credential"].as_str().unwrap();
    let (draft, page) = (draft(), read(PAGE));
    let example = between(&draft, "<section anchor=\"example\">", "</section>");
    let mut listings = example.split("<![CDATA[").skip(1);
    assert_eq!(octets(listings.next().unwrap()), bytes);
    let hash = vector["valid"]["signed_message_sha256"].as_str().unwrap();
    assert_eq!(octets(listings.next().unwrap()), hash);
    for number in [
        &vector["now_first"],
        &vector["now_last"],
        &vector["valid"]["signed_message_length"],
    ] {
        assert!(example.contains(&number.to_string()), "{number}");
    }
    let (_, example) = page.split_once("## Example").unwrap();
    assert_eq!(octets(example), bytes);
}

/// The bytes that `dc-core` writes, in the draft and on the page of the list.
#[test]
fn the_example_of_a_list_is_what_is_written() {
    let written: String = read("dc-core/src/withdrawn/example.hex")
        .split_whitespace()
        .collect();
    let draft = draft();
    let example = between(&draft, "<section anchor=\"list-example\">", "</section>");
    assert_eq!(octets(between(example, "<![CDATA[", "]]>")), written);
    let page = read("docs/withdrawn-names.md");
    assert_eq!(octets(between(&page, "```", "```")), written);
}

#[test]
fn an_alert_has_one_number() {
    let draft = draft();
    let mut count = 0;
    for (at, _) in draft.match_indices(" (") {
        let (before, after) = draft.split_at(at);
        let number = after[2..]
            .split(')')
            .next()
            .and_then(|number| number.parse::<u32>().ok());
        let word = before
            .rsplit([' ', '(', '>', '\n'])
            .next()
            .unwrap_or_default();
        let (Some(number), true) = (number, word.contains('_')) else {
            continue;
        };
        // An extension, a scheme.
        if word.contains("credential") || number > 255 {
            continue;
        }
        assert!(ALERTS.contains(&(word, number)), "{word} ({number})");
        count += 1;
    }
    assert!(count > 50, "{count}");
}

#[test]
fn the_draft_is_ascii_and_tags_its_key_words() {
    let draft = draft();
    assert!(draft.is_ascii());
    let words = [
        "MUST",
        "SHOULD",
        "MAY",
        "SHALL",
        "REQUIRED",
        "RECOMMENDED",
        "OPTIONAL",
    ];
    let untagged: Vec<&str> = { draft.lines() }
        .filter(|line| {
            let text: String = line
                .split("<bcp14>")
                .map(|part| part.split_once("</bcp14>").map_or(part, |(_, rest)| rest))
                .collect();
            let mut plain = text.split(|c: char| !c.is_ascii_uppercase());
            plain.any(|word| words.contains(&word))
        })
        .collect();
    assert!(untagged.is_empty(), "{untagged:#?}");
}

#[test]
fn the_page_is_one_and_names_sections_of_the_draft() {
    let (draft, page) = (draft(), read(PAGE));
    assert!(page.lines().count() <= PAGE_LINES, "{PAGE}");
    let anchors = anchors(&draft);
    let named: Vec<&str> = { page.lines() }
        .filter(|line| line.starts_with("## "))
        .filter_map(|line| line.split_once('[')?.1.strip_suffix(']'))
        .flat_map(|names| names.split(", "))
        .collect();
    assert!(named.len() > 8, "{named:?}");
    for name in named {
        assert!(anchors.contains(name), "{name}");
    }
}
