//! Commands of the documents leave no secret behind that others can read, and no shell whose new files are nobody's to read.

use crate::source::root;

/// What is written by these is as secret as what it lets in, or tells whose devices there are.
const SECRET: [&str; 6] = [
    "codes new",
    "devices add",
    "devices list",
    "genpkey",
    "operators add",
    "openssl rand",
];

/// The lines of all documents that are typed into a shell.
fn commands() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in ["docs", ".", "dc-signer", "dc-signer/agent", "dc-signer/ops"] {
        let Ok(entries) = std::fs::read_dir(root().join(folder)) else {
            continue;
        };
        let paths = entries.map(|entry| entry.unwrap().path());
        for path in paths.filter(|path| path.extension().is_some_and(|end| end == "md")) {
            let text = std::fs::read_to_string(&path).unwrap();
            let mut is_shell = false;
            for (number, line) in (1..).zip(text.lines()) {
                let fence = line.trim_start().strip_prefix("```");
                is_shell = match fence {
                    Some(language) => language.starts_with("sh"),
                    None => is_shell,
                };
                if is_shell && fence.is_none() {
                    found.push((format!("{}:{number}", path.display()), line.to_owned()));
                }
            }
        }
    }
    found
}

/// True if a line writes a secret to a file that whoever may read files of the shell's user can read.
fn is_open(line: &str) -> bool {
    let line = line.split(" #").next().unwrap_or_default();
    let writes = line.contains(" > ") || line.contains(" >> ") || line.contains(" tee ");
    let is_secret = SECRET.iter().any(|secret| line.contains(secret));
    is_secret && writes && !line.contains("(umask 077; ")
}

/// True if all that the same shell writes from then on is closed as well.
fn closes_the_shell(line: &str) -> bool {
    line.contains("umask") && !line.contains("(umask 077; ")
}

#[test]
fn commands_of_the_documents_write_secrets_for_their_owner_alone_and_change_no_shell() {
    let commands = commands();
    assert!(commands.len() > 200, "{}", commands.len());
    let wrong: Vec<_> = commands
        .into_iter()
        .filter(|(_, line)| is_open(line) || closes_the_shell(line))
        .collect();
    assert!(
        wrong.is_empty(),
        "to be put into (umask 077; ...): {wrong:#?}"
    );
}

#[test]
fn a_command_that_leaves_codes_for_all_to_read_is_found() {
    assert!(is_open(
        "dcs codes new --file waiting.ndjson --json > codes.ndjson"
    ));
    assert!(is_open("openssl rand -hex 32 > secrets.key"));
    assert!(!is_open("(umask 077; openssl rand -hex 32 > secrets.key)"));
    assert!(is_open("dcs devices list --json > devices.ndjson"));
    assert!(!is_open("dcs zones list --json > zones.json"));
    assert!(closes_the_shell(
        "umask 077; openssl rand -hex 32 > secrets.key"
    ));
}
