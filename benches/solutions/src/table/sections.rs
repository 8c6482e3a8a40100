//! Every table of a run.

use super::draft::{self, Verdicts};
use super::grid::{Cell, Grid, Line};
use super::requirements::{
    EVERY_YEAR, Support, Verdict, answers, eliminate_ca, reduce_ca, revoke, support, support_ca,
    support_client,
};
use super::words::{count, time, time_or_ever};
use super::{reasons, settle};
use crate::clients::Outcome;
use crate::ledger::{Act, Party, Phase};
use crate::measure::authority::Needs;
use crate::measure::cost::Cost;
use crate::measure::encounters::{Encounters, Question};
use crate::measure::interactions::Interactions;
use crate::measure::outage::Outage;
use crate::report::{Measured, Report, RowReport};
use crate::rows::Group;

/// In the order in which they are read.
pub(crate) fn sections(report: &Report) -> Vec<Grid> {
    let mut all = vec![
        table_1(report),
        differences(report),
        interactions(report),
        outages(report),
        authority(report),
        clients(report),
        theft(report),
        twins(report),
        costs(report),
        names(report),
    ];
    all.extend(settle::grids(report));
    all
}

/// What is different from the draft's verdict without a reason that is written down.
pub(crate) fn without_reason(report: &Report) -> Vec<String> {
    let mut missing = Vec::new();
    for row in &report.rows {
        for (requirement, verdict, draft) in verdicts(report, row) {
            if let (Some(verdict), Some(draft)) = (verdict, draft)
                && differs(verdict.word, draft)
                && reasons::of(row.id, requirement).is_none()
            {
                missing.push(format!(
                    "{}, {requirement}: '{}' where the draft says '{draft}', and no reason is written down",
                    row.title, verdict.word
                ));
            }
        }
    }
    missing
}

