//! What the benchmarks share: a comparison that a busy machine does not spoil.

use std::time::{Duration, Instant};

/// Runs both in turns, `calls` times each in a turn, and returns the medians of both and of their ratio.
///
/// Whatever else the machine does hits both.
pub fn compare(
    calls: u32,
    mut ours: impl FnMut(),
    mut theirs: impl FnMut(),
) -> (Duration, Duration, f64) {
    let time = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..calls).for_each(|_| run());
        start.elapsed() / calls
    };
    let (mut all_ours, mut all_theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..TURNS + WARM_UP {
        // Who goes first alternates too.
        let (a, b) = if turn % 2 == 0 {
            let a = time(&mut ours);
            (a, time(&mut theirs))
        } else {
            let b = time(&mut theirs);
            (time(&mut ours), b)
        };
        if turn >= WARM_UP {
            all_ours.push(a);
            all_theirs.push(b);
            ratios.push(a.as_secs_f64() / b.as_secs_f64());
        }
    }
    all_ours.sort();
    all_theirs.sort();
    ratios.sort_by(f64::total_cmp);
    (
        all_ours[TURNS / 2],
        all_theirs[TURNS / 2],
        ratios[TURNS / 2],
    )
}

/// The most memory that a process has had, in MB; it is named as in `/proc`.
///
/// # Panics
///
/// If there is no such process.
#[must_use]
pub fn most_memory(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"));
    let status = status.expect("the process is there");
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = most.and_then(|most| most.trim().strip_suffix(" kB"));
    let kilobytes: u64 = kilobytes
        .and_then(|text| text.parse().ok())
        .expect("a number of kB");
    kilobytes / 1024
}

const TURNS: usize = 400;
const WARM_UP: usize = 20;
