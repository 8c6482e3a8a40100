//! What a handshake costs, what names say, and what a CA answers.

use super::{cells, columns, command, rows};
use crate::clients::Outcome;
use crate::measure::cost::Cost;
use crate::report::Report;
use crate::table::grid::{Grid, Line};

pub(super) fn authority(report: &Report) -> Grid {
    let lines = match report.authority.value() {
        Some(answers) => { answers.iter() }
            .map(|answer| {
                let works = if answer.works { "yes" } else { "no" };
                let texts = vec![
                    answer.rows.join(", "),
                    answer.changed.to_string(),
                    works.to_owned(),
                    answer.came.clone(),
                ];
                Line {
                    name: answer.asked.to_owned(),
                    cells: cells(
                        texts,
                        "cargo run -p dc-solutions -- --measure authority".into(),
                    ),
                    apart: false,
                }
            })
            .collect(),
        None => vec![Line {
            name: "everything".into(),
            cells: cells(
                vec![
                    String::new(),
                    String::new(),
                    String::new(),
                    report.authority.why_not().unwrap_or_default(),
                ],
                "cargo run -p dc-solutions -- --measure authority".into(),
            ),
            apart: false,
        }],
    };
    Grid {
        title: "What a CA of today answers".into(),
        note: "The ACME server is one that nobody here wrote, with the CA that it brings.".into(),
        columns: ["Asked for", "Needed by", "Changed", "Works", "Answered"]
            .map(str::to_owned)
            .to_vec(),
        lines,
    }
}

pub(super) fn raw_key_peers(report: &Report) -> Grid {
    let evidence = "cargo run -p dc-solutions -- --measure raw-key-peers";
    let line = |name: String, text: String| Line {
        name,
        cells: cells(vec![text], evidence.into()),
        apart: false,
    };
    let lines = match report.raw_key_peers.value() {
        Some(attempts) => { attempts.iter() }
            .map(|attempt| line(attempt.how.clone(), outcome(&attempt.outcome)))
            .collect(),
        None => vec![line(
            "everything".into(),
            report.raw_key_peers.why_not().unwrap_or_default(),
        )],
    };
    Grid {
        title: "Raw public keys between rustls and GnuTLS".into(),
        note: "gnutls-cli visits a server of rustls; a client of rustls visits gnutls-serv.".into(),
        columns: ["Command", "What came of it"].map(str::to_owned).to_vec(),
        lines,
    }
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Connected => "the page".to_owned(),
        Outcome::Warned(why) => format!("a warning: {why}"),
        Outcome::Refused(why) => format!("refused: {why}"),
        Outcome::Unable(why) => format!("no way: {why}"),
        Outcome::Failed(why) => format!("not measured: {why}"),
    }
}

pub(super) fn costs(report: &Report) -> Grid {
    let normal = report.rows.iter().find(|row| row.id == "normal");
    let stock = normal.and_then(|row| row.cost.value()).copied();
    let lines = rows(report, |row| {
        let texts = match row.cost.value() {
            Some(cost) => cost_words(cost, stock),
            None => vec![row.cost.why_not().unwrap_or_default(); 4],
        };
        cells(texts, command(row, "cost"))
    });
    Grid {
        title: "A full handshake, with a request and an answer".into(),
        note: "Between two processes over loopback; ratios to normal certificates with stock rustls, in the same run. Certificates are sent \
               as they are: whether they are compressed (RFC 8879) is another question. None has timestamps of transparency logs, \
               of which those under public CAs carry two or three, with more than 100 bytes each."
            .into(),
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

pub(super) fn names(report: &Report) -> Grid {
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
        note: "A name as this run made it; how many of the devices' names anybody can read in what public CAs, or authorities below \
               them, signed, because each such certificate is in certificate transparency logs; and what else is there. Whoever listens at the home's \
               network reads any name in the ClientHello."
            .into(),
        columns: columns(&["For example", "Devices' names published", "Published besides"]),
        lines,
    }
}
