//! What clients do: with the device, a stolen one, a twin and a thief.

use std::collections::BTreeMap;

use super::{cells, columns, command, rows, unmodified};
use crate::clients::Outcome;
use crate::measure::encounters::{Encounters, Question};
use crate::report::Report;
use crate::table::grid::Grid;
use crate::table::requirements::{Support, answers, connects, heeds_list, refuses, support};
use crate::table::words::time;

pub(super) fn clients(report: &Report) -> Grid {
    by_client(
        report,
        "Clients",
        "Yes: the page without a word, as delivered. Step: without a word after what the solution asks of users. Warning: after a \
         warning that the user accepts. Otherwise the client's error.",
        |_, answers| match support(answers) {
            Support::Delivered => "yes".to_owned(),
            Support::AfterStep => "step".to_owned(),
            Support::Warning => "warning".to_owned(),
            Support::No => match answers
                .get(&Question::AfterStep)
                .or_else(|| answers.get(&Question::Delivered))
            {
                Some(Outcome::Refused(why) | Outcome::Warned(why)) => format!("no: {why}"),
                Some(Outcome::Unable(why)) => format!("no: {why}"),
                Some(Outcome::Failed(why)) => format!("not measured: {why}"),
                Some(Outcome::Connected) | None => "no".to_owned(),
            },
        },
    )
}

pub(super) fn theft(report: &Report) -> Grid {
    by_client(
        report,
        "A stolen device, after the theft was reported",
        "How long each client goes on accepting it if nothing is done at the client, in virtual time; then, where there is one, \
         with the list of what is revoked (given to the client by hand), and after the user removed what made it acceptable: then a client refuses, or warns as of \
         a stranger. Of public CAs' revocations, Firefox learns by itself within a day or so (CRLite), and Chromium of some (CRLSets); \
         no CA of a laboratory is in those lists, so that their times for certificates under public CAs are upper bounds.",
        stolen_from,
    )
}

fn stolen_from(encounters: &Encounters, answers: &BTreeMap<Question, Outcome>) -> String {
    if !connects(answers) {
        return "–".to_owned();
    }
    let alone = match encounters.stolen_for {
        _ if refuses(answers, Question::Reported) => return "at once".to_owned(),
        Some(seconds) if refuses(answers, Question::AfterEnd) => time(seconds),
        Some(_) => "accepted after its end".to_owned(),
        None => "for ever".to_owned(),
    };
    let list = match refuses(answers, Question::Listed) {
        true if heeds_list(answers) => "; list: at once",
        true => "; list: refuses every device",
        false => "",
    };
    let removed = match refuses(answers, Question::Removed) {
        true => "; removed: at once",
        false => "",
    };
    format!("{alone}{list}{removed}")
}

pub(super) fn twins(report: &Report) -> Grid {
    let lines = rows(report, |row| {
        let texts = match row.encounters.value() {
            Some(of) => [
                Question::Twin,
                Question::TwinAtFirst,
                Question::Forged,
                Question::Outside,
            ]
            .map(|question| who_accepts(of, question))
            .to_vec(),
            None => vec![row.encounters.why_not().unwrap_or_default(); 4],
        };
        cells(texts, command(row, "clients"))
    });
    Grid {
        title: "The evil twin, and a thief who has every key of the device".into(),
        note: "The twin is another device of the same vendor, with nothing but what it got itself, under the first one's name: once \
               the client knows the device, and at the first connection with a user who accepts every warning. The thief tries to \
               be a site in the Internet."
            .into(),
        columns: columns(&["Twin gets in with", "At first connection", "Thief as another site", "Broken vendor's authority as another site"]),
        lines,
    }
}

fn who_accepts(encounters: &Encounters, question: Question) -> String {
    let asked = encounters.all.iter().filter(|one| one.question == question);
    let able = asked.filter(|one| !matches!(one.outcome, Outcome::Unable(_) | Outcome::Failed(_)));
    let able: Vec<_> = able.collect();
    if able.is_empty() {
        return match question {
            Question::Forged if takes_twin(encounters) => {
                "no; as any other device of the vendor, for which its own key is as good".to_owned()
            }
            Question::Forged => "no key on it signs for others".to_owned(),
            Question::Outside => "the vendor has no authority for other sites".to_owned(),
            _ => "nothing is learnt at the first".to_owned(),
        };
    }
    let of = |wanted: fn(&Outcome) -> bool| {
        let clients = able.iter().filter(|one| wanted(&one.outcome));
        clients.map(|one| one.client).collect::<Vec<_>>()
    };
    let accept = of(|outcome| *outcome == Outcome::Connected);
    let warn = of(|outcome| matches!(outcome, Outcome::Warned(_)));
    let accept = match accept.len() {
        0 => format!("nobody of {}", able.len()),
        all if all == able.len() => format!("all {all}"),
        _ => accept.join(", "),
    };
    match (warn.len(), same_as_device(encounters, question)) {
        (0, _) => accept,
        (some, 0) => format!("{accept}; {some} after a warning"),
        (some, same) if some == same => {
            format!("{accept}; {some} after the warning that the device gets too")
        }
        (some, same) => {
            format!("{accept}; {some} after a warning, of {same} the one that the device gets too")
        }
    }
}

/// Whether a client that knows the device takes another one for it.
fn takes_twin(encounters: &Encounters) -> bool {
    let mut twins = { encounters.all.iter() }.filter(|one| one.question == Question::Twin);
    twins.any(|one| one.outcome == Outcome::Connected)
}

/// How many clients warn of this as they do of the device itself, so that users cannot tell one from the other.
fn same_as_device(encounters: &Encounters, question: Question) -> usize {
    let of_device = match question {
        Question::Twin => [Question::AfterStep, Question::Delivered],
        Question::TwinAtFirst => [Question::AcceptsWarning, Question::Delivered],
        _ => return 0,
    };
    let asked = encounters.all.iter().filter(|one| one.question == question);
    let same = asked.filter(|one| {
        let of_client = answers(&encounters.all, one.client);
        let device = of_device
            .iter()
            .find_map(|question| of_client.get(question));
        matches!(one.outcome, Outcome::Warned(_)) && device == Some(&one.outcome)
    });
    same.count()
}

/// A table with a column for each client; the last is the client that knows the solution.
fn by_client(
    report: &Report,
    title: &str,
    note: &str,
    say: impl Fn(&Encounters, &BTreeMap<Question, Outcome>) -> String,
) -> Grid {
    let unmodified = unmodified(report);
    let lines = rows(report, |row| {
        let Some(of) = row.encounters.value() else {
            let why = row.encounters.why_not().unwrap_or_default();
            return cells(vec![why; unmodified.len() + 1], command(row, "clients"));
        };
        let said = |client: &str| {
            let answers = answers(&of.all, client);
            match answers.is_empty() {
                true => "–".to_owned(),
                false => say(of, &answers),
            }
        };
        let mut texts: Vec<String> = unmodified.iter().map(|client| said(client)).collect();
        let own = of
            .all
            .iter()
            .map(|one| one.client)
            .find(|client| !unmodified.contains(client));
        texts.push(own.map_or_else(|| "–".to_owned(), said));
        cells(texts, command(row, "clients"))
    });
    let mut names = unmodified.clone();
    names.push("one that knows it");
    Grid {
        title: title.into(),
        note: note.into(),
        columns: columns(&names),
        lines,
    }
}
