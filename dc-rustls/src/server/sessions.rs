//! `rustls::server::StoresServerSessions`: sessions that end with the credential they were made under.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::UnixTime;
use rustls::server::StoresServerSessions;
use rustls::time_provider::TimeProvider;

use super::scope::Scope;

/// Sessions made under one credential, kept with those of the ones before and after it, so that a
/// renewal loses none.
#[derive(Debug)]
pub(super) struct CredentialSessions {
    shared: Arc<dyn StoresServerSessions>,
    /// The mark of these sessions: of ours, and where clients are asked for certificates, of their verifier.
    mark: Vec<u8>,
    clock: Arc<dyn TimeProvider>,
    expiry: UnixTime,
    /// The end of the session that a connection resumes, or was offered, in seconds; of one connection only. Not every
    /// machine of 32 bits has atomic numbers of 64.
    resumed: Option<Mutex<u64>>,
}

impl CredentialSessions {
    /// The sessions of connections that resume none.
    pub(super) fn new(
        shared: Arc<dyn StoresServerSessions>,
        clock: Arc<dyn TimeProvider>,
        expiry: UnixTime,
    ) -> Self {
        Self {
            shared,
            mark: MARK.to_vec(),
            clock,
            expiry,
            resumed: None,
        }
    }

    /// The sessions of clients that are judged by something, which are resumed by the same alone.
    pub(super) fn within(mut self, scope: Scope) -> Self {
        self.mark = [JUDGED, scope.as_bytes()].concat();
        self
    }

    /// The sessions of a connection that may resume one.
    pub(super) fn of_one_connection(self) -> Self {
        Self {
            resumed: Some(Mutex::new(u64::MAX)),
            ..self
        }
    }

    /// The end of a session that is made now: one that goes on with another does not outlive the credential of that.
    fn end(&self) -> u64 {
        self.expiry.as_secs().min(self.resumed_until(u64::MAX))
    }

    /// The session, if the credential it was made under is still valid.
    fn open(&self, stored: &[u8]) -> Option<Vec<u8>> {
        let (expiry, session) = stored.strip_prefix(&*self.mark)?.split_first_chunk()?;
        let (now, end) = (
            self.clock.current_time()?.as_secs(),
            u64::from_be_bytes(*expiry),
        );
        (now <= end).then(|| {
            self.resumed_until(end);
            session.to_vec()
        })
    }

    /// The earliest end of the sessions that the connection was offered, this one among them.
    fn resumed_until(&self, end: u64) -> u64 {
        let Some(resumed) = &self.resumed else {
            return end;
        };
        let mut earliest = resumed.lock().unwrap_or_else(PoisonError::into_inner);
        *earliest = earliest.min(end);
        *earliest
    }
}

impl StoresServerSessions for CredentialSessions {
    fn put(&self, key: Vec<u8>, session: Vec<u8>) -> bool {
        let end = self.end().to_be_bytes();
        let stored = [&*self.mark, &end, &session].concat();
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

/// Tells our sessions from those of others, should an application keep both in one place.
const MARK: &[u8] = b"dc\x01";
const JUDGED: &[u8] = b"dc\x02";

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use rustls::server::ServerSessionMemoryCache;

    use super::*;

    #[derive(Debug)]
    struct Clock(AtomicU64);

    impl TimeProvider for Clock {
        fn current_time(&self) -> Option<UnixTime> {
            Some(at(self.0.load(Ordering::Relaxed)))
        }
    }

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn a_session_of_somebody_else_is_not_taken_for_one_of_ours() {
        let shared = ServerSessionMemoryCache::new(8);
        shared.put(b"key".to_vec(), vec![0xff; 64]);
        let clock = Arc::new(Clock(AtomicU64::new(0)));
        let sessions = CredentialSessions::new(shared, clock, at(1));
        assert_eq!(sessions.get(b"key"), None);
    }

    #[test]
    fn a_session_ends_with_its_own_credential_whichever_reads_it() {
        let clock = Arc::new(Clock(AtomicU64::new(100)));
        let shared = ServerSessionMemoryCache::new(8);
        let sessions = |expiry| CredentialSessions::new(shared.clone(), clock.clone(), at(expiry));
        let (old, new) = (sessions(200), sessions(300));
        assert!(old.put(b"old".to_vec(), b"1".to_vec()));
        assert!(new.put(b"new".to_vec(), b"2".to_vec()));
        clock.0.store(200, Ordering::Relaxed);
        assert_eq!(new.get(b"old"), Some(b"1".to_vec()));
        clock.0.store(201, Ordering::Relaxed);
        assert_eq!(new.get(b"old"), None);
        assert_eq!(old.take(b"new"), Some(b"2".to_vec()));
    }

    #[test]
    fn a_session_that_goes_on_with_another_ends_with_that() {
        let clock = Arc::new(Clock(AtomicU64::new(100)));
        let shared = ServerSessionMemoryCache::new(8);
        let sessions = |expiry| CredentialSessions::new(shared.clone(), clock.clone(), at(expiry));
        assert!(sessions(200).put(b"first".to_vec(), b"1".to_vec()));
        let connection = sessions(300).of_one_connection();
        assert_eq!(connection.take(b"first"), Some(b"1".to_vec()));
        assert!(connection.put(b"second".to_vec(), b"2".to_vec()));
        // Others make theirs as before.
        assert!(sessions(300).put(b"other".to_vec(), b"3".to_vec()));
        clock.0.store(201, Ordering::Relaxed);
        assert_eq!(connection.get(b"second"), None);
        assert_eq!(connection.get(b"other"), Some(b"3".to_vec()));
    }
}
