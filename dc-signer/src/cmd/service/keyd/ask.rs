//! The process that is asked, and `dc-signer keyd csr` and `install`: a delegation certificate whose key is made where it stays.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;

use dc_pki::delegation::{self, CHAIN, KEY_KEYD};
use dc_pki::files::{self, Access, NewFile};
use dc_pki::keyd::{Keyd, Remote, TLS};
use dc_pki::keys::ProcessFault;
use dc_pki::names::ZoneName;

use super::super::error::Error;
use super::super::print;

/// The process that is asked.
#[derive(Debug, clap::Args)]
pub(super) struct Socket {
    /// Its socket, or tls://HOST:PORT if it is on another machine
    #[arg(long, value_name = "PLACE", default_value = "/run/dc-keyd/socket")]
    socket: PathBuf,
    /// The certificate to show to one on another machine
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// The key of that
    #[arg(long, value_name = "FILE", requires = "peer")]
    key: Option<PathBuf>,
    /// The certificate that the process has
    #[arg(long, value_name = "FILE", requires = "certificate")]
    peer: Option<PathBuf>,
}

impl Socket {
    pub(super) fn keyd(&self) -> Keyd {
        let shown = (&self.certificate, &self.key, &self.peer);
        let remote = match shown {
            (Some(certificate), Some(key), Some(peer)) => Some(Remote {
                certificate: certificate.clone(),
                key: key.clone(),
                peer: peer.clone(),
            }),
            _ => None,
        };
        Keyd::new(self.socket.clone()).with(remote)
    }

    pub(super) fn failed(&self) -> impl Fn(ProcessFault) -> Error + use<> {
        let socket = self.socket.clone();
        move |fault| {
            let key = dc_pki::keys::KeyLocation::Process(socket.clone());
            dc_pki::Error::Process { key, fault }.into()
        }
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Csr {
    #[command(flatten)]
    socket: Socket,
    /// The zone, such as cpe.example.com
    #[arg(long)]
    zone: String,
    /// The certificate is to be for clients as well
    #[arg(long)]
    clients: bool,
    /// The file to write the request to, PKCS#10 in PEM
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Csr {
    pub(super) fn run(self) -> Result<(), Error> {
        let zone = ZoneName::parse(&self.zone)?.to_string();
        // Before there is a key: nothing that is there is overwritten.
        let file = File::options().write(true).create_new(true).open(&self.out);
        let mut file = file.map_err(files::write_failed(&self.out))?;
        let asked = self.socket.keyd().new_key(&zone, self.clients);
        let request = asked.map_err(|error| {
            // It is empty, and of this command.
            let _ = fs::remove_file(&self.out);
            self.socket.failed()(error)
        })?;
        let written = file.write_all(request.as_bytes());
        written.map_err(files::write_failed(&self.out))?;
        print(&format!(
            "{}: have it certified, with DelegationUsage, and give what comes back to 'dc-signer keyd install'",
            self.out.display()
        ))
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Install {
    #[command(flatten)]
    socket: Socket,
    /// The certificate with its chain, in PEM, the delegation certificate first
    #[arg(long, value_name = "FILE")]
    chain: PathBuf,
    /// The folder to make, with the chain and the name of the socket, for 'zones add --import' and 'zones rollover --import'
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Install {
    pub(super) fn run(self) -> Result<(), Error> {
        let chain = delegation::read_chain(&self.chain)?;
        let chain_pem = files::read(&self.chain)?;
        let asked = self.socket.keyd();
        let installed = asked.install(chain.iter().map(|der| der.to_vec()).collect());
        let sha256 = installed.map_err(self.socket.failed())?;
        let socket = asked.socket();
        let socket = match socket.to_str().is_some_and(|place| place.starts_with(TLS)) {
            true => socket.to_path_buf(),
            false => std::path::absolute(socket).map_err(files::write_failed(&self.out))?,
        };
        let socket = format!("{}\n", socket.display());
        let file = |name, contents| NewFile {
            name,
            contents,
            access: Access::Everyone,
        };
        let both = [
            file(CHAIN, &chain_pem[..]),
            file(KEY_KEYD, socket.as_bytes()),
        ];
        files::create_folder(&self.out, Access::Everyone, &both)?;
        print(&format!(
            "certificate {sha256} is held: import {} into its zone",
            self.out.display()
        ))
    }
}
