//! Comparing what people asked for and did with the audit log: approvals, acts without a credential, and how many devices each has
//! retired.

use std::collections::{BTreeMap, BTreeSet};

use pki_types::UnixTime;

use crate::Error;
use crate::connection::Session;
use crate::registry::{Action, Approval, ApprovalState, Entry, Mismatch, Record, Sha256};

use super::findings::Found;
use super::replays::Replays;
use super::{people, rows};

/// The log's word; as large as there are approvals, acts without a credential, and days on which somebody retired a device.
#[derive(Default)]
pub(super) struct People {
    approvals: BTreeMap<u64, Asked>,
    glass: BTreeMap<u64, (UnixTime, String)>,
    /// By actor and day, how many devices: those that must have been counted, and all.
    retired: BTreeMap<(String, i64), (u64, u64, u64)>,
}

struct Asked {
    detail: Option<Sha256>,
    reason: Option<String>,
    at: UnixTime,
    /// The record that decided it, whether it was agreed to, and who did.
    decided: Option<(u64, bool, String)>,
    /// The record that says it was done.
    done: Option<u64>,
}

impl People {
    /// Only of records that may have been done here.
    pub(super) fn follow(&mut self, record: &Record, replays: &Replays) {
        let (seq, entry) = (record.seq, &record.entry);
        match entry.action {
            Action::AskApproval => {
                let asked = Asked {
                    detail: entry.detail_sha256,
                    reason: entry.reason.clone(),
                    at: entry.time,
                    decided: None,
                    done: None,
                };
                self.approvals.insert(seq, asked);
            }
            Action::Approve | Action::RefuseApproval => {
                if let Some(asked) = self.asked(entry) {
                    let is_agreed = entry.action == Action::Approve;
                    asked.decided = Some((seq, is_agreed, entry.actor.clone()));
                }
            }
            Action::FinishApproval => {
                if let Some(asked) = self.asked(entry) {
                    asked.done = Some(seq);
                }
            }
            Action::BreakGlass => {
                self.glass.insert(seq, (entry.time, entry.actor.clone()));
            }
            Action::Retire => {
                let key = (entry.actor.clone(), people::day(entry.time));
                let (last, must, all) = self.retired.entry(key).or_default();
                // Those without a reason are from before there was a count.
                *must += u64::from(replays.is_here(seq) && entry.reason.is_some());
                (*last, *all) = (seq, *all + 1);
            }
            _ => {}
        }
    }

    /// The approval that a record is about.
    fn asked(&mut self, entry: &Entry) -> Option<&mut Asked> {
        self.approvals.get_mut(&entry.asked_in()?)
    }

    pub(super) async fn check(
        self,
        session: &mut Session,
        replays: &Replays,
        found: &mut Found,
    ) -> Result<(), Error> {
        self.check_approvals(session, replays, found).await?;
        self.check_glass(session, replays, found).await?;
        self.check_retired(session, found).await
    }

    async fn check_approvals(
        &self,
        session: &mut Session,
        replays: &Replays,
        found: &mut Found,
    ) -> Result<(), Error> {
        let mut there = BTreeSet::new();
        let sql = format!("SELECT {} FROM approvals ORDER BY number", rows::APPROVAL);
        for row in session.fetch(sql, Vec::new()).await? {
            let approval = rows::approval(&row)?;
            there.insert(approval.number);
            match self.approvals.get(&approval.number) {
                Some(asked) => asked.check(&approval, found),
                None => {
                    let (what, name) = ("the approval", approval.number.to_string());
                    found.add(Mismatch::NoRecord { what, name });
                }
            }
        }
        let missing = self.approvals.keys().filter(|seq| !there.contains(*seq));
        removed("approval", missing.copied(), replays, found);
        Ok(())
    }

