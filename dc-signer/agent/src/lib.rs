//! A device that keeps its own credential fresh, for years and with nobody who looks at it.
//!
//! An [`Agent`] makes the device's keys, enrols, renews, checks everything as a client would, and writes
//! the identity folder that a TLS server follows. It asks the clock it is given, and works in turns, so
//! years pass in a test as fast as it runs.
//!
//! ```no_run
//! use dc_agent::{Agent, Config, Stop, SystemClock, run};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::load("/etc/dc-agent.toml".as_ref())?;
//! let clock = Box::new(SystemClock::new());
//! let report = Box::new(|event: &_| eprintln!("{event}"));
//! let mut agent = Agent::open(config, clock, report)?;
//! let status = run(&mut agent, &mut Stop::on_signals()?);
//! println!("{status}");
//! # Ok(())
//! # }
//! ```
//!
//! All that is on the disk is written so that the power may go at any moment: see [`folder`] for what
//! servers read, and [`state`] for what the agent remembers. When anything happens is in [`schedule`].

mod after;
pub mod client;
pub mod clock;
mod code;
pub mod config;
mod config_error;
pub mod current;
mod device;
pub mod enrol;
mod error;
mod event;
pub mod external;
pub mod folder;
pub mod generation;
pub mod group;
pub mod hook;
pub mod keys;
mod lock;
mod renew;
mod repair;
pub mod request;
mod rotate;
mod run;
pub mod schedule;
#[cfg(feature = "self-check")]
pub mod self_check;
pub mod state;
pub mod status;
mod stop;
pub mod verify;
mod whose;
mod word;

pub use clock::{Clock, SystemClock};
pub use config::Config;
pub use config_error::ConfigError;
pub use device::Agent;
pub use error::Error;
pub use event::Event;
pub use run::{look, once, run};
pub use status::{Level, Status};
pub use stop::Stop;
