//! Labels and values under a title, in two columns.

use std::fmt;

/// A titled list of labels and values.
///
/// A value of several lines stays in its column.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sheet {
    title: String,
    rows: Vec<(&'static str, String)>,
}

impl Sheet {
    /// A sheet without rows.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            rows: Vec::new(),
        }
    }

    /// The same with one more row.
    #[must_use]
    pub fn row(mut self, label: &'static str, value: impl fmt::Display) -> Self {
        self.rows.push((label, value.to_string()));
        self
    }

    /// The same with one more row, if there is something to say.
    #[must_use]
    pub fn row_if(self, label: &'static str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.row(label, value),
            None => self,
        }
    }
}

impl fmt::Display for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { title, rows } = self;
        let widths = rows.iter().map(|(label, _)| label.chars().count() + 1);
        let width = widths.max().unwrap_or(0);
        f.write_str(title)?;
        for (label, value) in rows {
            let mut lines = value.lines();
            let label = format!("{label}:");
            let first = lines.next().unwrap_or_default();
            write!(f, "\n  {label:width$} {first}")?;
            for line in lines {
                write!(f, "\n  {:width$} {line}", "")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_in_one_column() {
        let sheet = Sheet::new("certificate")
            .row("names", "*.a.example\n*.b.example")
            .row_if("nothing", None::<&str>)
            .row("key", "ECDSA P-256");
        assert_eq!(
            sheet.to_string(),
            "certificate\n  names: *.a.example\n         *.b.example\n  key:   ECDSA P-256"
        );
    }
}
