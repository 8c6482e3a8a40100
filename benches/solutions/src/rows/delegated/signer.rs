//! The vendor's signer as the rest of this program has it: its folder, its process, and its operator.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use dc_pki::files::{self, Access, NewFile};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use serde_json::Value;

use super::ca::set_validity;
use super::task::{MARK, Said, Task};
use crate::world::World;
use crate::{Result, hidden};

/// A signer with its folder, whether or not it runs.
#[derive(Debug)]
pub(super) struct Signer {
    world: World,
    folder: PathBuf,
    process: Option<Process>,
    /// The virtual time that the process knows of.
    told: u64,
}

impl Signer {
    /// Makes its folder: a configuration, and a certificate for its HTTPS, of a root that devices are made with.
    pub(super) fn new(world: &World, folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder)?;
        certify(&folder, world.now())?;
        fs::write(folder.join(CONFIG_FILE), CONFIG)?;
        Ok(Self {
            world: world.clone(),
            folder,
            process: None,
            told: 0,
        })
    }

    /// Starts it; at which port it listens.
    pub(super) fn start(&mut self) -> Result<u16> {
        let (process, port) = Process::start(&self.world, &self.folder)?;
        self.process = Some(process);
        self.told = 0;
        Ok(port)
    }

    /// Ends its process; its records stay.
    pub(super) fn stop(&mut self) {
        self.process = None;
    }

    pub(super) fn runs(&self) -> bool {
        self.process.is_some()
    }

    /// The root of its own certificate, which devices are made with.
    pub(super) fn root(&self) -> PathBuf {
        self.folder.join(ROOT)
    }

    /// Does what is due there by now.
    pub(super) fn catch_up(&mut self) -> Result<()> {
        if self.runs() && self.world.now() > self.told + A_MINUTE {
            self.work(&Task::TimeHasPassed)?;
            self.told = self.world.now();
        }
        Ok(())
    }

    /// Lets the operator do something. Fails if the signer does not run, and as the signer says.
    pub(super) fn work(&mut self, task: &Task) -> Result<Value> {
        let process = self.process.as_mut().ok_or("the signer does not run")?;
        process.tell(task)
    }
}

#[derive(Debug)]
struct Process {
    child: Child,
    tasks: ChildStdin,
    says: BufReader<ChildStdout>,
    log: PathBuf,
}

impl Process {
    fn start(world: &World, folder: &Path) -> Result<(Self, u16)> {
        let (config, log) = (folder.join(CONFIG_FILE), folder.join("log"));
        let mut child =
            hidden::again(|program| world.clock.command(program), "signer", &[&config])?
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(File::options().append(true).create(true).open(&log)?)
                .spawn()?;
        let (tasks, says) = (child.stdin.take(), child.stdout.take());
        let mut process = Self {
            tasks: tasks.ok_or("the signer has no standard input")?,
            says: BufReader::new(says.ok_or("the signer has no standard output")?),
            child,
            log,
        };
        match process.hear()? {
            Said::Ready(port) => Ok((process, port)),
            said => Err(format!("the signer said {said:?} instead of its port").into()),
        }
    }

    fn tell(&mut self, task: &Task) -> Result<Value> {
        let mut line = serde_json::to_string(task)?;
        line.push('\n');
        self.tasks.write_all(line.as_bytes())?;
        match self.hear()? {
            Said::Done(answer) => Ok(answer),
            Said::Failed(why) => Err(format!("the signer: {why}").into()),
            said @ Said::Ready(_) => Err(format!("the signer said {said:?}").into()),
        }
    }

    fn hear(&mut self) -> Result<Said> {
        let mut line = String::new();
        while self.says.read_line(&mut line)? > 0 {
            if let Some((_, said)) = line.split_once(MARK) {
                return Ok(serde_json::from_str(said)?);
            }
            line.clear();
        }
        let log = fs::read_to_string(&self.log)?;
        Err(format!("the signer has ended; its log:\n{log}").into())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes a root of the vendor's, and a certificate under it for the service.
fn certify(folder: &Path, now: u64) -> Result<()> {
    let (from, until) = (now - A_DAY, now + TEN_YEARS);
    let mut params = CertificateParams::default();
    set_validity(&mut params, from, until);
    let name = "the vendor's root for its own services";
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let mut params = CertificateParams::new(["localhost".to_owned()])?;
    set_validity(&mut params, from, until);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &root)?;
    fs::write(folder.join(ROOT), root.pem())?;
    let new = |name, contents, access| NewFile {
        name,
        contents,
        access,
    };
    let (chain, key) = (certificate.pem(), key.serialize_pem());
    files::create_folder(
        &folder.join("tls"),
        Access::Owner,
        &[
            new("chain.pem", chain.as_bytes(), Access::Everyone),
            new("key.pem", key.as_bytes(), Access::Owner),
        ],
    )?;
    Ok(())
}

const CONFIG_FILE: &str = "config.toml";
const CONFIG: &str = "\
data = \"data\"

[listen]
address = \"127.0.0.1:0\"
certificate = \"tls/chain.pem\"
key = \"tls/key.pem\"

[limits]
# It counts in real time, in which a year of a device's requests comes within seconds.
device_burst = 100000

[log]
filter = \"warn\"
";
const ROOT: &str = "root.pem";
const A_MINUTE: u64 = 60;
const A_DAY: u64 = 24 * 3600;
const TEN_YEARS: u64 = 3650 * A_DAY;
