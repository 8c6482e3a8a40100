//! What each end of a connection costs, in instructions, beside stock rustls.
//!
//! Each line is counted by callgrind in a process of its own, in which both ends run on one thread and only one of them is
//! counted. Instructions are the same however busy the machine is; the ratios of them hardly depend on the
//! processor either, so those are what `ratios.txt` remembers.
//!
//! ```text
//! cargo bench -p dc-cost               # the table, and how the cost grows, which is drawn
//! cargo bench -p dc-cost -- --check    # the table; fails if a ratio is 5 % above the one of ratios.txt
//! cargo bench -p dc-cost -- --write    # both; writes ratios.txt and growth.svg
//! ```

mod callgrind;
mod cases;
mod growth;
mod plot;
mod scene;
mod table;
mod wire;

use clap::Parser;

#[derive(Debug, Parser)]
struct Args {
    /// Fail if something costs 5 % more than ratios.txt says
    #[arg(long)]
    check: bool,
    /// Write ratios.txt and growth.svg
    #[arg(long, conflicts_with = "check")]
    write: bool,
    /// Over how many connections each count is taken
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// What this program runs itself as
    #[arg(long, hide = true)]
    count: Option<String>,
    /// What Cargo says to benchmarks
    #[arg(long, hide = true)]
    bench: bool,
    /// `cargo test --benches` only wants to know whether it runs
    #[arg(long, hide = true)]
    test: bool,
}

fn main() {
    let args = Args::parse();
    if let Some(name) = &args.count {
        return cases::run(name, args.rounds);
    }
    if args.test {
        // Without valgrind, which not everybody has.
        return table::names().for_each(|name| cases::run(name, 1));
    }
    let table = table::count(args.rounds);
    if args.write {
        table::write(&table);
    }
    if args.check {
        std::process::exit(i32::from(!table::check(&table)));
    }
    let folder = match args.write {
        true => env!("CARGO_MANIFEST_DIR"),
        false => env!("CARGO_TARGET_TMPDIR"),
    };
    growth::count(GROWTH_ROUNDS, [folder, "growth.svg"].iter().collect());
}

/// Over how many connections each point of a curve is counted.
const GROWTH_ROUNDS: usize = 5;
