//! What the experiments need from the machine.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use apparatus::Part;

use crate::Result;

/// Installs the foreign programs that are missing, whether all can be had or not: each client says for itself what it
/// lacks. No if they are to be left out.
pub(crate) fn foreign_programs() -> bool {
    !matches!(apparatus::installed(Part::Solutions), Ok(false))
}

/// The library that gives programs their time: `virtual_clock.c`, compiled if that has not been done yet.
///
/// Fails with what the compiler says.
pub(crate) fn clock_library() -> Result<PathBuf> {
    let folder = apparatus::target().join("solutions");
    let digest = ring::digest::digest(&ring::digest::SHA256, SOURCE.as_bytes());
    let hash: String = { digest.as_ref().iter().take(8) }
        .map(|byte| format!("{byte:02x}"))
        .collect();
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

const SOURCE: &str = include_str!("virtual_clock.c");
