//! The printed report.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::load::Load;
use crate::parts::Parts;
use crate::service::Database;

pub(crate) struct Report<'a> {
    pub(crate) database: &'a Database,
    pub(crate) load: &'a Load,
    pub(crate) parts: &'a Parts,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Load {
            elapsed,
            clients,
            latencies,
            failures,
            ..
        } = self.load;
        let count = latencies.len();
        let each = us(self.load.server_each());
        let load = us(*clients) / count.max(1) as f64;
        writeln!(f, "database                  {}", self.database)?;
        writeln!(
            f,
            "issued                    {count} in {:.1} s",
            elapsed.as_secs_f64()
        )?;
        writeln!(
            f,
            "rate                      {:.0} a second",
            count as f64 / elapsed.as_secs_f64()
        )?;
        let [half, most] = [50, 99].map(|percent| percentile(latencies, percent));
        writeln!(
            f,
            "latency p50 / p99         {:.1} ms / {:.1} ms",
            ms(half),
            ms(most)
        )?;
        writeln!(f, "server's processor time   {each:.0} µs an issuance")?;
        for (what, time) in self.parts.rows() {
            writeln!(f, "  {what:24}{:.0} µs", us(time))?;
        }
        writeln!(f, "the load's                {load:.0} µs an issuance")?;
        writeln!(
            f,
            "handshake without socket  {:.0} µs",
            us(self.parts.in_memory)
        )?;
        let sum = us(self.parts.sum());
        writeln!(f, "  sum                     {sum:.0} µs")?;
        write!(f, "server / sum              {:.2}", each / sum)?;
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for failure in failures {
            *reasons
                .entry(failure.lines().next().unwrap_or(""))
                .or_default() += 1;
        }
        for (reason, count) in reasons {
            write!(f, "\nfailed                    {count}: {reason}")?;
        }
        Ok(())
    }
}

pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted
        .get(last * percent / 100)
        .copied()
        .unwrap_or_default()
}

pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
