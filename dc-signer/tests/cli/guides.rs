//! The commands of the README and of the pages in `docs`, run in order as somebody pastes them.
//!
//! Each page has a machine of its own, with nothing on it but the checkout and the programs: `guides/machine.sh` makes it, and
//! `guides/before` has what a page takes for granted. All blocks of `sh` are run but those
//!
//! * behind the line `<!-- not run: REASON -->`,
//! * that begin with `#!`, which are files: only their grammar is looked at.
//!
//! What somebody else does before a block is the line `<!-- run first: COMMAND -->` before it. Of the runbook each entry has a machine,
//! and so has what comes behind the line `<!-- or, on another machine -->`.

#[path = "guides/page.rs"]
mod page;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{LazyLock, Mutex};
use std::thread;

use page::{Block, Page};
use tempfile::TempDir;

/// How many blocks are not run: more of them take a good reason.
const NOT_RUN: usize = 21;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/guides");

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The folder with all programs of the workspace.
fn programs() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_dc-signer")).parent().unwrap()
}

/// A test for each page with commands.
macro_rules! pages {
    ($($test:ident: $page:literal,)*) => {
        const PAGES: &[&str] = &[$($page),*];
        $(
            #[test]
            fn $test() {
                follow(&Page::read($page));
            }
        )*
    };
}

pages! {
    the_readme_does_what_it_says: "README.md",
    the_agent_starts_as_its_page_says: "docs/agent.md",
    an_auditor_checks_the_log_as_the_page_says: "docs/audit.md",
    by_hand_a_client_reaches_a_device_and_not_its_twin: "docs/by-hand.md",
    a_client_that_is_not_rust_reaches_a_device_as_its_page_says: "docs/client.md",
    a_device_comes_to_a_cloud_service_as_the_page_says: "docs/cloud-service.md",
    a_signing_process_gets_its_certificate_as_the_page_says: "docs/delegation-certificates.md",
    a_device_comes_from_a_web_server_to_a_credential_as_its_page_says: "docs/device.md",
    a_home_router_starts_as_its_page_says: "docs/home-router.md",
    an_operator_comes_from_an_empty_machine_to_devices_as_the_page_says: "docs/operator.md",
    operators_act_as_their_page_says: "docs/operators.md",
    a_fleet_is_planned_as_the_page_says: "docs/plan.md",
    secrets_are_kept_as_their_page_says: "docs/secrets.md",
}

/// Whoever has an incident reads one entry, and nothing else has happened on that machine.
const RUNBOOK: &str = "docs/runbook.md";

#[test]
fn each_entry_of_the_runbook_does_what_it_says() {
    if !can_run() {
        return;
    }
    // Making a signer takes longer than most entries: it is made once.
    let once = prepare("runbook-once", &[]);
    let set_up = machine(once.path(), None);
    assert!(succeeded(&set_up), "{set_up:?}");
    let saved = once.path().join("saved");
    let page = Page::read(RUNBOOK);
    let parts = Mutex::new(page.parts());
    let wrong = Mutex::new(Vec::new());
    let work = || {
        while let Some(blocks) = take(&parts) {
            let output = machine(prepare("runbook", &blocks).path(), Some(&saved));
            if !succeeded(&output) {
                let said = String::from_utf8_lossy(&output.stdout).into_owned();
                wrong.lock().unwrap().push(said);
            }
        }
    };
    thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(work))));
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}: {}", wrong.len(), wrong.join("\n\n"));
}

fn take<T>(all: &Mutex<Vec<T>>) -> Option<T> {
    all.lock().unwrap().pop()
}

/// The README and all pages of `docs`.
fn all() -> Vec<Page> {
    let docs = fs::read_dir(root().join("docs")).unwrap();
    let names = docs.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let docs = names.filter(|name| name.ends_with(".md"));
    let mut paths: Vec<String> = docs.map(|name| format!("docs/{name}")).collect();
    paths.sort();
    paths.insert(0, "README.md".to_owned());
    paths.iter().map(|path| Page::read(path)).collect()
}

