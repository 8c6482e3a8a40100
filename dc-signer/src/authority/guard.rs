//! The check of the clock: a signer that believes a wrong one issues credentials that nobody accepts, or that live too long.
//!
//! Where there is a database server, its clock decides: all signers of a database have it in common. Where there is none,
//! or it is on this machine, the clock is compared with what it said before, and with how much time has really passed. Until
//! something is issued a step of the clock costs nobody anything, so it is judged as if the signer had started then:
//! machines start with wrong clocks, and NTP sets them a moment later. A virtual machine that was stopped and goes on cannot know
//! how much time has passed, so a clock that has jumped ahead is believed once it has gone on from there for some minutes.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pki_types::UnixTime;

use dc_pki::clock;
use dc_pki::time::{Moment, Span};
use dc_store::registry::AHEAD;
use dc_store::{ServerClock, Store};

/// Compares the clock with the database's, with what was recorded, and with how much time has really passed.
#[derive(Debug)]
pub(super) struct Guard(Mutex<Beliefs>);

/// Times in seconds since 1970.
#[derive(Debug)]
struct Beliefs {
    uptime: Uptime,
    /// The clock's time when it was last taken for right or the signer started, and the uptime then.
    from: (u64, Duration),
    /// The same of when it was found to have jumped ahead.
    jumped: Option<(u64, Duration)>,
    /// The latest time that anything was recorded at, or that was accepted.
    latest: u64,
    /// The latest time that was on record when the signer started.
    trace: Option<u64>,
    /// Something was issued by this clock.
    issued: bool,
    /// Nobody is there who knows what time it is: a service, not somebody's command.
    alone: bool,
    server: Option<Server>,
}

/// Says how long the machine has been running, by a clock that nobody can set.
struct Uptime(Box<dyn Fn() -> Duration + Send>);

impl Uptime {
    fn now(&self) -> Duration {
        (self.0)()
    }

    fn since(&self, then: Duration) -> Duration {
        self.now().saturating_sub(then)
    }
}

impl fmt::Debug for Uptime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Uptime").field(&self.now()).finish()
    }
}

/// The time of a database server's clock, and the uptime at which it was read.
#[derive(Debug)]
struct Server {
    said: ServerClock,
    at: Duration,
}

impl Guard {
    /// `trace` is the latest time that is on record.
    pub(super) fn new(trace: Option<UnixTime>, now: UnixTime) -> Self {
        Self::with_uptime(trace, now, clock::uptime)
    }

    fn with_uptime(
        trace: Option<UnixTime>,
        now: UnixTime,
        uptime: impl Fn() -> Duration + Send + 'static,
    ) -> Self {
        let trace = trace.map(|trace| trace.as_secs());
        Self(Mutex::new(Beliefs {
            from: (now.as_secs(), uptime()),
            jumped: None,
            uptime: Uptime(Box::new(uptime)),
            latest: trace.unwrap_or(0),
            trace,
            issued: false,
            alone: false,
            server: None,
        }))
    }

    /// From now on a start long after everything that is on record is doubted for some minutes.
    pub(super) fn leave_alone(&self) {
        self.beliefs().alone = true;
    }

    /// Takes a time for right, whoever says otherwise, until the database's clock is heard again.
    pub(super) fn accept(&self, now: UnixTime) {
        self.beliefs().accept(now.as_secs());
        self.beliefs().server = None;
    }

    /// Takes a time for right for whoever has just looked at the clock, unless the database's says something else: services are
    /// reloaded for many reasons.
    pub(super) fn settle(&self, now: UnixTime) {
        let (mut beliefs, now) = (self.beliefs(), now.as_secs());
        let database = beliefs.database();
        if database.is_none_or(|(there, _)| !is_apart(now, there)) {
            beliefs.accept(now);
        }
    }

    /// Hears what the database server's clock says.
    pub(super) fn hear(&self, said: Option<ServerClock>) {
        let mut beliefs = self.beliefs();
        let at = beliefs.uptime.now();
        beliefs.server = said.map(|said| Server { said, at });
    }

