//! A primary and its standby, each with a disk of its own, and what happens to them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use crate::failover::pair::Pair;
use crate::postgres::Own;
use crate::small_disk::SmallDisk;

/// The database of the signers.
pub(super) struct Database {
    // The servers end before their disks are gone.
    pair: Pair,
    disks: [SmallDisk; 2],
    /// The place of the primary; at the other one is its standby.
    at: AtomicUsize,
    failovers: AtomicUsize,
}

impl Database {
    /// None, and it says so, for whoever may not mount disks; or if tests with PostgreSQL are skipped.
    pub(super) fn start(megabytes: u64) -> Option<Self> {
        let size = format!("{megabytes}m");
        let disks = [SmallDisk::mount(&size)?, SmallDisk::mount(&size)?];
        let pair = Pair::migrated_in([disks[0].path(), disks[1].path()])?;
        for server in [&pair.primary, &pair.standby] {
            // The disk is for the tables; a standby that was away for a minute goes on.
            pair.set(server, "max_wal_size = '96MB'");
            pair.set(server, "wal_keep_size = '96MB'");
        }
        Some(Self {
            pair,
            disks,
            at: AtomicUsize::new(0),
            failovers: AtomicUsize::new(0),
        })
    }

    /// The URL of both.
    pub(super) fn url(&self) -> String {
        self.pair.url()
    }

    pub(super) fn failovers(&self) -> usize {
        self.failovers.load(Ordering::Relaxed)
    }

    /// What a statement gives at the primary.
    pub(super) fn texts(&self, sql: &str) -> Vec<String> {
        self.pair.texts(self.server(self.primary()), sql)
    }

    pub(super) fn number(&self, sql: &str) -> i64 {
        self.pair.number(self.server(self.primary()), sql)
    }

    fn primary(&self) -> usize {
        self.at.load(Ordering::Relaxed)
    }

    fn standby(&self) -> usize {
        1 - self.primary()
    }

    fn server(&self, place: usize) -> &Own {
        match place {
            0 => &self.pair.primary,
            _ => &self.pair.standby,
        }
    }

    /// The primary is killed, and comes back as what it was.
    pub(super) fn crash(&self) {
        let primary = self.server(self.primary());
        primary.kill();
        sleep(Duration::from_secs(3));
        primary.start_again();
        self.is_followed();
    }

    /// The primary is killed and its standby promoted. The old one comes back as a standby, by turns from what it has and as a copy; every
    /// other time first as the primary that it was, to which nobody may write.
    ///
    /// All that was confirmed is at the standby: that is waited for before.
    pub(super) fn fail_over(&self) {
        self.is_followed();
        let number = self.failovers.fetch_add(1, Ordering::Relaxed);
        self.server(self.primary()).kill();
        sleep(Duration::from_secs(2));
        self.promote();
        let old = self.server(self.standby());
        if number.is_multiple_of(2) {
            self.comes_back_as_it_was(old);
        }
        // What was promoted is known to others from then on.
        let new = self.server(self.primary());
        self.pair.run(new, "CHECKPOINT");
        let how = ["rewind", "copy"][number / 2 % 2];
        self.pair.follow(old, how, self.primary());
        self.is_followed();
    }

    fn promote(&self) {
        let new = self.standby();
        self.server(new).order("promote", "promoted");
        self.at.store(new, Ordering::Relaxed);
    }

    fn comes_back_as_it_was(&self, old: &Own) {
        old.start_again();
        self.pair.wait_for_nobody(old);
        let records = self.pair.number(old, RECORDS);
        sleep(Duration::from_secs(6));
        let now = self.pair.number(old, RECORDS);
        assert_eq!(now, records, "the old primary was written to");
        old.kill();
    }

    /// The primary's disk is full. It is the operator's choice to make room, or to fail over to the standby, which has some.
    pub(super) fn fill(&self, is_left: bool) {
        self.is_followed();
        let full = self.primary();
        self.disks[full].fill();
        sleep(Duration::from_secs(5));
        if is_left {
            self.failovers.fetch_add(1, Ordering::Relaxed);
            self.server(full).kill();
            self.promote();
            sleep(Duration::from_secs(3));
        }
        self.disks[full].make_room();
        if is_left {
            self.pair.follow(self.server(full), "copy", self.primary());
        }
        self.is_followed();
    }

    /// The standby's disk is full, so the primary confirms nothing.
    pub(super) fn fill_standby(&self) {
        let full = self.standby();
        self.disks[full].fill();
        sleep(Duration::from_secs(5));
        self.disks[full].make_room();
        self.is_followed();
    }

    /// Waits until both run, and the primary confirms nothing that the standby has not. A standby that cannot go on is copied anew.
    pub(super) fn is_followed(&self) {
        let [primary, standby] = [self.primary(), self.standby()].map(|place| self.server(place));
        primary.start_again();
        standby.start_again();
        if !self.pair.has_standby(primary, Duration::from_secs(30)) {
            standby.kill();
            self.pair.follow(standby, "copy", self.primary());
            self.pair.wait_for_standby(primary);
        }
    }
}

const RECORDS: &str = "SELECT seq FROM audit_head";
