//! The draft's five requirements: one rule each that makes a verdict of numbers, the same for all rows.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{count, time};
use crate::clients::Outcome;
use crate::ledger::{Act, Party, Phase};
use crate::measure::authority::{Answer, Changed};
use crate::measure::encounters::{Encounter, Encounters, Question};
use crate::measure::interactions::Interactions;

/// A verdict in the draft's words, and the numbers behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) word: &'static str,
    pub(crate) numbers: String,
}

impl Verdict {
    fn new(word: &'static str, numbers: impl Into<String>) -> Self {
        Self {
            word,
            numbers: numbers.into(),
        }
    }
}

/// R-REDUCE-CA. Yes: a public CA signs nothing that grows with the fleet.
pub(crate) fn reduce_ca(of: &Interactions) -> Verdict {
    let signed = |devices| of.total(Party::PublicCa, Act::Signature, &EVERY_YEAR, devices);
    let (one, fleet) = (signed(1.0) - signed(0.0), signed(0.0));
    let word = if one > 0.0 { "No" } else { "Yes" };
    let numbers = format!(
        "{} public certificates a device and year, {} for the fleet",
        count(one),
        count(fleet)
    );
    Verdict::new(word, numbers)
}

/// R-ELIMINATE-CA. Yes: nobody but the device itself signs anything for it.
pub(crate) fn eliminate_ca(of: &Interactions) -> Verdict {
    let phases = [EVERY_YEAR.as_slice(), &[Phase::FirstIssue]].concat();
    let by = |party| {
        let signed = |devices| of.total(party, Act::Signature, &phases, devices);
        signed(1.0) - signed(0.0)
    };
    let signers = [
        ("public CA", by(Party::PublicCa)),
        ("vendor", by(Party::Vendor)),
        ("home's CA", by(Party::Home)),
    ];
    let signers: Vec<String> = { signers.into_iter() }
        .filter(|(_, signed)| *signed > 0.0)
        .map(|(who, signed)| format!("{who} {}", count(signed)))
        .collect();
    match signers.is_empty() {
        true => Verdict::new("Yes", "nobody signs for a device"),
        false => Verdict::new(
            "No",
            format!(
                "signatures in a device's first year: {}",
                signers.join(", ")
            ),
        ),
    }
}

/// R-SUPPORT-CA. Yes: the CA gives what the solution needs, as it is; some: after a change that was tried; no: it does not.
pub(crate) fn support_ca(answers: &[Answer], row: &str) -> Verdict {
    let of_row: Vec<&Answer> = { answers.iter() }
        .filter(|answer| answer.rows.contains(&row))
        .collect();
    let works = { of_row.iter() }.filter(|answer| answer.works);
    match works.min_by_key(|answer| answer.changed) {
        Some(answer) if answer.changed == Changed::default() => {
            Verdict::new("Yes", answer.came.clone())
        }
        Some(answer) => Verdict::new("Some", format!("{} with {}", answer.came, answer.changed)),
        None => match of_row.first() {
            Some(answer) => Verdict::new("No", answer.came.clone()),
            None => Verdict::new("n/a", "no CA outside the home or the vendor"),
        },
    }
}

/// How a client gets along with a solution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Support {
    /// Without a word, as it was delivered.
    Delivered,
    /// Without a word, after the user's step.
    AfterStep,
    /// After a warning that the user accepts.
    Warning,
    No,
}

/// What a client does with the device itself.
pub(crate) fn support(answers: &BTreeMap<Question, Outcome>) -> Support {
    let connects = |question| answers.get(&question) == Some(&Outcome::Connected);
    let warned = |question| matches!(answers.get(&question), Some(Outcome::Warned(_)));
    if connects(Question::Delivered) {
        Support::Delivered
    } else if connects(Question::AfterStep) {
        Support::AfterStep
    } else if warned(Question::AcceptsWarning) || warned(Question::Delivered) {
        Support::Warning
    } else {
        Support::No
    }
}

