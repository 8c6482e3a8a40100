//! The program, with what is in the repository: a page for each command, with all that its help says.

#![expect(clippy::unwrap_used, reason = "as in unit tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const HELP: [(&str, &str); 4] = [
    ("dc-agent", "dc-signer/agent/tests/help"),
    ("dc-connect", "dc-rustls/connect/tests/help"),
    ("dc-signer", "dc-signer/tests/help"),
    ("dc-terminator", "dc-rustls/terminator/tests/help"),
];

fn written() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_dc-pages"))
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
    folder
}

fn helps() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let folders = HELP.iter().map(|(_, folder)| root.join(folder));
    folders
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// Letters and digits alone: roff writes the rest in other ways, and breaks lines elsewhere.
fn bare(text: &str) -> String {
    let text = text
        .replace("\\fB", "")
        .replace("\\fI", "")
        .replace("\\fR", "");
    let text = text.replace("\\*(Aq", "").replace("\\-", "");
    let lines = text.lines().map(|line| match line.split_once(' ') {
        Some((".SH" | ".SS" | ".TP" | ".IP", rest)) => rest,
        _ if line.starts_with('.') => "",
        _ => line,
    });
    let all: String = lines.collect::<Vec<_>>().join(" ");
    all.chars().filter(|c| c.is_alphanumeric()).collect()
}

fn names(folder: PathBuf) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn every_word_of_every_help_is_in_its_page() {
    let folder = written();
    let mut pages = names(folder.path().join("man"));
    let mut missing = Vec::new();
    for (name, help) in helps() {
        let page = format!("{name}.1");
        assert!(pages.remove(&page), "{page} is not there");
        let text = bare(&fs::read_to_string(folder.path().join("man").join(&page)).unwrap());
        // Its list is made of the pages below.
        let (help, commands) = match help.split_once("\nCommands:\n") {
            Some((before, rest)) => {
                let (list, behind) = rest.split_once("\n\n").unwrap();
                (format!("{before}\n{behind}"), list.to_owned())
            }
            None => (help, String::new()),
        };
        let listed = commands
            .lines()
            .filter(|line| !line.trim().starts_with("help "));
        for line in help.lines().chain(listed) {
            for part in line
                .split("  ")
                .flat_map(|part| part.split(": "))
                .map(str::trim)
            {
                // Headings, and what clap's page says in other words.
                let is_clap_s = part.ends_with(':')
                    || [
                        "Possible values",
                        "Usage",
                        "Examples",
                        "Exit status",
                        "Signals",
                    ]
                    .contains(&part)
                    || part.starts_with("Examples, ");
                // Words go over the ends of lines; numbers begin paragraphs.
                let words = part
                    .split([';', ',', '.'])
                    .map(bare)
                    .filter(|word| !word.is_empty());
                let lower = text.to_lowercase();
                for word in words.filter(|_| !is_clap_s) {
                    if !lower.contains(&word.to_lowercase()) {
                        missing.push(format!("{page}: {word}"));
                    }
                }
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    let others: Vec<String> = pages.into_iter().collect();
    assert_eq!(
        others,
        [
            "dc-agent-config.5",
            "dc-keyd-config.5",
            "dc-signer-config.5"
        ]
    );
}

/// With `UPDATE_PAGES` in the environment, they are written first.
#[test]
fn the_book_has_the_pages_as_chapters() {
    let folder = written();
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs");
    let summary = fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    let chapters = names(folder.path().join("book"));
    assert_eq!(chapters.len(), HELP.len() + 3);
    for name in chapters {
        let made = fs::read_to_string(folder.path().join("book").join(&name)).unwrap();
        if std::env::var_os("UPDATE_PAGES").is_some() {
            fs::write(docs.join(&name), &made).unwrap();
        }
        let kept = fs::read_to_string(docs.join(&name)).unwrap_or_default();
        assert!(
            made == kept,
            "docs/{name} is another one: UPDATE_PAGES=1 makes it anew"
        );
        assert!(
            summary.contains(&format!("({name})")),
            "{name} is no chapter"
        );
    }
}

#[test]
fn every_option_can_be_completed_in_every_shell() {
    let folder = written();
    for (program, _) in HELP {
        let texts = [
            format!("bash/{program}"),
            format!("zsh/_{program}"),
            format!("fish/{program}.fish"),
        ]
        .map(|file| fs::read_to_string(folder.path().join(file)).unwrap());
        for (name, help) in helps() {
            if name != program && !name.starts_with(&format!("{program}-")) {
                continue;
            }
            let (_, help) = help.split_once("\nUsage: ").unwrap();
            let options = help
                .lines()
                .map(str::trim_start)
                .filter(|line| line.starts_with("--"));
            for option in options.filter_map(|line| line.split([' ', ',']).next()) {
                let bare = option.trim_start_matches('-');
                for (text, option) in texts.iter().zip([option, option, &format!("-l {bare}")]) {
                    assert!(text.contains(option), "{name}: {option}");
                }
            }
        }
    }
}

#[test]
fn a_configuration_s_page_has_every_key_of_its_sample() {
    let folder = written();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    for (page, sample, keys) in [
        ("dc-signer-config", "dc-signer/src/config/sample.toml", 100),
        ("dc-keyd-config", "dc-signer/src/config/keyd.toml", 20),
        ("dc-agent-config", "dc-signer/agent/src/sample.toml", 15),
    ] {
        let page = fs::read_to_string(folder.path().join(format!("man/{page}.5"))).unwrap();
        let sample = fs::read_to_string(root.join(sample)).unwrap();
        let mut count = 0;
        for line in sample.lines().filter(|line| !line.starts_with("# ")) {
            let bare = line.trim_start_matches(['#', ':']).trim_start();
            let Some((key, _)) = bare.split_once(" = ") else {
                continue;
            };
            count += 1;
            assert!(page.contains(&format!("\\fB{key}\\fR")), "{key}");
        }
        assert!(count >= keys, "{count}");
    }
}

/// As bash does it when somebody types, and presses the key.
#[test]
fn bash_completes_commands_options_and_values() {
    let folder = written();
    for (program, typed, wanted) in [
        ("dc-agent", "dc-agent st", "status"),
        ("dc-agent", "dc-agent status --js", "--json"),
        ("dc-connect", "dc-connect --list-p", "--list-policy"),
        ("dc-signer", "dc-signer dev", "devices"),
        ("dc-signer", "dc-signer devices res", "resume"),
        ("dc-signer", "dc-signer zones pull", "pull-renewals"),
        (
            "dc-signer",
            "dc-signer zones pull-renewals --rea",
            "--reason",
        ),
        ("dc-signer", "dc-signer issue --form rfc", "rfc9345"),
        ("dc-terminator", "dc-terminator --proxy", "--proxy-protocol"),
    ] {
        let script = "\
            . \"$1\"; shift
            function=$(complete -p \"$1\" | sed 's/.*-F \\([^ ]*\\).*/\\1/')
            COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1))
            \"$function\" \"$1\" \"${*: -1}\" \"${*: -2:1}\"
            echo \"${COMPREPLY[@]}\"";
        let said = Command::new("bash")
            .args(["-c", script, "bash"])
            .arg(folder.path().join("bash").join(program))
            .args(typed.split(' '))
            .output()
            .unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        assert_eq!(said.trim(), wanted, "{typed}");
    }
}
