//! What the experiments need from the machine: programs that nobody here wrote.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use apparatus::Part;
use dc_pki::Sha256;

use crate::Result;
use crate::clients::version;
use crate::report::Program;

/// Installs the foreign programs that are missing, whether all can be had or not: each client says for itself what it
/// lacks. No if they are to be left out.
pub(crate) fn foreign_programs() -> bool {
    !matches!(apparatus::installed(Part::Solutions), Ok(false))
}

/// The library that gives programs their virtual time: `virtual_clock.c`, compiled if that has not been done yet.
///
/// Fails with what the compiler says.
pub(crate) fn virtual_clock() -> Result<PathBuf> {
    let folder = apparatus::target().join("solutions");
    let mut hash = Sha256::of(SOURCE.as_bytes()).to_string();
    hash.truncate(16);
    let library = folder.join(format!("virtual_clock-{hash}.so"));
    if library.exists() {
        return Ok(library);
    }
    fs::create_dir_all(&folder)?;
    let work = tempfile::tempdir_in(&folder)?;
    let (source, new) = (
        work.path().join("virtual_clock.c"),
        work.path().join("new.so"),
    );
    fs::write(&source, SOURCE)?;
    let mut compiler = Command::new("gcc");
    compiler
        .args(["-O1", "-Wall", "-shared", "-fPIC", "-o"])
        .arg(&new)
        .arg(&source)
        .arg("-ldl");
    let output = compiler.output().map_err(|error| format!("gcc: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("virtual_clock.c does not compile: {said}").into());
    }
    // Others may do the same at the same time.
    fs::rename(new, &library)?;
    Ok(library)
}

/// The foreign programs besides the clients.
pub(crate) fn programs() -> Vec<Program> {
    let program = |name, version| Program {
        name,
        is_client: false,
        version: match foreign_programs() {
            true => version,
            false => Err(LEFT_OUT.to_owned()),
        },
    };
    vec![
        program("acme2certifier", acme2certifier()),
        program("gnutls-serv", version("gnutls-serv", "--version")),
    ]
}

/// The folder of the virtual environment with the ACME server.
pub(crate) fn virtual_environment() -> PathBuf {
    apparatus::target().join("solutions/venv")
}

fn acme2certifier() -> std::result::Result<String, String> {
    let requirements = virtual_environment().join("requirements.txt");
    let text = fs::read_to_string(&requirements)
        .map_err(|error| format!("{}: {error}", requirements.display()))?;
    let line = { text.lines() }.find_map(|line| line.strip_prefix("acme2certifier=="));
    let version = line.ok_or_else(|| format!("{} does not name it", requirements.display()))?;
    Ok(format!("acme2certifier {}", version.trim()))
}

/// Why a foreign program is not run though it may be there.
pub(crate) const LEFT_OUT: &str = "left out with DC_SOLUTIONS=skip";
const SOURCE: &str = include_str!("virtual_clock.c");
