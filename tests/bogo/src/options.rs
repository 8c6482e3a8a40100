//! The runner's command line, as far as a server needs it.

use std::path::PathBuf;

use base64ct::{Base64, Encoding};
use rustls::{ProtocolVersion, SignatureScheme};

use crate::Failure;

/// What the runner wants.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) port: u16,
    pub(crate) ipv6: bool,
    pub(crate) shim_id: u64,
    /// How many connections come after the first.
    pub(crate) resume_count: usize,
    pub(crate) shim_writes_first: bool,
    pub(crate) shim_shuts_down: bool,
    pub(crate) check_close_notify: bool,
    pub(crate) min_version: Option<u16>,
    pub(crate) max_version: Option<u16>,
    /// Versions that are ruled out one by one.
    pub(crate) without: Vec<ProtocolVersion>,
    pub(crate) curves: Vec<u16>,
    pub(crate) expect_version: Option<u16>,
    /// -1 is the one that was given before any `-new-…`.
    pub(crate) expect_selected_credential: Option<i32>,
    pub(crate) default_credential: Credential,
    pub(crate) credentials: Vec<Credential>,
}

/// A credential as the runner means it: a certificate, or one that is delegated.
#[derive(Debug, Default)]
pub(crate) struct Credential {
    pub(crate) kind: Kind,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) delegated: Option<Vec<u8>>,
    /// What its key signs with, the favourite first; everything if it is empty.
    pub(crate) signing_prefs: Vec<SignatureScheme>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Kind {
    #[default]
    X509,
    Delegated,
}

impl Options {
    /// Fails with [`Failure::Unimplemented`] for a flag that is not known here.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut is_server = false;
        while let Some(flag) = arguments.next() {
            match flag.as_str() {
                "-server" => is_server = true,
                "-ipv6" => options.ipv6 = true,
                "-shim-writes-first" => options.shim_writes_first = true,
                "-shim-shuts-down" => options.shim_shuts_down = true,
                "-check-close-notify" => options.check_close_notify = true,
                // Below what rustls has anyway.
                "-no-ssl3" | "-no-tls1" | "-no-tls11" => {}
                "-no-tls12" => options.without.push(ProtocolVersion::TLSv1_2),
                "-no-tls13" => options.without.push(ProtocolVersion::TLSv1_3),
                "-new-x509-credential" => options.begin(Kind::X509),
                "-new-delegated-credential" => options.begin(Kind::Delegated),
                _ => options.with_value(&flag, &mut arguments)?,
            }
        }
        match is_server {
            true => Ok(options),
            false => Err(Failure::Unimplemented("a client".to_owned())),
        }
    }

    fn with_value(
        &mut self,
        flag: &str,
        arguments: &mut impl Iterator<Item = String>,
    ) -> Result<(), Failure> {
        let mut value = || {
            let missing = || Failure::Failed(format!("{flag} has no value"));
            arguments.next().ok_or_else(missing)
        };
        match flag {
            "-port" => self.port = number(&value()?)?,
            "-shim-id" => self.shim_id = number(&value()?)?,
            "-resume-count" => self.resume_count = number(&value()?)?,
            "-min-version" => self.min_version = Some(number(&value()?)?),
            "-max-version" => self.max_version = Some(number(&value()?)?),
            "-curves" => self.curves.push(number(&value()?)?),
            "-expect-version" => self.expect_version = Some(number(&value()?)?),
            "-expect-selected-credential" => {
                self.expect_selected_credential = Some(number(&value()?)?);
            }
            "-cert-file" => self.current().certificate = Some(value()?.into()),
            "-key-file" => self.current().key = Some(value()?.into()),
            "-signing-prefs" => {
                let scheme: u16 = number(&value()?)?;
                self.current().signing_prefs.push(scheme.into());
            }
            "-delegated-credential" => self.current().delegated = Some(base64(&value()?)?),
            _ => return Err(Failure::Unimplemented(flag.to_owned())),
        }
        Ok(())
    }

    fn begin(&mut self, kind: Kind) {
        self.credentials.push(Credential {
            kind,
            ..Credential::default()
        });
    }

    /// The credential that flags are about.
    fn current(&mut self) -> &mut Credential {
        self.credentials
            .last_mut()
            .unwrap_or(&mut self.default_credential)
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, Failure> {
    text.parse()
        .map_err(|_| Failure::Failed(format!("{text} is not such a number")))
}

fn base64(text: &str) -> Result<Vec<u8>, Failure> {
    Base64::decode_vec(text).map_err(|error| Failure::Failed(format!("{text}: {error}")))
}
