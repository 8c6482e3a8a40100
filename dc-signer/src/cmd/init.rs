//! `dc-signer init`: a vendor for trying out.

use std::fmt;
use std::path::PathBuf;

use dc_pki::names::ZoneName;
use dc_pki::test_ca::{self, CERTIFICATE_LIFETIME, ROOT_LIFETIME, TestRoot};
use dc_pki::time::Moment;
use dc_pki::{Delegation, clock};
use pki_types::UnixTime;

use super::print;
use super::service::work_as_owner;

/// Make a test root and a delegation certificate, for trying out
///
/// Nothing is ever overwritten: a folder that has one of the four files is refused.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    /// The folder to make
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The zone of the devices' names: the certificate is for *.ZONE
    #[arg(long, value_name = "ZONE")]
    zone: String,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Box<dyn std::error::Error>> {
        let zone = ZoneName::parse(&self.zone)?;
        let now = clock::now()?;
        let root = TestRoot::generate(now)?;
        let delegation = root.delegate(&zone, now)?;
        work_as_owner(&self.folder)?;
        let written = test_ca::write(&self.folder, &root, &delegation)?;
        // What was written is only good if `issue` takes it.
        Delegation::load(&self.folder)?;
        Ok(print(&Made {
            zone,
            folder: self.folder,
            written,
            now,
        })?)
    }
}

/// The vendor that was made.
struct Made {
    zone: ZoneName,
    folder: PathBuf,
    written: [PathBuf; 4],
    now: UnixTime,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after = |lifetime| Moment(UnixTime::since_unix_epoch(self.since_epoch() + lifetime));
        let [root, root_key, chain, key] = self.written.each_ref().map(|path| path.display());
        writeln!(f, "made a vendor for {}", self.zone.wildcard())?;
        writeln!(
            f,
            "  {root}: the root that clients trust, until {}",
            after(ROOT_LIFETIME)
        )?;
        writeln!(
            f,
            "  {root_key}: its private key, for another certificate later"
        )?;
        writeln!(
            f,
            "  {chain}: the delegation certificate, until {}",
            after(CERTIFICATE_LIFETIME)
        )?;
        writeln!(f, "  {key}: its private key, which signs the credentials")?;
        write!(
            f,
            "next: dc-signer issue --delegation {} --csr device.csr --out device",
            self.folder.display()
        )
    }
}

impl Made {
    fn since_epoch(&self) -> std::time::Duration {
        std::time::Duration::from_secs(self.now.as_secs())
    }
}

const HELP: &str = "\
Makes, in DIR:
  root.pem      a test root, valid for 10 years: what clients trust
  root-key.pem  its private key (0600). 'issue' never needs it. It is kept because a second
                certificate, for a rollover or another zone, has to be signed by the root that
                your clients already trust. Away from a trial it belongs on another machine.
  chain.pem     the P-256 delegation certificate for *.ZONE, valid for 90 days: what a TLS
                server sends, so without the root
  key.pem       its private key (0600)

Example:
  dc-signer init vendor --zone cpe.example.com";
