//! One run: every measurement of every row that was asked for.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::Result;
use crate::clients::{self, Client};
use crate::measure::encounters::{self, Set, Stage};
use crate::measure::{Measure, authority, cost, interactions, names, outage, raw_key_peers};
use crate::report::{Measured, Program, Report, RowReport};
use crate::rows::Row;
use crate::table::OUTAGES;
use crate::world::World;
use crate::{machine, setup};

/// What a run is to do.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) rows: Vec<Row>,
    pub(crate) measures: Vec<Measure>,
    /// How long certificates of public CAs live, in days.
    pub(crate) certificate_days: u64,
}

impl Plan {
    fn has(&self, measure: Measure) -> bool {
        self.measures.contains(&measure)
    }
}

/// Does it. Everything lies in `folder`. What goes wrong is said in its place in the report.
pub(crate) fn run(plan: &Plan, folder: &Path) -> Result<Report> {
    let start = Instant::now();
    let library = setup::virtual_clock()?;
    let world = World::new(folder, &library, plan.certificate_days)?;
    let clients = clients::all();
    let bar = progress(plan);
    let reports: Vec<Mutex<RowReport>> = { plan.rows.iter() }
        .map(|row| Mutex::new(RowReport::new(row)))
        .collect();
    let (authority, raw_key_peers) = (
        Mutex::new(Measured::NotAsked),
        Mutex::new(Measured::NotAsked),
    );
    let tasks = Mutex::new(tasks(plan));
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                work(&tasks, &bar, |task| match task {
                    Task::Authority => *locked(&authority) = authority::measure(&world).into(),
                    Task::RawKeyPeers => {
                        *locked(&raw_key_peers) = raw_key_peers::measure(&world).into();
                    }
                    Task::Row(measure, at) => {
                        measure_row(measure, &plan.rows[at], &world, &reports[at]);
                    }
                });
            });
        }
        if plan.has(Measure::Clients) {
            visit(plan, &world, &clients, &reports, &bar);
        }
    });
    // Alone, because it is about time.
    if plan.has(Measure::Cost) {
        measure_cost(plan, &world, &reports, &bar);
    }
    bar.finish_and_clear();
    Ok(Report {
        machine: machine::describe(),
        made: machine::now(),
        seconds: start.elapsed().as_secs(),
        certificate_days: plan.certificate_days,
        programs: programs(&clients),
        rows: { reports.into_iter() }
            .map(|report| report.into_inner().unwrap_or_else(PoisonError::into_inner))
            .collect(),
        authority: authority
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner),
        raw_key_peers: raw_key_peers
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner),
        measures: plan.measures.clone(),
    })
}

/// A measurement with a world of its own, which can be made beside others.
#[derive(Clone, Copy, Debug)]
enum Task {
    Authority,
    RawKeyPeers,
    /// Of the row at this place.
    Row(Measure, usize),
}

/// Those of rows first, and of them the longest.
fn tasks(plan: &Plan) -> VecDeque<Task> {
    let measures = [Measure::Interactions, Measure::Outages, Measure::Names];
    let wanted = measures.into_iter().filter(|measure| plan.has(*measure));
    let all = wanted.flat_map(|measure| (0..plan.rows.len()).map(move |at| Task::Row(measure, at)));
    let of_all = [
        (Measure::Authority, Task::Authority),
        (Measure::RawKeyPeers, Task::RawKeyPeers),
    ];
    let of_all = of_all.into_iter().filter(|(measure, _)| plan.has(*measure));
    all.chain(of_all.map(|(_, task)| task)).collect()
}

fn work(tasks: &Mutex<VecDeque<Task>>, bar: &ProgressBar, run: impl Fn(Task)) {
    loop {
        let next = locked(tasks).pop_front();
        let Some(task) = next else { break };
        run(task);
        bar.inc(1);
    }
}

fn measure_row(measure: Measure, row: &Row, world: &World, report: &Mutex<RowReport>) {
    match measure {
        Measure::Interactions => {
            let measured =
                apart(world, row, "year").and_then(|world| interactions::measure(row, &world));
            locked(report).interactions = measured.into();
        }
        Measure::Names => {
            let measured = apart(world, row, "names").and_then(|world| names::measure(row, &world));
            locked(report).names = measured.into();
        }
        Measure::Outages => {
            let measured = outages(row, world);
            locked(report).outages = measured.into();
        }
        // Not of one row, or of all of them at once.
        Measure::Authority | Measure::Clients | Measure::Cost | Measure::RawKeyPeers => {}
    }
}

fn outages(row: &Row, world: &World) -> Result<Vec<outage::Outage>> {
    let all = OUTAGES.iter().map(|(party, days)| {
        let world = apart(world, row, &format!("{party:?}-{days}"))?;
        outage::measure(row, &world, *party, *days)
    });
    all.collect()
}

fn apart(world: &World, row: &Row, what: &str) -> Result<World> {
    world.apart(&format!("{}-{what}", row.id))
}

/// All rows in one virtual time. A row that cannot be set up says so; the others go on.
fn visit(
    plan: &Plan,
    world: &World,
    clients: &[Box<dyn Client>],
    reports: &[Mutex<RowReport>],
    bar: &ProgressBar,
) {
    let mut sets: Vec<Set> = Vec::new();
    let mut of_sets = Vec::new();
    for (row, report) in plan.rows.iter().zip(reports) {
        let set = || {
            let world = world.beside(row.id)?;
            let mut solution = row.make(&world)?;
            let stage = Stage::set(row, solution.as_mut(), &world)?;
            Result::Ok((solution, stage))
        };
        match set() {
            Ok(set) => {
                sets.push(set);
                of_sets.push(report);
            }
            Err(error) => locked(report).encounters = Measured::Not(error.to_string()),
        }
    }
    let all = encounters::measure(world, &mut sets, clients);
    for ((_, stage), report) in sets.iter().zip(of_sets) {
        locked(report).encounters = match &all {
            Ok(all) => Measured::Is(stage.encounters(all)),
            Err(error) => Measured::Not(error.to_string()),
        };
    }
    bar.inc(plan.rows.len() as u64);
}

fn measure_cost(plan: &Plan, world: &World, reports: &[Mutex<RowReport>], bar: &ProgressBar) {
    let costs = cost::measure(&plan.rows, world);
    for (cost, report) in costs.into_iter().zip(reports) {
        locked(report).cost = cost;
    }
    bar.inc(plan.rows.len() as u64);
}

fn programs(clients: &[Box<dyn Client>]) -> Vec<Program> {
    let clients = clients.iter().map(|client| Program {
        name: client.name(),
        is_client: true,
        version: client.version(),
    });
    clients.chain(setup::programs()).collect()
}

fn progress(plan: &Plan) -> ProgressBar {
    let of = |measure| u64::from(plan.has(measure));
    let each = of(Measure::Interactions)
        + of(Measure::Outages)
        + of(Measure::Names)
        + of(Measure::Clients)
        + of(Measure::Cost);
    let length = each * plan.rows.len() as u64 + of(Measure::Authority) + of(Measure::RawKeyPeers);
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} measurements, {elapsed}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(500));
    bar
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const WORKERS: usize = 2;