    async fn check_glass(
        &self,
        session: &mut Session,
        replays: &Replays,
        found: &mut Found,
    ) -> Result<(), Error> {
        let sql = "SELECT number, time, actor FROM break_glass ORDER BY number";
        let mut there = BTreeSet::new();
        for row in session.fetch(sql, Vec::new()).await? {
            let number: u64 = row.number("number")?;
            there.insert(number);
            let (time, actor) = (row.time("time")?, row.text("actor")?);
            let Some((said, who)) = self.glass.get(&number) else {
                let (what, name) = ("the act without a credential", number.to_string());
                found.add(Mismatch::NoRecord { what, name });
                continue;
            };
            let mut compare = |column, expected: String, there: String| {
                if expected != there {
                    let row = number.to_string();
                    found.add(changed("break_glass", row, column, number, expected, there));
                }
            };
            let secs = |time: UnixTime| time.as_secs().to_string();
            compare("time", secs(*said), secs(time));
            compare("actor", who.clone(), actor);
        }
        let missing = self.glass.keys().filter(|seq| !there.contains(*seq));
        removed("act without a credential", missing.copied(), replays, found);
        Ok(())
    }

    async fn check_retired(&self, session: &mut Session, found: &mut Found) -> Result<(), Error> {
        let mut counted = BTreeMap::new();
        let sql = "SELECT actor, day, count FROM retired ORDER BY actor, day";
        for row in session.fetch(sql, Vec::new()).await? {
            let key = (row.text("actor")?, row.number::<i64>("day")?);
            counted.insert(key, row.number::<u64>("count")?);
        }
        let keys: BTreeSet<_> = counted.keys().chain(self.retired.keys()).collect();
        for key in keys {
            let (seq, must, all) = self.retired.get(key).copied().unwrap_or_default();
            let there = counted.get(key).copied().unwrap_or(0);
            if !(must..=all).contains(&there) {
                let row = format!("{} on day {} since 1970", key.0, key.1);
                let values = (all.to_string(), there.to_string());
                found.add(changed("retired", row, "count", seq, values.0, values.1));
            }
        }
        Ok(())
    }
}

impl Asked {
    fn check(&self, approval: &Approval, found: &mut Found) {
        let seq = approval.number;
        let is_reason = self.reason.as_deref() == Some(approval.reason.as_str());
        if self.detail != Some(approval.commitment()) || !is_reason || self.at != approval.asked {
            found.add(Mismatch::Approval { seq });
        }
        let state = match (&self.decided, self.done) {
            (None, _) => ApprovalState::Waiting,
            (Some(_), Some(_)) => ApprovalState::Done,
            (Some((_, true, _)), None) => ApprovalState::Approved,
            (Some((_, false, _)), None) => ApprovalState::Refused,
        };
        let by = self.decided.as_ref().map_or(seq, |(seq, ..)| *seq);
        let by = self.done.unwrap_or(by);
        let row = || seq.to_string();
        if state != approval.state {
            let values = (state.to_string(), approval.state.to_string());
            found.add(changed("approvals", row(), "state", by, values.0, values.1));
        }
        let who = self.decided.as_ref().map(|(_, _, actor)| actor.as_str());
        let said = approval.decided_by.as_ref().map(ToString::to_string);
        let is_it = match (who, &said) {
            (Some(actor), Some(said)) => actor == said || actor.ends_with(&format!(":{said}")),
            (None, None) => true,
            _ => false,
        };
        if !is_it {
            let who = who.unwrap_or("nobody").to_owned();
            let said = said.unwrap_or_else(|| "nobody".to_owned());
            found.add(changed("approvals", row(), "decided_by", by, who, said));
        }
    }
}

fn removed(
    what: &'static str,
    missing: impl Iterator<Item = u64>,
    replays: &Replays,
    found: &mut Found,
) {
    for seq in missing.filter(|seq| replays.is_here(*seq)) {
        let name = seq.to_string();
        found.add(Mismatch::Removed { what, name, seq });
    }
}

fn changed(
    table: &'static str,
    row: String,
    column: &'static str,
    seq: u64,
    expected: String,
    found: String,
) -> Mismatch {
    Mismatch::Changed {
        table,
        row,
        column,
        seq,
        expected,
        found,
    }
}
