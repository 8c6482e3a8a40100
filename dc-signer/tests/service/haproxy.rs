//! HAProxy, as a load balancer before services.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use apparatus::{Part, have, program};
use tempfile::TempDir;

/// One that runs, with a port of its own.
#[derive(Debug)]
pub(crate) struct HaProxy {
    folder: TempDir,
    process: Child,
    pub(crate) port: u16,
}

impl HaProxy {
    /// Starts one with sections in whose text `PORT` stands for its port and `FOLDER` for a folder of its own, in which these files
    /// are; none where there is no HAProxy.
    pub(crate) fn start(sections: &str, files: &[(&str, &str)]) -> Option<Self> {
        if !have(Part::Proxies) {
            return None;
        }
        let port = free_port();
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let config = format!("{DEFAULTS}{sections}")
            .replace("PORT", &port.to_string())
            .replace("FOLDER", folder.path().to_str().unwrap());
        let path = folder.path().join("haproxy.cfg");
        fs::write(&path, config).unwrap();
        let process = Command::new(program("haproxy"))
            .args(["-db", "-f"])
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut proxy = Self {
            folder,
            process,
            port,
        };
        proxy.wait();
        Some(proxy)
    }

    fn wait(&mut self) {
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap();
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none() && began.elapsed() < PATIENCE, "{}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that nobody listens at.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

const DEFAULTS: &str = "\
defaults
    timeout connect 5s
    timeout client 60s
    timeout server 60s
";
const PATIENCE: Duration = Duration::from_secs(20);
