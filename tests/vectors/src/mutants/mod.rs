//! Mutants: the reference with one rule broken, and the vectors that notice.

mod report;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

pub use self::report::Report;
use crate::published::Published;
use crate::reference::{Difference, Reference, Rule, Signatures};

/// A reference that does not keep one rule.
#[derive(Clone, Debug)]
pub struct Mutant<'a> {
    /// The rule.
    pub rule: Rule,
    /// The vectors that come out differently from what is listed; of a survivor there are none.
    pub killers: Vec<Difference<'a>>,
}

impl Mutant<'_> {
    /// How many of the vectors come out so that an application or its peer sees it.
    #[must_use]
    pub fn seen(&self) -> usize {
        self.killers.iter().filter(|killer| killer.is_seen).count()
    }
}

/// Breaks each of these rules in turn, on as many threads as there are processors.
#[must_use]
pub fn of<'a>(rules: &[Rule], files: &'a Published, signatures: &Signatures) -> Vec<Mutant<'a>> {
    let next = AtomicUsize::new(0);
    let mutants = Mutex::new(Vec::new());
    let work = || {
        while let Some(rule) = rules.get(next.fetch_add(1, Ordering::Relaxed)) {
            let killers = Reference::new(Some(*rule), signatures).differences(files);
            let mutant = Mutant {
                rule: *rule,
                killers,
            };
            mutants
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(mutant);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, Into::into) {
            scope.spawn(work);
        }
    });
    let mut mutants = mutants.into_inner().unwrap_or_else(PoisonError::into_inner);
    mutants.sort_by_key(|mutant| mutant.rule);
    mutants
}
