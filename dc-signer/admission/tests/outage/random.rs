//! Admission by chance: whoever comes when there is capacity is served, and the others are told to come again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::Outcome;
use crate::fleet::{END, Fleet, START, Told};

pub(crate) fn run(mut fleet: Fleet, rate: f64, retry_after: Option<u64>) -> Outcome {
    let first = std::mem::take(&mut fleet.first);
    let all = first.into_iter().enumerate();
    let mut due: BinaryHeap<_> = all.map(|(device, at)| Reverse((at, device))).collect();
    let (mut tokens, mut before) = (1.0, START);
    while let Some(Reverse((now, device))) = due.pop().filter(|Reverse((now, _))| *now < END) {
        fleet.comes(now);
        let passed = f64::from(u32::try_from(now - before).unwrap());
        // As much at once as may wait in the other service.
        tokens = (tokens + passed * rate).min((60.0 * rate).max(1.0));
        before = now;
        let told = match tokens >= 1.0 {
            true => {
                tokens -= 1.0;
                Told::Issued
            }
            false => Told::Refused(retry_after),
        };
        let next = fleet.told(device, told, now);
        due.push(Reverse((next, device)));
    }
    fleet.end(rate, END)
}
