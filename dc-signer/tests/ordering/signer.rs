//! The vendor's program, with a zone and a CA in its configuration.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use dc_pki::time::from_seconds;
use dc_signer::server::dev::Dev;
use serde_json::Value;
use tempfile::TempDir;

use crate::ca::{Ca, HMAC, KID};
use crate::dns::Dns;

const TOKEN: &str = "operator.token";

/// The program's folder.
pub(crate) struct Signer {
    folder: TempDir,
    config: String,
    said: Mutex<String>,
}

impl Signer {
    pub(crate) fn new(ca: &Ca, dns: &Dns) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let dev = Dev::open(&path.join("signer"), from_seconds(now.as_secs())).unwrap();
        let hmac = path.join("hmac");
        write_hmac(&hmac);
        let [anchors, roots] = ca.roots().map(|path| path.display().to_string());
        let acme = format!(
            "\n[[acme]]\ndirectory = \"{}\"\ncontact = [\"mailto:pki@example.com\"]\nagree_to_terms = true\n\
             external_account = {{ kid = \"{KID}\", hmac = {{ file = \"{}\" }} }}\n\
             challenge = \"dns-01\"\nhook = [\"{HOOK}\", \"{}\", \"{}\"]\npropagation = \"0s\"\n\
             roots = \"{roots}\"\nanchors = \"{anchors}\"\n",
            ca.directory(),
            hmac.display(),
            dns.server(),
            dns.key().display(),
        );
        let config = fs::read_to_string(dev.config()).unwrap() + &acme;
        let signer = Self {
            config,
            folder,
            said: Mutex::default(),
        };
        signer.write(&signer.config);
        let add = ["operators", "add", "tester", "--role", "admin"];
        signer.succeed(&[&add[..], &["--reason", "a test", "--save-token", TOKEN]].concat());
        signer.succeed(&["zones", "add", "cpe.example.com"]);
        signer
    }

    fn write(&self, config: &str) {
        fs::write(self.config_file(), config).unwrap();
    }

    fn config_file(&self) -> PathBuf {
        self.folder.path().join("signer/config.toml")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("signer/data")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration with other words in it.
    pub(crate) fn config_with(&self, changes: &[(&str, &str)]) -> String {
        let mut config = self.config.clone();
        for (from, to) in changes {
            assert!(config.contains(from), "{from}: {config}");
            config = config.replace(from, to);
        }
        config
    }

    /// The same for the next command.
    pub(crate) fn with(&self, from: &str, to: &str) -> &Self {
        self.write(&self.config_with(&[(from, to)]));
        self
    }

    /// With this configuration for the next command.
    pub(crate) fn with_config(&self, config: &str) -> &Self {
        self.write(config);
        self
    }

    /// Makes everything somebody else's. False if this process is not root.
    pub(crate) fn give_away(&self) -> bool {
        let all = walk(self.folder().to_owned());
        let give = |path: &PathBuf| chown(path, Some(NOBODY), Some(NOBODY)).is_ok();
        all.iter().all(give) && give(&self.folder().to_owned())
    }

    /// Nothing but the account is left.
    pub(crate) fn forget_customer_key(&self) {
        fs::remove_file(self.folder().join("hmac")).unwrap();
    }

    pub(crate) fn give_customer_key(&self) {
        write_hmac(&self.folder().join("hmac"));
    }

    /// A machine that has nothing but the configuration.
    pub(crate) fn lose_data(&self) {
        fs::rename(self.data(), self.folder().join("lost")).unwrap();
        fs::create_dir(self.data()).unwrap();
    }

    /// With another CA for the next command, or none.
    pub(crate) fn with_ca(&self, table: &str) -> &Self {
        let (others, _) = self.config.split_once("[[acme]]").unwrap();
        self.write(&format!("{others}{table}"));
        self
    }

    /// Runs a command with the configuration as it lies there, which is the right one again afterwards.
    fn run(&self, arguments: &[&str]) -> (bool, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dc-signer"));
        command.args(arguments).current_dir(self.folder());
        let token = self.folder().join(TOKEN);
        if token.exists() {
            command.env("DC_SIGNER_TOKEN_FILE", token);
        }
        if arguments[0] != "csr" {
            command.arg("--config").arg(self.config_file());
        }
        if arguments.starts_with(&["certificate", "order"]) {
            command.args(["--reason", "a test"]);
        }
        let output = command.output().unwrap();
        self.write(&self.config);
        let [out, err] =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        self.said.lock().unwrap().push_str(&format!("{out}{err}"));
        (output.status.success(), out, err)
    }

    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let (is_done, out, err) = self.run(arguments);
        assert!(is_done, "{arguments:?}: {err}");
        out
    }

    /// Its words then.
    pub(crate) fn fail(&self, arguments: &[&str]) -> String {
        let (is_done, out, err) = self.run(arguments);
        assert!(!is_done, "{arguments:?}: {out}");
        assert_eq!(err.matches("error: ").count(), 1, "{err}");
        err
    }

    pub(crate) fn order(&self) -> Value {
        let out = self.succeed(&[
            "certificate",
            "order",
            "--json",
            "--zone",
            "cpe.example.com",
        ]);
        serde_json::from_str(&out).unwrap()
    }

    pub(crate) fn order_folder(&self) -> PathBuf {
        self.data().join("orders/cpe.example.com-server")
    }

    /// Everything in a folder of the data folder, to any depth.
    pub(crate) fn files(&self, name: &str) -> Vec<PathBuf> {
        walk(self.data().join(name))
    }

    /// The folder of the one delegation certificate that was imported.
    pub(crate) fn only_delegation(&self) -> PathBuf {
        let files = self.files("delegations");
        let chains: Vec<_> = files
            .iter()
            .filter(|file| file.ends_with("chain.pem"))
            .collect();
        assert_eq!(chains.len(), 1, "{files:?}");
        chains[0].parent().unwrap().to_owned()
    }

    /// Neither the customer's key nor the account's was printed; the customer's was not written either.
    pub(crate) fn nothing_secret_was_said(&self, ca: &Ca) {
        let files = self.files("acme");
        let account = files.iter().find(|file| file.ends_with("account.json"));
        let account = fs::read_to_string(account.unwrap()).unwrap();
        let kept: Value = serde_json::from_str(&account).unwrap();
        let key = kept["credentials"]["key_pkcs8"].as_str().unwrap();
        let said = self.said.lock().unwrap();
        assert!(!said.contains(key) && !said.contains(HMAC), "{said}");
        assert!(!account.contains(HMAC));
        // The server has seen the account's public key alone.
        assert!(!ca.log().contains(key));
    }
}

fn write_hmac(path: &Path) {
    fs::write(path, HMAC).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Everything below a folder, to any depth.
fn walk(folder: PathBuf) -> Vec<PathBuf> {
    let (mut found, mut left) = (Vec::new(), vec![folder]);
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path.clone());
            }
            found.push(path);
        }
    }
    found
}

/// A web server for a folder, by Python, on the port 80 of loopback.
pub(crate) fn serve(folder: &Path) -> Web {
    let process = Command::new("python3")
        .args([
            "-m",
            "http.server",
            "--bind",
            "127.0.0.1",
            "80",
            "--directory",
        ])
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let web = Web(process);
    while std::net::TcpStream::connect("127.0.0.1:80").is_err() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    web
}

pub(crate) struct Web(Child);

impl Drop for Web {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A user who has nothing.
pub(crate) const NOBODY: u32 = 65_534;
pub(crate) const HOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ops/acme-nsupdate.sh");
