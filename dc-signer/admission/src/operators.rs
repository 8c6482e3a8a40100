//! Requests of operators: some places are theirs alone, whatever devices do, and no operator has all of them.

use std::collections::{HashMap, VecDeque};

use crate::id::Id;

/// An operator's request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Operator {
    /// Its number, such as a part of the hash of its name.
    pub(crate) number: u64,
    /// It may take minutes, as an export does.
    pub(crate) is_long: bool,
}

/// Those that wait, and those that are answered.
#[derive(Debug, Default)]
pub(crate) struct Operators {
    waiting: VecDeque<(Id, Operator)>,
    inside: usize,
    long: usize,
    of_one: HashMap<u64, usize>,
}

impl Operators {
    pub(crate) fn enter(&mut self, id: Id, operator: Operator) {
        self.waiting.push_back((id, operator));
    }

    /// The first that may begin, with so many places for operators and whether there are others to spare.
    pub(crate) fn first(&mut self, places: usize, to_spare: bool) -> Option<(Id, Operator)> {
        let at = self
            .waiting
            .iter()
            .position(|(_, operator)| self.fits(operator, places.max(2), to_spare))?;
        let (id, operator) = self.waiting.remove(at)?;
        self.inside += 1;
        self.long += usize::from(operator.is_long);
        *self.of_one.entry(operator.number).or_default() += 1;
        Some((id, operator))
    }

    /// Long requests have half of the places, and so has each operator.
    fn fits(&self, operator: &Operator, places: usize, to_spare: bool) -> bool {
        if to_spare {
            return true;
        }
        let of_one = self.of_one.get(&operator.number).copied().unwrap_or(0);
        let long_fits = !operator.is_long || self.long < places / 2;
        self.inside < places && of_one < places.div_ceil(2) && long_fits
    }

    /// One is answered.
    pub(crate) fn leave(&mut self, operator: Operator) {
        self.inside -= 1;
        self.long -= usize::from(operator.is_long);
        if let Some(count) = self.of_one.get_mut(&operator.number) {
            *count -= 1;
            if *count == 0 {
                self.of_one.remove(&operator.number);
            }
        }
    }

    /// The one that came last, who stays.
    pub(crate) fn last(&self) -> Option<Id> {
        self.waiting.back().map(|(id, _)| *id)
    }

    pub(crate) fn take_out(&mut self, id: Id) {
        self.waiting.retain(|(waiting, _)| *waiting != id);
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn inside(&self) -> usize {
        self.inside
    }
}
