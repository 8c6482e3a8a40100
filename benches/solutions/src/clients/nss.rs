//! NSS's `tstclnt`, which offers to take credentials (RFC 9345) as Firefox does: with `-B`.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use pki_types::pem::PemObject as _;
use pki_types::{CertificateDer, CertificateRevocationListDer};

use super::files::{Files, text};
use super::program::{Said, request, run};
use super::{Client, Outcome, Visit};
use crate::Result;
use crate::clock::Clock;

/// The client, and the databases that it has had, by what is in them: a new one takes a tenth of a second.
#[derive(Debug, Default)]
pub(super) struct Tstclnt(Mutex<HashMap<String, Files>>);

impl Client for Tstclnt {
    fn name(&self) -> &'static str {
        "NSS tstclnt"
    }

    fn version(&self) -> std::result::Result<String, String> {
        for program in ["tstclnt", "certutil", "crlutil"] {
            // Without arguments they explain themselves.
            run(&mut Command::new(program), b"")?;
        }
        // The programs do not say it; where there is no such package, it stays unknown.
        let mut query = Command::new("dpkg-query");
        let said = run(query.args(["-W", "-f", "${Version}", "libnss3"]), b"");
        let version = said.map(|said| said.stdout).unwrap_or_default();
        Ok(format!("NSS {}", upstream(&version)))
    }

    fn visit(&self, clock: &Clock, visits: &[Visit<'_>]) -> Vec<Outcome> {
        super::each(visits, |visit| self.one(clock, visit))
    }
}

impl Tstclnt {
    fn one(&self, clock: &Clock, visit: &Visit<'_>) -> Result<Outcome> {
        let mut databases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = contents(visit)?;
        if !databases.contains_key(&key) {
            databases.insert(key.clone(), database(visit)?);
        }
        let files = databases.get(&key).ok_or("no database")?;
        let file = files.write("request", request(visit.name))?;
        let mut command = clock.command("tstclnt");
        command
            .args(["-h", "127.0.0.1", "-4", "-p", &visit.port.to_string()])
            // The name to ask for and to verify.
            .args(["-a", visit.name])
            .args(["-B", "-v", "-d", &at(files), "-A"])
            .arg(file);
        Ok(outcome(&run(&mut command, b"")?))
    }
}

fn outcome(said: &Said) -> Outcome {
    if said.exit == Some(0) && said.page() {
        return Outcome::Connected;
    }
    let all = said.all();
    let mut words =
        all.split(|letter: char| !(letter.is_ascii_uppercase() || "_0123456789".contains(letter)));
    let names = |word: &&str| word.starts_with("SEC_ERROR_") || word.starts_with("SSL_ERROR_");
    match words.find(names) {
        Some(name) => Outcome::Refused(name.to_owned()),
        None => Outcome::Failed(format!("tstclnt said: {all}")),
    }
}

/// Everything that goes into a database.
fn contents(visit: &Visit<'_>) -> Result<String> {
    let mut key = String::new();
    for path in &visit.roots {
        key.push_str(&text(path)?);
    }
    let accepted = visit.accepted.and_then(|(_, certificate)| certificate);
    for (mark, path) in [("list", visit.revocation_list), ("peer", accepted)] {
        if let Some(path) = path {
            key.push_str(mark);
            key.push_str(&text(path)?);
        }
    }
    Ok(key)
}

/// A certificate database that trusts these roots, and the accepted certificate as that of a peer.
fn database(visit: &Visit<'_>) -> Result<Files> {
    let files = Files::new()?;
    nss(&files, "certutil", ["-N", "--empty-password"])?;
    for path in &visit.roots {
        trust(&files, path, "C,,")?;
    }
    if let Some(path) = files.accepted(visit)? {
        trust(&files, &path, "P,,")?;
    }
    if let Some(path) = visit.revocation_list {
        for list in CertificateRevocationListDer::pem_slice_iter(text(path)?.as_bytes()) {
            let list = files.write("der", list.map_err(|error| wrong(path, &error))?)?;
            // Its signature is looked at when it is used: the CA above may be known only then.
            nss(
                &files,
                "crlutil",
                [
                    "-I".as_ref(),
                    "-B".as_ref(),
                    "-t".as_ref(),
                    "1".as_ref(),
                    "-i".as_ref(),
                    list.as_os_str(),
                ],
            )?;
        }
    }
    Ok(files)
}

fn trust(files: &Files, path: &Path, flags: &str) -> Result<()> {
    for (number, certificate) in CertificateDer::pem_slice_iter(text(path)?.as_bytes()).enumerate()
    {
        let certificate = certificate.map_err(|error| wrong(path, &error))?;
        let der = files.write("der", &certificate)?;
        let nickname = format!("{} {number}", path.display());
        let options = ["-A", "-n", &nickname, "-t", flags, "-i"].map(OsStr::new);
        nss(
            files,
            "certutil",
            options.into_iter().chain([der.as_os_str()]),
        )?;
    }
    Ok(())
}

/// Runs a program on a database; it has to succeed.
fn nss(
    files: &Files,
    program: &str,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<()> {
    let mut command = Command::new(program);
    command.args(["-d", &at(files)]).args(arguments);
    let said = run(&mut command, b"")?;
    match said.exit {
        Some(0) => Ok(()),
        _ => Err(format!("{program} failed: {}", said.all()).into()),
    }
}

fn at(files: &Files) -> String {
    format!("sql:{}", files.folder().display())
}

fn wrong(path: &Path, error: &impl std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

/// `3.87.1` of Debian's `2:3.87.1-1+deb12u4`.
fn upstream(version: &str) -> &str {
    let version = version.split_once(':').map_or(version, |(_, rest)| rest);
    let version = version.split('-').next().unwrap_or_default();
    if version.is_empty() {
        "of an unknown version"
    } else {
        version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(exit: i32, stderr: &str) -> Said {
        Said {
            exit: Some(exit),
            stdout: String::new(),
            stderr: stderr.to_owned(),
        }
    }

    #[test]
    fn the_error_is_found_behind_what_is_none() {
        let lines = "tstclnt: connect: PR_IN_PROGRESS_ERROR: Operation is still in progress\n\
                     tstclnt: authentication of server cert failed: SEC_ERROR_UNKNOWN_ISSUER: Peer's …\n";
        let name = "SEC_ERROR_UNKNOWN_ISSUER".to_owned();
        assert_eq!(outcome(&said(254, lines)), Outcome::Refused(name));
        assert!(matches!(outcome(&said(0, "")), Outcome::Failed(_)));
        let nobody = "tstclnt: unable to connect (poll): PR_CONNECT_REFUSED_ERROR\n";
        assert!(matches!(outcome(&said(254, nobody)), Outcome::Failed(_)));
    }

    #[test]
    fn the_version_is_that_of_the_library_and_not_of_its_package() {
        assert_eq!(upstream("2:3.87.1-1+deb12u4"), "3.87.1");
        assert_eq!(upstream(""), "of an unknown version");
    }
}
