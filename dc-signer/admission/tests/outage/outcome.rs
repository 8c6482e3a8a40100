//! What became of a fleet.

/// Seconds.
pub(crate) const HOUR: u64 = 3600;
/// Of a credential.
pub(crate) const LIFE: u64 = 164 * HOUR;
/// The mean time between two renewals of a device: 47.5 % of a credential's life.
pub(crate) const CYCLE: f64 = 0.475 * 164.0 * 3600.0;
/// How long nobody could renew.
pub(crate) const OUTAGE: u64 = 72 * HOUR;

/// The outcome of a run.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Devices whose credential ended before they got another.
    pub(crate) lost: usize,
    pub(crate) issued: usize,
    pub(crate) requests: usize,
    /// Connections that were reset instead of a handshake.
    pub(crate) reset: usize,
    /// The same numbers until the backlog is served: issued, and requests.
    pub(crate) backlog: (usize, usize),
    /// When that was, in seconds.
    pub(crate) over: u64,
    /// The most connections in ten minutes, as a multiple of those that could be served.
    pub(crate) peak: f64,
}

impl Outcome {
    /// Requests for each issuance, over the whole run.
    pub(crate) fn each(&self) -> f64 {
        count(self.requests + self.reset) / count(self.issued)
    }

    pub(crate) fn line(&self, name: &str, devices: usize, capacity: f64) -> String {
        let Self {
            lost,
            backlog: (issued, requests),
            over,
            reset,
            peak,
            ..
        } = self;
        let part = 100.0 * count(*lost) / count(devices);
        let backlog = match issued {
            0 => "not all of the backlog is served yet".to_owned(),
            _ => format!(
                "{:.2} until the backlog is served after {} h",
                count(*requests) / count(*issued),
                over / HOUR
            ),
        };
        let each = self.each();
        format!(
            "{name} {capacity:>4.1} × steady, peak {peak:>4.1} × capacity: lost {lost:>5} of {devices} ({part:.1} %), {each:.2} requests an issuance, {backlog}, {reset} resets"
        )
    }
}

pub(crate) fn count(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}
