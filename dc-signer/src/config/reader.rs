//! Reads TOML tables key by key, and remembers everything that is wrong instead of stopping at the
//! first.

use std::cell::RefCell;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problem, Wrong};

/// A value that is being read, or what is wrong with it.
pub(super) type Read<T> = Result<T, Wrong>;

/// The text of a file, and what is wrong with it so far.
#[derive(Debug)]
pub(super) struct Report<'i> {
    text: &'i str,
    problems: RefCell<Vec<Problem>>,
    /// Every key that was asked for, with its tables.
    asked: RefCell<Vec<String>>,
}

impl<'i> Report<'i> {
    /// Reads the whole file; what is not TOML is reported.
    pub(super) fn open(text: &'i str) -> (Self, DeTable<'i>) {
        let report = Self {
            text,
            problems: RefCell::default(),
            asked: RefCell::default(),
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let message = error.message().to_owned();
            report.add(error.span().unwrap_or(0..0), "", Wrong::Syntax { message });
        }
        (report, table.into_inner())
    }

    pub(super) fn add(&self, at: Range<usize>, key: &str, wrong: Wrong) {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        self.problems.borrow_mut().push(Problem {
            line: before.matches('\n').count() + 1,
            key: key.to_owned(),
            wrong,
        });
    }

    /// What is wrong, in the order of the lines.
    pub(super) fn finish(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.line);
        problems
    }

    /// Every key that was asked for so far.
    #[cfg(test)]
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.borrow().clone()
    }
}

/// One table: each of its keys is taken out once, and what is left at the end is unknown.
#[derive(Debug)]
pub(super) struct Section<'r, 'i> {
    report: &'r Report<'i>,
    table: DeTable<'i>,
    at: Range<usize>,
    path: String,
    known: Vec<&'static str>,
}

impl<'r, 'i> Section<'r, 'i> {
    /// The table that is the whole file.
    pub(super) fn root(report: &'r Report<'i>, table: DeTable<'i>) -> Self {
        Self {
            report,
            table,
            at: 0..0,
            path: String::new(),
            known: Vec::new(),
        }
    }

    /// The table under this key; an empty one if it is not there.
    pub(super) fn section(&mut self, key: &'static str) -> Self {
        let (at, table) = match self.take(key) {
            None => (self.at.clone(), DeTable::new()),
            Some((at, DeValue::Table(table))) => (at, table),
            Some((at, other)) => {
                self.wrong_type(at.clone(), key, "a table", &other);
                (at, DeTable::new())
            }
        };
        self.child(key, at, table)
    }

    /// The tables under this key, written `[[key]]`; none if it is not there.
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<Self> {
        let Some((at, value)) = self.take(key) else {
            return Vec::new();
        };
        let DeValue::Array(array) = value else {
            self.wrong_type(at, key, "a list of tables, each begun with [[…]]", &value);
            return Vec::new();
        };
        let mut found = Vec::new();
        for entry in array {
            let at = entry.span();
            match entry.into_inner() {
                DeValue::Table(table) => found.push(self.child(key, at, table)),
                other => self.wrong_type(at, key, "a table", &other),
            }
        }
        found
    }

    /// A key that must be there.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        example: &'static str,
        read: impl FnOnce(&DeValue<'_>) -> Read<T>,
    ) -> Option<T> {
        let there = self.table.contains_key(key);
        let value = self.optional(key, read);
        if !there {
            self.wrong(key, Wrong::Missing { example });
        }
        value
    }

    /// A key that may be there; none as well if what is there is wrong.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&DeValue<'_>) -> Read<T>,
    ) -> Option<T> {
        let (at, value) = self.take(key)?;
        match read(&value) {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.report.add(at, &self.full(key), wrong);
                None
            }
        }
    }

    /// Reports something about a key that is not a matter of its value alone.
    pub(super) fn wrong(&self, key: &str, wrong: Wrong) {
        self.report.add(self.at.clone(), &self.full(key), wrong);
    }

    /// Reports the keys that nobody asked for.
    pub(super) fn finish(self) {
        for (key, _) in &self.table {
            let nearest = nearest(key.get_ref(), &self.known);
            let full = self.full(key.get_ref());
            self.report
                .add(key.span(), &full, Wrong::Unknown { nearest });
        }
    }

    fn take(&mut self, key: &'static str) -> Option<(Range<usize>, DeValue<'i>)> {
        self.known.push(key);
        self.report.asked.borrow_mut().push(self.full(key));
        let value = self.table.remove(key)?;
        Some((value.span(), Spanned::into_inner(value)))
    }

    fn child(&self, key: &str, at: Range<usize>, table: DeTable<'i>) -> Self {
        Self {
            report: self.report,
            table,
            at,
            path: format!("{}.", self.full(key)),
            known: Vec::new(),
        }
    }

    fn wrong_type(&self, at: Range<usize>, key: &str, wanted: &'static str, found: &DeValue<'_>) {
        let found = type_of(found);
        self.report
            .add(at, &self.full(key), Wrong::Type { wanted, found });
    }

    fn full(&self, key: &str) -> String {
        match key {
            "" => self.path.trim_end_matches('.').to_owned(),
            key => format!("{}{key}", self.path),
        }
    }
}