/// Whether two verdicts say something else, not only in other words.
fn differs(measured: &str, draft: &str) -> bool {
    let first = |verdict: &str| {
        verdict
            .split([',', ' '])
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    first(measured) != first(draft)
}

/// Each requirement with the verdict of the run and of the draft.
type Judged = (&'static str, Option<Verdict>, Option<&'static str>);

fn verdicts(report: &Report, row: &RowReport) -> [Judged; 5] {
    let draft = draft::verdicts(row.id);
    let of = |choose: fn(&Verdicts) -> &'static str| draft.as_ref().map(choose);
    let interactions = row.interactions.value();
    let encounters = row.encounters.value();
    let authority = report.authority.value();
    [
        (
            "R-REDUCE-CA",
            interactions.map(reduce_ca),
            of(|draft| draft.reduce_ca),
        ),
        (
            "R-ELIMINATE-CA",
            interactions.map(eliminate_ca),
            of(|draft| draft.eliminate_ca),
        ),
        (
            "R-SUPPORT-CA",
            authority.map(|answers| support_ca(answers, row.id)),
            of(|draft| draft.support_ca),
        ),
        (
            "R-SUPPORT-CLIENT",
            encounters.map(|of| support_client(&of.all, &unmodified(report))),
            of(|draft| draft.support_client),
        ),
        (
            "R-REVOKE-AUTH",
            encounters.map(|of| revoke(&of.all, of.stolen_for)),
            of(|draft| draft.revoke),
        ),
    ]
}

fn table_1(report: &Report) -> Grid {
    let lines = rows(report, |row| {
        let cells = verdicts(report, row).into_iter().zip([
            "interactions",
            "interactions",
            "authority",
            "clients",
            "clients",
        ]);
        cells
            .map(|((requirement, verdict, draft), measure)| {
                let draft = draft.map_or(String::new(), |draft| format!(" [draft: {draft}]"));
                let text = match verdict {
                    Some(verdict) => format!("{} ({}){draft}", verdict.word, verdict.numbers),
                    None => format!("{}{draft}", why_not(report, row, requirement)),
                };
                Cell::new(text, command(row, measure))
            })
            .collect()
    });
    Grid {
        title: "Table 1, executed".into(),
        note: "Each cell: the verdict by one rule for all rows, the numbers behind it, and the draft's verdict.".into(),
        columns: columns(&["Reduce CA", "Eliminate CA", "Existing CA support", "Existing client support", "Revoke auth"]),
        lines,
    }
}

fn why_not(report: &Report, row: &RowReport, requirement: &str) -> String {
    let why = match requirement {
        "R-SUPPORT-CA" => report.authority.why_not(),
        "R-SUPPORT-CLIENT" | "R-REVOKE-AUTH" => row.encounters.why_not(),
        _ => row.interactions.why_not(),
    };
    why.unwrap_or_default()
}

fn differences(report: &Report) -> Grid {
    let mut lines = Vec::new();
    for row in &report.rows {
        for (requirement, verdict, draft) in verdicts(report, row) {
            let (Some(verdict), Some(draft)) = (verdict, draft) else {
                continue;
            };
            if differs(verdict.word, draft) {
                let reason =
                    reasons::of(row.id, requirement).unwrap_or("no reason is written down");
                lines.push(Line {
                    name: format!("{}, {requirement}", row.title),
                    cells: [verdict.word, draft, reason]
                        .map(|text| Cell::new(text, ""))
                        .to_vec(),
                    apart: false,
                });
            }
        }
    }
    Grid {
        title: "Where the run contradicts the draft".into(),
        note: "Verdicts that differ, not only in their words.".into(),
        columns: ["Cell", "Run", "Draft", "Reason"]
            .map(str::to_owned)
            .to_vec(),
        lines,
    }
}

fn interactions(report: &Report) -> Grid {
    let lines = rows(report, |row| {
        let texts = match row.interactions.value() {
            Some(of) => phases(of),
            None => vec![row.interactions.why_not().unwrap_or_default(); 5],
        };
        cells(texts, command(row, "interactions"))
    });
    Grid {
        title: "Who is asked, and who signs".into(),
        note: "Requests and signatures (r and s), by public CA, vendor, the home's own CA, and steps that the user does. Measured \
               with one device and with three, through a virtual year; what grows is each device's, what stays is the fleet's."
            .into(),
        columns: columns(&["First issue", "A year of renewals", "Replacement", "The fleet, a year", "10^6 devices, a year after the first"]),
        lines,
    }
}

fn phases(of: &Interactions) -> Vec<String> {
    let one = |phase| {
        asked(|party, act| {
            let total = |devices| of.total(party, act, &[phase], devices);
            total(1.0) - total(0.0)
        })
    };
    let year = |devices| asked(|party, act| of.total(party, act, &EVERY_YEAR, devices));
    vec![
        one(Phase::FirstIssue),
        one(Phase::Renewal),
        one(Phase::Replacement),
        year(0.0),
        year(1e6),
    ]
}

/// Who is asked how often and signs how often, in short.
fn asked(total: impl Fn(Party, Act) -> f64) -> String {
    let parts = PARTIES.into_iter().filter_map(|(party, name)| {
        let unit = match party {
            Party::User => " steps",
            _ => " r",
        };
        let acts = [(Act::Request, unit), (Act::Signature, " s")]
            .map(|(act, unit)| (total(party, act), unit));
        let acts = acts.into_iter().filter(|(number, _)| number.abs() > 0.04);
        let acts: Vec<String> = acts
            .map(|(number, unit)| format!("{}{unit}", count(number)))
            .collect();
        (!acts.is_empty()).then(|| format!("{name} {}", acts.join(" + ")))
    });
    let parts: Vec<String> = parts.collect();
    match parts.is_empty() {
        true => "nobody".to_owned(),
        false => parts.join("; "),
    }
}

const PARTIES: [(Party, &str); 4] = [
    (Party::PublicCa, "CA"),
    (Party::Vendor, "vendor"),
    (Party::Home, "home"),
    (Party::User, "user"),
];

fn outages(report: &Report) -> Grid {
    let lines = rows(report, |row| {
        let mut texts: Vec<String> = match row.outages.value() {
            Some(outages) => OUTAGES
                .map(|(party, days)| outage(outages, party, days))
                .to_vec(),
            None => vec![row.outages.why_not().unwrap_or_default(); OUTAGES.len()],
        };
        let mut evidence = vec![command(row, "outages"); OUTAGES.len()];
        let alone = row.interactions.value().map(|of| of.alone);
        texts.push(alone.map_or_else(
            || row.interactions.why_not().unwrap_or_default(),
            |alone| {
                format!(
                    "{} to {}",
                    time_or_ever(alone.at_least),
                    time_or_ever(alone.at_most)
                )
            },
        ));
        evidence.push(command(row, "interactions"));
        texts
            .into_iter()
            .zip(evidence)
            .map(|(text, evidence)| Cell::new(text, evidence))
            .collect()
    });
    Grid {
        title: "When somebody is away, and when the home has no Internet".into(),
        note: "An outage begins at the worst moment, when something is due. Time: how long the device that it hits worst has \
               nothing valid. Share: of a fleet whose renewals are spread evenly. Alone: how long a device goes on when nobody \
               can be reached any more, at its next renewal and right after the last."
            .into(),
        columns: columns(&["CA away 3 d", "CA away 30 d", "Vendor away 3 d", "Vendor away 30 d", "Alone"]),
        lines,
    }
}

fn outage(outages: &[Outage], party: Party, days: u64) -> String {
    let found = outages
        .iter()
        .find(|outage| (outage.party, outage.days) == (party, days));
    match found {
        None => "not measured".to_owned(),
        Some(outage) if !outage.needed => "not needed".to_owned(),
        Some(outage) if outage.down == 0 => "nothing lost".to_owned(),
        Some(outage) => format!(
            "{}, {:.0} % of the fleet",
            time(outage.down),
            100.0 * outage.share
        ),
    }
}

/// What is measured of outages.
pub(crate) const OUTAGES: [(Party, u64); 4] = [
    (Party::PublicCa, 3),
    (Party::PublicCa, 30),
    (Party::Vendor, 3),
    (Party::Vendor, 30),
];

fn authority(report: &Report) -> Grid {
    let lines = match report.authority.value() {
        Some(answers) => { answers.iter() }
            .map(|answer| {
                let needs = match answer.needs {
                    Needs::Nothing => "nothing".to_owned(),
                    Needs::Configuration(lines) => format!("{lines} lines of configuration"),
                    Needs::Program => "its program, or what it sells".to_owned(),
                };
                let texts = vec![answer.rows.join(", "), answer.answered.clone(), needs];
                Line {
                    name: answer.asked.clone(),
                    cells: cells(texts, "dc-solutions --measure authority".into()),
                    apart: false,
                }
            })
            .collect(),
        None => vec![Line {
            name: "everything".into(),
            cells: cells(
                vec![
                    String::new(),
                    report.authority.why_not().unwrap_or_default(),
                    String::new(),
                ],
                "dc-solutions --measure authority".into(),
            ),
            apart: false,
        }],
    };
    Grid {
        title: "What a CA of today answers".into(),
        note: "The ACME server is one that nobody here wrote, with the CA that it brings.".into(),
        columns: [
            "Asked for",
            "Needed by",
            "Answered",
            "What it has to change",
        ]
        .map(str::to_owned)
        .to_vec(),
        lines,
    }
}

fn clients(report: &Report) -> Grid {
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
                .or(answers.get(&Question::Delivered))
            {
                Some(Outcome::Refused(why) | Outcome::Warned(why)) => format!("no: {why}"),
                Some(Outcome::Unable(why)) => format!("no: {why}"),
                Some(Outcome::Connected) | None => "no".to_owned(),
            },
        },
    )
}

