//! The callers' side: connections to a signing process, kept and opened anew.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::frame;
use super::message::{Answer, Ask};
use super::pause::Pause;
use super::tls::Remote;
use crate::clock;
use crate::process_fault::ProcessFault;
use crate::sha256::Sha256;
use dc_core::Role;

/// The signing process behind a socket, or at `tls://HOST:PORT`, with a connection for each thread that asks it at the same time.
///
/// Each call waits for the answer, at most 5 s, so nobody makes one on a thread that answers others. A process that was
/// started anew is reached again by the next call.
#[derive(Debug)]
pub struct Keyd {
    socket: PathBuf,
    remote: Option<Remote>,
    /// Those that no thread is asking over.
    idle: Mutex<Vec<Connection>>,
    /// When it was last too slow: a process that hangs does not keep every thread.
    slow: Mutex<Option<Instant>>,
}

impl Keyd {
    /// The process behind this socket; nothing is connected yet.
    #[must_use]
    pub fn new(socket: PathBuf) -> Self {
        Self {
            socket,
            remote: None,
            idle: Mutex::default(),
            slow: Mutex::default(),
        }
    }

    /// The same process, shown this if it is on another machine.
    #[must_use]
    pub fn with(self, remote: Option<Remote>) -> Self {
        Self { remote, ..self }
    }

    /// Its socket, or its address on another machine.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Asks for a credential for a key, a DER SubjectPublicKeyInfo: with a name in the named form, without one in RFC 9345's.
    ///
    /// Whoever gets it has to verify it: [`dc_core::Approved::accept`]. Fails with [`ProcessFault`].
    pub fn issue(
        &self,
        (certificate, role): (Sha256, Role),
        spki: &[u8],
        name: Option<&str>,
        lifetime: Option<Duration>,
    ) -> Result<Vec<u8>, ProcessFault> {
        let ask = Ask::Issue {
            certificate,
            role,
            name: name.map(str::to_owned),
            lifetime: lifetime.map(seconds),
            spki: spki.to_vec(),
        };
        match self.ask(&ask)? {
            Answer::Credential(bytes) => Ok(bytes),
            other => Err(unexpected(other)),
        }
    }

    /// Shows that the key of a certificate signs for this end of connections, by a credential that nobody gets, and that credentials
    /// may live for so long, if it is said; and says whether nothing is issued for a while all the same.
    ///
    /// Fails with [`ProcessFault`].
    pub fn try_key(
        &self,
        (certificate, role): (Sha256, Role),
        lifetime: Option<Duration>,
    ) -> Result<Option<Pause>, ProcessFault> {
        let ask = Ask::Try {
            certificate,
            role,
            lifetime: lifetime.map(seconds),
            // It judges credentials by its own.
            now: clock::now().ok().map(|now| now.as_secs()),
        };
        match self.ask(&ask)? {
            Answer::Works => Ok(None),
            Answer::Pauses(pause) => Ok(Some(pause)),
            other => Err(unexpected(other)),
        }
    }

