//! `--passphrase-…` and `--pin-…`: where the passphrase of an encrypted delegation key comes from, and the PIN of a token.

use std::path::PathBuf;

use dc_pki::keys::Unlock;
use dc_pki::secret::SecretSource;

/// The passphrase itself is never an argument: other users of the machine see those.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub(super) struct Passphrase {
    /// If the delegation key is encrypted, or its token wants a PIN and its URI has no pin-source: the file with the secret, which
    /// others may not read
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

/// Nor is a PIN.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub(super) struct Pin {
    /// The file with the PIN of the token, which others may not read; not needed if the URI has a pin-source
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
    /// The same from an open file descriptor, as in '--pin-fd 3 3< FILE'
    #[arg(long, value_name = "NUMBER")]
    pin_fd: Option<u32>,
    /// The same from the credential of this name that systemd hands over (LoadCredential=)
    #[arg(long, value_name = "NAME")]
    pin_credential: Option<String>,
    /// The same from what a program writes, which is started without arguments
    #[arg(long, value_name = "PROGRAM")]
    pin_command: Option<String>,
}

impl Passphrase {
    pub(super) fn unlock(&self) -> Unlock {
        let Self {
            passphrase_file,
            passphrase_fd,
            passphrase_credential,
            passphrase_command,
        } = self;
        let source = source([
            passphrase_file.clone().map(SecretSource::File),
            passphrase_fd.map(SecretSource::Descriptor),
            passphrase_credential.clone().map(SecretSource::Credential),
            passphrase_command.clone().map(program),
        ]);
        source.map_or_else(Unlock::default, Unlock::with)
    }
}

impl Pin {
    pub(super) fn unlock(&self) -> Option<Unlock> {
        let Self {
            pin_file,
            pin_fd,
            pin_credential,
            pin_command,
        } = self;
        let source = source([
            pin_file.clone().map(SecretSource::File),
            pin_fd.map(SecretSource::Descriptor),
            pin_credential.clone().map(SecretSource::Credential),
            pin_command.clone().map(program),
        ]);
        source.map(Unlock::with)
    }
}

/// The one that was given: clap allows no two.
fn source(given: [Option<SecretSource>; 4]) -> Option<SecretSource> {
    given.into_iter().flatten().next()
}

fn program(path: String) -> SecretSource {
    SecretSource::Command(vec![path])
}
