//! `dc-signer operators list`.

use dc_pki::clock;
use dc_pki::time::{Moment, Span};
use dc_signer::authority::json;
use dc_store::registry::Operator;
use pki_types::UnixTime;
use serde_json::json;

use crate::cmd::service::error::Error;
use crate::cmd::service::place::Place;
use crate::cmd::service::print;
use crate::cmd::table::Table;

/// List the operators, and when their tokens and certificates end
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// Print each operator as a JSON object on a line
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(&self) -> Result<(), Error> {
        self.place.with_store(async |store| {
            let operators = store.operators().await?;
            match self.json {
                true => operators
                    .iter()
                    .try_for_each(|one| print(&json!(json::Operator::from(one)))),
                false => print(&table(&operators, clock::now()?)),
            }
        })
    }
}

fn table(operators: &[Operator], now: UnixTime) -> Table<5> {
    let mut table = Table::new([
        &format!("{:23}", "NAME"),
        "ROLE    ",
        "ACCESS     ",
        "STATE   ",
        "ENDS",
    ]);
    for operator in operators {
        let state = match operator.disabled {
            true => "disabled",
            false => "enabled",
        };
        let ends = match operator.expires {
            Some(end) if end <= now => format!("{}, which is over", Moment(end)),
            Some(end) => format!("{}, in {}", Moment(end), Span::about(now, end)),
            None => "never: renew it, so that it does".to_owned(),
        };
        table.row([
            operator.name.to_string(),
            operator.role.to_string(),
            operator.access.kind().to_owned(),
            state.to_owned(),
            ends,
        ]);
    }
    table
}
