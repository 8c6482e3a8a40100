//! `[log]` and `[metrics]`: what is told to whom.

use super::reader::Section;
use super::values::{choice, text};

/// What is logged to standard error, and how.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Log {
    /// For people or for programs.
    pub format: LogFormat,
    /// What is logged, as `tracing_subscriber`'s `EnvFilter` takes it.
    pub filter: String,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

impl Log {
    pub(super) fn read(mut section: Section<'_, '_>) -> Self {
        let words = &[("human", LogFormat::Human), ("json", LogFormat::Json)];
        let format = section.optional("format", choice("\"human\" or \"json\"", words));
        let filter = section.optional("filter", text);
        section.finish();
        Self {
            format: format.unwrap_or(LogFormat::Human),
            filter: filter.unwrap_or_else(|| "info".to_owned()),
        }
    }
}

/// Who may read the metrics.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Metrics {
    /// Who.
    pub access: MetricsAccess,
}

/// Who may read the metrics.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MetricsAccess {
    /// Everybody who reaches the service.
    Anyone,
    /// Operators of any role.
    Operators,
}

impl Metrics {
    pub(super) fn read(mut section: Section<'_, '_>) -> Self {
        let words = &[
            ("anyone", MetricsAccess::Anyone),
            ("operators", MetricsAccess::Operators),
        ];
        let access = section.optional("access", choice("\"anyone\" or \"operators\"", words));
        section.finish();
        Self {
            access: access.unwrap_or(MetricsAccess::Operators),
        }
    }
}
