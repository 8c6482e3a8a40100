//! The process of the vendor's signer: the service as `dc-signer serve` runs it, and its operator.

use std::io::{BufRead as _, Write as _, stdin, stdout};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dc_pki::clock;
use dc_pki::names::ZoneName;
use dc_signer::authority::json::{NewDevice, Replace};
use dc_signer::authority::{Act, Authority, NewZone, database};
use dc_signer::config::Config;
use dc_signer::server::telemetry::start_log;
use dc_signer::server::{Reloader, Service};
use dc_store::InUse;
use dc_store::registry::{Change, DeviceId};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::task::{MARK, Said, Task};
use crate::Result;

/// Does the tasks in standard input until that ends.
pub(crate) fn serve(config: &Path) -> Result<()> {
    let runtime = Runtime::new()?;
    let mut operator = runtime.block_on(Operator::new(config))?;
    for line in stdin().lock().lines() {
        let task = serde_json::from_str(&line?)?;
        say(&match runtime.block_on(operator.work(task)) {
            Ok(answer) => Said::Done(answer),
            Err(error) => Said::Failed(error.to_string()),
        })?;
    }
    Ok(())
}

fn say(said: &Said) -> Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{MARK}{}", serde_json::to_string(said)?)?;
    Ok(out.flush()?)
}

/// Whoever works at the signer's command line, beside the service and with the same database.
struct Operator {
    path: PathBuf,
    config: Config,
    authority: Authority,
    /// Of the service, if that has been started.
    reloader: Option<Reloader>,
    _in_use: InUse,
}

impl Operator {
    async fn new(path: &Path) -> Result<Self> {
        let config = Config::load(path)?;
        start_log(&config.log)?;
        let (store, in_use) = database::open(&config).await?;
        Ok(Self {
            path: path.to_owned(),
            authority: Authority::open(&config, store).await?,
            config,
            reloader: None,
            _in_use: in_use,
        })
    }

    /// Starts the service; at which port it listens.
    async fn start_service(&mut self) -> Result<u16> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let service = Service::start(self.config.clone(), provider).await?;
        let port = service.address()?.port();
        self.reloader = Some(service.reloader(None));
        tokio::spawn(service.run(std::future::pending()));
        Ok(port)
    }

    async fn work(&mut self, task: Task) -> Result<Value> {
        let act = Act::new("vendor", clock::now()?).because("a comparison".parse().ok());
        self.authority.accept_clock(act.at);
        match task {
            Task::Serve => return Ok(json!(self.start_service().await?)),
            Task::AddZone { zone, forms } => {
                let new = NewZone {
                    zone: ZoneName::parse(&zone)?,
                    forms: forms.parse()?,
                    roles: dc_pki::Roles::Server,
                };
                self.authority.add_zone(&new, &act).await?;
            }
            Task::Import { zone, folder } => {
                let (zone, folder) = (ZoneName::parse(&zone)?, PathBuf::from(folder));
                let imported = self.authority.import_delegation(&zone, &folder, &act);
                imported.await?;
                self.look_after_zones(&act).await?;
            }
            Task::TimeHasPassed => self.look_after_zones(&act).await?,
            task => return self.work_on_device(task, &act).await,
        }
        Ok(Value::Null)
    }

    async fn work_on_device(&self, task: Task, act: &Act) -> Result<Value> {
        match task {
            Task::AddDevice { external_id } => {
                let new = NewDevice {
                    external_id,
                    code: true,
                    ..NewDevice::default()
                };
                let added = self.authority.add_devices(&[&new], act).await?.pop();
                Ok(json!(added.ok_or("no device was added")??))
            }
            Task::Suspend { device } => {
                let device: DeviceId = device.parse()?;
                let change = Change::Suspend;
                self.authority.change_device(device, &change, act).await?;
                Ok(Value::Null)
            }
            Task::Replace { device, new_name } => {
                let how = Replace {
                    new_name,
                    at_once: !new_name,
                    ..Replace::default()
                };
                let replaced = self.authority.replace(device.parse()?, &how, act);
                Ok(json!(replaced.await?))
            }
            task => Err(format!("not about a device: {task:?}").into()),
        }
    }

    /// What the service does each minute of real time, of which too few pass here. Then it takes its clock for right, as
    /// whoever reloads a service after setting the clock says that it is.
    async fn look_after_zones(&self, act: &Act) -> Result<()> {
        self.authority.keep_zones(act.at).await?;
        match &self.reloader {
            Some(reloader) => Ok(reloader.reload(&self.path).await?),
            None => Ok(()),
        }
    }
}
