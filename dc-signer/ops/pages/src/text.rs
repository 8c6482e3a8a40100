//! Sections of a page: from what stands at the end of a help, and from files that say what no help has room for.

/// A section of a page.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Section {
    /// In capitals.
    pub(crate) title: String,
    /// Its parts.
    pub(crate) blocks: Vec<Block>,
}

/// A part of a section.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Block {
    /// Numbers that a program ends with, in one sentence.
    Statuses(String),
    /// A file, a variable or a key, and what is said of it.
    Term(String, String),
    /// A paragraph.
    Text(String),
    /// Lines that stay as they are.
    Verbatim(Vec<String>),
}

/// The end of a help: examples, exit status, signals, and whatever else is said there.
#[must_use]
pub(crate) fn after(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for paragraph in text.split("\n\n").filter(|it| !it.trim().is_empty()) {
        let first = paragraph.lines().next().unwrap_or_default();
        let (title, blocks) = if first.starts_with("Example") {
            (
                "EXAMPLES",
                with_lines(first.strip_prefix("Examples, "), paragraph),
            )
        } else if let Some(rest) = paragraph.strip_prefix("Exit status") {
            let rest = joined(rest.trim_start_matches([':', ' ']));
            ("EXIT STATUS", vec![Block::Statuses(rest)])
        } else if let Some(rest) = paragraph.strip_prefix("Signals: ") {
            ("SIGNALS", vec![Block::Text(joined(rest))])
        } else if first.starts_with("SIG") {
            ("SIGNALS", vec![Block::Text(joined(paragraph))])
        } else if paragraph.contains(":\n  ") {
            ("NOTES", with_lines(Some(first), paragraph))
        } else {
            ("NOTES", vec![Block::Text(joined(paragraph))])
        };
        match sections.iter_mut().find(|section| section.title == title) {
            Some(section) => section.blocks.extend(blocks),
            None => sections.push(Section {
                title: title.to_owned(),
                blocks,
            }),
        }
    }
    sections.sort_by_key(|section| ORDER.iter().position(|title| *title == section.title));
    sections
}

/// What is said, if anything is, and the lines below the first as they stand.
fn with_lines(said: Option<&str>, paragraph: &str) -> Vec<Block> {
    let lines = paragraph.lines().skip(1);
    let lines = lines.map(|line| line.strip_prefix("  ").unwrap_or(line).to_owned());
    let said = said.map(|said| Block::Text(capital(said)));
    said.into_iter()
        .chain([Block::Verbatim(lines.collect())])
        .collect()
}

/// What is said of all of them, and each number with its meaning.
#[must_use]
pub(crate) fn exit_statuses(text: &str) -> (String, Vec<(String, String)>) {
    let (mut before, mut found) = (String::new(), Vec::<(String, String)>::new());
    let mut may_begin = true;
    for word in text.split(' ') {
        let is_number = word.len() == 1 && word.starts_with(|c: char| c.is_ascii_digit());
        match found.last_mut() {
            _ if is_number && may_begin => found.push((word.to_owned(), String::new())),
            Some((_, meaning)) => push_word(meaning, word),
            None => push_word(&mut before, word),
        }
        may_begin = word.ends_with([';', ',', ':']);
    }
    for (_, meaning) in &mut found {
        let length = meaning.trim_end_matches([';', ',', '.']).len();
        meaning.truncate(length);
        *meaning = capital(meaning) + ".";
    }
    (capital(&before), found)
}

/// Sections of a file: titles behind `# `, terms at the edge, and what is said of them, or of nothing, four columns in.
#[must_use]
pub(crate) fn sections(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("# ") {
            sections.push(Section {
                title: title.to_owned(),
                blocks: Vec::new(),
            });
            continue;
        }
        let Some(section) = sections.last_mut() else {
            continue;
        };
        match (line.strip_prefix("    "), section.blocks.last_mut()) {
            (Some(body), Some(Block::Term(_, text) | Block::Text(text))) => push_word(text, body),
            (Some(body), _) => section.blocks.push(Block::Text(body.to_owned())),
            (None, _) if line.is_empty() => section.blocks.push(Block::Text(String::new())),
            (None, _) => section
                .blocks
                .push(Block::Term(line.to_owned(), String::new())),
        }
    }
    for section in &mut sections {
        section
            .blocks
            .retain(|block| *block != Block::Text(String::new()));
    }
    sections
}

/// Lines that were broken by hand as one.
#[must_use]
pub(crate) fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn push_word(text: &mut String, word: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(word);
}

/// With a full stop behind it.
#[must_use]
pub(crate) fn sentence(text: &str) -> String {
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{text}{end}")
}

/// With a capital in front.
#[must_use]
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

const ORDER: [&str; 4] = ["EXIT STATUS", "SIGNALS", "EXAMPLES", "NOTES"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_help_becomes_sections_in_their_order() {
        let text = "Examples, at first:\n  do it\n\nMore\nof it.\n\nSignals: HUP reads.\n\nExit status: 0 done; 1 not; of 'x', lost.";
        let said = after(text);
        let titles: Vec<&str> = said.iter().map(|section| section.title.as_str()).collect();
        assert_eq!(titles, ["EXIT STATUS", "SIGNALS", "EXAMPLES", "NOTES"]);
        assert_eq!(
            said[2].blocks,
            [
                Block::Text("At first:".into()),
                Block::Verbatim(vec!["do it".into()])
            ]
        );
        assert_eq!(said[3].blocks, [Block::Text("More of it.".into())]);
    }

    #[test]
    fn exit_statuses_are_told_from_other_numbers() {
        let (before, found) =
            exit_statuses("of 'status': 0 fine; 3 at risk: for 2 days, or 4 hours; 4 lost.");
        assert_eq!(before, "Of 'status':");
        let found: Vec<(&str, &str)> = found.iter().map(|(a, b)| (&**a, &**b)).collect();
        assert_eq!(
            found,
            [
                ("0", "Fine."),
                ("3", "At risk: for 2 days, or 4 hours."),
                ("4", "Lost.")
            ]
        );
    }

    #[test]
    fn a_file_of_sections_has_terms_and_text() {
        let text = "# FILES\n/etc/x\n    The\n    file.\nHOME\n    Home.\n# SEE ALSO\n    Nothing.\n\n    More.\n";
        let said = sections(text);
        assert_eq!(
            said[0].blocks,
            [
                Block::Term("/etc/x".into(), "The file.".into()),
                Block::Term("HOME".into(), "Home.".into())
            ]
        );
        assert_eq!(
            said[1].blocks,
            ["Nothing.", "More."].map(|it| Block::Text(it.into()))
        );
    }
}
