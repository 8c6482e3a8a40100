//! A public CA: acme2certifier, an ACME server that nobody here wrote, with its OpenSSL CA handler, in a process of its own.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use dc_tests::process::Server;
use der::Decode as _;
use x509_cert::certificate::Rfc5280;
use x509_cert::crl::CertificateList;

use crate::Result;
use crate::ca::Authority;
use crate::dns::Dns;
use crate::leaf::Leaf;
use crate::setup;
use crate::world::World;

/// The CA: a root, what signs below it, and the ACME server, which lives in the world's time.
#[derive(Debug)]
pub(crate) struct PublicCa {
    world: World,
    folder: PathBuf,
    dns_port: u16,
    root: Authority,
    issuing: Authority,
    /// Where it listens when it is started again: accounts and orders have its address in their names.
    port: u16,
    server: Option<Server>,
}

/// What is configured otherwise than usual, as lines of configuration.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Changes<'a> {
    /// Its template for certificates; what a public CA puts into those of servers, if none.
    pub(crate) template: Option<&'a str>,
    /// More lines for the section `CAhandler`; a line `handler_module` replaces the OpenSSL CA handler.
    pub(crate) handler: &'a str,
    /// A module of Python, as `name` and source, that is beside the server.
    pub(crate) module: Option<(&'a str, &'a str)>,
}

impl PublicCa {
    /// Makes root and issuing CA in the folder of this name, and starts the server, which asks `dns` for the answers to
    /// its challenges.
    pub(crate) fn start(
        world: &World,
        name: &str,
        dns: &Dns,
        changes: Changes<'_>,
    ) -> Result<Self> {
        if !setup::foreign_programs() {
            return Err(setup::LEFT_OUT.into());
        }
        let folder = world.folder(name)?;
        let [root, issuing] = Authority::public(&folder, world.now())?;
        write_configuration(&folder, &issuing, world.certificate_days, changes)?;
        let mut ca = Self {
            world: world.clone(),
            dns_port: dns.port(),
            root,
            issuing,
            port: 0,
            server: None,
            folder,
        };
        ca.resume()?;
        Ok(ca)
    }

    /// The URL of its ACME directory.
    pub(crate) fn directory(&self) -> String {
        format!("http://127.0.0.1:{}/directory", self.port)
    }

    /// Stops the server: nothing answers at its address.
    pub(crate) fn stop(&mut self) {
        self.server = None;
    }

    /// Starts the server again, where it was, with all that it knew.
    pub(crate) fn resume(&mut self) -> Result<()> {
        if self.server.is_some() {
            return Ok(());
        }
        let mut command = self.world.clock.command(python());
        command
            .arg(self.folder.join(PROGRAM))
            .env("ACME_SRV_CONFIGFILE", self.folder.join(CONFIGURATION))
            .env("PYTHONPATH", &self.folder)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("DC_PORT", self.port.to_string())
            .env("DC_DNS_PORT", self.dns_port.to_string());
        let started = Server::try_start("acme2certifier", &mut command);
        let server = started.map_err(|said| format!("acme2certifier does not start: {said}"))?;
        self.port = server.port();
        self.server = Some(server);
        Ok(())
    }

    /// The root, which signs what a vendor is given a contract for.
    pub(crate) fn root(&self) -> &Authority {
        &self.root
    }

    /// What the server has logged since it was started.
    pub(crate) fn log(&self) -> String {
        self.server.as_ref().map(Server::text).unwrap_or_default()
    }

    /// The CA's revocation list and then its root's, which clients ask for too, as a file in PEM.
    ///
    /// The server's own says which certificates are revoked, and is of no use to clients: it ends in the second in
    /// which it begins, names the root as its issuer, and lacks both extensions that RFC 5280 §5.2 wants. So the CA
    /// publishes another with the same entries.
    pub(crate) fn revocation_list(&self) -> Result<PathBuf> {
        let own = self.folder.join(OWN_LIST);
        let mut revoked = Vec::new();
        if own.exists() {
            let (_, der) = der::pem::decode_vec(&fs::read(own)?)?;
            let list = CertificateList::<Rfc5280>::from_der(&der)?;
            for entry in list.tbs_cert_list.revoked_certificates.iter().flatten() {
                let serial = entry.serial_number.as_bytes().to_vec();
                let since = entry.revocation_date.to_unix_duration().as_secs();
                revoked.push((serial, since));
            }
        }
        let file = self.folder.join("published.crl.pem");
        let now = self.world.now();
        let own = self.issuing.list(now, &revoked)?.pem()?;
        fs::write(&file, own + &self.root.list(now, &[])?.pem()?)?;
        Ok(file)
    }

    /// All names in certificates that the server has signed, from its own archive: what it has to log in public.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.folder.join(ARCHIVE))? {
            names.extend(Leaf::read(&fs::read_to_string(entry?.path())?)?.names);
        }
        names.sort();
        names.dedup();
        Ok(names)
    }
}

fn write_configuration(
    folder: &Path,
    issuing: &Authority,
    days: u64,
    changes: Changes<'_>,
) -> Result<()> {
    fs::create_dir_all(folder.join(ARCHIVE))?;
    fs::write(folder.join(PROGRAM), include_str!("public_ca.py"))?;
    fs::write(folder.join(TEMPLATE), changes.template.unwrap_or(SERVERS))?;
    if let Some((name, source)) = changes.module {
        fs::write(folder.join(name).with_extension("py"), source)?;
    }
    let path = |name: &str| folder.join(name).display().to_string();
    let mut lines = String::new();
    if !changes.handler.contains("handler_module") {
        lines.push_str("handler_module: acme2certifier.cahandlers.openssl_ca_handler\n");
    }
    lines.push_str(changes.handler);
    let handler = [
        ("issuing_ca_key", issuing.key.display().to_string()),
        ("issuing_ca_cert", issuing.certificate.display().to_string()),
        ("issuing_ca_crl", path(OWN_LIST)),
        ("cert_save_path", path(ARCHIVE)),
        ("cert_validity_days", days.to_string()),
        ("openssl_conf", path(TEMPLATE)),
    ];
    for (key, value) in handler {
        writeln!(lines, "{key}: {value}")?;
    }
    let database = path("acme.sqlite");
    let configuration = format!(
        "[DEFAULT]\ndns_server_list: [\"127.0.0.1\"]\n\
         [Account]\ncontact_check_disable: True\n\
         [CAhandler]\n{lines}\
         [DBhandler]\nhandler: wsgi\ndbfile: {database}\n\
         [Challenge]\nhttp_01_support: False\ntls_alpn_01_support: False\n"
    );
    fs::write(folder.join(CONFIGURATION), configuration)?;
    Ok(())
}

/// Python with the server and all that it needs.
fn python() -> PathBuf {
    apparatus::target().join("solutions/venv/bin/python")
}

const PROGRAM: &str = "serve.py";
const CONFIGURATION: &str = "acme_srv.cfg";
const TEMPLATE: &str = "template.cnf";
const ARCHIVE: &str = "archive";
const OWN_LIST: &str = "own.crl.pem";
/// Public CAs no longer issue for clients, and no key is enciphered since TLS 1.3.
pub(crate) const SERVERS: &str = "[extensions]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
";
