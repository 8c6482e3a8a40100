//! The servers of a database that has several.

/// How they stand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Servers {
    /// The one that is used, as host and port or as folder and port.
    pub used: String,
    /// True if it confirms nothing before a standby has it too.
    pub waits: bool,
    /// Those that say that they are the primary as well.
    pub others: Vec<String>,
}

impl Servers {
    /// Things that somebody should do something about, each in one line.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let Self {
            used,
            waits,
            others,
        } = self;
        let alone = (!waits).then(|| {
            format!(
                "the database's primary {used} waits for no standby: what it confirms is lost if it dies and a standby takes over; set its synchronous_standby_names"
            )
        });
        let split = others.iter().map(|other| {
            format!(
                "{other} says that it is the primary of the database, and so does {used}, which is used: stop {other}, or what is written there is lost"
            )
        });
        alone.into_iter().chain(split).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_primary_without_a_standby_and_a_second_primary_are_warned_of() {
        let servers = |waits, others: &[&str]| Servers {
            used: "db1:5432".to_owned(),
            waits,
            others: others.iter().map(|&other| other.to_owned()).collect(),
        };
        assert!(servers(true, &[]).warnings().is_empty());
        let said = servers(false, &["db2:5432"]).warnings();
        assert!(
            said[0].contains("db1:5432 waits for no standby"),
            "{said:?}"
        );
        assert!(said[1].contains("stop db2:5432"), "{said:?}");
    }
}
