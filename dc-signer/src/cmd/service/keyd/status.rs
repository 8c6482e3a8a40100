//! `dc-signer keyd status`: what the process holds, has issued and has refused.

use serde_json::Value;

use super::super::error::Error;
use super::super::print;
use super::ask::Socket;
use crate::cmd::table::Table;
use dc_pki::keys::ProcessFault;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    socket: Socket,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let failed = self.socket.failed();
        let json = self.socket.keyd().status().map_err(&failed)?;
        if self.json {
            return print(&json);
        }
        let status: Value =
            serde_json::from_str(&json).map_err(|_| failed(ProcessFault::Malformed))?;
        print(&zones(&status))?;
        for zone in list(&status["zones"]) {
            let pause = &zone["pause"];
            if let (Some(until), Some(why)) = (pause["until"].as_str(), pause["because"].as_str()) {
                let zone = text(&zone["zone"]);
                print(&format!(
                    "nothing is issued in zone {zone} until {until}: {why}"
                ))?;
            }
        }
        print(&"")?;
        print(&certificates(&status))?;
        print(&"")?;
        if list(&status["pending"]).next().is_some() {
            print(&pending(&status))?;
            print(&"")?;
        }
        print(&refused(&status))?;
        let log = &status["log"];
        print(&format!(
            "its log has {} lines, the last is {}",
            text(&log["seq"]),
            text(&log["last"])
        ))?;
        match &status["checkpoint"] {
            Value::Null => Ok(()),
            log => print(&format!(
                "the checkpoint of {} signed last is of {} records; its key is {}",
                text(&log["origin"]),
                text(&log["size"]),
                text(&log["key"])
            )),
        }
    }
}

fn zones(status: &Value) -> Table<6> {
    let mut table = Table::new(["ZONE", "FORMS", "ROLES", "ISSUED", "MINUTE", "HOUR"]);
    for zone in list(&status["zones"]) {
        let of = |last: &str, most: &str| format!("{}/{}", text(&zone[last]), text(&zone[most]));
        table.row([
            text(&zone["zone"]),
            text(&zone["forms"]),
            text(&zone["roles"]),
            text(&zone["issued"]),
            of("last_minute", "per_minute"),
            of("last_hour", "per_hour"),
        ]);
    }
    table
}

/// The keys that wait for their certificates: 'keyd forget' removes one.
fn pending(status: &Value) -> Table<3> {
    let mut table = Table::new(["KEY THAT WAITS", "ZONE", "SINCE"]);
    for one in list(&status["pending"]) {
        table.row([text(&one["key"]), text(&one["zone"]), text(&one["since"])]);
    }
    table
}

fn certificates(status: &Value) -> Table<5> {
    let mut table = Table::new(["CERTIFICATE", "NAME", "CLIENTS", "ENDS", "USED"]);
    for held in list(&status["certificates"]) {
        let for_clients = held["for_clients"] == true;
        table.row([
            text(&held["sha256"]),
            text(&held["names"]),
            if for_clients { "yes" } else { "no" }.to_owned(),
            text(&held["not_after"]),
            match (held["last_issued"].as_str(), held["used"] == true) {
                (Some(at), _) => at.to_owned(),
                (None, true) => "before".to_owned(),
                (None, false) => "-".to_owned(),
            },
        ]);
    }
    table
}

fn refused(status: &Value) -> String {
    let refused = status["counts"]["refused"].as_object();
    let counts = refused.into_iter().flatten();
    let counts: Vec<String> = counts
        .map(|(why, count)| format!("{why} {count}"))
        .collect();
    match counts.is_empty() {
        true => "nothing was refused".to_owned(),
        false => format!("refused: {}", counts.join(", ")),
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}
