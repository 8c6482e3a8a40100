//! `[log]` and `[metrics]`: what is told to whom.

use serde::Deserialize;

use super::values;

/// `[log]`: the log on standard error.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Log {
    /// For people or for programs.
    pub format: LogFormat,
    /// The filter, as `tracing_subscriber`'s `EnvFilter` takes it.
    #[serde(deserialize_with = "values::text")]
    pub filter: String,
}

/// The form of a line of the log.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase", expecting = "\"human\" or \"json\"")]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Human,
            filter: "info".to_owned(),
        }
    }
}

/// Access to the metrics.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Metrics {
    /// The readers.
    pub access: MetricsAccess,
}

/// Readers of the metrics.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase", expecting = "\"anyone\" or \"operators\"")]
pub enum MetricsAccess {
    /// Everybody who reaches the service.
    Anyone,
    /// Operators of any role.
    #[default]
    Operators,
}
