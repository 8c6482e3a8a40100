//! `rustls::server::StoresServerSessions`: sessions that remember the client they were made with.

use std::sync::Arc;
use std::time::Duration;

use dc_core::{Form, SignatureScheme};
use rustls::pki_types::UnixTime;
use rustls::server::StoresServerSessions;
use rustls::time_provider::TimeProvider;

use super::Peer;
use super::client_verifier::ConnectionVerifier;
use super::scope::Scope;

/// The sessions of one connection: they are its client's, and end with its client's credential.
#[derive(Debug)]
pub(super) struct ClientSessions {
    /// May have sessions of others: a fallback's storage is in as many acceptors as the application likes.
    pub(super) shared: Arc<dyn StoresServerSessions>,
    pub(super) scope: Scope,
    pub(super) clock: Arc<dyn TimeProvider>,
    pub(super) verifier: Arc<ConnectionVerifier>,
}

impl ClientSessions {
    /// The session, if its client would be accepted now. The connection is with that client then.
    fn open(&self, stored: &[u8]) -> Option<Vec<u8>> {
        let stored = stored.strip_prefix(MARK)?;
        let (peer, session) = read(stored.strip_prefix(self.scope.as_bytes())?)?;
        let now = self.clock.current_time()?;
        // RFC 9345 §7.4: a session does not outlive the credential it was made under, nor what the
        // application and the lists of withdrawn names think of the peer.
        let is_valid = peer.as_ref().is_none_or(|peer| peer.is_valid_at(now));
        (is_valid && self.verifier.policy().resumes(peer.as_ref(), now)).then(|| {
            self.verifier.resume(peer.map(Arc::new));
            session.to_vec()
        })
    }
}

impl StoresServerSessions for ClientSessions {
    fn put(&self, key: Vec<u8>, session: Vec<u8>) -> bool {
        let peer = self.verifier.peer();
        let mut stored = [MARK, self.scope.as_bytes()].concat();
        write(peer.as_deref(), &mut stored);
        stored.extend_from_slice(&session);
        self.shared.put(key, stored)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.open(&self.shared.get(key)?)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.open(&self.shared.take(key)?)
    }

    fn can_cache(&self) -> bool {
        self.shared.can_cache()
    }
}

/// Appends a client: its kind, and of a credential its end, scheme, key and name.
fn write(peer: Option<&Peer>, out: &mut Vec<u8>) {
    let Some(Peer::Delegated {
        form: _,
        unique_name,
        expires,
        scheme,
        spki,
    }) = peer
    else {
        out.push(if peer.is_some() { CERTIFICATE } else { NOBODY });
        return;
    };
    out.push(DELEGATED);
    out.extend_from_slice(&expires.as_secs().to_be_bytes());
    out.extend_from_slice(&scheme.0.to_be_bytes());
    let name = unique_name
        .as_ref()
        .map(dc_core::UniqueName::as_str)
        .unwrap_or_default();
    for part in [spki, name.as_bytes()] {
        // Both were in a credential, whose lengths are shorter.
        let length = u32::try_from(part.len()).unwrap_or_default();
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(part);
    }
}

/// Reads a client, and gives what is behind it; `None` if it was not written here.
fn read(stored: &[u8]) -> Option<(Option<Peer>, &[u8])> {
    let (&kind, rest) = stored.split_first()?;
    match kind {
        NOBODY => return Some((None, rest)),
        CERTIFICATE => return Some((Some(Peer::Certificate), rest)),
        DELEGATED => {}
        _ => return None,
    }
    let (expires, rest) = rest.split_first_chunk()?;
    let (scheme, rest) = rest.split_first_chunk()?;
    let (spki, rest) = read_part(rest)?;
    let (name, rest) = read_part(rest)?;
    let unique_name = match std::str::from_utf8(name).ok()? {
        "" => None,
        name => Some(dc_core::UniqueName::from(&name.try_into().ok()?)),
    };
    let peer = Peer::Delegated {
        form: match unique_name {
            Some(_) => Form::Named,
            None => Form::Rfc9345,
        },
        unique_name,
        expires: UnixTime::since_unix_epoch(Duration::from_secs(u64::from_be_bytes(*expires))),
        scheme: SignatureScheme(u16::from_be_bytes(*scheme)),
        spki: spki.to_vec(),
    };
    Some((Some(peer), rest))
}

fn read_part(stored: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = stored.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// Tells these sessions from others, should an application keep both in one place.
const MARK: &[u8] = b"dc client\x02";
const NOBODY: u8 = 0;
const CERTIFICATE: u8 = 1;
const DELEGATED: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn delegated(name: Option<&str>) -> Peer {
        Peer::Delegated {
            form: name.map_or(Form::Rfc9345, |_| Form::Named),
            unique_name: name.map(|name| dc_core::UniqueName::from(&name.try_into().unwrap())),
            expires: UnixTime::since_unix_epoch(Duration::from_secs(7)),
            scheme: SignatureScheme::ED25519,
            spki: vec![0x30, 1, 2],
        }
    }

    #[test]
    fn a_client_is_read_as_it_was_written() {
        for peer in [
            None,
            Some(Peer::Certificate),
            Some(delegated(None)),
            Some(delegated(Some("a.example.com"))),
        ] {
            let mut stored = Vec::new();
            write(peer.as_ref(), &mut stored);
            for length in 0..stored.len() {
                assert!(read(&stored[..length]).is_none());
            }
            stored.extend(b"session");
            assert_eq!(read(&stored), Some((peer, &b"session"[..])));
        }
    }
}
