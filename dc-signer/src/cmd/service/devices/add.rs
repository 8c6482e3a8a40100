//! `dc-signer devices add`: one, or a file of them.

mod lines;

use std::fs::File;
use std::io::{self, IsTerminal, Read, stdin};
use std::path::{Path, PathBuf};
use std::time::Duration;

use dc_pki::names::ZoneName;
use dc_pki::time::Moment;
use dc_protocol::{Kind, Problem};
use dc_signer::authority;
use dc_signer::authority::json::{AddLine, AddedDevice, NewDevice, RefusedLine};
use dc_store::owner;
use dc_store::registry::{Role, Sha256};
use indicatif::{ProgressBar, ProgressStyle};
use pki_types::UnixTime;
use serde_json::json;

use crate::cmd::service::codes::Shown;
use crate::cmd::service::error::Error;
use crate::cmd::service::place::{Acting, Actor, Open};
use crate::cmd::service::print;
use lines::{Line, Lines};

/// Add devices; adding the same ones again changes nothing
///
/// A file has one JSON object a line: external_id, and, if wanted, zone, slot, manufacturer, serial,
/// enrolment_key, code (true for an activation code in the answer). A bad line stops no other; then the exit
/// status is 1. A load that broke off can be started over.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What you call the device
    #[arg(
        value_name = "EXTERNAL_ID",
        required_unless_present = "file",
        conflicts_with = "file"
    )]
    external_id: Option<String>,
    /// A file with one device a line; - is standard input
    #[arg(long, value_name = "NDJSON")]
    file: Option<PathBuf>,
    /// Its zone; may be left out when there is one only. With a file, that of each line that names none
    #[arg(long, value_parser = ZoneName::parse)]
    zone: Option<ZoneName>,
    /// Which of a customer's devices it is
    #[arg(long, default_value_t = 0, conflicts_with = "file")]
    slot: u32,
    /// The manufacturer whose certificate it enrols with
    #[arg(long, requires = "serial", conflicts_with = "file")]
    manufacturer: Option<String>,
    /// The serial number in that certificate
    #[arg(long, requires = "manufacturer", conflicts_with = "file")]
    serial: Option<String>,
    /// The SHA-256 of its enrolment key: then it needs not enrol
    #[arg(long, value_name = "SHA256", conflicts_with = "file")]
    enrolment_key: Option<Sha256>,
    /// Make an activation code; with a file, for each line
    #[arg(long)]
    code: bool,
    #[command(flatten)]
    acting: Acting,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let needed = Role::Operator;
        self.acting.with_authority(needed, None, async |open, who| {
            self.check_zone(open).await?;
            match &self.file {
                Some(path) => self.load(open, who, path).await,
                None => self.one(open, who).await,
            }
        })
    }

    /// A wrong zone is said once, and not for each line.
    async fn check_zone(&self, open: &Open) -> Result<(), Error> {
        let Some(zone) = &self.zone else {
            return Ok(());
        };
        match open
            .store
            .zones()
            .await?
            .iter()
            .any(|managed| managed.zone == *zone)
        {
            true => Ok(()),
            false => Err(Error::NoZone {
                zone: zone.clone(),
                config: self.acting.place.config.clone(),
            }),
        }
    }

    fn zone(&self) -> Option<String> {
        self.zone.as_ref().map(ToString::to_string)
    }

    async fn one(&self, open: &Open, who: &Actor) -> Result<(), Error> {
        let new = NewDevice {
            external_id: self.external_id.clone().unwrap_or_default(),
            zone: self.zone(),
            slot: self.slot,
            manufacturer: self.manufacturer.clone(),
            serial: self.serial.clone(),
            enrolment_key: self.enrolment_key.as_ref().map(Sha256::to_string),
            code: self.code,
        };
        let mut added = open.authority.add_devices(&[&new], &who.act()?).await?;
        let Some(added) = added.pop().transpose()? else {
            return Ok(());
        };
        if self.json {
            return print(&json!(added));
        }
        let AddedDevice {
            external_id,
            name,
            state,
            ..
        } = &added;
        let note = match added.created {
            true => String::new(),
            false => format!(", was added before, and is {state}"),
        };
        print(&format!("{external_id} is {name}{note}"))?;
        match &added.code {
            Some(code) => print(&Shown { code, qr: true }),
            None => self.why_no_code(&added),
        }
    }

    /// Somebody who asked for a code and sees none has to know what to do.
    fn why_no_code(&self, added: &AddedDevice) -> Result<(), Error> {
        let config = self.acting.place.config.display();
        let name = &added.external_id;
        match added.earlier_code_until {
            Some(until) => print(&format!(
                "the code that was made for it before is good until {}; it is kept nowhere, so if it is lost make another with \
                 'dc-signer codes new {name} --config {config}'",
                moment(until)
            )),
            None if self.code => {
                print(&"it gets no code: only a device that is preregistered does")
            }
            None => Ok(()),
        }
    }

    async fn load(&self, open: &Open, who: &Actor, path: &Path) -> Result<(), Error> {
        let (input, len) = input(path)?;
        let bar = progress(len);
        let mut total = Total::default();
        let mut lines = Lines::new(input, path);
        loop {
            let (mut batch, read) = lines.batch()?;
            if read == 0 {
                break;
            }
            for new in batch.iter_mut().filter_map(|(_, new)| new.as_mut().ok()) {
                new.code |= self.code;
                new.zone = new.zone.take().or_else(|| self.zone());
            }
            for line in add(open, who, batch).await? {
                total.count(&line);
                self.show(&bar, &line)?;
            }
            bar.inc(read);
        }
        bar.finish_and_clear();
        total.end(self)
    }

    fn show(&self, bar: &ProgressBar, line: &AddLine) -> Result<(), Error> {
        if self.json {
            return print(&json!(line));
        }
        match line {
            AddLine::Added(
                added @ AddedDevice {
                    earlier_code_until: Some(_),
                    ..
                },
            ) => {
                bar.suspend(|| eprintln!("{}: has a code from before", added.external_id));
                Ok(())
            }
            AddLine::Added(AddedDevice { code: None, .. }) => Ok(()),
            AddLine::Added(AddedDevice {
                external_id,
                code: Some(code),
                ..
            }) => print(&format!("{external_id} {}", code.code)),
            AddLine::Refused(RefusedLine { line, problem }) => {
                bar.suspend(|| eprintln!("line {line}: {}", problem.detail));
                Ok(())
            }
        }
    }
}

