//! The entries of a store, found without looking at each.

use std::collections::HashMap;
use std::sync::Arc;

use dc_core::{Form, Requirements, UniqueName};

use super::selection::{Entry, Wanted, WantedName};

/// Everything that a store has, in the order of installation, and where to look for what a client wants.
///
/// Many entries ask the same of a client, so each different demand is looked at once; within it, a
/// name leads to the few entries that are for it. Only what has almost ended is passed over one by one.
#[derive(Debug, Default)]
pub(super) struct Entries {
    all: Vec<Arc<Entry>>,
    groups: Vec<Group>,
}

/// The entries that ask the same of a client, as positions in the order of installation.
#[derive(Debug)]
struct Group {
    requirements: Requirements,
    all: Vec<usize>,
    /// Those that go to everybody, because nobody looked at them.
    unchecked: Vec<usize>,
    by_name: HashMap<UniqueName<'static>, Vec<usize>>,
    /// Those without a name, by the dNSNames of their certificate in lower case.
    by_zone: HashMap<String, Vec<usize>>,
}

impl Entries {
    pub(super) fn new(all: Vec<Arc<Entry>>) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for (at, entry) in all.iter().enumerate() {
            let known = groups
                .iter_mut()
                .position(|group| group.requirements == entry.requirements);
            let group = known.unwrap_or_else(|| {
                groups.push(Group::new(entry.requirements));
                groups.len() - 1
            });
            if let Some(group) = groups.get_mut(group) {
                group.add(at, entry);
            }
        }
        Self { all, groups }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The entry that suits best: for the very name that is wanted, then the named form, then in the
    /// order they were installed.
    pub(super) fn pick(&self, wanted: &Wanted<'_>) -> Option<&Arc<Entry>> {
        let best = self
            .groups
            .iter()
            .filter(|group| wanted.takes(group.requirements))
            .flat_map(|group| group.candidates(&wanted.name))
            .filter_map(|positions| self.first(positions, |entry| wanted.may_have(entry)))
            .min_by_key(|(at, entry)| (wanted.rank(entry), *at));
        best.map(|(_, entry)| entry)
    }

    /// The name of a credential that would suit a client that had asked for it by that name.
    pub(super) fn kept_name(&self, wanted: &Wanted<'_>) -> Option<UniqueName<'static>> {
        let first = self
            .groups
            .iter()
            .filter(|group| group.requirements.form == Form::Named)
            .filter(|group| wanted.keeps_names() && wanted.takes(group.requirements))
            .filter_map(|group| self.first(&group.all, |entry| wanted.is_kept(entry)))
            .min_by_key(|(at, _)| *at);
        first.and_then(|(_, entry)| entry.unique_name().cloned())
    }

    fn first(
        &self,
        positions: &[usize],
        suits: impl Fn(&Entry) -> bool,
    ) -> Option<(usize, &Arc<Entry>)> {
        let mut entries = positions
            .iter()
            .filter_map(|&at| Some((at, self.all.get(at)?)));
        entries.find(|(_, entry)| suits(entry))
    }
}

impl Group {
    fn new(requirements: Requirements) -> Self {
        Self {
            requirements,
            all: Vec::new(),
            unchecked: Vec::new(),
            by_name: HashMap::new(),
            by_zone: HashMap::new(),
        }
    }

    fn add(&mut self, at: usize, entry: &Entry) {
        self.all.push(at);
        if let Some(name) = entry.unique_name() {
            self.by_name.entry(name.clone()).or_default().push(at);
        }
        match &entry.zone {
            None => self.unchecked.push(at),
            Some(_) if self.requirements.form == Form::Named => {}
            Some(zone) => {
                for dns_name in zone {
                    let known = self.by_zone.entry(dns_name.to_ascii_lowercase());
                    known.or_default().push(at);
                }
            }
        }
    }

    /// Lists of which one has what this client may get of the group, if it may get anything.
    fn candidates(&self, wanted: &WantedName) -> impl Iterator<Item = &[usize]> {
        let lists = match wanted {
            WantedName::Unsaid => [Some(&self.all), None, None, None],
            WantedName::OfNoDevice => [Some(&self.unchecked), None, None, None],
            WantedName::Unique(name) => [
                self.by_name.get(name),
                Some(&self.unchecked),
                self.of_zone(name.as_str()),
                // As a wildcard covers it: the first label may be anything.
                name.as_str()
                    .split_once('.')
                    .and_then(|(_, parent)| self.of_zone(&["*.", parent].concat())),
            ],
        };
        lists.into_iter().flatten().map(Vec::as_slice)
    }

    fn of_zone(&self, dns_name: &str) -> Option<&Vec<usize>> {
        match self.by_zone.is_empty() {
            true => None,
            false => self.by_zone.get(dns_name),
        }
    }
}
