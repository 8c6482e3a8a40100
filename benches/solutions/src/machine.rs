//! The machine of a run.

use std::fs;

use dc_pki::time::Moment;
use pki_types::UnixTime;

/// Processor, cores and kernel, in one line.
pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = { processor.lines() }
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let system = { system.lines() }
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map_or("unknown system", |name| name.trim_matches('"'));
    format!(
        "{cores} cores of {model}, {system}, Linux {}",
        kernel.trim()
    )
}

/// The machine's own time, in RFC 3339.
pub(crate) fn now() -> String {
    Moment(UnixTime::now()).to_string()
}
