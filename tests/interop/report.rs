//! One table of everything that was tried.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::Write as _,
    process::Command,
    sync::{LazyLock, Mutex, PoisonError},
    time::Duration,
};

use crate::{boring, firefox, nss, process, setup, tlslite};

/// One handshake: who, what, and what showed the result.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) client: &'static str,
    pub(crate) server: &'static str,
    pub(crate) case: String,
    pub(crate) evidence: String,
    pub(crate) ok: bool,
    pub(crate) took: Duration,
}

/// Files the rows of a test that has ended. Behind the last test the table is printed.
pub(crate) fn file(test: &'static str, rows: Vec<Row>) {
    let mut tests = TESTS.lock().unwrap_or_else(PoisonError::into_inner);
    tests.insert(test, rows);
    let table = table(&tests);
    if let Err(error) = fs::write(setup::cache().join("report.txt"), &table) {
        eprintln!("report.txt in {}: {error}", setup::cache().display());
    }
    if tests.len() == *SELECTED {
        // Not `println!`: libtest shows that only for tests that fail.
        let _ = std::io::stdout().write_all(format!("\n{table}").as_bytes());
    }
}

fn table(tests: &BTreeMap<&str, Vec<Row>>) -> String {
    let rows: Vec<&Row> = tests.values().flatten().collect();
    let width = |cell: fn(&Row) -> &str| rows.iter().map(|row| cell(row).len()).max().unwrap_or(0);
    let (clients, servers) = (width(|row| row.client), width(|row| row.server));
    let cases = width(|row| &row.case);

    let mut text = format!("{}\n", *VERSIONS);
    for (test, rows) in tests {
        let _ = writeln!(text, "\n{}", test.replace('_', " "));
        for row in rows {
            let Row {
                client,
                server,
                case,
                evidence,
                ok,
                took,
            } = row;
            let (result, millis) = (if *ok { "ok" } else { "FAILED" }, took.as_millis());
            let _ = writeln!(
                text,
                "  {client:clients$} -> {server:servers$}  {case:cases$}  {result:6} {millis:5} ms  {evidence}",
            );
        }
    }
    let failed = rows.iter().filter(|row| !row.ok).count();
    let _ = writeln!(
        text,
        "\n{} handshakes, {failed} not as expected",
        rows.len()
    );
    text
}

static TESTS: Mutex<BTreeMap<&str, Vec<Row>>> = Mutex::new(BTreeMap::new());

static VERSIONS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "peers: NSS {}, {}, tlslite-ng {}, {}",
        nss::version(),
        firefox::version(),
        tlslite::version(),
        boring::version(),
    )
});

/// How many tests of this run file rows: libtest, asked with the arguments we were started with.
static SELECTED: LazyLock<usize> = LazyLock::new(|| {
    let Ok(this) = std::env::current_exe() else {
        return 0;
    };
    let arguments = std::env::args_os().skip(1);
    let list = process::run(
        Command::new(this)
            .args(arguments)
            .args(["--list", "--format", "terse"]),
    );
    list.stdout
        .lines()
        .filter(|line| {
            line.ends_with(": test") && !HAVE_THEIR_OWN.iter().any(|m| line.starts_with(m))
        })
        .count()
});

/// Tests that print a table of their own, or none.
const HAVE_THEIR_OWN: [&str; 5] = [
    "client_auth::",
    "http::",
    "matrix::",
    "middle::",
    "router::",
];
