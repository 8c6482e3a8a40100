//! Every client against every solution: as delivered, after what the user does, a twin, a thief, and after the end.
//!
//! All rows are in one virtual time, so that one browser visits all of them, and time goes on for all at once.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;

use dc_tests::process::Server;
use serde::Serialize;

use crate::Result;
use crate::clients::{Client, Outcome, Visit};
use crate::ledger::Phase;
use crate::rows::Row;
use crate::solution::{Identity, Proof, Remedy, Solution, Trust, serve};
use crate::world::World;

/// What is tried with a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Question {
    /// The device, with the client as it was delivered.
    Delivered,
    /// The device, after the user did what the solution asks of users.
    AfterStep,
    /// The device, with the client as delivered, and a user who accepts what it warns of.
    AcceptsWarning,
    /// A neighbour's device under this one's name, after the user's step.
    Twin,
    /// The same at the first connection, with a user who accepts what the client warns of.
    TwinAtFirst,
    /// A thief with all keys of the device, under the name of a site in the Internet.
    Forged,
    /// A broken vendor's authority, under the name of a site in the Internet.
    Outside,
    /// The stolen device, right after the theft was reported, with nothing done at the client.
    Reported,
    /// The same, and the client was given the list of what is revoked.
    Listed,
    /// A neighbour's device under its own name, with that list: whether the client then refuses no more than it should.
    ListedNeighbour,
    /// The stolen device, after the user removed what made the client accept it.
    Removed,
    /// The stolen device, in the last minute of what it had.
    BeforeEnd,
    /// The stolen device, a second after the end of what it had.
    AfterEnd,
}

/// What a client did.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Encounter {
    pub(crate) row: &'static str,
    pub(crate) client: &'static str,
    pub(crate) question: Question,
    pub(crate) outcome: Outcome,
}

/// What all clients did with one row.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Encounters {
    pub(crate) all: Vec<Encounter>,
    /// How long the thief of a device has something that is valid, in seconds; for ever if none.
    pub(crate) stolen_for: Option<u64>,
    /// What the user removes after a theft, if users can do anything.
    pub(crate) removal: Option<&'static str>,
}

/// A row, founded, with its servers.
pub(crate) struct Stage {
    row: Row,
    trust: Trust,
    own_client: Option<Box<dyn Client>>,
    remedy: Remedy,
    device: Shown,
    twin: Shown,
    /// What the twin is when it does not pose, if clients of the device trust it.
    neighbour: Option<Shown>,
    forged: Option<Shown>,
    outside: Option<Shown>,
    /// The last second in which the thief has something that is valid; for ever if none.
    ends: Option<u64>,
    stolen: u64,
}

/// An identity that is served.
struct Shown {
    identity: Identity,
    server: Server,
}

impl Shown {
    fn new(identity: Identity) -> Result<Self> {
        let server = serve(&identity)?;
        Ok(Self { identity, server })
    }
}

impl Stage {
    /// Founds the fleet, and enrols a device and its twin. The solution has to live as long as the stage: its services
    /// are still asked.
    pub(crate) fn set(row: &Row, solution: &mut dyn Solution, world: &World) -> Result<Self> {
        world.ledger.enter(Phase::Fleet);
        solution.found()?;
        world.ledger.enter(Phase::FirstIssue);
        let identity = solution.enrol(DEVICE)?;
        let neighbour = solution.enrol(TWIN)?;
        let trust = solution.trust(DEVICE);
        let neighbour = (solution.trust(TWIN).imported == trust.imported).then_some(neighbour);
        let twin = Shown::new(solution.pose(TWIN, DEVICE)?)?;
        let forged = solution.forge(DEVICE, ELSEWHERE)?;
        let outside = solution.outside()?;
        Ok(Self {
            row: *row,
            trust,
            own_client: solution.own_client(DEVICE)?,
            remedy: Remedy::default(),
            ends: identity.ends,
            stolen: world.now(),
            device: Shown::new(identity)?,
            twin,
            neighbour: neighbour.map(Shown::new).transpose()?,
            forged: forged.map(Shown::new).transpose()?,
            outside: outside.map(Shown::new).transpose()?,
        })
    }

