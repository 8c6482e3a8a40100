//! `--passphrase-…`: where the passphrase of an encrypted delegation key comes from.

use std::path::PathBuf;

use dc_pki::keys::Unlock;
use dc_pki::secret::SecretSource;

/// The passphrase itself is never an argument: other users of the machine see those.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub(super) struct Passphrase {
    /// If the delegation key is encrypted: the file with its passphrase, which others may not read
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The same from an open file descriptor, as in '--passphrase-fd 3 3< FILE'
    #[arg(long, value_name = "NUMBER")]
    passphrase_fd: Option<u32>,
    /// The same from the credential of this name that systemd hands over (LoadCredential=)
    #[arg(long, value_name = "NAME")]
    passphrase_credential: Option<String>,
    /// The same from what a program writes, which is started without arguments
    #[arg(long, value_name = "PROGRAM")]
    passphrase_command: Option<String>,
}

impl Passphrase {
    pub(super) fn unlock(&self) -> Unlock {
        let Self {
            passphrase_file,
            passphrase_fd,
            passphrase_credential,
            passphrase_command,
        } = self;
        let file = passphrase_file.clone().map(SecretSource::File);
        let source = file
            .or_else(|| passphrase_fd.map(SecretSource::Descriptor))
            .or_else(|| passphrase_credential.clone().map(SecretSource::Credential))
            .or_else(|| {
                passphrase_command
                    .clone()
                    .map(|program| SecretSource::Command(vec![program]))
            });
        source.map_or_else(Unlock::default, Unlock::with)
    }
}
