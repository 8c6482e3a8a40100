//! `rustls::server::StoresServerSessions`: sessions that end with the credential they were made under.

use std::sync::Arc;

use rustls::pki_types::UnixTime;
use rustls::server::StoresServerSessions;
use rustls::time_provider::TimeProvider;

/// Sessions made under one credential, kept with those of the ones before and after it, so that a
/// renewal loses none.
#[derive(Debug)]
pub(super) struct CredentialSessions {
    pub(super) shared: Arc<dyn StoresServerSessions>,
    pub(super) clock: Arc<dyn TimeProvider>,
    pub(super) expiry: UnixTime,
}

impl CredentialSessions {
    /// The session, if the credential it was made under is still valid.
    fn open(&self, stored: &[u8]) -> Option<Vec<u8>> {
        let (expiry, session) = stored.strip_prefix(MARK)?.split_first_chunk()?;
        let now = self.clock.current_time()?.as_secs();
        (now <= u64::from_be_bytes(*expiry)).then(|| session.to_vec())
    }
}

impl StoresServerSessions for CredentialSessions {
    fn put(&self, key: Vec<u8>, session: Vec<u8>) -> bool {
        let expiry = self.expiry.as_secs().to_be_bytes();
        let stored = [MARK, &expiry, &session].concat();
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
        let sessions = CredentialSessions {
            shared,
            clock: Arc::new(Clock(AtomicU64::new(0))),
            expiry: at(1),
        };
        assert_eq!(sessions.get(b"key"), None);
    }

    #[test]
    fn a_session_ends_with_its_own_credential_whichever_reads_it() {
        let clock = Arc::new(Clock(AtomicU64::new(100)));
        let shared = ServerSessionMemoryCache::new(8);
        let sessions = |expiry| CredentialSessions {
            shared: shared.clone(),
            clock: clock.clone(),
            expiry: at(expiry),
        };
        let (old, new) = (sessions(200), sessions(300));
        assert!(old.put(b"old".to_vec(), b"1".to_vec()));
        assert!(new.put(b"new".to_vec(), b"2".to_vec()));
        clock.0.store(200, Ordering::Relaxed);
        assert_eq!(new.get(b"old"), Some(b"1".to_vec()));
        clock.0.store(201, Ordering::Relaxed);
        assert_eq!(new.get(b"old"), None);
        assert_eq!(old.take(b"new"), Some(b"2".to_vec()));
    }
}