fn theft(report: &Report) -> Grid {
    by_client(
        report,
        "A stolen device, after the theft was reported",
        "How long each client goes on accepting it if nothing is done at the client, in virtual time; then, where there is one, \
         with the list of what is revoked (given to the client by hand), and after the user removed what made it acceptable.",
        |encounters, answers| {
            if !super::requirements::connects_at_all(answers) {
                return "–".to_owned();
            }
            let refused = |question| match answers.get(&question) {
                Some(Outcome::Refused(_) | Outcome::Warned(_)) => Some(true),
                Some(Outcome::Connected) => Some(false),
                Some(Outcome::Unable(_)) | None => None,
            };
            let alone = match (encounters.stolen_for, refused(Question::AfterEnd)) {
                (Some(seconds), Some(true)) => time(seconds),
                (Some(_), _) => "accepted after its end".to_owned(),
                (None, _) => "for ever".to_owned(),
            };
            let more = [(Question::Listed, "list"), (Question::Removed, "removed")];
            let more = more.into_iter().filter_map(|(question, word)| {
                refused(question).map(|refused| match refused {
                    true => format!("; {word}: at once"),
                    false => format!("; {word}: no help"),
                })
            });
            std::iter::once(alone).chain(more).collect()
        },
    )
}

fn twins(report: &Report) -> Grid {
    let lines = rows(report, |row| {
        let texts = match row.encounters.value() {
            Some(of) => [Question::Twin, Question::TwinAtFirst, Question::Forged]
                .map(|question| who_accepts(of, question))
                .to_vec(),
            None => vec![row.encounters.why_not().unwrap_or_default(); 3],
        };
        cells(texts, command(row, "clients"))
    });
    Grid {
        title: "The evil twin, and a thief who has every key of the device".into(),
        note: "The twin is another device of the same vendor, with nothing but what it got itself, under the first one's name: once \
               the client knows the device, and at the first connection with a user who accepts every warning. The thief tries to \
               be a site in the Internet."
            .into(),
        columns: columns(&["Twin gets in with", "At first connection", "Thief as another site"]),
        lines,
    }
}

