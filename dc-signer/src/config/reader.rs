//! Reads a TOML file into types of serde, and finds everything that is wrong in it.
//!
//! serde stops at the first mistake. So each is noted and mended, and the file is read again, until nothing is wrong.

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{KeyError, KeyErrorKind};
use super::node::{EXAMPLES, Node};
use super::path::Step;

/// A file that was read, and its mistakes.
pub(super) struct Reading<T> {
    /// With an example in the place of each required key that is wrong.
    pub(super) value: T,
    pub(super) errors: Vec<KeyError>,
    /// The places of what was mended.
    pub(super) mended: Vec<Vec<Step>>,
}

/// Reads the text of a file.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Reading<T> {
    let (table, syntax) = DeTable::parse_recoverable(text);
    let mut errors: Vec<KeyError> = syntax.iter().map(|error| not_toml(text, error)).collect();
    let mut root = DeValue::Table(table.into_inner());
    let mut mended = Vec::new();
    loop {
        let error = match serde_path_to_error::deserialize(Node(&root)) {
            Ok(value) => {
                return Reading {
                    value,
                    errors,
                    mended,
                };
            }
            Err(error) => error,
        };
        let mut path = Step::to(error.path());
        let kind = error.into_inner();
        if let KeyErrorKind::Missing { key, .. } = kind {
            path.push(key.into());
        }
        let is_missing = matches!(kind, KeyErrorKind::Missing { .. });
        // The example is another table's key of the same name.
        let is_mended = !is_missing && mended.contains(&path);
        let instead = match is_mended {
            true => None,
            false => instead(&kind, &path),
        };
        mend(&mut root, &path, instead);
        // A table is missing if its keys are, which is said next.
        if !is_mended && !matches!(kind, KeyErrorKind::Missing { example: "", .. }) {
            errors.push(KeyError {
                line: Step::line(text, &path),
                key: Step::name(&path),
                kind,
            });
        }
        mended.push(path);
    }
}

fn not_toml(text: &str, error: &toml::de::Error) -> KeyError {
    let read = error.span().and_then(|span| text.get(..span.start));
    KeyError::not_toml(read.unwrap_or_default().as_bytes(), error.message())
}

/// A value that can be read in the place of a mistake; none for a key that can be left out.
fn instead(kind: &KeyErrorKind, path: &[Step]) -> Option<DeValue<'static>> {
    let key = match (kind, path.last()?) {
        (KeyErrorKind::Missing { example: "", .. }, _) => {
            return Some(DeValue::Table(DeTable::new()));
        }
        (KeyErrorKind::Unknown { .. }, _) | (_, Step::Place(_)) => return None,
        (_, Step::Key(key)) => key.as_str(),
    };
    EXAMPLES.iter().find_map(|line| {
        let line = DeTable::parse(line).ok()?.into_inner();
        line.get(key).map(|value| value.get_ref().clone())
    })
}

/// Puts something else where a mistake is, or takes it out; a list as a whole.
fn mend<'i>(root: &mut DeValue<'i>, path: &[Step], instead: Option<DeValue<'i>>) {
    let Some((last, tables)) = path.split_last() else {
        return;
    };
    let Step::Key(key) = last else {
        return mend(root, tables, None);
    };
    let mut tables = tables.iter();
    let table = tables.try_fold(root, |value, step| step.child(value));
    let Some(DeValue::Table(table)) = table else {
        return;
    };
    match instead {
        Some(value) => {
            let key = Spanned::new(0..0, key.clone().into());
            table.insert(key, Spanned::new(0..0, value));
        }
        None => {
            table.remove(key.as_str());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::super::values::text;
    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct File {
        #[serde(deserialize_with = "text")]
        one: String,
        #[serde(deserialize_with = "text")]
        b: String,
        two: Two,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Two {
        #[serde(deserialize_with = "text")]
        name: String,
        #[serde(default, deserialize_with = "text")]
        four: String,
    }

    impl Default for Two {
        fn default() -> Self {
            let (name, four) = (String::new(), String::new());
            Self { name, four }
        }
    }

    #[test]
    fn everything_that_is_wrong_is_reported_with_its_line() {
        let file = "one = 1\n\n[two]\nnam = 'x'\nfour = [\n  5,\n]\n";
        let reading = read::<File>(file);
        let mut errors = reading.errors;
        errors.sort_by_key(|error| error.line);
        let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "line 1: one is a whole number: it has to be a text",
                "line 3: two.name is missing: add a line such as 'name = \"acme\"'",
                "line 4: two.nam does not exist: do you mean name?",
                "line 5: two.four is a list: it has to be a text",
            ]
        );
        let Two { name, four } = reading.value.two;
        assert_eq!((name.as_str(), four.as_str()), ("acme", ""));
        assert_eq!(reading.value.one, "");
    }

    #[test]
    fn several_mistakes_of_syntax_are_reported_with_the_rest() {
        let reading = read::<File>("one = \nb = 1\nc == 2\n");
        let lines: Vec<usize> = reading.errors.iter().map(|error| error.line).collect();
        assert!(
            lines.contains(&1) && lines.contains(&2) && lines.contains(&3),
            "{lines:?}"
        );
    }
}
