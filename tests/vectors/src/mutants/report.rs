//! What there is to say about vectors and mutants, for people and for machines.

use std::fmt;

use serde_json::{Value, json};

use super::Mutant;
use crate::published::{Kind, Published};
use crate::reference::{Difference, Reference, Rule, Signatures};

/// The counts, where the reference disagrees, and the mutants.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    counts: [(&'static str, Kind, usize); 9],
    disagreements: Vec<Difference<'a>>,
    mutants: Vec<Mutant<'a>>,
}

impl<'a> Report<'a> {
    /// Asks the reference and every mutant about every vector.
    #[must_use]
    pub fn new(files: &'a Published) -> Self {
        let signatures = Signatures::default();
        let disagreements = Reference::new(None, &signatures).differences(files);
        let mut mutants = super::of(Rule::ALL, files, &signatures);
        for mutant in &mut mutants {
            // What is wrong anyway notices nothing.
            let killers = &mut mutant.killers;
            killers.retain(|killer| !disagreements.iter().any(|other| other.is_about(killer)));
        }
        Self {
            counts: files.counts(),
            disagreements,
            mutants,
        }
    }

    /// True if the reference agrees with every vector, and every mutant is killed.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.disagreements.is_empty() && self.survivors().next().is_none()
    }

    /// The rules that no vector shows.
    pub fn survivors(&self) -> impl Iterator<Item = Rule> {
        let mutants = self.mutants.iter();
        mutants
            .filter(|mutant| mutant.killers.is_empty())
            .map(|mutant| mutant.rule)
    }

    /// The rules that only the words for faults show, which neither an application nor its peer hears.
    pub fn unseen(&self) -> impl Iterator<Item = Rule> {
        let mutants = self.mutants.iter();
        mutants
            .filter(|mutant| mutant.seen() == 0)
            .map(|mutant| mutant.rule)
    }

    /// The vectors with which the reference disagrees.
    #[must_use]
    pub fn disagreements(&self) -> &[Difference<'a>] {
        &self.disagreements
    }

    /// The same as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let counts = self.counts.iter();
        let vectors =
            counts.map(|(file, kind, count)| json!({"file": file, "kind": kind, "count": count}));
        let mutants = self.mutants.iter().map(|mutant| {
            json!({
                "rule": mutant.rule.name(),
                "sentence": mutant.rule.sentence(),
                "section": mutant.rule.section(),
                "killed_by": mutant.killers.iter().map(json_of).collect::<Value>(),
            })
        });
        json!({
            "vectors": vectors.collect::<Value>(),
            "disagreements": self.disagreements.iter().map(json_of).collect::<Value>(),
            "mutants": mutants.collect::<Value>(),
        })
    }
}

fn json_of(difference: &Difference<'_>) -> Value {
    json!({
        "kind": difference.kind,
        "name": difference.name,
        "what": difference.what,
        "seen": difference.is_seen,
    })
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: usize = self.counts.iter().map(|(.., count)| count).sum();
        for (file, kind, count) in &self.counts {
            writeln!(f, "{file:<18} {kind:<14} {count:>4}")?;
        }
        writeln!(f, "{:<33} {total:>4}", "all")?;
        let agreeing = total - self.disagreements.len();
        writeln!(f, "\nThe reference agrees with {agreeing} of {total}.")?;
        for difference in &self.disagreements {
            writeln!(f, "  {difference}")?;
        }
        let head = ["section", "broken rule", "killed", "seen"];
        let [section, rule, killed, seen] = head;
        writeln!(
            f,
            "\n{section:<14} {rule:<40} {killed:>6} {seen:>5}  first of them"
        )?;
        for mutant in &self.mutants {
            let Mutant { rule, killers } = mutant;
            let first = killers.first().map_or("SURVIVES", |killer| killer.name);
            let (section, killed, seen) = (rule.section(), killers.len(), mutant.seen());
            writeln!(f, "{section:<14} {rule:<40} {killed:>6} {seen:>5}  {first}")?;
        }
        let survivors: Vec<Rule> = self.survivors().collect();
        let killed = self.mutants.len() - survivors.len();
        let seen = self
            .mutants
            .iter()
            .filter(|mutant| mutant.seen() > 0)
            .count();
        writeln!(
            f,
            "\n{killed} of {} mutants are killed, {seen} of them by what an application or its peer sees.",
            self.mutants.len()
        )?;
        for rule in survivors {
            writeln!(
                f,
                "  survives: {rule} ({}): {}",
                rule.section(),
                rule.sentence()
            )?;
        }
        Ok(())
    }
}
