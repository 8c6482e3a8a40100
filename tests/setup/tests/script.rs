//! What the set-up says when it cannot do its work: what is missing, what to do, and the variable.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A machine that has little: a folder for PATH, and one for Cargo's target directory.
struct Machine(PathBuf);

impl Machine {
    fn with(programs: &[&str]) -> Self {
        let name = std::thread::current()
            .name()
            .map(ToOwned::to_owned)
            .unwrap();
        let folder = apparatus::target().join(format!("setup/{name}-{}", std::process::id()));
        fs::create_dir_all(folder.join("bin")).unwrap();
        for program in NEEDED.iter().chain(programs) {
            symlink(
                apparatus::program(program),
                folder.join("bin").join(program),
            )
            .unwrap();
        }
        Self(folder)
    }

    fn set_up(&self, part: &str, environment: &[(&str, &Path)]) -> Output {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/setup.sh");
        Command::new("bash")
            .args([script, part])
            .env("PATH", self.0.join("bin"))
            .env("CARGO_TARGET_DIR", self.0.join("target"))
            .envs(environment.iter().copied())
            .output()
            .unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn failed(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

#[test]
fn without_apt_it_says_what_to_install_and_the_variable() {
    let said = failed(&Machine::with(&[]).set_up("tools", &[]));
    let lines: Vec<&str> = said.lines().collect();
    let [why, how] = lines[..] else {
        panic!("{said}");
    };
    assert!(why.contains("this system has no apt-get"), "{said}");
    assert!(why.contains("curl") && why.contains("openssl"), "{said}");
    assert!(
        how.ends_with("to leave these tests out: DC_TEST_TOOLS=skip"),
        "{said}"
    );
}

/// The real apt, whose only way to a server is a port where nobody listens.
#[test]
fn offline_or_without_root_it_says_so_with_the_packages_and_the_variable() {
    if !apparatus::program("apt-get").is_absolute() {
        apparatus::left_out("a set-up that is offline", "there is no apt-get");
        return;
    }
    let machine = Machine::with(&["apt-get"]);
    let settings = machine.0.join("apt.conf");
    let lists = machine.0.join("lists");
    fs::create_dir_all(lists.join("partial")).unwrap();
    let nobody = "Acquire::http::Proxy \"http://127.0.0.1:9\";\nAcquire::https::Proxy \"http://127.0.0.1:9\";";
    let own = format!("Dir::State::lists \"{}\";", lists.display());
    fs::write(
        &settings,
        format!("{nobody}\n{own}\nAcquire::Retries \"0\";\n"),
    )
    .unwrap();
    let said = failed(&machine.set_up("browser", &[("APT_CONFIG", &settings)]));
    let offline = said.contains("is this machine offline?") && said.contains("missing: chromium");
    let no_root = said.contains("run first: sudo apt-get install") && said.contains(" chromium");
    assert!(offline || no_root, "{said}");
    assert!(said.ends_with("DC_SIGNER_TEST_BROWSER=skip\n"), "{said}");
}

/// Without `sudo`, whoever is not root gets nowhere.
const NEEDED: [&str; 21] = [
    "awk", "bash", "cat", "cut", "dirname", "echo", "env", "find", "flock", "grep", "id", "mkdir",
    "rm", "sed", "sleep", "sort", "tail", "touch", "tr", "uname", "xargs",
];
