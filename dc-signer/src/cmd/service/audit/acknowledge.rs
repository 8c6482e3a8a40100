//! `dc-signer audit acknowledge`.

use dc_store::registry::{Role, Sha256};

use crate::cmd::service::error::Error;
use crate::cmd::service::place::{Acting, Why};
use crate::cmd::service::print;

/// The mismatch, and why it may stay.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    acting: Acting,
    /// The digest that 'audit verify' prints under the mismatch
    #[arg(value_parser = digest)]
    digest: Sha256,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let (needed, why) = (Role::Admin, Some(&self.why.reason));
        self.acting.with_store(needed, why, async |_, store, who| {
            let finding = store.acknowledge(&self.digest, &who.act()?).await?;
            print(&match &finding.acknowledged {
                None => format!("acknowledged: {}", finding.error),
                Some(known) => format!(
                    "nothing was changed: {} has acknowledged it in record {} ({}): {}",
                    known.by, known.record, known.reason, finding.error
                ),
            })
        })
    }
}

fn digest(text: &str) -> Result<Sha256, String> {
    text.parse().map_err(|_| {
        "it is no digest: give the 64 hexadecimal digits that 'audit verify' prints".to_owned()
    })
}
