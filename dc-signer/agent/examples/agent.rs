//! The agent as a library, for a program of a device's maker that does other things as well: no command
//! line, nothing but the configuration's path.

use std::error::Error;

use dc_agent::{Agent, Config, Event, Stop, SystemClock, run};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("give the configuration")?;
    let config = Config::load(path.as_ref())?;
    let report = |event: &Event| eprintln!("{event}");
    let mut agent = Agent::open(config, Box::new(SystemClock::new()), Box::new(report))?;
    let status = run(&mut agent, &mut Stop::on_signals()?);
    eprintln!("{status}");
    Ok(())
}
