//! A key that stays where it is, in a secure element or a TPM: a program of the maker's signs with it.

use std::fmt;
use std::io::{self, Read, Write};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use pki_types::SubjectPublicKeyInfoDer;
use rustls::sign::{Signer, SigningKey};
use rustls::{Error as TlsError, SignatureAlgorithm, SignatureScheme};

use super::hook;
use super::run::Stop;
use dc_pki::keys;

/// A key behind a program, which gets a message on its standard input and writes the signature of it, as TLS has it,
/// to its standard output.
#[derive(Clone)]
pub struct External {
    command: Vec<String>,
    scheme: SignatureScheme,
    spki: SubjectPublicKeyInfoDer<'static>,
}

impl External {
    /// The key of this public key, behind this program and its arguments.
    ///
    /// Signs with ECDSA on P-256 and P-384, with the hash that TLS 1.3 has for each, with Ed25519, or with RSA-PSS and
    /// SHA-256. `None` for other keys.
    #[must_use]
    pub fn new(command: Vec<String>, spki: SubjectPublicKeyInfoDer<'static>) -> Option<Self> {
        Some(Self {
            command,
            scheme: keys::scheme(&spki)?,
            spki,
        })
    }

    fn run(&self, message: &[u8]) -> io::Result<Vec<u8>> {
        let (program, arguments) = self.command.split_first().ok_or(io::ErrorKind::NotFound)?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let signature = read(child.stdout.take());
        // It may have gone already; then its status says why.
        let sent = child.stdin.take().map(|mut input| input.write_all(message));
        let status = hook::wait(&mut child, TIMEOUT, &mut Stop::never())?;
        match status {
            Some(status) if !status.success() => {
                return Err(io::Error::other(format!("it ended with {status}")));
            }
            Some(_) => sent.unwrap_or(Ok(()))?,
            None => return Err(io::ErrorKind::TimedOut.into()),
        }
        signature.recv_timeout(GRACE).unwrap_or_else(|_| {
            let why = "what it has started keeps its standard output open";
            Err(io::Error::other(why))
        })
    }
}

/// Reads in a thread of its own: what a program has started may keep its output open for ever.
fn read(output: Option<ChildStdout>) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut signature = Vec::new();
        let read = output.map_or(Ok(0), |it| it.take(LONGEST).read_to_end(&mut signature));
        // Nobody waits any more if it took too long.
        let _ = sender.send(read.map(|_| signature));
    });
    receiver
}

impl SigningKey for External {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered
            .contains(&self.scheme)
            .then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(self.spki.clone())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.scheme {
            SignatureScheme::ED25519 => SignatureAlgorithm::ED25519,
            SignatureScheme::RSA_PSS_SHA256 => SignatureAlgorithm::RSA,
            _ => SignatureAlgorithm::ECDSA,
        }
    }
}

impl Signer for External {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, TlsError> {
        let program = self.command.first().map_or("", String::as_str);
        self.run(message).map_err(|error| {
            TlsError::General(format!(
                "the program {program:?} of 'manufacturer.sign_command' does not sign: {error}"
            ))
        })
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

impl fmt::Debug for External {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            command: _,
            scheme,
            spki: _,
        } = self;
        f.debug_struct("External")
            .field("scheme", scheme)
            .finish_non_exhaustive()
    }
}

/// Secure elements are slow, but not that slow.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How long the last bytes may take once the program has ended.
const GRACE: Duration = Duration::from_secs(1);
/// Of a signature with RSA and 8192 bits.
const LONGEST: u64 = 1024;

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rcgen::{KeyPair, PublicKeyData};

    use super::*;

    fn external(command: &[&str], key: &KeyPair) -> Option<External> {
        let command = command.iter().map(ToString::to_string).collect();
        External::new(command, key.subject_public_key_info().into())
    }

    #[test]
    fn what_the_program_writes_is_the_signature() {
        let key = KeyPair::generate().unwrap();
        let external = external(&["tr", "a-z", "A-Z"], &key).unwrap();
        let schemes = [
            SignatureScheme::ED25519,
            SignatureScheme::ECDSA_NISTP256_SHA256,
        ];
        let signer = external.choose_scheme(&schemes).unwrap();
        assert_eq!(signer.scheme(), schemes[1]);
        assert_eq!(signer.sign(b"message").unwrap(), b"MESSAGE");
        assert!(external.choose_scheme(&schemes[..1]).is_none());
    }

    #[test]
    fn each_kind_of_key_has_its_scheme() {
        for (algorithm, expected) in [
            (
                &rcgen::PKCS_ECDSA_P384_SHA384,
                SignatureScheme::ECDSA_NISTP384_SHA384,
            ),
            (&rcgen::PKCS_ED25519, SignatureScheme::ED25519),
        ] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            assert_eq!(external(&["x"], &key).unwrap().scheme, expected);
        }
        assert!(External::new(Vec::new(), vec![0x30, 0].into()).is_none());
    }

    #[test]
    fn nobody_waits_for_what_the_program_has_started() {
        let key = KeyPair::generate().unwrap();
        let command = ["sh", "-c", "cat; sleep 15 & exit 0"];
        let began = Instant::now();
        let error = external(&command, &key).unwrap().sign(b"m").unwrap_err();
        assert!(error.to_string().contains("keeps its standard output"));
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_program_that_fails_is_named() {
        let key = KeyPair::generate().unwrap();
        for command in [&["false"][..], &["/nowhere/at all"]] {
            let error = external(command, &key).unwrap().sign(b"m").unwrap_err();
            assert!(error.to_string().contains(command[0]), "{error}");
        }
    }
}