    /// Something is issued by this clock: from now on it may not be set far without somebody saying so.
    pub(super) fn issued(&self) {
        self.beliefs().issued = true;
    }

    /// The distance of a time from the one that was to be expected.
    pub(super) fn skew(&self, now: UnixTime) -> Skew {
        let (mut beliefs, now) = (self.beliefs(), now.as_secs());
        let (expected, latest) = (beliefs.expected(), beliefs.latest);
        let is_unsure = matches!(beliefs.check(now), Err(ClockError::Unsure { .. }));
        skew(now, expected, latest, is_unsure)
    }

    /// Checks a time of the clock.
    ///
    /// Fails with [`ClockError`].
    pub(super) fn check(&self, now: UnixTime) -> Result<(), ClockError> {
        self.beliefs().check(now.as_secs())
    }

    fn beliefs(&self) -> MutexGuard<'_, Beliefs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Beliefs {
    fn accept(&mut self, now: u64) {
        (self.from, self.jumped) = ((now, self.uptime.now()), None);
        self.latest = now;
        self.trace = Some(now);
    }

    fn check(&mut self, now: u64) -> Result<(), ClockError> {
        if now < RELEASED {
            return Err(ClockError::BeforeRelease { now: at(now) });
        }
        if let Some((database, here)) = self.database() {
            if is_apart(now, database) {
                return Err(ClockError::Apart {
                    now: at(now),
                    database: at(database),
                });
            }
            // Two clocks agree, so what one of them has said before does not matter, and neither does a record of a
            // third one that was wrong.
            if !here {
                self.accept(now);
                return Ok(());
            }
        }
        match self.issued {
            true => self.check_used(now)?,
            false => self.check_start(now)?,
        }
        self.latest = self.latest.max(now);
        Ok(())
    }

    /// For a clock that was used: a jump is doubted as a start is, because the machine may have been stopped for so long.
    fn check_used(&mut self, now: u64) -> Result<(), ClockError> {
        let compared = compare(now, self.expected(), self.latest);
        match compared {
            Err(ClockError::Jumped { .. }) if self.has_settled(now) => self.accept(now),
            Err(ClockError::Jumped { .. }) => return compared,
            compared => {
                self.jumped = None;
                compared?;
            }
        }
        Ok(())
    }

    /// True if the clock has gone on for long enough from where it jumped to.
    fn has_settled(&mut self, now: u64) -> bool {
        let (to, at) = *self.jumped.get_or_insert_with(|| (now, self.uptime.now()));
        let passed = self.uptime.since(at);
        if is_apart(now, to.saturating_add(passed.as_secs())) {
            self.jumped = Some((now, self.uptime.now()));
            return false;
        }
        passed >= SETTLED
    }

    fn check_start(&mut self, now: u64) -> Result<(), ClockError> {
        if is_apart(now, self.expected()) {
            self.from = (now, self.uptime.now());
            self.latest = self.trace.unwrap_or(0);
        }
        let Some(latest) = self.trace else {
            return Ok(());
        };
        if now.saturating_add(BACK.as_secs()) < latest {
            return Err(ClockError::Behind {
                now: at(now),
                latest: at(latest),
            });
        }
        let is_late = now.saturating_sub(latest) > LONG.as_secs();
        match is_late && self.alone && self.uptime.since(self.from.1) < SETTLED {
            true => Err(ClockError::Unsure {
                now: at(now),
                latest: at(latest),
            }),
            false => Ok(()),
        }
    }

    /// The time of the clock if nobody had set it.
    fn expected(&self) -> u64 {
        let (from, since) = self.from;
        from.saturating_add(self.uptime.since(since).as_secs())
    }

    /// The time of the database server's clock now, and whether it is this machine's.
    fn database(&self) -> Option<(u64, bool)> {
        let Server { said, at } = self.server.as_ref()?;
        let age = self.uptime.since(*at);
        let now = said.time.saturating_add(age).as_secs();
        (age < HEARD).then_some((now, said.here))
    }
}

