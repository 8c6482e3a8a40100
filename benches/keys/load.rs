//! Threads that sign, and threads that only keep the machine busy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ring::digest::{SHA256, digest};

/// Signs once whenever it is called, on a thread of its own.
pub(crate) type Signer = Box<dyn FnMut() + Send>;
/// Makes what a thread signs with; once for each thread.
pub(crate) type Make = Box<dyn Fn() -> Signer>;

/// The time that each signature took, the shortest first, and how long all of them took together.
#[derive(Debug, Default)]
pub(crate) struct Signed {
    each: Vec<Duration>,
    took: Duration,
}

impl Signed {
    /// Signatures a second.
    pub(crate) fn rate(&self) -> f64 {
        self.each.len() as f64 / self.took.as_secs_f64()
    }

    /// The microseconds that so many of a hundred took at most.
    pub(crate) fn at(&self, percent: usize) -> f64 {
        let last = self.each.len().saturating_sub(1);
        let time = self.each.get(last * percent / 100).copied();
        time.unwrap_or_default().as_secs_f64() * 1e6
    }
}

/// Lets both sign in turns, each for so long in all.
pub(crate) fn compare(both: [&Make; 2], threads: usize, time: Duration) -> [Signed; 2] {
    let mut signers = both.map(|make| (0..threads).map(|_| make()).collect::<Vec<_>>());
    let mut done = [Signed::default(), Signed::default()];
    // The first turn opens sessions and fills caches.
    for signers in &mut signers {
        turn(signers);
    }
    while done[1].took < time {
        for (signers, done) in signers.iter_mut().zip(&mut done) {
            let began = Instant::now();
            done.each.extend(turn(signers));
            done.took += began.elapsed();
        }
    }
    for done in &mut done {
        done.each.sort_unstable();
    }
    done
}

fn turn(signers: &mut [Signer]) -> Vec<Duration> {
    let end = Instant::now() + TURN;
    thread::scope(|scope| {
        let threads: Vec<_> = signers
            .iter_mut()
            .map(|sign| {
                scope.spawn(move || {
                    let mut each = Vec::new();
                    loop {
                        let began = Instant::now();
                        if began >= end {
                            return each;
                        }
                        sign();
                        each.push(began.elapsed());
                    }
                })
            })
            .collect();
        let each = threads.into_iter().map(|thread| thread.join().unwrap());
        each.flatten().collect()
    })
}

/// As many threads that hash as the machine has cores; they end when this is dropped.
pub(crate) struct Busy {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Busy {
    pub(crate) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = (0..cores).map(|_| {
            let stop = stop.clone();
            thread::spawn(move || {
                let mut data = [0; 1024];
                while !stop.load(Ordering::Relaxed) {
                    let hash = digest(&SHA256, &data);
                    data[..32].copy_from_slice(hash.as_ref());
                }
            })
        });
        Self {
            threads: threads.collect(),
            stop,
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

const TURN: Duration = Duration::from_millis(100);
