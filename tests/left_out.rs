//! The end of `cargo test --workspace`: what was left out of the run, and why.
//!
//! No test: a report, which is printed whether anything is left out or not. The documentation's few examples still follow,
//! which leave out nothing; whoever wants the report behind them has it in a file.

fn main() -> std::io::Result<()> {
    // Whoever asks which tests there are gets none.
    if std::env::args().any(|argument| argument == "--list") {
        return Ok(());
    }
    let report = apparatus::report();
    let report = report.unwrap_or_else(|| "nothing was left out of this run".to_owned());
    println!("\n{report}\n");
    let folder = apparatus::target().join("setup");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("left-out.txt"), format!("{report}\n"))
}
