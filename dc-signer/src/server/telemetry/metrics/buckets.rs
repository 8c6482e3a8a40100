//! The buckets of histograms, in seconds.

use prometheus_client::metrics::histogram::Histogram;

/// From a tenth of a millisecond, which is a read from SQLite, to ten seconds.
pub(super) fn fast() -> Histogram {
    Histogram::new([
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
        10.0,
    ])
}

/// From ten microseconds, which is less than a key in memory takes, to the patience of whoever waits for a key elsewhere.
pub(super) fn very_fast() -> Histogram {
    Histogram::new([
        0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
        0.05, 0.1, 0.25, 1.0,
    ])
}
