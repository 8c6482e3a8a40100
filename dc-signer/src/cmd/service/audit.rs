//! `dc-signer audit`: whether the audit log is what was written.

use clap::Subcommand;
use dc_signer::authority::database;
use serde_json::json;

use super::error::Error;
use super::place::Place;
use super::print;

/// Check the audit log
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Walk the whole log: no record was changed, removed or put in between, and devices are in the state it says
    Verify(Verify),
}

#[derive(Debug, clap::Args)]
struct Verify {
    #[command(flatten)]
    place: Place,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let What::Verify(Verify { place, json }) = self.what;
        place.with_config(async |config| {
            let (store, _in_use) = database::open(&config).await?;
            let verified = store.verify_audit().await;
            store.close().await;
            let head = verified?;
            match json {
                true => print(&json!({ "records": head.seq, "head": head.hash.to_string() })),
                false => print(&format!(
                    "{} records, none missing or changed; the last one's hash is\n{}",
                    head.seq, head.hash
                )),
            }
        })
    }
}

const HELP: &str = "\
Keep the last hash somewhere else: whoever has the database can write a whole new log, but none that ends in
a hash that you have.

Example:
  dc-signer audit verify --config /etc/dc-signer/config.toml";
