//! A CA that a program of the operator's speaks to, in whatever way that CA wants.
//!
//! The program gets the request in PEM on its standard input, and the names, with a space between them, in `DC_NAMES`. For the
//! place of a certificate that it takes, `DC_REPLACES` has that one's serial number in hexadecimal, and else it is empty. It ends
//! with 0 and the chain in PEM on its standard output, the certificate first; with [`LATER`] if the CA cannot now, with the seconds
//! to wait on its standard output if it knows; with [`SETUP`] if this machine lacks something; with anything else if the CA said no.

use std::time::Duration;

use der::Decode;
use x509_cert::Certificate;

use dc_pki::pem;

use super::program::{Program, ProgramError};
use super::source::{Answer, CertificateSource, OrderError, RenewalWindow};
use crate::config::OrderCommand;

/// A CA behind a program.
#[derive(Clone, Debug)]
pub struct CommandSource {
    settings: OrderCommand,
}

impl CommandSource {
    /// A CA behind the program of a configuration.
    #[must_use]
    pub fn new(settings: OrderCommand) -> Self {
        Self { settings }
    }

    async fn run(
        &self,
        csr_der: &[u8],
        names: &[String],
        replaces: Option<&[u8]>,
    ) -> Result<Vec<u8>, OrderError> {
        let request = pem::encode("CERTIFICATE REQUEST", csr_der);
        let serial = replaces.map(serial).transpose()?.unwrap_or_default();
        let program = Program {
            argv: &self.settings.command,
            environment: &[("DC_NAMES", &names.join(" ")), ("DC_REPLACES", &serial)],
            input: request.as_bytes(),
            limit: self.settings.timeout,
        };
        program.run().await.map_err(OrderError::from)
    }
}

impl CertificateSource for CommandSource {
    fn order<'a>(
        &'a self,
        csr_der: &'a [u8],
        names: &'a [String],
        replaces: Option<&'a [u8]>,
    ) -> Answer<'a, Vec<u8>> {
        Box::pin(self.run(csr_der, names, replaces))
    }

    fn renewal_window<'a>(&'a self, _: &'a [u8]) -> Answer<'a, Option<RenewalWindow>> {
        Box::pin(async { Ok(None) })
    }
}

/// The serial number of a certificate, in hexadecimal.
fn serial(certificate_der: &[u8]) -> Result<String, OrderError> {
    let certificate = Certificate::from_der(certificate_der).map_err(|error| {
        OrderError::Setup(format!(
            "the certificate to replace cannot be read: {error}"
        ))
    })?;
    let serial = certificate.tbs_certificate().serial_number();
    Ok(data_encoding::HEXLOWER.encode(serial.as_bytes()))
}

impl From<ProgramError> for OrderError {
    fn from(error: ProgramError) -> Self {
        let said = error.to_string();
        match error {
            ProgramError::Failed {
                code: Some(LATER),
                output,
                ..
            } => {
                let after = seconds(&output);
                let when = after.map_or_else(String::new, |after| {
                    format!(" in {}", humantime::format_duration(after))
                });
                Self::Later(
                    after,
                    format!("{said}: status {LATER} is to try again later{when}"),
                )
            }
            ProgramError::Failed {
                code: Some(SETUP), ..
            } => Self::Setup(format!(
                "{said}: status {SETUP} is that it lacks something on this machine"
            )),
            ProgramError::NotStarted { .. } | ProgramError::TooMuch { .. } => Self::Setup(said),
            ProgramError::Failed { code: Some(_), .. } => Self::Refused(said),
            ProgramError::Failed { code: None, .. } | ProgramError::TooSlow { .. } => {
                Self::Later(None, said)
            }
        }
    }
}

fn seconds(output: &[u8]) -> Option<Duration> {
    let text = str::from_utf8(output).ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// The exit status of a program that is to be run again later: EX_TEMPFAIL of `sysexits.h`.
pub const LATER: i32 = 75;
/// The exit status of a program that lacks something on this machine: EX_CONFIG of `sysexits.h`.
pub const SETUP: i32 = 78;

#[cfg(test)]
mod tests {
    use dc_pki::names::ZoneName;
    use dc_pki::time::from_seconds;

    use super::*;
    use crate::renewal::testing::{Ca, request};

    async fn order(script: &str) -> Result<Vec<u8>, OrderError> {
        let zone = ZoneName::parse("cpe.example.com").unwrap();
        let ca = Ca::new(from_seconds(1_800_000_000));
        let old = ca.sign(&request(&zone), &[zone.wildcard()]);
        let old = pem::certificates("old".as_ref(), &old).unwrap();
        let source = CommandSource::new(OrderCommand {
            zones: Vec::new(),
            command: ["sh", "-c", script].map(str::to_owned).to_vec(),
            timeout: Duration::from_millis(2000),
            anchors: "anchors.pem".into(),
        });
        let names = [zone.wildcard()];
        source.order(&request(&zone), &names, Some(&old[0])).await
    }

    #[tokio::test]
    async fn the_program_gets_request_names_and_what_is_replaced() {
        let said = order("head -n 1; echo \"$DC_NAMES $DC_REPLACES\"").await;
        assert_eq!(
            String::from_utf8(said.unwrap()).unwrap(),
            "-----BEGIN CERTIFICATE REQUEST-----\n*.cpe.example.com 0087654321\n"
        );
    }

    #[tokio::test]
    async fn its_exit_status_says_when_to_ask_again() {
        let minute = Some(Duration::from_secs(60));
        for (script, expected) in [
            ("echo 60; exit 75", minute),
            ("echo soon; exit 75", None),
            ("kill -9 $$", None),
            ("sleep 20", None),
        ] {
            let error = order(script).await.unwrap_err();
            assert!(
                matches!(error, OrderError::Later(after, _) if after == expected),
                "{script}"
            );
            assert_eq!(error.retry_after(), expected);
            let said = error.to_string();
            let is_said = said.contains("status 75 is to try again later in 1m");
            assert_eq!(is_said, expected.is_some(), "{said}");
        }
        let refused = order("echo 'no such profile' >&2; exit 1")
            .await
            .unwrap_err();
        assert!(matches!(&refused, OrderError::Refused(why) if why.contains("no such profile")));
        let setup = order("exit 78").await.unwrap_err();
        assert!(matches!(setup, OrderError::Setup(_)), "{setup}");
        assert!(
            setup
                .to_string()
                .contains("lacks something on this machine")
        );
    }
}
