//! `dc-signer codes`: activation codes, to be typed or scanned.

use std::fmt;

use clap::Subcommand;
use dc_signer::Error;
use dc_signer::human::Moment;
use dc_signer::protocol::Code;
use pki_types::UnixTime;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use super::place::{Place, act};
use super::print;

/// Make activation codes
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a code for a device that has not enrolled; one made before stops being good
    New(New),
}

#[derive(Debug, clap::Args)]
struct New {
    /// The device: its external id, its id or its name
    device: String,
    #[command(flatten)]
    place: Place,
    /// Print the code as JSON
    #[arg(long)]
    json: bool,
    /// Print no QR code
    #[arg(long)]
    no_qr: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let What::New(new) = self.what;
        new.place.with_desk(async |open| {
            let device = open.device(&new.device).await?;
            let code = open.desk.new_code(device.id, &act()?).await?;
            match new.json {
                true => print(&serde_json::json!(code)),
                false => print(&Shown {
                    code: &code,
                    qr: !new.no_qr,
                }),
            }
        })
    }
}

/// A code, the one time that it is shown.
pub(super) struct Shown<'a> {
    pub(super) code: &'a Code,
    pub(super) qr: bool,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Code { code, expires } = self.code;
        // What does not fit into a QR code is no code of ours.
        if self.qr
            && let Ok(qr) = QrCode::new(code.as_bytes())
        {
            writeln!(f, "{}", qr.render::<Dense1x2>().build())?;
        }
        let expires = UnixTime::since_unix_epoch(std::time::Duration::from_secs(*expires));
        write!(
            f,
            "{code}\ngood once, until {}; it is shown once and kept nowhere",
            Moment(expires)
        )
    }
}

const HELP: &str = "\
Example:
  dc-signer codes new customer-1 --config /etc/dc-signer/config.toml";