#[test]
fn every_page_with_commands_is_one_that_is_run() {
    let with_commands = all()
        .into_iter()
        .filter(|page| page.commands().next().is_some());
    let mut with_commands: Vec<String> = with_commands.map(|page| page.path).collect();
    with_commands.retain(|path| path != RUNBOOK);
    assert_eq!(with_commands, PAGES);
}

#[test]
fn whatever_is_not_run_says_why_and_there_is_little_of_it() {
    let mut not_run = Vec::new();
    for page in all() {
        for (line, reason) in page.reasons() {
            assert!(
                reason.len() > 20,
                "{}:{line}: no reason: {reason}",
                page.path
            );
            not_run.push(format!("{}:{line}: {reason}", page.path));
        }
    }
    println!("not run:\n{}", not_run.join("\n"));
    assert_eq!(not_run.len(), NOT_RUN, "{not_run:#?}");
}

/// Where pages are run cargo is a stand-in, which builds nothing: here cargo itself says what it would build. A feature that none of
/// the packages gets is no error to it.
#[test]
fn what_a_page_builds_is_what_cargo_knows() {
    let pages = all();
    let blocks = pages
        .iter()
        .flat_map(|page| page.blocks.iter().map(move |block| (page, block)));
    let mut checked = 0;
    for (page, block) in blocks.filter(|(_, block)| block.word == "sh") {
        for line in block.text.lines() {
            let Some(built) = Built::by(line) else {
                continue;
            };
            let known = built.tree();
            let at = format!("{}:{}: {line}", page.path, block.line);
            assert!(known.status.success(), "{at}: {known:?}");
            let known = String::from_utf8(known.stdout).unwrap();
            let with: Vec<&str> = known.split([' ', ',', '\n']).collect();
            let wanted = built.packages.iter().chain(&built.features);
            let missing: Vec<_> = wanted.filter(|word| !with.contains(word)).collect();
            assert!(missing.is_empty(), "{at}: {missing:?} is not in {known}");
            checked += 1;
        }
    }
    assert!(checked > 8, "{checked}");
}

/// What a command builds.
#[derive(Debug, Default)]
struct Built<'a> {
    packages: Vec<&'a str>,
    features: Vec<&'a str>,
}

impl<'a> Built<'a> {
    fn by(line: &'a str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let verb = (words.next()? == "cargo").then(|| words.next())??;
        if !["build", "install", "run"].contains(&verb) {
            return None;
        }
        let mut built = Self::default();
        while let Some(word) = words.next().filter(|word| *word != "--") {
            match word {
                "-p" | "--path" => built.packages.push(words.next()?),
                "--features" => built.features.extend(words.next()?.split(',')),
                _ => {}
            }
        }
        Some(built)
    }

    /// Each package in a line, with its features.
    fn tree(&self) -> Output {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["tree", "--locked", "--offline", "--depth", "0"]);
        // What tests need is not built.
        cargo.args(["--edges", "normal"]);
        cargo.args(["--prefix", "none", "--format", "{p} {f}"]);
        for package in &self.packages {
            cargo.args(["-p", package]);
        }
        cargo.args(["--features", &self.features.join(",")]);
        cargo.current_dir(root()).output().unwrap()
    }
}

#[test]
fn what_a_page_shows_as_a_file_is_a_script() {
    for page in all() {
        for block in page.blocks.iter().filter(|block| block.is_file()) {
            let checked = Command::new("sh")
                .args(["-n", "-c", &block.text])
                .output()
                .unwrap();
            assert!(
                checked.status.success(),
                "{}:{}: {checked:?}",
                page.path,
                block.line
            );
        }
    }
}

