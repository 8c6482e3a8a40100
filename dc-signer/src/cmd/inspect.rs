//! `dc-signer inspect`: what files hold, and what a peer would refuse of it.

use std::fmt;
use std::path::PathBuf;

use dc_inspect::report::{Inspected, inspect};
use dc_pki::clock;
use pki_types::UnixTime;
use serde_json::{Value, json};

use super::Error;
use super::passphrase::Passphrase;
use super::{print, provider};

/// Show what certificates, credentials, requests, keys and folders of them are, and what a peer
/// would refuse
///
/// Takes certificates and chains, credentials of both forms, certificate signing requests, public and
/// private keys, in PEM or bare, the identity folders of devices and the folder of a vendor. Of a
/// private key it shows the type and what it belongs to, and nothing else.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    /// Files and folders
    #[arg(value_name = "FILE", required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    passphrase: Passphrase,
    /// Print a JSON array with an object for each FILE
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let now = clock::now()?;
        let results = inspect(&self.paths, &self.passphrase.unlock(), &provider(), now);
        let of = results.len();
        let is_bad = |result: &&Result<Inspected, dc_inspect::Error>| !matches!(result, Ok(inspected) if !inspected.is_refused());
        let refused = results.iter().filter(is_bad).count();
        match self.json {
            true => print(&to_json(&self.paths, &results, now))?,
            false => show(results, now)?,
        }
        match refused {
            0 => Ok(()),
            refused => Err(Error::WouldBeRefused { refused, of }),
        }
    }
}

fn to_json(
    paths: &[PathBuf],
    results: &[Result<Inspected, dc_inspect::Error>],
    now: UnixTime,
) -> Value {
    let object = |(path, result): (&PathBuf, &Result<Inspected, dc_inspect::Error>)| match result {
        Ok(inspected) => inspected.to_json(now),
        Err(error) => json!({
            "path": path.display().to_string(),
            "error": error.to_string(),
        }),
    };
    paths.iter().zip(results).map(object).collect()
}

/// Shows what can be read on standard output, and what cannot on standard error.
fn show(results: Vec<Result<Inspected, dc_inspect::Error>>, now: UnixTime) -> Result<(), Error> {
    let only_one = results.len() == 1;
    for result in results {
        match result {
            Ok(inspected) => print(&Table { inspected, now })?,
            // The one line is main's to print.
            Err(error) if only_one => return Err(error.into()),
            Err(error) => eprintln!("error: {error}"),
        }
    }
    Ok(())
}

struct Table {
    inspected: Inspected,
    now: UnixTime,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inspected {
            path, kind, parts, ..
        } = &self.inspected;
        writeln!(f, "{}: {kind}", path.display())?;
        for part in parts {
            writeln!(f, "\n{}", part.sheet(self.now))?;
        }
        Ok(())
    }
}

const HELP: &str = "\
Files that are named together are looked at together: a credential is judged with the certificate
that signed it, whichever FILE that is in, or with a chain.pem beside it. The first certificate of
a file in which not all are CAs', and of a folder's chain.pem, is judged as a delegation certificate,
as a server presents it, or a client if it is for clients alone; the others have to follow, each
behind the one that it signed. Whether the chain is trusted is for 'verify --roots' to say.

Examples:
  dc-signer inspect device
  dc-signer inspect vendor/chain.pem credential.pem
  dc-signer inspect --json /srv/identities/*

Exit status: 0 nothing would be refused; 1 something would be, or cannot be read; 2 wrong usage.";
