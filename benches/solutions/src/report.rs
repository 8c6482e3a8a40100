//! Everything that a run has found out.

use serde::Serialize;

use crate::clients::raw_key_peers::Attempt;
use crate::measure::Measure;
use crate::measure::authority::Answer;
use crate::measure::cost::Cost;
use crate::measure::encounters::Encounters;
use crate::measure::interactions::Interactions;
use crate::measure::names::Names;
use crate::measure::outage::Outage;
use crate::rows::{Group, Row};

/// What was measured, or why it was not.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Measured<T> {
    Is(T),
    /// It went wrong, or a program is missing: in words.
    Not(String),
    /// There is no such thing to measure: why.
    Cannot(String),
    /// Nobody asked for it in this run.
    NotAsked,
}

/// A run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: String,
    /// When it was made, in RFC 3339.
    pub(crate) made: String,
    pub(crate) seconds: u64,
    /// What was asked for.
    pub(crate) measures: Vec<Measure>,
    pub(crate) certificate_days: u64,
    pub(crate) programs: Vec<Program>,
    pub(crate) rows: Vec<RowReport>,
    /// What a CA of today answers to what the solutions need of it.
    pub(crate) authority: Measured<Vec<Answer>>,
    /// rustls and GnuTLS with raw public keys, both ways.
    pub(crate) raw_key_peers: Measured<Vec<Attempt>>,
}

/// A program that nobody here wrote.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// Whether it is one of the clients of the table.
    pub(crate) is_client: bool,
    /// Or why it is not there.
    pub(crate) version: Result<String, String>,
}

/// What was found out about one solution.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RowReport {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) group: Group,
    pub(crate) interactions: Measured<Interactions>,
    pub(crate) outages: Measured<Vec<Outage>>,
    pub(crate) encounters: Measured<Encounters>,
    pub(crate) cost: Measured<Cost>,
    pub(crate) names: Measured<Names>,
}

impl<T> Measured<T> {
    pub(crate) fn value(&self) -> Option<&T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Not(_) | Self::Cannot(_) | Self::NotAsked => None,
        }
    }

    /// What went wrong.
    pub(crate) fn failure(&self) -> Option<&String> {
        match self {
            Self::Not(why) => Some(why),
            Self::Is(_) | Self::Cannot(_) | Self::NotAsked => None,
        }
    }

    /// What a cell says instead of a value.
    pub(crate) fn why_not(&self) -> Option<String> {
        match self {
            Self::Is(_) => None,
            Self::Not(why) => Some(format!("not measured: {why}")),
            Self::Cannot(why) => Some(why.clone()),
            Self::NotAsked => Some("not asked".to_owned()),
        }
    }
}

impl<T> From<crate::Result<T>> for Measured<T> {
    fn from(result: crate::Result<T>) -> Self {
        match result {
            Ok(value) => Self::Is(value),
            Err(error) => Self::Not(error.to_string()),
        }
    }
}

impl RowReport {
    /// A row of which nothing is known yet.
    pub(crate) fn new(row: &Row) -> Self {
        Self {
            id: row.id,
            title: row.title,
            group: row.group,
            interactions: Measured::NotAsked,
            outages: Measured::NotAsked,
            encounters: Measured::NotAsked,
            cost: Measured::NotAsked,
            names: Measured::NotAsked,
        }
    }

    /// Everything that went wrong: where, and why.
    pub(crate) fn failures(&self) -> Vec<(String, &String)> {
        let all = [
            ("interactions", self.interactions.failure()),
            ("outages", self.outages.failure()),
            ("encounters", self.encounters.failure()),
            ("cost", self.cost.failure()),
            ("names", self.names.failure()),
        ];
        let failed = all.into_iter().filter_map(|(what, why)| Some((what, why?)));
        failed
            .map(|(what, why)| (format!("{}: {what}", self.title), why))
            .collect()
    }
}