/// R-SUPPORT-CLIENT. Yes: at least seven in eight of the unmodified clients connect without a warning, be it after a
/// step; some: fewer, or with a warning; no: none.
pub(crate) fn support_client(encounters: &[Encounter], unmodified: &[&str]) -> Verdict {
    let supports: Vec<Support> = { unmodified.iter() }
        .map(|client| answers(encounters, client))
        .filter(was_asked)
        .map(|answers| support(&answers))
        .collect();
    let of = |wanted| {
        supports
            .iter()
            .filter(|support| **support == wanted)
            .count()
    };
    let all = supports.len();
    if all == 0 {
        return Verdict::new("not measured", "no client could be asked");
    }
    let (delivered, step, warning) = (
        of(Support::Delivered),
        of(Support::AfterStep),
        of(Support::Warning),
    );
    let word = match (delivered, step, warning) {
        (yes, ..) if yes * 8 >= all * 7 => "Yes",
        (yes, step, _) if (yes + step) * 8 >= all * 7 => "Yes, after a step",
        (0, 0, 0) => "No",
        (0, 0, _) => "Some, with a warning",
        _ => "Some",
    };
    let parts = [
        (delivered, "as delivered"),
        (step, "after the user's step"),
        (warning, "with a warning"),
    ];
    let parts = parts.into_iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = parts
        .map(|(number, how)| format!("{number} {how}"))
        .collect();
    let mut numbers = match parts.is_empty() {
        true => format!("none of {all} clients"),
        false => format!("of {all} clients {}", parts.join(", ")),
    };
    if all < unmodified.len() {
        numbers += &format!("; {} not measured", unmodified.len() - all);
    }
    Verdict::new(word, numbers)
}

/// R-REVOKE-AUTH. Yes: after a report, or after what the user removes, every client that connected without a warning
/// refuses at once, or warns as of a stranger. Some: a list helps some clients, or time all of them. No: neither.
pub(crate) fn revoke(of: &Encounters) -> Verdict {
    let encounters = &of.all;
    let clients: BTreeSet<&str> = encounters.iter().map(|one| one.client).collect();
    let answers: Vec<_> = { clients.iter() }
        .map(|client| answers(encounters, client))
        .filter(connects)
        .collect();
    let all = answers.len();
    let refused = |question| {
        answers
            .iter()
            .filter(|answers| refuses(answers, question))
            .count()
    };
    let listed = { answers.iter() }
        .filter(|answers| heeds_list(answers))
        .count();
    let (reported, removed, over) = (
        refused(Question::Reported),
        refused(Question::Removed),
        refused(Question::AfterEnd),
    );
    let word = match () {
        () if all == 0 => "n/a",
        () if removed == all || reported == all => "Yes",
        () if reported + removed + listed + over > 0 => "Some",
        () => "No",
    };
    if all == 0 {
        return Verdict::new(word, "no client connects without a warning");
    }
    let removal = format!("when the user removes {}", of.removal.unwrap_or_default());
    let parts = [
        (reported, "after the report"),
        (removed, removal.as_str()),
        (listed, "with a list given by hand"),
    ];
    let parts = parts.into_iter().filter(|(number, _)| *number > 0);
    let mut parts: Vec<String> = parts
        .map(|(number, how)| format!("{number} of {all} at once {how}"))
        .collect();
    match of.stolen_for {
        _ if reported == all => {}
        Some(seconds) => parts.push(format!("otherwise {over} of {all} after {}", time(seconds))),
        None => parts.push("otherwise never".to_owned()),
    }
    Verdict::new(word, parts.join("; "))
}

/// Whether anything is known about it: a visit that was not made says nothing.
fn was_asked(answers: &BTreeMap<Question, Outcome>) -> bool {
    let known = |outcome: &Outcome| !matches!(outcome, Outcome::Failed(_));
    answers.values().any(known)
}

/// Whether it connects without a warning, so that there is something to take away.
pub(crate) fn connects(answers: &BTreeMap<Question, Outcome>) -> bool {
    support(answers) <= Support::AfterStep
}

/// Whether it did not connect without a warning, where it was asked.
pub(crate) fn refuses(answers: &BTreeMap<Question, Outcome>, question: Question) -> bool {
    let outcome = answers.get(&question);
    matches!(outcome, Some(Outcome::Refused(_) | Outcome::Warned(_)))
}

