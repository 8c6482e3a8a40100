//! Reads of personal data by operators, as the audit log says it: the filter and how many rows, never the rows.

use std::fmt::Write;

use super::{Act, Authority, Error};
use dc_store::Filter;
use dc_store::registry::{Action, Device};

impl Authority {
    /// Records that somebody reads personal data.
    ///
    /// Fails with [`Error::Store`].
    pub async fn note_read(&self, action: Action, scope: String, by: &Act) -> Result<(), Error> {
        Ok(self.store.note_read(action, scope, by).await?)
    }
}

/// A text that whoever asks has chosen: in quotes, and no longer than an id.
fn quoted(text: &str) -> String {
    let text: String = text.chars().take(128).collect();
    format!("\"{}\"", text.escape_debug())
}

/// A filter as words such as `state=active zone=cpe.example.com`; `all` if it keeps nothing out.
#[must_use]
pub fn filter(filter: &Filter) -> String {
    let Filter {
        state,
        zone,
        possible_clone,
        external_id_prefix,
        expires_before,
        expires_from,
        has_credential,
        delegation,
        search,
    } = filter;
    let words = [
        state.map(|state| format!("state={state}")),
        zone.as_ref().map(|zone| format!("zone={zone}")),
        possible_clone.map(|clone| format!("possible-clone={clone}")),
        external_id_prefix
            .as_deref()
            .map(|prefix| format!("prefix={}", quoted(prefix))),
        search
            .as_ref()
            .map(|search| format!("search={}", quoted(search.as_str()))),
        expires_from.map(|time| format!("expires-from={}", time.as_secs())),
        has_credential.map(|has| format!("has-credential={has}")),
        expires_before.map(|time| format!("expires-before={}", time.as_secs())),
        delegation.map(|certificate| format!("delegation={certificate}")),
    ];
    let words: Vec<String> = words.into_iter().flatten().collect();
    match words.is_empty() {
        true => "all".to_owned(),
        false => words.join(" "),
    }
}

/// A filter and how many rows it gave.
#[must_use]
pub fn scope(of: &Filter, rows: usize) -> String {
    let mut scope = filter(of);
    // Writing to a string does not fail.
    let _ = write!(scope, " rows={rows}");
    scope
}

/// One device.
#[must_use]
pub fn one(device: &Device) -> String {
    format!("id={} rows=1", device.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_said_in_one_line_however_it_was_given() {
        assert_eq!(filter(&Filter::default()), "all");
        let given = Filter {
            external_id_prefix: Some("a\n\"b".to_owned()),
            possible_clone: Some(true),
            ..Filter::default()
        };
        assert_eq!(
            scope(&given, 3),
            "possible-clone=true prefix=\"a\\n\\\"b\" rows=3"
        );
        let long = Filter {
            external_id_prefix: Some("x".repeat(9_000)),
            ..Filter::default()
        };
        assert!(filter(&long).len() < 200);
    }
}