    /// Shows that it would issue such credentials under a certificate, by one that nobody gets: with a name in the named form, without
    /// one in RFC 9345's.
    ///
    /// Fails with [`ProcessFault`].
    pub fn try_issue(
        &self,
        (certificate, role): (Sha256, Role),
        name: Option<&str>,
        lifetime: Option<Duration>,
    ) -> Result<(), ProcessFault> {
        let ask = Ask::TryIssue {
            certificate,
            role,
            name: name.map(str::to_owned),
            lifetime: lifetime.map(seconds),
        };
        match self.ask(&ask)? {
            Answer::Works => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    /// Its counts, in JSON.
    ///
    /// Fails with [`ProcessFault`].
    pub fn status(&self) -> Result<String, ProcessFault> {
        match self.ask(&Ask::Status)? {
            Answer::Status(json) => Ok(json),
            other => Err(unexpected(other)),
        }
    }

    /// The checkpoint of a log of `size` records with this root, as a signed note; `proof` shows that the log begins with the
    /// one of so many records that was signed for last (RFC 9162 §2.1.4.1).
    ///
    /// Fails with [`ProcessFault`].
    pub fn sign_checkpoint(
        &self,
        (size, root): (u64, [u8; 32]),
        proof: Option<(u64, Vec<[u8; 32]>)>,
    ) -> Result<String, ProcessFault> {
        let (old, proof) = proof.map_or((0, None), |(old, proof)| (old, Some(proof)));
        let ask = Ask::Checkpoint {
            size,
            root,
            old,
            proof,
        };
        match self.ask(&ask)? {
            Answer::Note(note) => Ok(note),
            other => Err(unexpected(other)),
        }
    }

    /// Lets it make a key for a zone's next certificate and keep it; gives the request for one, PKCS#10 in PEM.
    ///
    /// Fails with [`ProcessFault`].
    pub fn new_key(&self, zone: &str, for_clients: bool) -> Result<String, ProcessFault> {
        let zone = zone.to_owned();
        match self.ask(&Ask::NewKey { zone, for_clients })? {
            Answer::Request(pem) => Ok(pem),
            other => Err(unexpected(other)),
        }
    }

    /// Gives it the certificate for a key that it made, with its chain, in DER; gives the certificate's SHA-256.
    ///
    /// Fails with [`ProcessFault`].
    pub fn install(&self, chain: Vec<Vec<u8>>) -> Result<Sha256, ProcessFault> {
        match self.ask(&Ask::Install { chain })? {
            Answer::Installed(sha256) => Ok(sha256),
            other => Err(unexpected(other)),
        }
    }

    /// Has nothing signed under a certificate any more, also after it was started anew.
    ///
    /// Fails with [`ProcessFault`].
    pub fn end(&self, certificate: Sha256) -> Result<(), ProcessFault> {
        self.end_with(certificate, None)
    }

    /// The same, with a reason for the process's log.
    ///
    /// Fails with [`ProcessFault`].
    pub fn end_because(&self, certificate: Sha256, reason: &str) -> Result<(), ProcessFault> {
        self.end_with(certificate, Some(reason.to_owned()))
    }

    fn end_with(&self, certificate: Sha256, reason: Option<String>) -> Result<(), ProcessFault> {
        let ask = Ask::End {
            certificate,
            reason,
        };
        match self.ask(&ask)? {
            Answer::Ended => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    /// Removes a key that it has made and that is not needed, by the SHA-256 of its SubjectPublicKeyInfo or of its certificate.
    ///
    /// Fails with [`ProcessFault`]; for others than root of its machine always.
    pub fn forget(&self, sha256: Sha256) -> Result<(), ProcessFault> {
        match self.ask(&Ask::Forget { sha256 })? {
            Answer::Forgotten => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    fn ask(&self, ask: &Ask) -> Result<Answer, ProcessFault> {
        let message = ask.encode();
        let slow = *self.slow.lock().unwrap_or_else(PoisonError::into_inner);
        if slow.is_some_and(|since| since.elapsed() < PAUSE) {
            return Err(away(&ErrorKind::TimedOut.into()));
        }
        let answer = self.ask_some(&message)?;
        Answer::decode(&answer).map_err(|_| ProcessFault::Malformed)
    }

    fn ask_some(&self, message: &[u8]) -> Result<Vec<u8>, ProcessFault> {
        let idle = self.idle().pop();
        let answer = match idle.map(|idle| self.ask_over(idle, message)) {
            // It was started anew, or has closed what was not used; then the others are no good either.
            Some(Err(error)) if !is_slow(&error) => {
                self.idle().clear();
                self.ask_anew(message)
            }
            Some(asked) => asked,
            None => self.ask_anew(message),
        };
        answer.map_err(|error| {
            if is_slow(&error) {
                let now = Some(Instant::now());
                *self.slow.lock().unwrap_or_else(PoisonError::into_inner) = now;
            }
            away(&error)
        })
    }

    fn ask_anew(&self, message: &[u8]) -> io::Result<Vec<u8>> {
        self.ask_over(self.connect()?, message)
    }

    fn connect(&self) -> io::Result<Connection> {
        let place = self.socket.to_str().unwrap_or_default();
        match (place.strip_prefix(TLS), &self.remote) {
            (None, _) => Connection::to_socket(&self.socket, PATIENCE),
            (Some(address), Some(remote)) => Connection::to_host(address, remote, PATIENCE),
            (Some(_), None) => Err(io::Error::other(NOTHING_TO_SHOW)),
        }
    }

    /// A connection over which something failed is closed: a late answer would be taken for another one's.
    fn ask_over(&self, mut connection: Connection, message: &[u8]) -> io::Result<Vec<u8>> {
        connection.begin(PATIENCE);
        let written = frame::write(&mut connection, message);
        // Whoever is refused before he has asked is told why, and then cut off.
        let read = frame::read(&mut connection);
        let answer = match (written, read) {
            (_, Ok(answer)) => answer,
            (Err(error), Err(_)) | (Ok(()), Err(error)) => return Err(error),
        };
        let mut idle = self.idle();
        if idle.len() < MAX_IDLE {
            idle.push(connection);
        }
        Ok(answer)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seconds(lifetime: Duration) -> u32 {
    u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX)
}

fn is_slow(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

fn away(error: &io::Error) -> ProcessFault {
    let why = match error.kind() {
        ErrorKind::NotFound => "there is no such socket".to_owned(),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => "not in time".to_owned(),
        ErrorKind::UnexpectedEof => "it has closed the connection".to_owned(),
        ErrorKind::InvalidInput | ErrorKind::InvalidData => return ProcessFault::Malformed,
        _ => error.to_string(),
    };
    ProcessFault::Away { why }
}

fn unexpected(answer: Answer) -> ProcessFault {
    match answer {
        Answer::Refused { reason, detail } => ProcessFault::Refused { reason, detail },
        _ => ProcessFault::Malformed,
    }
}

/// The beginning of the place of a process on another machine.
pub const TLS: &str = "tls://";
const NOTHING_TO_SHOW: &str = "it is on another machine, and nothing says which certificate to show it: set keys.process in the configuration, or --certificate, --key and --peer";
/// How long an answer may take; a token may take a second to sign.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one that was too slow is left alone.
const PAUSE: Duration = Duration::from_secs(1);
/// More than there are threads that sign at the same time.
const MAX_IDLE: usize = 32;

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;
    use crate::process_fault::Refusal;

    /// Answers the first requests of each connection, as many as there are answers, and closes it.
    fn serve(listener: UnixListener, connections: Vec<Vec<Vec<u8>>>) -> thread::JoinHandle<usize> {
        thread::spawn(move || {
            let mut asked = 0;
            for answers in connections {
                let (mut connection, _) = listener.accept().unwrap();
                for answer in answers {
                    let ask = frame::read(&mut connection).unwrap();
                    assert_eq!(Ask::decode(&ask), Ok(Ask::Status));
                    asked += 1;
                    frame::write(&mut connection, &answer).unwrap();
                }
            }
            asked
        })
    }

    fn status(json: &str) -> Vec<u8> {
        Answer::Status(json.to_owned()).encode()
    }

    #[test]
    fn a_connection_is_kept_and_opened_anew_when_it_was_closed() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let keyd = Keyd::new(socket.clone());
        let absent = ProcessFault::Away {
            why: "there is no such socket".to_owned(),
        };
        assert_eq!(keyd.status(), Err(absent));
        let listener = UnixListener::bind(&socket).unwrap();
        let serving = serve(
            listener,
            vec![vec![status("1"), status("2")], vec![status("3")]],
        );
        for answer in ["1", "2", "3"] {
            assert_eq!(keyd.status().as_deref(), Ok(answer));
        }
        assert_eq!(serving.join().unwrap(), 3);
        let gone = keyd.status().unwrap_err();
        assert!(matches!(gone, ProcessFault::Away { .. }) && gone.is_temporary());
    }

    #[test]
    fn refusals_and_other_answers_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let refused = Answer::Refused {
            reason: Refusal::Rate,
            detail: "60 a minute".to_owned(),
        };
        let answers = vec![
            refused.encode(),
            Answer::Works.encode(),
            b"\x09garbage".to_vec(),
        ];
        let serving = serve(UnixListener::bind(&socket).unwrap(), vec![answers]);
        let keyd = Keyd::new(socket);
        let refused = keyd.status().unwrap_err();
        assert!(refused.is_temporary(), "{refused}");
        assert_eq!(
            refused.to_string(),
            "the signing process refuses: 60 a minute"
        );
        for _ in 0..2 {
            assert_eq!(keyd.status(), Err(ProcessFault::Malformed));
        }
        serving.join().unwrap();
    }

    #[test]
    fn whoever_is_cut_off_is_told_why() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let listener = UnixListener::bind(&socket).unwrap();
        let refusing = thread::spawn(move || {
            let refused = Answer::Refused {
                reason: Refusal::Caller,
                detail: "not you".to_owned(),
            };
            for _ in 0..20 {
                let (mut connection, _) = listener.accept().unwrap();
                frame::write(&mut connection, &refused.encode()).unwrap();
            }
        });
        for _ in 0..20 {
            let refused = Keyd::new(socket.clone()).status().unwrap_err();
            let reason = Refusal::Caller;
            assert!(
                matches!(&refused, ProcessFault::Refused { reason: why, .. } if *why == reason),
                "{refused}"
            );
        }
        refusing.join().unwrap();
    }

    #[test]
    fn nobody_waits_to_connect_to_a_process_that_hangs() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let _hangs = UnixListener::bind(&socket).unwrap();
        let waiting: Vec<_> = (0..5000)
            .map_while(|_| Connection::to_socket(&socket, PATIENCE).ok())
            .collect();
        assert!(waiting.len() < 5000);
        let keyd = Keyd::new(socket);
        let began = Instant::now();
        for _ in 0..20 {
            let away = keyd.status().unwrap_err();
            assert!(matches!(away, ProcessFault::Away { .. }));
        }
        assert!(began.elapsed() < PATIENCE);
    }
}
