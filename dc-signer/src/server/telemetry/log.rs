//! The log on standard error: for people or as JSON, one line an event.

use std::io;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::config::{Log, LogFormat};
use crate::server::Error;

/// Changes what is logged while the service runs.
#[derive(Clone, Debug)]
pub struct LogControl(reload::Handle<EnvFilter, Registry>);

impl LogControl {
    /// Logs by another filter from now on.
    ///
    /// Fails with [`Error::BadLogFilter`], and then changes nothing.
    pub fn set(&self, filter: &str) -> Result<(), Error> {
        let filter = parse(filter)?;
        // It fails only when the subscriber is gone, and then nobody reads the log.
        let _ = self.0.reload(filter);
        Ok(())
    }
}

/// Starts logging for the whole process.
///
/// Fails with [`Error::BadLogFilter`], and with [`Error::LogStarted`] if something logs already.
pub fn start_log(log: &Log) -> Result<LogControl, Error> {
    let (filter, handle) = reload::Layer::new(parse(&log.filter)?);
    let lines = fmt::layer().with_writer(io::stderr).with_target(false);
    let lines = match log.format {
        // Colours are for terminals, and files are what logs end in.
        LogFormat::Human => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
    };
    let subscriber = Registry::default().with(filter).with(lines);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| Error::LogStarted)?;
    Ok(LogControl(handle))
}

/// Checks a filter.
///
/// Fails with [`Error::BadLogFilter`].
pub fn check_filter(filter: &str) -> Result<(), Error> {
    parse(filter).map(drop)
}

fn parse(filter: &str) -> Result<EnvFilter, Error> {
    EnvFilter::try_new(filter).map_err(|source| Error::BadLogFilter {
        filter: filter.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_parts_are_filters_and_nonsense_is_not() {
        for good in ["info", "warn,dc_signer=debug", "off"] {
            assert!(check_filter(good).is_ok(), "{good}");
        }
        let error = check_filter("dc_signer=loud").unwrap_err().to_string();
        assert!(error.contains("dc_signer=loud"), "{error}");
    }
}
