//! Where in the database a mismatch is, in fields that programs can read.

use super::Mismatch;
use super::Sha256;
use super::fields::Fields;

/// The place of a mismatch: what an auditor looks up, and what was expected there and found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Place {
    /// The kind of mismatch, in words that stay the same.
    pub kind: &'static str,
    /// The table, if it is in one.
    pub table: Option<&'static str>,
    /// The row, by what tells it from others.
    pub row: Option<String>,
    /// The column, if it is one alone.
    pub column: Option<&'static str>,
    /// The record of the audit log that says otherwise.
    pub record: Option<u64>,
    /// The value by the log.
    pub expected: Option<String>,
    /// The value in the database.
    pub found: Option<String>,
}

impl Place {
    pub(crate) fn new(kind: &'static str) -> Self {
        Self {
            kind,
            ..Self::default()
        }
    }

    pub(crate) fn row(self, table: &'static str, row: &str) -> Self {
        Self {
            table: Some(table),
            row: Some(row.to_owned()),
            ..self
        }
    }

    fn column(self, table: &'static str, row: &str, column: &'static str) -> Self {
        Self {
            column: Some(column),
            ..self.row(table, row)
        }
    }

    pub(crate) fn at(self, record: u64) -> Self {
        Self {
            record: Some(record),
            ..self
        }
    }

    pub(crate) fn values(self, expected: impl ToString, found: impl ToString) -> Self {
        Self {
            expected: Some(expected.to_string()),
            found: Some(found.to_string()),
            ..self
        }
    }

    /// SHA-256 of all of it, by which somebody can say that they know of it: the text `dc-mismatch-v1` and the fields in order, each
    /// with its length in 8 bytes in front, one that is not there empty.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        let Self {
            kind,
            table,
            row,
            column,
            record,
            expected,
            found,
        } = self;
        let record = record.map(u64::to_be_bytes);
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (row, expected, found) = (text(row), text(expected), text(found));
        let fields: [&[u8]; 7] = [
            kind.as_bytes(),
            table.unwrap_or_default().as_bytes(),
            row.as_bytes(),
            column.unwrap_or_default().as_bytes(),
            record.as_ref().map_or(&[], |record| &record[..]),
            expected.as_bytes(),
            found.as_bytes(),
        ];
        Fields::hash("dc-mismatch-v1", &fields)
    }
}

impl Mismatch {
    /// The place of a record that says what could not be done.
    fn of_record(&self, kind: &'static str, seq: u64) -> Place {
        Place {
            found: Some(self.to_string()),
            ..Place::new(kind).row("audit", &seq.to_string()).at(seq)
        }
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Self::Actor { seq, .. } => self.of_record("actor", *seq),
            Self::Bare { seq, .. } => self.of_record("bare", *seq),
            Self::Approval { seq } => Place::new("approval")
                .row("approvals", &seq.to_string())
                .at(*seq),
            Self::Archive { first, last } => {
                Place::new("archive").row("archives", &format!("{first} to {last}"))
            }
            Self::Changed {
                table,
                row,
                column,
                seq,
                expected,
                found,
            } => Place::new("changed")
                .column(table, row, column)
                .at(*seq)
                .values(expected, found),
            Self::CodeOfNobody { .. }
            | Self::Forbidden { .. }
            | Self::IssueMissing { .. }
            | Self::IssueTooLong { .. }
            | Self::IssuesWithoutRecord { .. } => self.place_of_act(),
            Self::EnrolmentKey { name, seq } => Place::new("enrolment-key")
                .column("devices", name, "enrolment_key")
                .at(*seq),
            Self::GivenTwice {
                name,
                first,
                second,
            } => Place::new("given-twice")
                .row("names", name)
                .at(*second)
                .values(format!("given by record {first} alone"), "given again"),
            Self::Identity { name, seq } => Place::new("identity").row("devices", name).at(*seq),
            Self::NoRecord { what, name } => {
                Place::new("no-record").row(what.trim_start_matches("the "), name)
            }
            Self::NotAsArchived { seq } => Place::new("not-as-archived")
                .row("audit", &seq.to_string())
                .at(*seq),
            Self::OperatorChanged { name, seq } => of_operator("operator-changed", name, *seq),
            Self::OperatorEnabled { name, seq } => Place::new("operator-enabled")
                .column("operators", name, "disabled")
                .at(*seq),
            Self::OperatorMadeWrongly { name, seq, .. } => {
                of_operator("operator-made-wrongly", name, *seq)
            }
            Self::ZoneChanged { name, seq } => {
                Place::new("zone-changed").row("zones", name).at(*seq)
            }
            Self::Removed { what, name, seq } => Place::new("removed").row(what, name).at(*seq),
            Self::SecretChanged { name, seq } => Place::new("secret-changed")
                .row("shared_secrets", name)
                .at(*seq),
        }
    }
    /// Of those about something that was done or issued.
    fn place_of_act(&self) -> Place {
        match self {
            Self::CodeOfNobody { name, seq } => {
                Place::new("code-of-nobody").row("devices", name).at(*seq)
            }
            Self::Forbidden {
                name,
                seq,
                action,
                state,
                since,
            } => Place::new("forbidden")
                .row(action.table(), name)
                .at(*seq)
                .values(format!("{state} since record {since}"), action),
            Self::IssueMissing { name, seq } => {
                Place::new("issue-missing").row("issues", name).at(*seq)
            }
            Self::IssueTooLong {
                name,
                seq,
                expires,
                latest,
            } => Place::new("issue-too-long")
                .column("issues", name, "expires")
                .at(*seq)
                .values(format!("not after {latest}"), expires),
            Self::IssuesWithoutRecord {
                since,
                rows,
                records,
            } => Place::new("issues-without-record")
                .row("issues", &format!("week from {since}"))
                .values(records, rows),
            // All others are about rows.
            _ => Place::default(),
        }
    }
}

fn of_operator(kind: &'static str, name: &str, seq: u64) -> Place {
    Place::new(kind).row("operators", name).at(seq)
}
