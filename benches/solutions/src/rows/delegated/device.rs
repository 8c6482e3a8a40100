//! A device with the real agent, whose clock is the world's.

use std::cell::RefCell;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use dc_agent::state::StateFile;
use dc_agent::{Agent, Clock, Config, Event};

use crate::Result;
use crate::ledger::{Act, Party};
use crate::solution::{Identity, Proof};
use crate::world::World;

/// A box in a home.
pub(super) struct Device {
    pub(super) folder: PathBuf,
    /// Its id at the signer.
    pub(super) id: String,
    world: World,
    agent: Agent,
    heard: Rc<RefCell<Heard>>,
}

/// What a device is made with.
pub(super) struct Made<'a> {
    /// The port of its vendor.
    pub(super) port: u16,
    /// The root of its vendor's own certificate.
    pub(super) signer_root: &'a Path,
    /// The root that its clients are delivered with.
    pub(super) root: &'a Path,
}

impl Made<'_> {
    /// The configuration of the agent.
    fn config(&self) -> String {
        format!(
            "signer = 'https://localhost:{}'\nsigner_roots = '{}'\nroots = '{}'\nidentity = 'identity'\n\
             state = 'state'\nstart_delay = '0s'\ntimeout = '10s'\ncode_file = '{CODE}'\n",
            self.port,
            self.signer_root.display(),
            self.root.display()
        )
    }
}

impl Device {
    /// Starts a box that is configured and has not enrolled; somebody types the activation code in.
    pub(super) fn new(
        world: &World,
        folder: PathBuf,
        made: &Made<'_>,
        id: &str,
        code: &str,
    ) -> Result<Self> {
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(CONFIG), made.config())?;
        fs::write(folder.join(CODE), code)?;
        world.ledger.count(Party::User, Act::Request);
        Self::boot(world, folder, id)
    }

    /// Starts a box that has its folder, with the state and the identity in it.
    pub(super) fn boot(world: &World, folder: PathBuf, id: &str) -> Result<Self> {
        let heard = Rc::<RefCell<Heard>>::default();
        let hears = heard.clone();
        let agent = Agent::open(
            Config::load(&folder.join(CONFIG))?,
            Box::new(VirtualClock {
                world: world.clone(),
                booted: world.now(),
            }),
            Box::new(move |event| hears.borrow_mut().hear(event)),
        )?;
        Ok(Self {
            folder,
            id: id.to_owned(),
            world: world.clone(),
            agent,
            heard,
        })
    }

    /// One turn of the agent, which has to bring an identity.
    pub(super) fn turn(&mut self) -> Result<Identity> {
        self.heard.borrow_mut().is_new = false;
        let nap = self.agent.turn();
        let heard = self.heard.borrow();
        match (heard.is_new, &heard.trouble) {
            (true, _) => {}
            (false, Some((trouble, _))) => return Err(trouble.clone().into()),
            (false, None) => {
                return Err(format!("nothing was due; the agent looks again in {nap:?}").into());
            }
        }
        drop(heard);
        let credentials = fs::read(self.current().join("credential.pem"))?;
        let count = dc_core::pem::read(&credentials)?.len();
        let ledger = &self.world.ledger;
        ledger.add(Party::Vendor, Act::Signature, u64::try_from(count)?);
        self.identity()
    }

    /// One turn, which asks whether the vendor wants renewals before their time. That it does not come through is no
    /// failure: the agent asks again.
    pub(super) fn ask_for_news(&mut self) {
        self.agent.turn();
    }

    /// When the agent renews by itself, or tries again.
    pub(super) fn due(&self) -> Option<u64> {
        let heard = self.heard.borrow();
        let again = heard.trouble.as_ref().map(|(_, again)| *again);
        again.or_else(|| heard.installed.as_ref().map(|installed| installed.renew_at))
    }

    /// When the agent asks its vendor for news.
    pub(super) fn news_due(&self) -> Option<u64> {
        self.heard.borrow().installed.as_ref()?;
        // The agent tells nobody, but writes it down for its next start.
        let (_, state, _) = StateFile::open(&self.folder.join("state"));
        Some(state.poll.map_or_else(|| self.world.now(), |wait| wait.at))
    }

    pub(super) fn identity(&self) -> Result<Identity> {
        let heard = self.heard.borrow();
        let installed = heard.installed.as_ref();
        let installed = installed.ok_or("the device has not enrolled")?;
        Ok(Identity {
            name: installed.name.clone(),
            proof: Proof::Credential {
                folder: self.current(),
            },
            ends: Some(installed.expires),
        })
    }

    fn current(&self) -> PathBuf {
        self.folder.join("identity/current")
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device")
            .field("folder", &self.folder)
            .field("heard", &self.heard)
            .finish_non_exhaustive()
    }
}

/// What the agent has told.
#[derive(Debug, Default)]
struct Heard {
    installed: Option<Installed>,
    /// Something was installed in this turn.
    is_new: bool,
    /// Why nothing was since, and when it is tried again.
    trouble: Option<(String, u64)>,
}

#[derive(Debug)]
struct Installed {
    name: String,
    expires: u64,
    renew_at: u64,
}

impl Heard {
    fn hear(&mut self, event: &Event) {
        match event {
            Event::Installed {
                name,
                expires,
                renew_at,
                ..
            } => {
                self.installed = Some(Installed {
                    name: name.clone(),
                    expires: *expires,
                    renew_at: *renew_at,
                });
                (self.is_new, self.trouble) = (true, None);
            }
            Event::Failed { next, .. } => self.trouble = Some((event.to_string(), *next)),
            _ => {}
        }
    }
}

/// A device that is never switched off, with a clock that is right.
struct VirtualClock {
    world: World,
    booted: u64,
}

impl Clock for VirtualClock {
    fn wall(&self) -> u64 {
        self.world.now()
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(self.world.now() - self.booted)
    }
}

const CONFIG: &str = "agent.toml";
const CODE: &str = "code";
