//! The outcome of a run.

/// The outcome of a run. Moments are seconds from its beginning.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Over the whole run.
    pub total: Counts,
    /// The same for each part of the run.
    pub parts: Vec<Counts>,
    /// How long a part is.
    pub part: u32,
    /// Devices whose credential ended while they had power, each once.
    pub lost: u32,
    /// Devices whose credential ended while they had none, each once.
    pub ended_without_power: u32,
    /// How long devices that had power were without a credential, all together.
    pub without: u64,
    /// The most issuances in a second.
    pub most_issued: u32,
    /// The most devices and questions that came to the sites in a second.
    pub most_came: u32,
    /// The outages and power cuts, by when they are over.
    pub troubles: Vec<Trouble>,
    /// The thefts of keys.
    pub stolen_keys: Vec<StolenKey>,
    /// The rest that devices have of their credential at the end of the run: half of them have less than the first, 1 % more than the second, and
    /// nobody more than the third.
    pub left: [u32; 3],
    /// Orders at CAs, and those that were not answered.
    pub orders: (u32, u32),
    /// Devices that wait for something in the run's last moment, or for something after it: all of them.
    pub devices: u32,
}

/// Counts of some time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Credentials that were issued.
    pub issued: u64,
    /// Requests that were answered, with a credential or with a time to come again.
    pub requests: u64,
    /// Those that were told when to come.
    pub put_off: u64,
    /// Those that were told a time that is too late for them.
    pub too_late: u64,
    /// Those that were told that their zone cannot issue.
    pub zone_not_ready: u64,
    /// Connections that were reset instead of a handshake.
    pub reset: u64,
    /// Tries in vain while the signer could not be reached.
    pub unreachable: u64,
    /// Questions for the time after a start.
    pub questions: u64,
    /// Devices whose credential ended while they had power.
    pub lost: u64,
}

impl Counts {
    /// Requests for each issuance, connections that were reset included.
    #[must_use]
    pub fn each(&self) -> f64 {
        match self.issued {
            0 => 0.0,
            issued => (self.requests + self.reset) as f64 / issued as f64,
        }
    }

    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            issued: self.issued - before.issued,
            requests: self.requests - before.requests,
            put_off: self.put_off - before.put_off,
            too_late: self.too_late - before.too_late,
            zone_not_ready: self.zone_not_ready - before.zone_not_ready,
            reset: self.reset - before.reset,
            unreachable: self.unreachable - before.unreachable,
            questions: self.questions - before.questions,
            lost: self.lost - before.lost,
        }
    }
}

/// An outage or a power cut that is over, and what followed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trouble {
    /// Which of the scenario's: outages are counted first, then power cuts.
    pub number: usize,
    /// When it was over.
    pub end: u32,
    /// Devices that had asked in vain by then and had nothing yet.
    pub backlog: u32,
    /// When the last of them was served; none if not all were in the run.
    pub served: Option<u32>,
    /// Counts from its end until then.
    pub counts: Counts,
    /// Counts from its end to the end of the run.
    pub after: Counts,
    /// The most issuances in a second until then.
    pub most_issued: u32,
    /// The most that came in ten minutes after its end.
    pub most_came: u32,
}

/// The theft of a delegation key, and what followed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StolenKey {
    /// When it was found, and devices were asked to renew.
    pub found: u32,
    /// After how many seconds half of the devices, 99 of 100 and all had left its certificate; none if they had not in the run.
    pub left_after: [Option<u32>; 3],
}
