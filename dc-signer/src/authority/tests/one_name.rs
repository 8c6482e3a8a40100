//! One name, one device: whatever operators and boxes do, in whatever order.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::bench::{Bench, zone};
use super::device::{Cpe, csr, renewal};
use super::manufactured::Maker;
use crate::authority::Error;
use crate::authority::json::{NewDevice, Replace};
use crate::testing::{Database, on_both};
use dc_pki::Forms;
use dc_protocol::{Credentials, RenewRequest};
use dc_store::Act;
use dc_store::registry::{Change, Device};

on_both! {
    no_two_boxes_have_valid_credentials_for_one_name_and_none_is_restored_too_early,
}

/// An act of an operator or a box.
#[derive(Clone, Debug)]
enum Does {
    Enrols {
        with_code: bool,
        who: usize,
    },
    Renews {
        who: usize,
        rotates: bool,
    },
    Suspend,
    Resume,
    Retire,
    NewCode,
    NewName,
    Replace {
        by: Successor,
        at_once: bool,
    },
    Wait {
        hours: u64,
    },
    /// From now on, operators' clocks are wrong by so much.
    Strays {
        days: i64,
    },
}

/// The way in which the next box is known.
#[derive(Clone, Copy, Debug)]
enum Successor {
    Code,
    Key(usize),
    Serial(usize),
}

const BOXES: usize = 3;

fn does() -> impl Strategy<Value = Does> {
    let who = || 0..BOXES;
    let by = prop_oneof![
        Just(Successor::Code),
        who().prop_map(Successor::Key),
        who().prop_map(Successor::Serial),
    ];
    let hours = proptest::sample::select(vec![1, 30, 70, 163, 166]);
    let days = proptest::sample::select(vec![-30, -8, -2, 0, 0, 2, 8, 30]);
    prop_oneof![
        3 => days.prop_map(|days| Does::Strays { days }),
        6 => (any::<bool>(), who()).prop_map(|(with_code, who)| Does::Enrols { with_code, who }),
        6 => (any::<bool>(), who()).prop_map(|(rotates, who)| Does::Renews { who, rotates }),
        2 => Just(Does::Suspend),
        2 => Just(Does::Resume),
        1 => Just(Does::NewCode),
        1 => Just(Does::NewName),
        4 => (by, proptest::bool::weighted(0.2)).prop_map(|(by, at_once)| Does::Replace { by, at_once }),
        4 => hours.prop_map(|hours| Does::Wait { hours }),
    ]
}

/// A box takes over from another one, sooner or later.
fn takes_over() -> impl Strategy<Value = Vec<Does>> {
    let wait = proptest::sample::select(vec![0, 1, 100, 163, 166]);
    let suspends = proptest::bool::weighted(0.3);
    let days = proptest::sample::select(vec![-8, 0, 0, 0, 8]);
    (0..3_usize, 0..BOXES, wait, any::<bool>(), suspends, days).prop_map(
        |(way, who, hours, at_once, suspends, days)| {
            let (by, with_code) = match way {
                0 => (Successor::Code, true),
                1 => (Successor::Key(who), false),
                _ => (Successor::Serial(who), false),
            };
            let suspend = suspends.then_some(Does::Suspend);
            let then = [
                Does::Replace { by, at_once },
                Does::Wait { hours },
                Does::Enrols { with_code, who },
            ];
            let strays = [Does::Strays { days }];
            let right = [Does::Strays { days: 0 }];
            let acts = strays.into_iter().chain(suspend).chain(then);
            acts.chain(right).collect()
        },
    )
}

fn story() -> impl Strategy<Value = Vec<Does>> {
    let scene = prop_oneof![
        3 => does().prop_map(|does| vec![does]),
        1 => takes_over(),
    ];
    let end = proptest::option::weighted(0.1, Just(Does::Retire));
    let story = proptest::collection::vec(scene, 4..16);
    (0..BOXES, story, end).prop_map(|(who, story, end)| {
        let first = Does::Enrols {
            with_code: true,
            who,
        };
        let last = [first.clone(), Does::Wait { hours: 70 }];
        let story = story.into_iter().flatten().chain(end);
        [first].into_iter().chain(story).chain(last).collect()
    })
}

/// A box with its keys: a switch leaves it two, until it has used the new one.
struct Box {
    keys: Vec<Cpe>,
    holds: Option<Credentials>,
}

/// A credential that left the signer.
struct Issued {
    name: String,
    to: usize,
    expires: u64,
    /// An operator took its name for another box, knowing that it is valid.
    known: bool,
    withdrawn: bool,
}