/// True if a time is further ahead or behind than clocks that are right can be.
pub(super) const fn is_apart(now: u64, other: u64) -> bool {
    now.saturating_sub(other) > AHEAD.as_secs() || other.saturating_sub(now) > BACK.as_secs()
}

/// The seconds by which the clock is ahead, or, below 0, behind.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Skew {
    /// Of what it would say if nobody had set it since the signer was started or reloaded.
    pub since_start: i64,
    /// Of the latest time that is on record; ahead of it only while it is doubted because of that.
    pub records: i64,
}

/// Times in seconds since 1970. Long after a record is nothing unusual, unless a start is doubted because of that.
fn skew(now: u64, expected: u64, latest: u64, is_unsure: bool) -> Skew {
    let ahead = |of: u64| i64::try_from(i128::from(now) - i128::from(of)).unwrap_or_default();
    Skew {
        since_start: ahead(expected),
        records: ahead(latest).min(if is_unsure { i64::MAX } else { 0 }),
    }
}

/// For a clock that was used. Times in seconds since 1970.
fn compare(now: u64, expected: u64, latest: u64) -> Result<(), ClockError> {
    if now.saturating_add(BACK.as_secs()) < latest {
        return Err(ClockError::Behind {
            now: at(now),
            latest: at(latest),
        });
    }
    match now.saturating_sub(expected) > AHEAD.as_secs() {
        true => Err(ClockError::Jumped {
            now: at(now),
            expected: at(expected),
        }),
        false => Ok(()),
    }
}

/// The latest time that this signer knows to be over: when it last believed its clock. Without that, and without a database
/// server, whose clock is a better witness, when the last record of the audit log was made.
pub(super) async fn trace(
    store: &Store,
    node: &str,
    last_record: Option<UnixTime>,
    now: UnixTime,
) -> Result<Option<UnixTime>, dc_store::Error> {
    let replicas = store.replicas(now).await?;
    let mine = replicas.iter().filter(|replica| replica.node == node);
    let believed = mine.filter_map(|replica| replica.clock).max();
    match (believed, store.clock().await?) {
        (None, None) => Ok(last_record),
        (believed, _) => Ok(believed),
    }
}

/// A clock that cannot be right.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ClockError {
    /// The database server's clock says something else.
    Apart {
        /// The clock's time.
        now: UnixTime,
        /// The time of the database server's clock.
        database: UnixTime,
    },
    /// Something was recorded much later than now.
    Behind {
        /// The clock's time.
        now: UnixTime,
        /// The latest time that it has said before.
        latest: UnixTime,
    },
    /// It says a time before this program was written.
    BeforeRelease {
        /// The clock's time.
        now: UnixTime,
    },
    /// It was set forward while the signer ran.
    Jumped {
        /// The clock's time.
        now: UnixTime,
        /// The time it would say if nobody had set it.
        expected: UnixTime,
    },
    /// The signer started long after everything that is on record, a moment ago, and nothing says that the clock is right.
    Unsure {
        /// The clock's time.
        now: UnixTime,
        /// The latest time that is on record.
        latest: UnixTime,
    },
}

impl std::error::Error for ClockError {}

impl fmt::Display for ClockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apart { now, database } => {
                let (from, to, which) = match now > database {
                    true => (database, now, "ahead of"),
                    false => (now, database, "behind"),
                };
                write!(
                    f,
                    "the signer's clock says {}, {} {which} the database server's: set the one that is wrong, and it goes on by itself",
                    Moment(*now),
                    Span::about(*from, *to)
                )
            }
            Self::Behind { now, latest } => write!(
                f,
                "the signer's clock says {}, {} before something that is on record: set it, or, if it is right, reload the service",
                Moment(*now),
                Span::about(*now, *latest)
            ),
            Self::BeforeRelease { now } => write!(
                f,
                "the signer's clock says {}, before this program was written: set it",
                Moment(*now)
            ),
            Self::Jumped { now, expected } => write!(
                f,
                "the signer's clock jumped to {}, {} ahead: set it, or, if it is right now, reload the service, or wait: {} after the jump it is taken for right",
                Moment(*now),
                Span::about(*expected, *now),
                Span::new(SETTLED)
            ),
            Self::Unsure { now, latest } => write!(
                f,
                "the signer's clock says {}, {} after the last thing that is on record: if it is wrong, set it; if it is right, reload the service, or wait: {} after the start it is taken for right",
                Moment(*now),
                Span::about(*latest, *now),
                Span::new(SETTLED)
            ),
        }
    }
}

const fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// 2026-11-01: no clock is right that says an earlier time.
pub(super) const RELEASED: u64 = 1_793_491_200;
/// The most by which the clocks of several signers, or one clock before and after it was adjusted, may be apart.
const BACK: Duration = Duration::from_secs(600);
/// A signer that starts longer after everything on record may have been off for so long, or have a wrong clock.
const LONG: Duration = Duration::from_secs(24 * 3600);
/// By then NTP has set the clock of a machine that starts, if anything does. A device loses nothing meanwhile.
const SETTLED: Duration = Duration::from_secs(300);
/// The time for which the database's word counts: it is asked every few seconds.
const HEARD: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;

    const NOW: u64 = 1_800_000_000;

    const HOUR: u64 = 3600;

    fn guard(trace: Option<u64>, now: u64) -> Guard {
        let guard = Guard::new(trace.map(at), at(now));
        guard.leave_alone();
        guard
    }

    /// A guard on a machine of which the test says how long it has been running.
    fn running(trace: Option<u64>, now: u64) -> (Guard, Runs) {
        let runs = Runs::default();
        let uptime = {
            let runs = runs.0.clone();
            move || Duration::from_secs(runs.load(Relaxed))
        };
        let guard = Guard::with_uptime(trace.map(at), at(now), uptime);
        guard.leave_alone();
        (guard, runs)
    }

    #[derive(Default)]
    struct Runs(Arc<AtomicU64>);

    impl Runs {
        fn add(&self, time: Duration) {
            self.0.fetch_add(time.as_secs(), Relaxed);
        }
    }

    fn server(time: u64, here: bool) -> Option<ServerClock> {
        let time = Duration::from_secs(time);
        Some(ServerClock { time, here })
    }

    #[test]
    fn a_clock_from_before_the_release_is_wrong() {
        let guard = guard(None, RELEASED);
        assert_eq!(
            guard.check(at(RELEASED - 1)),
            Err(ClockError::BeforeRelease {
                now: at(RELEASED - 1)
            })
        );
        assert_eq!(guard.check(at(RELEASED)), Ok(()));
    }

    #[test]
    fn a_step_before_the_first_issuance_is_judged_as_a_start() {
        // Machines start slow, with a record from then, or one from before they stopped.
        for trace in [None, Some(NOW - 3 * HOUR), Some(NOW - 60)] {
            let guard = guard(trace, NOW - 3 * HOUR);
            let _ = guard.check(at(NOW - 3 * HOUR));
            assert_eq!(guard.check(at(NOW)), Ok(()), "{trace:?}");
            // And back, as far as that is not before what is on record.
            assert_eq!(guard.check(at(NOW - 300)), Ok(()), "{trace:?}");
        }
    }

    #[test]
    fn a_step_after_an_issuance_is_refused() {
        let guard = guard(None, NOW);
        guard.issued();
        let jumped = guard.check(at(NOW + 3 * HOUR));
        assert!(
            matches!(jumped, Err(ClockError::Jumped { .. })),
            "{jumped:?}"
        );
        guard.check(at(NOW)).unwrap();
        let behind = guard.check(at(NOW - 3 * HOUR));
        assert!(
            matches!(behind, Err(ClockError::Behind { .. })),
            "{behind:?}"
        );
    }

    #[test]
    fn a_machine_that_was_suspended_goes_on() {
        let (guard, runs) = running(None, NOW);
        guard.issued();
        runs.add(Duration::from_secs(30 * HOUR));
        assert_eq!(guard.check(at(NOW + 30 * HOUR)), Ok(()));
    }

    #[test]
    fn uptime_goes_on_as_real_time_does() {
        let before = (clock::uptime(), std::time::Instant::now());
        std::thread::sleep(Duration::from_millis(20));
        let passed = clock::uptime() - before.0;
        assert!(passed >= Duration::from_millis(20), "{passed:?}");
        assert!(passed <= before.1.elapsed() + Duration::from_secs(5));
        #[cfg(target_os = "linux")]
        {
            let text = std::fs::read_to_string("/proc/uptime").unwrap();
            let boot: f64 = text.split(' ').next().unwrap().parse().unwrap();
            let ours = clock::uptime().as_secs_f64();
            assert!((ours - boot).abs() < 5.0, "{ours} {boot}");
        }
    }

    #[test]
    fn a_clock_that_jumped_is_believed_when_it_has_gone_on_for_some_minutes() {
        let to = NOW + 30 * HOUR;
        let jump = || {
            let (guard, runs) = running(None, NOW);
            guard.issued();
            let jumped = guard.check(at(to));
            assert!(
                matches!(jumped, Err(ClockError::Jumped { .. })),
                "{jumped:?}"
            );
            (guard, runs)
        };
        let minutes = SETTLED.as_secs();
        let (guard, runs) = jump();
        runs.add(SETTLED - Duration::from_secs(1));
        assert!(guard.check(at(to + minutes - 1)).is_err());
        runs.add(Duration::from_secs(1));
        assert_eq!(guard.check(at(to + minutes)), Ok(()));
        assert_eq!(guard.check(at(to + minutes)), Ok(()));
        // Set right meanwhile, and wrong again.
        let (guard, runs) = jump();
        assert_eq!(guard.check(at(NOW)), Ok(()));
        runs.add(SETTLED);
        assert!(guard.check(at(to + minutes)).is_err());
        // Jumping on.
        let (guard, runs) = jump();
        runs.add(SETTLED);
        assert!(guard.check(at(to + 30 * HOUR)).is_err());
        // Beside a database server, nothing but its clock counts.
        let (guard, runs) = jump();
        runs.add(SETTLED);
        guard.hear(server(NOW + minutes, false));
        assert!(guard.check(at(to + minutes)).is_err());
    }

    #[test]
    fn a_start_long_after_the_last_record_is_doubted_for_some_minutes() {
        let doubted = guard(Some(NOW - 25 * HOUR), NOW);
        let unsure = doubted.check(at(NOW));
        assert!(
            matches!(unsure, Err(ClockError::Unsure { .. })),
            "{unsure:?}"
        );
        // NTP sets it right.
        assert_eq!(doubted.check(at(NOW - 24 * HOUR)), Ok(()));
        // Or nothing does: the signer was off.
        let (doubted, runs) = running(Some(NOW - 25 * HOUR), NOW);
        runs.add(SETTLED);
        assert_eq!(doubted.check(at(NOW + SETTLED.as_secs())), Ok(()));
        // Somebody who runs a command knows what time it is.
        let command = Guard::new(Some(at(NOW - 25 * HOUR)), at(NOW));
        assert_eq!(command.check(at(NOW)), Ok(()));
    }

    #[test]
    fn the_database_servers_clock_decides() {
        let day = 24 * HOUR;
        for (ours, theirs, right) in [
            (NOW + 25 * HOUR, NOW, false),
            (NOW - 11 * 60, NOW, false),
            (NOW - 9 * 60, NOW, true),
            (NOW + 59 * 60, NOW, true),
        ] {
            for here in [true, false] {
                let guard = guard(Some(ours), ours);
                guard.hear(server(theirs, here));
                let checked = guard.check(at(ours));
                assert_eq!(checked.is_ok(), right, "{checked:?}");
            }
        }
        // What another one has put on record from a wrong clock, or this one before, does not matter beside it.
        let guard = guard(Some(NOW + day), NOW);
        guard.hear(server(NOW, false));
        assert_eq!(guard.check(at(NOW)), Ok(()));
        // Nor does a step after which both agree, whatever was issued.
        guard.issued();
        guard.hear(server(NOW + 3 * HOUR, false));
        assert_eq!(guard.check(at(NOW + 3 * HOUR)), Ok(()));
    }

    #[test]
    fn a_reload_does_not_overrule_the_database_server() {
        for here in [true, false] {
            let guard = guard(None, NOW + 25 * HOUR);
            guard.hear(server(NOW, here));
            guard.settle(at(NOW + 25 * HOUR));
            assert!(guard.check(at(NOW + 25 * HOUR)).is_err());
            assert_eq!(guard.check(at(NOW)), Ok(()), "it is set");
        }
        let guard = guard(Some(NOW + HOUR), NOW);
        guard.settle(at(NOW));
        assert_eq!(guard.check(at(NOW)), Ok(()));
    }

    #[test]
    fn a_server_on_this_machine_is_no_second_witness() {
        let guard = guard(Some(NOW + HOUR), NOW);
        guard.hear(server(NOW, true));
        let behind = guard.check(at(NOW));
        assert!(
            matches!(behind, Err(ClockError::Behind { .. })),
            "{behind:?}"
        );
    }

    #[test]
    fn a_clock_that_went_back_is_believed_for_ten_minutes() {
        assert_eq!(compare(NOW - 600, NOW, NOW), Ok(()));
        let behind = compare(NOW - 601, NOW, NOW);
        assert!(
            matches!(behind, Err(ClockError::Behind { .. })),
            "{behind:?}"
        );
    }

    #[test]
    fn a_clock_that_jumped_ahead_is_believed_for_an_hour() {
        assert_eq!(compare(NOW + 3600, NOW, NOW), Ok(()));
        let jumped = compare(NOW + 3601, NOW, NOW);
        assert!(
            matches!(jumped, Err(ClockError::Jumped { .. })),
            "{jumped:?}"
        );
    }

    #[test]
    fn a_start_that_is_doubted_shows_how_far_ahead_the_clock_is() {
        let (guard, runs) = running(Some(NOW), NOW + 30 * HOUR);
        let skew = |now| guard.skew(at(now)).records;
        assert_eq!(skew(NOW + 30 * HOUR), 30 * 3600);
        // It is taken for right some minutes later.
        runs.add(Duration::from_secs(301));
        assert_eq!(guard.check(at(NOW + 30 * HOUR + 301)), Ok(()));
        assert_eq!(skew(NOW + 30 * HOUR + 301), 0);
    }

    #[test]
    fn skew_has_a_sign_and_no_record_is_too_old() {
        let of = |since_start, records| Skew {
            since_start,
            records,
        };
        assert_eq!(skew(NOW, NOW, NOW - 86_400, false), of(0, 0));
        assert_eq!(skew(NOW, NOW + 30, NOW + 5, false), of(-30, -5));
        assert_eq!(skew(NOW, NOW - 7, 0, false), of(7, 0));
        assert_eq!(skew(0, u64::MAX, NOW, false).since_start, 0);
    }

    #[test]
    fn a_time_that_was_accepted_is_believed() {
        let guard = Guard::new(Some(at(NOW + 86_400)), at(NOW));
        assert!(guard.check(at(NOW)).is_err());
        guard.accept(at(NOW));
        assert_eq!(guard.check(at(NOW)), Ok(()));
    }

    #[test]
    fn what_was_refused_is_not_remembered() {
        let guard = guard(None, NOW);
        guard.issued();
        assert!(guard.check(at(NOW + 86_400)).is_err());
        assert_eq!(guard.check(at(NOW)), Ok(()));
    }

    #[test]
    fn a_clock_that_is_refused_says_what_to_do() {
        let unsure = guard(Some(NOW), NOW + 30 * HOUR).check(at(NOW + 30 * HOUR));
        let apart = guard(None, NOW);
        apart.hear(server(NOW + 7200, false));
        for clock in [
            guard(None, 1).check(at(1)),
            compare(NOW, NOW, NOW + 7200),
            compare(NOW + 7200, NOW, 0),
            unsure,
            apart.check(at(NOW)),
        ] {
            let text = clock.unwrap_err().to_string();
            assert!(
                text.contains("set it") || text.contains("set the one"),
                "{text}"
            );
            assert!(!text.contains("UnixTime"), "{text}");
        }
    }
}