/// What a value is, with its article.
pub(super) fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The line of a key, given as tables, places in lists and the key itself; that of the last table that
/// is there if it is not.
pub(super) fn line_of(text: &str, path: &[&str]) -> usize {
    let (table, _) = DeTable::parse_recoverable(text);
    let root = DeValue::Table(table.into_inner());
    let (mut value, mut at) = (&root, 0);
    for part in path {
        let next = match value {
            DeValue::Table(table) => table.get(*part),
            DeValue::Array(array) => part.parse().ok().and_then(|place: usize| array.get(place)),
            _ => None,
        };
        let Some(next) = next else { break };
        (value, at) = (next.get_ref(), next.span().start);
    }
    text.get(..at).unwrap_or_default().matches('\n').count() + 1
}

/// The known key that needs the fewest changes, if that is at most a third of its letters.
fn nearest(given: &str, known: &[&'static str]) -> Option<&'static str> {
    known
        .iter()
        .map(|key| (changes(given, key), *key))
        .filter(|(changes, key)| changes * 3 <= key.len().max(6))
        .min()
        .map(|(_, key)| key)
}

/// How many letters have to be put in, taken out or changed (Levenshtein).
fn changes(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (number, letter) in from.chars().enumerate() {
        let mut diagonal = row.first().copied().unwrap_or_default();
        let mut left = number + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, other) in row.iter_mut().skip(1).zip(to.chars()) {
            let changed = diagonal + usize::from(letter != other);
            diagonal = *cell;
            left = changed.min(left + 1).min(*cell + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::values::text;
    use super::*;

    #[test]
    fn counts_the_letters_that_differ() {
        for (from, to, count) in [
            ("adress", "address", 1),
            ("address", "address", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(changes(from, to), count, "{from} {to}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_reported_with_its_line() {
        let file = "one = 1\n\n[two]\nthre = 'x'\nfour = [\n  5,\n]\n";
        let (report, table) = Report::open(file);
        let mut root = Section::root(&report, table);
        assert_eq!(root.optional("one", text), None);
        let mut two = root.section("two");
        assert_eq!(two.required("three", "three = 'x'", text), None);
        assert_eq!(two.optional("four", text), None);
        two.finish();
        root.finish();
        let lines: Vec<_> = report.finish().iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "line 1: one is a whole number: it has to be a text",
                "line 3: two.three is missing: add a line such as 'three = 'x''",
                "line 4: two.thre does not exist: do you mean three?",
                "line 5: two.four is a list: it has to be a text",
            ]
        );
    }

    #[test]
    fn a_key_is_found_again_in_tables_and_lists() {
        let text = "a = 1\n[b]\nc = 2\n[[d]]\ne = 3\n[[d]]\ne = 4\n";
        for (path, line) in [
            (&["a"][..], 1),
            (&["b", "c"], 3),
            (&["d", "1", "e"], 7),
            (&["b", "z"], 2),
            (&["z"], 1),
        ] {
            assert_eq!(line_of(text, path), line, "{path:?}");
        }
    }

    #[test]
    fn several_mistakes_of_syntax_are_reported_with_the_rest() {
        let (report, table) = Report::open("a = \nb = 1\nc == 2\n");
        let mut root = Section::root(&report, table);
        assert_eq!(root.optional("b", text), None);
        let lines: Vec<usize> = report.finish().iter().map(|problem| problem.line).collect();
        assert!(
            lines.contains(&1) && lines.contains(&2) && lines.contains(&3),
            "{lines:?}"
        );
    }
}