struct World<'a> {
    bench: &'a Bench,
    maker: &'a Maker,
    external_id: String,
    boxes: Vec<Box>,
    code: Option<String>,
    issued: Vec<Issued>,
    seconds: u64,
    /// The days by which operators' clocks are ahead, or, below 0, behind.
    strays: i64,
    requests: u64,
}

impl World<'_> {
    fn now(&self) -> pki_types::UnixTime {
        self.bench.after(self.seconds)
    }

    /// An operator, with the time of the clock there.
    fn operator(&self) -> Act {
        let days = Duration::from_secs(self.strays.unsigned_abs() * 86_400);
        let now = Duration::from_secs(self.now().as_secs());
        let there = match self.strays < 0 {
            true => now - days,
            false => now + days,
        };
        self.bench.by(pki_types::UnixTime::since_unix_epoch(there))
    }

    async fn device(&self) -> Device {
        self.bench.find(&self.external_id).await
    }

    async fn does(&mut self, does: &Does) {
        self.bench.authority.accept_clock(self.now());
        match does {
            Does::Enrols { with_code, who } => self.enrols(*with_code, *who).await,
            Does::Renews { who, rotates } => self.renews(*who, *rotates).await,
            Does::Suspend => self.change(Change::Suspend).await,
            Does::Resume => self.change(Change::Resume).await,
            Does::Retire => self.change(Change::Retire).await,
            Does::NewCode => {
                let by = self.operator();
                let code = self
                    .bench
                    .authority
                    .new_code(self.device().await.id, &by)
                    .await;
                self.code = code.ok().map(|code| code.code).or_else(|| self.code.take());
            }
            Does::NewName => self.replace(None, false).await,
            Does::Replace { by, at_once } => self.replace(Some(*by), *at_once).await,
            Does::Wait { hours } => self.seconds += hours * 3600,
            Does::Strays { days } => self.strays = *days,
        }
    }

    async fn enrols(&mut self, with_code: bool, who: usize) {
        let code = self.code.clone().filter(|_| with_code);
        let cpe = &self.boxes[who].keys[0];
        let answer = cpe
            .enrol(&self.bench.authority, &csr(), code.as_deref(), self.now())
            .await;
        self.got(who, 0, answer);
    }

    /// With each key that it has, as a box does that has lost count.
    async fn renews(&mut self, who: usize, rotates: bool) {
        for key in (0..self.boxes[who].keys.len()).rev() {
            self.requests += 1;
            let next = (rotates && self.boxes[who].keys.len() == 1).then(Cpe::new);
            let Some(held) = &self.boxes[who].holds else {
                return;
            };
            let request = RenewRequest {
                next_enrolment_csr: next.as_ref().map(Cpe::enrolment_csr),
                ..renewal(held, &format!("{} {}", self.external_id, self.requests))
            };
            let cpe = &self.boxes[who].keys[key];
            let answer = cpe.renew(&self.bench.authority, &request, self.now()).await;
            let is_done = answer.is_ok();
            self.got(who, key, answer);
            if is_done {
                self.boxes[who].keys.extend(next);
                return;
            }
        }
    }

    fn got(&mut self, who: usize, key: usize, answer: Result<Credentials, Error>) {
        let Ok(answer) = answer else {
            return;
        };
        self.issued.push(Issued {
            name: answer.name.clone(),
            to: who,
            expires: answer.expires,
            known: false,
            withdrawn: false,
        });
        let it = &mut self.boxes[who];
        it.holds = Some(answer);
        if key > 0 {
            it.keys.drain(..key);
        }
    }

    fn of_name(&mut self, name: &str) -> impl Iterator<Item = &mut Issued> {
        let now = self.now().as_secs();
        let valid = move |one: &&mut Issued| one.expires >= now;
        let name = name.to_owned();
        self.issued
            .iter_mut()
            .filter(move |one| one.name == name)
            .filter(valid)
    }

    async fn change(&mut self, change: Change) {
        let before = self.device().await;
        let by = self.operator();
        let changed = self
            .bench
            .store
            .change_device(before.id, &change, &by)
            .await;
        let Ok(device) = changed else {
            return;
        };
        let name = device.name.to_string();
        if change != Change::Resume {
            self.of_name(&name).for_each(|one| one.withdrawn = true);
        } else if before.state != device.state && device.hold.free_from.is_none() {
            let is_its = |it: &Box| it.keys.iter().any(|cpe| Some(cpe.key()) == device.key);
            let whose = self.boxes.iter().position(is_its);
            // What it has is good again, and what somebody knew of is as good as before.
            self.of_name(&name)
                .filter(|one| Some(one.to) == whose || one.known)
                .for_each(|one| one.withdrawn = false);
        }
    }

    async fn replace(&mut self, by: Option<Successor>, at_once: bool) {
        let before = self.device().await;
        let how = Replace {
            new_name: by.is_none(),
            keep_name: by.is_some(),
            enrolment_key: match by {
                Some(Successor::Key(who)) => Some(self.boxes[who].keys[0].key().to_string()),
                _ => None,
            },
            manufacturer: matches!(by, Some(Successor::Serial(_))).then(|| "acme".to_owned()),
            serial: match by {
                Some(Successor::Serial(who)) => Some(self.serial(who)),
                _ => None,
            },
            at_once,
            reason: "a test".to_owned(),
        };
        let act = self.operator();
        let replaced = self.bench.authority.replace(before.id, &how, &act).await;
        let Ok(replaced) = replaced else {
            return;
        };
        self.code = replaced
            .code
            .map(|code| code.code)
            .or_else(|| self.code.take());
        let name = before.name.to_string();
        match by {
            None => self.of_name(&name).for_each(|one| one.withdrawn = true),
            // Where nobody's word was needed by the operator's clock, the box waits.
            Some(_) if replaced.device.available_from.is_none() => {
                self.of_name(&name).for_each(|one| one.known = true);
            }
            Some(_) => {}
        }
    }

    fn serial(&self, who: usize) -> String {
        format!("{} {who}", self.external_id)
    }

    fn make_boxes(&mut self) {
        for who in 0..BOXES {
            let keys = vec![self.maker.make(Some(&self.serial(who)))];
            self.boxes.push(Box { keys, holds: None });
        }
    }

    /// The law.
    async fn check(&self, story: &[Does]) {
        let now = self.now();
        let valid = |one: &&Issued| one.expires >= now.as_secs();
        let live: Vec<&Issued> = self.issued.iter().filter(valid).collect();
        for one in live.iter().filter(|one| !one.known) {
            for other in live.iter().filter(|other| !other.known) {
                let same = one.name != other.name || one.to == other.to;
                assert!(same, "two boxes are {}: {story:#?}", one.name);
            }
        }
        let list = self.bench.store.withdrawn(&zone(), now).await.unwrap();
        for one in live.iter().filter(|one| one.withdrawn) {
            let is_listed = |name: &dc_store::Withdrawn| name.name.as_str() == one.name;
            let listed = list.names.iter().any(is_listed);
            assert!(listed, "{} is not withdrawn any more: {story:#?}", one.name);
        }
    }
}

