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

const TURNS: usize = 400;
const WARM_UP: usize = 20;