    /// Somebody says that the device was stolen. It is served as before: the thief does.
    fn report_theft(&mut self, solution: &mut dyn Solution, world: &World) -> Result<()> {
        world.ledger.enter(Phase::Theft);
        self.stolen = world.now();
        self.remedy = solution.report_theft(DEVICE)?;
        Ok(())
    }

    /// What was found out about this row.
    pub(crate) fn encounters(&self, all: &[Encounter]) -> Encounters {
        let of_row = all.iter().filter(|one| one.row == self.row.id);
        Encounters {
            all: of_row.cloned().collect(),
            stolen_for: self.ends.map(|ends| ends.saturating_sub(self.stolen)),
            removal: self.remedy.removal,
        }
    }

    /// The visit that answers a question; nothing if this solution has no such thing.
    fn visit(&self, question: Question) -> Option<Visit<'_>> {
        let shown = match question {
            Question::Twin | Question::TwinAtFirst => &self.twin,
            Question::Forged => self.forged.as_ref()?,
            Question::Outside => self.outside.as_ref()?,
            Question::ListedNeighbour => self.neighbour.as_ref()?,
            _ => &self.device,
        };
        let delivered = matches!(
            question,
            Question::Delivered
                | Question::AcceptsWarning
                | Question::TwinAtFirst
                | Question::Removed
        );
        let mut roots: Vec<&Path> = self.trust.delivered.iter().map(AsRef::as_ref).collect();
        let mut accepted = None;
        if !delivered {
            roots.extend(self.trust.imported.iter().map(AsRef::<Path>::as_ref));
            let certificate = match &self.device.identity.proof {
                Proof::Certificate { chain, .. } => Some(chain.as_path()),
                Proof::Credential { .. } | Proof::RawKey { .. } => None,
            };
            accepted = self.trust.pin.as_ref().map(|pin| (pin, certificate));
        }
        let needs_a_step = !self.trust.imported.is_empty() || self.trust.pin.is_some();
        let asked = match question {
            Question::AfterStep | Question::AcceptsWarning => needs_a_step,
            // Who has imported a root has learnt nothing from the device.
            Question::TwinAtFirst => self.trust.pin.is_some(),
            Question::Removed => self.remedy.removal.is_some(),
            Question::Listed | Question::ListedNeighbour => self.remedy.revocation_list.is_some(),
            Question::BeforeEnd | Question::AfterEnd => self.ends.is_some(),
            Question::Delivered
            | Question::Twin
            | Question::Forged
            | Question::Outside
            | Question::Reported => true,
        };
        asked.then(|| Visit {
            name: &shown.identity.name,
            port: shown.server.port(),
            roots,
            revocation_list: match question {
                Question::Listed | Question::ListedNeighbour => {
                    self.remedy.revocation_list.as_deref()
                }
                _ => None,
            },
            accepted,
            accepts_warning: matches!(question, Question::AcceptsWarning | Question::TwinAtFirst),
            raw_keys: !delivered && matches!(shown.identity.proof, Proof::RawKey { .. }),
        })
    }
}

/// A row's solution and its stage.
pub(crate) type Set = (Box<dyn Solution>, Stage);

