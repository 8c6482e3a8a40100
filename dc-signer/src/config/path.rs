//! Places in a file: tables, places in lists, and keys.

use serde_path_to_error::Segment;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One step from a table or a list to what is in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    Key(String),
    Place(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Step {
    fn from(place: usize) -> Self {
        Self::Place(place)
    }
}

impl Step {
    /// The way to an error of serde.
    pub(super) fn to(error: &serde_path_to_error::Path) -> Vec<Self> {
        let step = |segment: &Segment| match segment {
            Segment::Map { key } => Some(key.as_str().into()),
            Segment::Seq { index } => Some((*index).into()),
            Segment::Enum { .. } | Segment::Unknown => None,
        };
        error.iter().filter_map(step).collect()
    }

    /// As people write it, without the places in lists: their lines are told.
    pub(crate) fn name(path: &[Self]) -> String {
        let keys = path.iter().filter_map(|step| match step {
            Self::Key(key) => Some(key.as_str()),
            Self::Place(_) => None,
        });
        keys.collect::<Vec<_>>().join(".")
    }

    /// The line in the text of a file; that of the last table on the way if the key is not there.
    pub(crate) fn line(text: &str, path: &[Self]) -> usize {
        let (table, _) = DeTable::parse_recoverable(text);
        let root = DeValue::Table(table.into_inner());
        let (mut value, mut at) = (&root, 0);
        for step in path {
            let next = match step {
                Self::Key(key) => value.get(key.as_str()),
                Self::Place(place) => value.get(*place),
            };
            let Some(next) = next else { break };
            (value, at) = (next.get_ref(), next.span().start);
        }
        let before = text.get(..at).unwrap_or(text);
        before.matches('\n').count() + 1
    }

    /// The value there, to be changed.
    pub(super) fn child<'v, 'i>(&self, value: &'v mut DeValue<'i>) -> Option<&'v mut DeValue<'i>> {
        let child = match (self, value) {
            (Self::Key(key), DeValue::Table(table)) => table.get_mut(key.as_str()),
            (Self::Place(place), DeValue::Array(array)) => array.get_mut(*place),
            _ => None,
        };
        child.map(Spanned::get_mut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_again_in_tables_and_lists() {
        let text = "a = 1\n[b]\nc = 2\n[[d]]\ne = 3\n[[d]]\ne = 4\n";
        for (path, line) in [
            (&["a".into()][..], 1),
            (&["b".into(), "c".into()], 3),
            (&["d".into(), 1.into(), "e".into()], 7),
            (&["b".into(), "z".into()], 2),
            (&["z".into()], 1),
        ] {
            assert_eq!(Step::line(text, path), line, "{path:?}");
        }
    }
}
