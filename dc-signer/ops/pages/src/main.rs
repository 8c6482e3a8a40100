//! Writes the man pages and completions of all programs, and the same pages as chapters of the book: `dc-pages DIR`.
//!
//! They come from what is in the repository: the help of every command as the tests keep it (`tests/help` of each program), the
//! sample files of the configurations, and `sections/` beside this for what no help has room for. No program has to carry them.

mod chapter;
mod command;
mod error;
mod help;
mod page;
mod sample;
mod text;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap_complete::Shell;

use command::Node;
use error::Error;
use sample::Sample;
use text::{Block, Section};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let done = match (arguments.next(), arguments.next()) {
        (Some(out), None) if !out.to_string_lossy().starts_with('-') => write(&PathBuf::from(out)),
        _ => Err(Error::Usage),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dc-pages: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A program, and where what is said of it is.
struct Program {
    name: &'static str,
    /// The folder of its help, from the root of the repository.
    help: &'static str,
    sections: &'static str,
    /// The pages about its configuration.
    see: &'static [&'static str],
}

fn write(out: &Path) -> Result<(), Error> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    for program in PROGRAMS {
        let node = Node::read(&root.join(program.help), program.name)?;
        let more = text::sections(program.sections);
        write_pages(&node, program, &more, out)?;
        write_completions(&node, out)?;
        let chapter = chapter::program(&node, &more, program.see);
        save(&chapter_of(program.name, out), chapter.as_bytes())?;
    }
    for sample in SAMPLES {
        let see = Section {
            title: "SEE ALSO".into(),
            blocks: vec![Block::Text(format!("{}(1)", program_of(sample.page)))],
        };
        let mut page = Vec::new();
        let path = out.join(format!("man/{}.5", sample.page));
        sample::write(sample, see, &mut page).map_err(failed(&path))?;
        save(&path, &page)?;
        let chapter = chapter::configuration(sample);
        save(&chapter_of(sample.page, out), chapter.as_bytes())?;
    }
    Ok(())
}

fn chapter_of(page: &str, out: &Path) -> PathBuf {
    out.join(format!("book/{page}.md"))
}

fn write_pages(
    node: &Node,
    program: &Program,
    of_program: &[Section],
    out: &Path,
) -> Result<(), Error> {
    for one in node.all() {
        let is_program = one.page == program.name;
        let more = if is_program { of_program } else { &[] };
        let above = (!is_program).then(|| above(one, node)).flatten();
        let mut see: Vec<String> = above.map(|page| format!("{page}(1)")).into_iter().collect();
        see.extend(program.see.iter().map(|page| format!("{page}(5)")));
        let path = out.join(format!("man/{}.1", one.page));
        let mut page = Vec::new();
        page::write(one, more, &see, &mut page).map_err(failed(&path))?;
        save(&path, &page)?;
    }
    Ok(())
}

/// The page of the command that another one belongs to.
fn above(one: &Node, root: &Node) -> Option<&'static str> {
    let all = root.all();
    let mut above = all
        .into_iter()
        .filter(|node| node.commands.iter().any(|it| it.page == one.page));
    above.next().map(|node| node.page)
}

fn write_completions(node: &Node, out: &Path) -> Result<(), Error> {
    let name = node.name;
    for (shell, file) in [
        (Shell::Bash, format!("bash/{name}")),
        (Shell::Zsh, format!("zsh/_{name}")),
        (Shell::Fish, format!("fish/{name}.fish")),
    ] {
        let mut text = Vec::new();
        match shell {
            Shell::Bash => text.extend(bash(node).into_bytes()),
            _ => clap_complete::generate(shell, &mut node.command(), name, &mut text),
        }
        save(&out.join(file), &text)?;
    }
    Ok(())
}

/// For bash: under a name without a dash, with which clap_complete 4.6 completes nothing behind a command
/// (clap-rs/clap#6421), and at the end under the program's own.
fn bash(node: &Node) -> String {
    let plain = node.name.replace('-', "_");
    let mut text = Vec::new();
    clap_complete::generate(Shell::Bash, &mut node.command(), &plain, &mut text);
    String::from_utf8_lossy(&text).replace(&format!(" {plain}\n"), &format!(" {}\n", node.name))
}

fn save(path: &Path, contents: &[u8]) -> Result<(), Error> {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, contents))
        .map_err(failed(path))
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> Error + '_ {
    |source| Error::Write {
        path: path.to_owned(),
        source,
    }
}

fn program_of(page: &str) -> &str {
    match page {
        "dc-agent-config" => "dc-agent",
        "dc-keyd-config" => "dc-signer-keyd",
        _ => "dc-signer",
    }
}

const PROGRAMS: &[Program] = &[
    Program {
        name: "dc-signer",
        help: "dc-signer/tests/help",
        sections: include_str!("../sections/dc-signer.txt"),
        see: &["dc-signer-config", "dc-keyd-config"],
    },
    Program {
        name: "dc-agent",
        help: "dc-signer/agent/tests/help",
        sections: include_str!("../sections/dc-agent.txt"),
        see: &["dc-agent-config"],
    },
    Program {
        name: "dc-terminator",
        help: "dc-rustls/terminator/tests/help",
        sections: include_str!("../sections/dc-terminator.txt"),
        see: &[],
    },
    Program {
        name: "dc-connect",
        help: "dc-rustls/connect/tests/help",
        sections: include_str!("../sections/dc-connect.txt"),
        see: &[],
    },
];

const SAMPLES: &[Sample] = &[
    Sample {
        page: "dc-signer-config",
        about: "configuration of the signer of delegated credentials",
        path: "/etc/dc-signer/config.toml",
        text: include_str!("../../../src/config/sample.toml"),
    },
    Sample {
        page: "dc-keyd-config",
        about: "configuration of the signing process that holds the delegation keys",
        path: "/etc/dc-keyd/keyd.toml",
        text: include_str!("../../../src/config/keyd.toml"),
    },
    Sample {
        page: "dc-agent-config",
        about: "configuration of a device's agent",
        path: "/etc/dc-agent.toml",
        text: include_str!("../../../agent/src/sample.toml"),
    },
];
