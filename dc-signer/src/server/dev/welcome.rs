//! The welcome of `serve --dev`: three commands to paste.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::authority::json::AddedDevice;

/// A device that waits to enrol, and where.
#[derive(Debug)]
pub struct Welcome {
    folder: PathBuf,
    device: AddedDevice,
}

impl Welcome {
    pub(super) fn new(folder: &Path, device: AddedDevice) -> Self {
        Self {
            folder: folder.into(),
            device,
        }
    }

    /// The commands, for a service and a device at these addresses.
    #[must_use]
    pub fn commands(&self, service: SocketAddr, device: SocketAddr) -> Commands<'_> {
        let program = std::env::current_exe().unwrap_or_else(|_| "dc-signer".into());
        Commands {
            welcome: self,
            service,
            device,
            program,
        }
    }
}

/// Three commands for a shell.
#[derive(Debug)]
pub struct Commands<'a> {
    welcome: &'a Welcome,
    service: SocketAddr,
    device: SocketAddr,
    program: PathBuf,
}

impl fmt::Display for Commands<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.service.port();
        let folder = quoted(&self.welcome.folder);
        writeln!(f, "The service listens at https://localhost:{port}.")?;
        writeln!(
            f,
            "A browser there wants an administrator's token: {folder}/operator.token has one."
        )?;
        writeln!(
            f,
            "\n# 1. A device makes its keys and enrols with its activation code:"
        )?;
        writeln!(f, "{}", self.enrol(&folder, port))?;
        writeln!(
            f,
            "\n# 2. It fetches its credential, now and before each one ends:"
        )?;
        writeln!(f, "{}", self.fetch(&folder, port))?;
        writeln!(
            f,
            "\n# 3. A client looks at the device, which serves what has just been fetched:"
        )?;
        writeln!(f, "{}", self.probe(&folder))
    }
}

impl Commands<'_> {
    fn enrol(&self, folder: &str, port: u16) -> String {
        let code = self.welcome.device.code.as_ref();
        let code = code.map_or("", |code| code.code.as_str());
        let body = format!("printf '{{\"csr\":\"%s\",\"code\":\"{code}\"}}' {CSR}");
        let (key, certificate) = (self.key(), self.certificate());
        // Pasted again it is the same device, which asks again.
        let keys = [
            NEW_CERTIFICATE.to_owned(),
            format!(
                "-keyout {key} -out {certificate} 2>/dev/null && {NEW_KEY} -out device/key.pem"
            ),
        ];
        [
            format!("(cd {folder} && mkdir -p device && umask 077"),
            format!("([ -f {certificate} ] || ({}))", keys.join(" ")),
            "openssl req -new -key device/key.pem -subj / -out device.csr".to_owned(),
            format!(
                "{body} | {})",
                self.send(&format!("https://localhost:{port}/v1/enroll"))
            ),
        ]
        .join(AND)
    }

    fn fetch(&self, folder: &str, port: u16) -> String {
        let members = r#"{"csr":"%s","idempotency_key":"%s"}"#;
        let body = format!("printf '{members}' {CSR} \"$(date +%s)\"");
        [
            format!("(cd {folder} && umask 077"),
            format!(
                "{body} | {}",
                self.send(&format!("https://localhost:{port}/v1/renew"))
            ),
            unpack("chain", "chain.pem"),
            unpack("pem", "credential.pem") + ")",
        ]
        .join(AND)
    }

    /// Each device has keys of its own.
    fn key(&self) -> String {
        format!("{}-key.pem", self.welcome.device.external_id)
    }

    fn certificate(&self) -> String {
        format!("{}.pem", self.welcome.device.external_id)
    }

    /// Sends what comes from standard input, as the device; keeps an answer, and shows a problem.
    fn send(&self, url: &str) -> String {
        let (key, certificate) = (self.key(), self.certificate());
        let tls = format!("--cacert vendor/root.pem --cert {certificate} --key {key}");
        format!(
            "{{ curl -sS --fail-with-body {tls} -H 'content-type: application/json' --data-binary @- {url} > answer.json || ! cat answer.json >&2; }}"
        )
    }

    fn probe(&self, folder: &str) -> String {
        format!(
            "{} probe {} --name {} --root {folder}/vendor/root.pem",
            quoted(&self.program),
            self.device,
            self.welcome.device.name
        )
    }
}

/// Writes the PEM of a member of the answer to a file of the device.
fn unpack(member: &str, file: &str) -> String {
    let find = format!("grep -o '\"{member}\":\"[^\"]*\"' answer.json | cut -d '\"' -f 4");
    format!("{find} | xargs -0 printf %b > device/{file}")
}

/// A path as one word for a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    match text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// The request, as a JSON string has it.
const CSR: &str = r#""$(awk '{printf "%s\\n", $0}' device.csr)""#;
const NEW_KEY: &str = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256";
const NEW_CERTIFICATE: &str = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=router";
const AND: &str = " &&\n  ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_spaces_or_quotes_is_one_word() {
        assert_eq!(quoted("/a/b-c".as_ref()), "/a/b-c");
        assert_eq!(quoted("/it's here".as_ref()), r"'/it'\''s here'");
    }
}
