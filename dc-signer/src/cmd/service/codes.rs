//! `dc-signer codes`: activation codes, to be typed or scanned.

use std::fmt;

use clap::Subcommand;
use dc_pki::time::Moment;
use dc_signer::authority::json::Code;
use dc_store::registry::{DeviceId, Role};
use pki_types::UnixTime;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::json;

use super::error::Error;
use super::place::{Acting, Actor, Open};
use super::print;
use super::rest::Rest;
use super::selection::Which;

/// Make activation codes
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make codes for devices that have not enrolled; one made before stops being good
    New(New),
}

#[derive(Debug, clap::Args)]
struct New {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    acting: Acting,
    /// Print the codes as JSON, one a line, with a problem for each device that gets none
    #[arg(long)]
    json: bool,
    /// Print no QR code
    #[arg(long)]
    no_qr: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let What::New(new) = self.what;
        let devices = new.which.read()?;
        let needed = Role::Operator;
        new.acting
            .with_authority(needed, None, async |open, who| match &devices[..] {
                [device] => new.one(open, who, device).await,
                devices => new.many(open, who, devices).await,
            })
    }
}

impl New {
    async fn one(&self, open: &Open, who: &Actor, device: &str) -> Result<(), Error> {
        let device = open.device(device).await?;
        let code = open.authority.new_code(device.id, &who.act()?).await?;
        match self.json {
            true => print(&json!(code)),
            false => print(&Shown {
                code: &code,
                qr: !self.no_qr,
            }),
        }
    }

    /// All in one transaction; QR codes of many would be a mess.
    async fn many(&self, open: &Open, who: &Actor, devices: &[String]) -> Result<(), Error> {
        let mut rest = Rest::of(devices.len());
        let mut found = Vec::with_capacity(devices.len());
        for device in devices {
            found.extend(rest.keep(device, open.device(device).await)?);
        }
        let ids: Vec<DeviceId> = found.iter().map(|device| device.id).collect();
        let codes = open.authority.new_codes(&ids, &who.act()?).await?;
        for (device, code) in found.iter().zip(codes) {
            let external_id = device.external_id.as_str();
            let code = code.map_err(|source| dc_store::Error::Refused { source }.into());
            match rest.keep(external_id, code)? {
                Some(Code { code, expires }) if self.json => {
                    print(&json!({"external_id": external_id, "code": code, "expires": expires}))?;
                }
                Some(code) => print(&format!("{external_id} {}", code.code))?,
                None => {}
            }
        }
        rest.end(self.json)
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
Examples:
  dc-signer codes new customer-1 --config /etc/dc-signer/config.toml
  dc-signer codes new customer-1 customer-2 --json --config /etc/dc-signer/config.toml
  dc-signer codes new --file customers.txt --config /etc/dc-signer/config.toml";
