//! Sessions: secrets that browsers hold in a cookie, and their hashes that are kept here.
//!
//! Sessions are in memory, so a restart signs everybody out, and so does a change to another replica.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use crate::registry::{Access, Sha256};
use dc_pki::Error;

/// All sessions, of which there are few.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<Sha256, Session>>);

/// SHA-256 of the secret in the cookie.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct SessionId(Sha256);

struct Session {
    /// The operator's token. It is looked up with each request, so whoever is disabled is out at once.
    access: Access,
    since: Instant,
}

impl Sessions {
    /// The time that a session lasts, whatever is done in it.
    pub(super) const LIFE: Duration = Duration::from_secs(8 * 3600);
    /// The most sessions of one operator; one more ends the oldest.
    pub(super) const MAX_EACH: usize = 8;
    /// The most sessions; one more ends the oldest.
    pub(super) const MAX: usize = 512;

    /// Begins a session and returns its secret.
    ///
    /// Fails with [`Error::Randomness`].
    pub(super) fn begin(&self, access: Access, now: Instant) -> Result<Zeroizing<String>, Error> {
        let random = Zeroizing::new(dc_pki::random::<32>()?);
        let secret = Zeroizing::new(HEXLOWER.encode(&*random));
        let mut open = self.lock();
        open.retain(|_, session| session.lives(now));
        make_room(&mut open, Self::MAX_EACH, |session| {
            session.access == access
        });
        make_room(&mut open, Self::MAX, |_| true);
        open.insert(SessionId::of(&secret).0, Session { access, since: now });
        Ok(secret)
    }

    /// The session with this secret, if it still lasts.
    pub(super) fn find(&self, secret: &str, now: Instant) -> Option<(SessionId, Access)> {
        let id = SessionId::of(secret);
        let open = self.lock();
        let session = open.get(&id.0).filter(|session| session.lives(now))?;
        Some((id, session.access))
    }

    /// Ends a session.
    pub(super) fn end(&self, id: SessionId) {
        self.lock().remove(&id.0);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Sha256, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionId {
    fn of(secret: &str) -> Self {
        Self(Sha256::of(secret.as_bytes()))
    }

    /// The hash.
    pub(super) fn sha256(&self) -> &Sha256 {
        &self.0
    }
}

impl Session {
    fn lives(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < Sessions::LIFE
    }
}

/// Removes the oldest of those that count until one more fits.
fn make_room(open: &mut HashMap<Sha256, Session>, max: usize, counts: impl Fn(&Session) -> bool) {
    let counted = || open.iter().filter(|(_, session)| counts(session));
    let mut by_age: Vec<(Instant, Sha256)> = counted()
        .map(|(id, session)| (session.since, *id))
        .collect();
    by_age.sort_unstable();
    let excess = (by_age.len() + 1).saturating_sub(max);
    for (_, id) in by_age.into_iter().take(excess) {
        open.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(number: u32) -> Access {
        Access::Token(Sha256::of(&number.to_be_bytes()))
    }

    #[test]
    fn a_session_ends_after_eight_hours_whatever_is_done_in_it() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let secret = sessions.begin(access(1), now).unwrap();
        let last = now + Sessions::LIFE - Duration::from_secs(1);
        assert!(sessions.find(&secret, last).unwrap().1 == access(1));
        assert!(sessions.find(&secret, now + Sessions::LIFE).is_none());
    }

    #[test]
    fn an_ended_session_is_not_found_and_the_others_are() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let secrets = [1, 2].map(|number| sessions.begin(access(number), now).unwrap());
        let (id, _) = sessions.find(&secrets[0], now).unwrap();
        sessions.end(id);
        assert!(sessions.find(&secrets[0], now).is_none());
        assert!(sessions.find(&secrets[1], now).is_some());
    }

    #[test]
    fn one_session_too_many_of_an_operator_ends_that_operators_oldest() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let other = sessions.begin(access(2), now).unwrap();
        let moment = |number: usize| now + Duration::from_secs(u64::try_from(number).unwrap());
        let mine: Vec<_> = (1..=Sessions::MAX_EACH + 1)
            .map(|number| sessions.begin(access(1), moment(number)).unwrap())
            .collect();
        let late = moment(60);
        assert!(sessions.find(&mine[0], late).is_none());
        assert!(
            mine[1..]
                .iter()
                .all(|secret| sessions.find(secret, late).is_some())
        );
        assert!(sessions.find(&other, late).is_some());
    }

    #[test]
    fn sessions_never_take_more_room_than_their_number_allows() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        for number in 0..600 {
            sessions.begin(access(number), now).unwrap();
        }
        assert_eq!(sessions.lock().len(), Sessions::MAX);
    }

    #[test]
    fn the_secret_of_a_session_is_not_in_memory() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let secret = sessions.begin(access(1), now).unwrap();
        assert_eq!(secret.len(), 64);
        let kept = *sessions.lock().keys().next().unwrap();
        assert!(kept == Sha256::of(secret.as_bytes()) && kept.to_string() != *secret);
    }
}