/// Lets every client answer every question, in the order of time.
pub(crate) fn measure(
    world: &World,
    sets: &mut [Set],
    clients: &[Box<dyn Client>],
) -> Result<Vec<Encounter>> {
    let mut encounters = at_once(world, sets, clients, &BEFORE_THEFT);
    for (solution, stage) in sets.iter_mut() {
        stage.report_theft(solution.as_mut(), world)?;
    }
    encounters.extend(at_once(world, sets, clients, &AFTER_THEFT));
    for (first, last) in together(sets.iter().filter_map(|(_, stage)| stage.ends)) {
        let ending = |question| {
            let stages = sets.iter().map(|(_, stage)| stage);
            let ends = |stage: &&Stage| stage.ends.is_some_and(|end| (first..=last).contains(&end));
            let ending = stages.filter(ends).map(|stage| (stage, question));
            ending.collect::<Vec<_>>()
        };
        world.clock.advance_to(first.saturating_sub(LAST_MINUTE))?;
        // A browser takes longer to start than is left.
        encounters.extend(ask(world, clients, &ending(Question::BeforeEnd), false));
        world.clock.advance_to(last + 1)?;
        encounters.extend(ask(world, clients, &ending(Question::AfterEnd), true));
    }
    Ok(encounters)
}

/// The first and the last of ends that are so close together that the clock, which never goes back, would be past one
/// when the visits after the other are done.
fn together(ends: impl Iterator<Item = u64>) -> Vec<(u64, u64)> {
    let mut groups: Vec<(u64, u64)> = Vec::new();
    for end in ends.collect::<BTreeSet<_>>() {
        match groups.last_mut() {
            Some((_, last)) if end - *last <= 10 * LAST_MINUTE => *last = end,
            _ => groups.push((end, end)),
        }
    }
    groups
}

/// These questions to all rows.
fn at_once(
    world: &World,
    sets: &[Set],
    clients: &[Box<dyn Client>],
    questions: &[Question],
) -> Vec<Encounter> {
    let stages = sets.iter().map(|(_, stage)| stage);
    let wanted = stages.flat_map(|stage| questions.iter().map(move |question| (stage, *question)));
    ask(world, clients, &wanted.collect::<Vec<_>>(), true)
}

/// All clients at once, each its visits one after the other; the solution's own client visits it alone.
fn ask(
    world: &World,
    clients: &[Box<dyn Client>],
    wanted: &[(&Stage, Question)],
    slow_too: bool,
) -> Vec<Encounter> {
    let mut encounters = Vec::new();
    thread::scope(|scope| {
        let mut asked = Vec::new();
        for client in clients {
            if client.is_slow() && !slow_too {
                continue;
            }
            asked.push(scope.spawn(|| visit_all(world, client.as_ref(), wanted)));
        }
        for one in wanted {
            if let Some(client) = &one.0.own_client {
                encounters.extend(visit_all(world, client.as_ref(), &[*one]));
            }
        }
        for answers in asked {
            match answers.join() {
                Ok(answers) => encounters.extend(answers),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    encounters
}

fn visit_all(world: &World, client: &dyn Client, wanted: &[(&Stage, Question)]) -> Vec<Encounter> {
    let (asked, visits): (Vec<_>, Vec<_>) = wanted
        .iter()
        .filter_map(|&(stage, question)| Some(((stage, question), stage.visit(question)?)))
        .unzip();
    let outcomes = client.visit(&world.clock, &visits);
    let answers = asked.into_iter().zip(outcomes);
    let answers = answers.map(|((stage, question), outcome)| Encounter {
        row: stage.row.id,
        client: client.name(),
        question,
        outcome,
    });
    answers.collect()
}

const BEFORE_THEFT: [Question; 7] = [
    Question::Delivered,
    Question::AfterStep,
    Question::AcceptsWarning,
    Question::Twin,
    Question::TwinAtFirst,
    Question::Forged,
    Question::Outside,
];
const AFTER_THEFT: [Question; 4] = [
    Question::Reported,
    Question::Listed,
    Question::ListedNeighbour,
    Question::Removed,
];
const DEVICE: usize = 0;
const TWIN: usize = 1;
/// A site that has nothing to do with the vendor.
const ELSEWHERE: &str = "bank.example.net";
/// Clients of the command line are through in it.
const LAST_MINUTE: u64 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_the_same_minutes_are_waited_for_together() {
        let ends = [5_000, 10, 12, 400];
        assert_eq!(together(ends.into_iter()), [(10, 400), (5_000, 5_000)]);
    }
}