async fn no_two_boxes_have_valid_credentials_for_one_name_and_none_is_restored_too_early(
    database: &Database,
) {
    let maker = Maker::new();
    let bench = Bench::empty(database, &maker.settings("registered")).await;
    bench.add_zone("cpe.example.com", Forms::Named).await;
    bench.import(bench.now).await;
    bench.authority.keep_zones(bench.now).await.unwrap();
    let mut runner = TestRunner::default();
    let mut taken_over = 0;
    for number in 0..STORIES {
        let story = story().new_tree(&mut runner).unwrap().current();
        bench.authority.accept_clock(bench.now);
        let mut world = World {
            bench: &bench,
            maker: &maker,
            external_id: format!("customer-{number}"),
            boxes: Vec::new(),
            code: None,
            issued: Vec::new(),
            seconds: 0,
            strays: 0,
            requests: 0,
        };
        world.make_boxes();
        let new = NewDevice {
            external_id: world.external_id.clone(),
            code: true,
            ..NewDevice::default()
        };
        world.code = bench.add(new).await.unwrap().code.map(|code| code.code);
        for (done, does) in story.iter().enumerate() {
            if world.seconds < LONGEST || !matches!(does, Does::Wait { .. }) {
                world.does(does).await;
            }
            world.check(&story[..=done]).await;
        }
        let first = world.issued.first();
        let other =
            |one: &Issued| first.is_some_and(|first| first.name == one.name && first.to != one.to);
        taken_over += usize::from(world.issued.iter().any(other));
    }
    // Or nothing was tried out.
    assert!(taken_over * 4 > STORIES, "{taken_over}");
    bench.store.verify_audit().await.unwrap();
}

/// On each database.
const STORIES: usize = 60;
/// The delegation certificate is valid for longer.
const LONGEST: u64 = 50 * 86_400;
