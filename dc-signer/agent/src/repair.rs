//! Repair of `current`: what is behind it is read, and put right.

use std::collections::BTreeSet;
use std::fmt::Display;

use super::current::{Fault, Found};
use super::device::Agent;
use super::event::Event;
use super::generation::Generation;

impl Agent {
    /// Reads what servers read, and mends it if it is not what the agent wrote: by hand, by a copy without links, by
    /// a disk. What cannot be mended is told once, and stays in the status.
    pub(super) fn look_at_folder(&mut self) {
        let found = match self.folder.look() {
            Ok(found) => found,
            Err(error) => {
                return self.cannot_be_mended("'current' cannot be looked at".to_owned(), error);
            }
        };
        let Found { generation, fault } = found;
        self.take(generation);
        match fault.or_else(|| self.unusable()) {
            None => self.fault = None,
            Some(fault) => self.mend(&fault),
        }
    }

    fn take(&mut self, generation: Option<Generation>) {
        self.generation = generation;
        if let Some(generation) = &self.generation
            && let Some(began) = self
                .checker(self.reading().now)
                .began(&generation.server.chain)
        {
            self.judge.learn(began);
        }
    }

    /// True if what is current is whole, but no client ever took it, and there is another generation that clients take. When
    /// a generation is only over, or not valid yet, that is a matter of clocks, and of the next renewal.
    fn unusable(&self) -> Option<Fault> {
        let generation = self.generation.as_ref()?;
        let now = self.reading().now;
        self.refusal(generation, now)?;
        let why = self.refusal(generation, generation.meta.issued)?;
        let numbers = self.folder.numbers().into_iter();
        let mut others = numbers.filter_map(|number| self.folder.load(number).ok());
        let is_replaceable = others.any(|other| self.refusal(&other, now).is_none());
        is_replaceable.then_some(Fault::Refused(why))
    }

    fn mend(&mut self, fault: &Fault) {
        let Some(number) = self.best(fault) else {
            return match fault {
                // Generations that never became current are no fault.
                Fault::Missing => self.fault = None,
                _ => self.cannot_be_mended(fault.to_string(), "there is no generation to lead to"),
            };
        };
        let mended = match number {
            0 => self.folder.adopt(),
            number => Ok(number),
        };
        let mended = mended.and_then(|number| {
            self.folder.point_to(number)?;
            self.folder.load(number)
        });
        match mended {
            Ok(generation) => {
                let number = generation.number;
                self.take(Some(generation));
                self.fault = None;
                let why = fault.to_string();
                self.tell(&Event::Recovered { number, why });
            }
            Err(error) => self.cannot_be_mended(fault.to_string(), error),
        }
    }

    /// The number of the generation that should be current: the one that clients accept and that ends last; 0 for what is in
    /// `current` itself, if no generation is the same.
    fn best(&self, fault: &Fault) -> Option<u64> {
        let numbers = self.folder.numbers();
        let generations: Vec<Generation> = numbers
            .into_iter()
            .filter_map(|number| self.folder.load(number).ok())
            .collect();
        let known: BTreeSet<&str> = generations
            .iter()
            .map(|generation| generation.meta.sha256.as_str())
            .collect();
        let own = self.generation.as_ref().filter(|generation| {
            let is_known = known.contains(generation.meta.sha256.as_str());
            !is_known && matches!(fault, Fault::IsFolder | Fault::Elsewhere)
        });
        let now = self.reading().now;
        let accepted = |generation: &Generation| self.refusal(generation, now).is_none();
        let best = generations
            .iter()
            .map(|generation| (generation.number, generation))
            .chain(own.map(|own| (0, own)))
            .map(|(number, generation)| (accepted(generation), generation.meta.expires, number))
            .max()?;
        Some(best.2)
    }

    /// The fault is what others see as well, so the status has that alone.
    fn cannot_be_mended(&mut self, fault: String, why: impl Display) {
        if self.fault.as_ref() != Some(&fault) {
            self.tell(&Event::NotMended {
                fault: fault.clone(),
                why: why.to_string(),
            });
        }
        self.fault = Some(fault);
    }
}