async fn add(open: &Open, who: &Actor, batch: Vec<Line>) -> Result<Vec<AddLine>, Error> {
    let good: Vec<&NewDevice> = batch
        .iter()
        .filter_map(|(_, new)| new.as_ref().ok())
        .collect();
    let mut added = open
        .authority
        .add_devices(&good, &who.act()?)
        .await?
        .into_iter();
    let lines = batch.iter().map(|(line, new)| {
        let outcome = match new {
            Ok(_) => added.next().transpose().map_err(|refusal| text(&refusal)),
            Err(error) => Err(error.clone()),
        };
        match outcome {
            Ok(Some(device)) => AddLine::Added(AddedDevice {
                line: *line,
                ..device
            }),
            Ok(None) => refused(*line, "it was not added".to_owned()),
            Err(detail) => refused(*line, detail),
        }
    });
    Ok(lines.collect())
}

fn text(refusal: &authority::Error) -> String {
    refusal.to_string()
}

fn refused(line: usize, detail: String) -> AddLine {
    let problem = Problem::new(Kind::BadRequest, detail);
    AddLine::Refused(RefusedLine { line, problem })
}

#[derive(Default)]
struct Total {
    added: usize,
    known: usize,
    refused: usize,
    /// That have a code which was shown before.
    with_earlier_code: usize,
}

impl Total {
    fn count(&mut self, line: &AddLine) {
        if let AddLine::Added(AddedDevice {
            earlier_code_until: Some(_),
            ..
        }) = line
        {
            self.with_earlier_code += 1;
        }
        match line {
            AddLine::Added(added) if added.created => self.added += 1,
            AddLine::Added(_) => self.known += 1,
            AddLine::Refused(_) => self.refused += 1,
        }
    }

    fn end(&self, args: &Args) -> Result<(), Error> {
        let Self {
            added,
            known,
            refused,
            with_earlier_code,
        } = *self;
        if !args.json {
            print(&format!(
                "{added} added, {known} known before, {refused} refused"
            ))?;
        }
        if with_earlier_code > 0 {
            eprintln!(
                "note: {with_earlier_code} have codes from before that are good and cannot be shown again; make others with \
                 'dc-signer codes new --file {} --config {}' if those are lost",
                args.file
                    .as_deref()
                    .unwrap_or_else(|| Path::new("FILE"))
                    .display(),
                args.acting.place.config.display()
            );
        }
        match refused {
            0 => Ok(()),
            refused => Err(Error::SomeRefused {
                refused,
                of: added + known + refused,
            }),
        }
    }
}

fn moment(seconds: u64) -> Moment {
    Moment(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

fn input(path: &Path) -> Result<(Box<dyn Read>, Option<u64>), Error> {
    if path == Path::new("-") {
        return Ok((Box::new(stdin()), None));
    }
    // It is whoever's runs this, not the signer's.
    let _invoker = owner::as_invoker()?;
    let file = File::open(path).map_err(|source| dc_pki::Error::Read {
        path: path.into(),
        source,
    })?;
    let len = file.metadata().ok().map(|metadata| metadata.len());
    Ok((Box::new(file), len))
}

/// A bar on standard error, if that is a terminal.
fn progress(len: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let Some(len) = len else {
        return ProgressBar::new_spinner();
    };
    let template = "{bar:40} {bytes}/{total_bytes} {eta}";
    let bar = ProgressBar::new(len);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