/// Whether it refuses what is on the list, and nothing besides.
pub(crate) fn heeds_list(answers: &BTreeMap<Question, Outcome>) -> bool {
    refuses(answers, Question::Listed) && !refuses(answers, Question::ListedNeighbour)
}

/// What one client did, by question.
pub(crate) fn answers(encounters: &[Encounter], client: &str) -> BTreeMap<Question, Outcome> {
    let of_client = encounters.iter().filter(|one| one.client == client);
    of_client
        .map(|one| (one.question, one.outcome.clone()))
        .collect()
}

/// What happens every year; a replacement is no yearly event.
pub(crate) const EVERY_YEAR: [Phase; 3] = [Phase::Fleet, Phase::Renewal, Phase::News];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::interactions::{Alone, Count};

    fn signed(party: Party, phase: Phase, per_device: f64, per_fleet: f64) -> Interactions {
        let count = Count {
            party,
            phase,
            act: Act::Signature,
            per_device,
            per_fleet,
        };
        Interactions {
            counts: vec![count],
            alone: Alone::default(),
        }
    }

    #[test]
    fn a_ca_is_reduced_if_nothing_of_it_grows_with_the_fleet() {
        let fleet = signed(Party::PublicCa, Phase::Fleet, 0.0, 12.0);
        assert_eq!(reduce_ca(&fleet).word, "Yes");
        let devices = signed(Party::PublicCa, Phase::Renewal, 11.0, 0.0);
        assert_eq!(reduce_ca(&devices).word, "No");
        let vendor = signed(Party::Vendor, Phase::Renewal, 90.0, 0.0);
        assert_eq!(reduce_ca(&vendor).word, "Yes");
        assert_eq!(eliminate_ca(&vendor).word, "No");
        assert_eq!(eliminate_ca(&fleet).word, "Yes");
    }

    fn encounter(client: &'static str, question: Question, outcome: Outcome) -> Encounter {
        Encounter {
            row: "row",
            client,
            question,
            outcome,
        }
    }

    #[test]
    fn clients_count_by_the_least_that_they_need() {
        let refused = || Outcome::Refused("no".into());
        let both = [
            encounter("a", Question::Delivered, refused()),
            encounter("a", Question::AfterStep, Outcome::Connected),
            encounter("b", Question::Delivered, Outcome::Warned("hm".into())),
            encounter("b", Question::AfterStep, Outcome::Unable("memory")),
        ];
        assert_eq!(support(&answers(&both, "a")), Support::AfterStep);
        assert_eq!(support(&answers(&both, "b")), Support::Warning);
        let verdict = support_client(&both, &["a", "b"]);
        assert_eq!(verdict.word, "Some");
        assert_eq!(
            verdict.numbers,
            "of 2 clients 1 after the user's step, 1 with a warning"
        );
    }

    fn encounters(all: &[Encounter], stolen_for: Option<u64>) -> Encounters {
        Encounters {
            all: all.to_vec(),
            stolen_for,
            removal: None,
        }
    }

    #[test]
    fn what_the_user_can_remove_everywhere_is_revocable() {
        let refused = || Outcome::Refused("no".into());
        let all = [
            encounter("a", Question::Delivered, Outcome::Connected),
            encounter("a", Question::Removed, refused()),
        ];
        assert_eq!(revoke(&encounters(&all, None)).word, "Yes");
        let some = [
            encounter("a", Question::Delivered, Outcome::Connected),
            encounter("a", Question::AfterEnd, refused()),
        ];
        let verdict = revoke(&encounters(&some, Some(590_400)));
        assert_eq!(
            (verdict.word, verdict.numbers.as_str()),
            ("Some", "otherwise 1 of 1 after 6.8 d")
        );
        assert_eq!(revoke(&encounters(&all[..1], None)).word, "No");
        let stranger = [encounter("a", Question::Delivered, refused())];
        assert_eq!(revoke(&encounters(&stranger, None)).word, "n/a");
    }
}
