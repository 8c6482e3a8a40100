#![doc = include_str!("../README.md")]

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
mod fetch;
pub mod folder;
pub mod generation;
pub mod group;
pub mod hook;
pub mod keys;
mod lock;
mod presented;
mod renew;
mod repair;
pub mod request;
mod room;
mod rotate;
mod run;
#[cfg(feature = "self-check")]
pub mod self_check;
pub mod state;
pub mod status;
mod stop;
pub mod verify;
mod whose;
pub mod withdrawn;
mod word;

pub use clock::{Clock, SystemClock};
pub use config::Config;
pub use config_error::ConfigError;
pub use dc_schedule as schedule;
pub use device::Agent;
pub use error::Error;
pub use event::Event;
pub use run::{look, once, run};
pub use status::{Level, Status};
pub use stop::Stop;