fn who_accepts(encounters: &Encounters, question: Question) -> String {
    let asked = encounters.all.iter().filter(|one| one.question == question);
    let able = asked.filter(|one| !matches!(one.outcome, Outcome::Unable(_)));
    let able: Vec<_> = able.collect();
    if able.is_empty() {
        return match question {
            Question::Forged => "no key on it signs for others".to_owned(),
            _ => "no other connection: nothing is learnt at the first".to_owned(),
        };
    }
    let accept: Vec<&str> = { able.iter() }
        .filter(|one| one.outcome == Outcome::Connected)
        .map(|one| one.client)
        .collect();
    match accept.is_empty() {
        true => format!("nobody of {}", able.len()),
        false if accept.len() == able.len() => format!("all {}", able.len()),
        false => accept.join(", "),
    }
}

fn costs(report: &Report) -> Grid {
    let stock = report
        .rows
        .first()
        .and_then(|row| row.cost.value())
        .copied();
    let lines = rows(report, |row| {
        let texts = match row.cost.value() {
            Some(cost) => cost_words(cost, stock),
            None => vec![row.cost.why_not().unwrap_or_default(); 4],
        };
        cells(texts, command(row, "cost"))
    });
    Grid {
        title: "A full handshake, with a request and an answer".into(),
        note: "Between two processes over loopback; ratios to normal certificates with stock rustls, in the same run.".into(),
        columns: columns(&["Client sends", "Server sends", "Client's processor", "Server's processor"]),
        lines,
    }
}

fn cost_words(cost: &Cost, stock: Option<Cost>) -> Vec<String> {
    let ratio = |own: f64, of: fn(&Cost) -> f64| match &stock {
        Some(stock) if of(stock) > 0.0 => format!(" ({:.2})", own / of(stock)),
        _ => String::new(),
    };
    let bytes = |own: u64, of: fn(&Cost) -> f64| format!("{own} B{}", ratio(own as f64, of));
    let processor = |own: f64, of: fn(&Cost) -> f64| format!("{own:.0} µs{}", ratio(own, of));
    vec![
        bytes(cost.client_bytes, |cost| cost.client_bytes as f64),
        bytes(cost.server_bytes, |cost| cost.server_bytes as f64),
        processor(cost.client_processor, |cost| cost.client_processor),
        processor(cost.server_processor, |cost| cost.server_processor),
    ]
}

fn names(report: &Report) -> Grid {
    let lines = rows(report, |row| {
        let texts = match row.names.value() {
            Some(names) => vec![
                names.example.clone(),
                format!("{} of {}", names.published, names.devices),
                match names.instead.is_empty() {
                    true => "nothing".to_owned(),
                    false => names.instead.join(", "),
                },
            ],
            None => vec![row.names.why_not().unwrap_or_default(); 3],
        };
        cells(texts, command(row, "names"))
    });
    Grid {
        title: "What the name says about its owner".into(),
        note: "A name as this run made it; how many of the devices' names anybody can read in what public CAs signed, because each \
               such certificate is in certificate transparency logs; and what else is there. Whoever listens at the home's \
               network reads any name in the ClientHello."
            .into(),
        columns: columns(&["For example", "Devices' names published", "Published besides"]),
        lines,
    }
}

/// A table with a column for each client; the last is the client that knows the solution.
fn by_client(
    report: &Report,
    title: &str,
    note: &str,
    say: impl Fn(&Encounters, &std::collections::BTreeMap<Question, Outcome>) -> String,
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

/// The clients as they are delivered, in the order in which they were asked.
fn unmodified(report: &Report) -> Vec<&'static str> {
    let clients = report.programs.iter().filter(|program| program.is_client);
    clients.map(|program| program.name).collect()
}

fn rows(report: &Report, cells: impl Fn(&RowReport) -> Vec<Cell>) -> Vec<Line> {
    let mut newer = false;
    let lines = report.rows.iter().map(|row| {
        let apart = row.group == Group::Newer && !newer;
        newer |= row.group == Group::Newer;
        Line {
            name: row.title.to_owned(),
            cells: cells(row),
            apart,
        }
    });
    lines.collect()
}

fn columns(names: &[&str]) -> Vec<String> {
    std::iter::once(&"Solution")
        .chain(names)
        .map(|name| (*name).to_owned())
        .collect()
}

fn cells(texts: Vec<String>, evidence: String) -> Vec<Cell> {
    texts
        .into_iter()
        .map(|text| Cell::new(text, evidence.clone()))
        .collect()
}

fn command(row: &RowReport, measure: &str) -> String {
    format!(
        "cargo run -p dc-solutions -- --row {} --measure {measure}",
        row.id
    )
}