#[test]
fn a_command_that_fails_is_noticed_wherever_it_stands() {
    if !can_run() {
        return;
    }
    for (wrong, text) in [
        (false, "```sh\ntrue\n```\n"),
        (true, "```sh\nfalse\ntrue\n```\n"),
        (true, "```sh\n! true\n```\n"),
        (true, "```sh\nfalse | true\n```\n"),
        (true, "```sh\nno-such-program\n```\n"),
        (true, "```sh\ncargo run -p no-such-program\n```\n"),
        (
            true,
            "```sh\ntrue\n```\n\n<!-- run first: false -->\n```sh\ntrue\n```\n",
        ),
        (
            false,
            "<!-- not run: it would fail, and that is what this is about -->\n```sh\nfalse\n```\n",
        ),
    ] {
        let page = Page::parse("docs/none.md", text);
        let output = run(&page.path, &page.commands().collect::<Vec<_>>());
        assert_eq!(!output.status.success(), wrong, "{text}: {output:?}");
    }
}

/// Runs all commands of a page, which have to succeed.
fn follow(page: &Page) {
    if !can_run() {
        return;
    }
    let output = run(&page.path, &page.commands().collect::<Vec<_>>());
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        succeeded(&output),
        "{}: {}\n{said}",
        page.path,
        output.status
    );
}

fn succeeded(output: &Output) -> bool {
    output.status.success() && output.stdout.ends_with(b"== all done\n")
}

fn run(path: &str, blocks: &[&Block]) -> Output {
    let name = Path::new(path).file_stem().unwrap().to_str().unwrap();
    machine(prepare(name, blocks).path(), None)
}

/// A folder with the blocks, and with what is taken for granted by this name.
fn prepare(name: &str, blocks: &[&Block]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (number, block) in blocks.iter().enumerate() {
        let file = |kind| {
            let name = format!("{:02}-{kind}-line-{}.sh", number + 1, block.line);
            folder.path().join(name)
        };
        if let Some(first) = block.first() {
            fs::write(file("before"), first).unwrap();
        }
        fs::write(file("block"), &block.text).unwrap();
    }
    let before = Path::new(HERE)
        .join("before")
        .join(name)
        .with_extension("sh");
    if before.exists() {
        fs::copy(before, folder.path().join("before.sh")).unwrap();
    }
    folder
}

/// What stands in a folder, on a machine of its own, which begins where another one was saved; both outputs are one.
fn machine(folder: &Path, saved: Option<&Path>) -> Output {
    let script = "exec 2>&1; exec timeout --kill-after=5 300 unshare --mount --propagation unchanged --net --pid --fork --kill-child --mount-proc bash \"$@\"";
    Command::new("bash")
        .args(["-c", script, "bash"])
        .arg(Path::new(HERE).join("machine.sh"))
        .arg(root().canonicalize().unwrap())
        .arg(programs())
        .arg(folder)
        .args(saved)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap()
}

/// Whether such machines can be made here, and all programs are there.
fn can_run() -> bool {
    static WHY_NOT: LazyLock<Option<String>> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let tried = machine(folder.path(), None);
        let said = String::from_utf8_lossy(&tried.stdout);
        let last = said.lines().last().unwrap_or_default();
        (!tried.status.success()).then(|| {
            format!("they take root and a kernel that lets it make namespaces and overlays: {last}")
        })
    });
    if !apparatus::have(apparatus::Part::Tools) || !apparatus::have(apparatus::Part::Tokens) {
        return false;
    }
    if let Some(why) = &*WHY_NOT {
        apparatus::left_out("the commands of the guides", why);
        return false;
    }
    let wanted = [
        "dc-agent",
        "dc-connect",
        "dc-terminator",
        "home-router",
        "examples/server",
    ];
    let missing: Vec<PathBuf> = wanted
        .map(|name| programs().join(name))
        .into_iter()
        .filter(|path| !path.exists())
        .collect();
    assert!(
        missing.is_empty(),
        "'cargo build --workspace --bins --examples' makes {missing:?}"
    );
    true
}

/// Blocks are told by what their pages have, so a page that is written otherwise must be noticed.
#[test]
fn no_command_hides_behind_another_word() {
    let known = [
        "",
        "ini",
        "json",
        "python",
        "rust",
        "rust,no_run",
        "sh",
        "text",
        "toml",
        "xml",
    ];
    for page in all() {
        for Block { line, word, .. } in &page.blocks {
            assert!(
                known.contains(&word.as_str()),
                "{}:{line}: {word}",
                page.path
            );
        }
    }
}
