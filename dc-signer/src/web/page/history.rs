//! A device's history: acts and issuances.

use maud::{Markup, html};
use pki_types::UnixTime;

use super::show::{distance, moment, name, short_hash};
use crate::authority::Issue;
use dc_store::registry::{Action, Record};

/// The records of the audit log about a device.
pub(super) fn acts(acts: &[Record], limit: u32, now: UnixTime) -> Markup {
    html! {
        section.card aria-labelledby="acts" {
            h2 #acts { "What was done" }
            @if acts.is_empty() {
                p.empty { "Nothing is on record." }
            } @else {
                table {
                    caption { "From the audit log, newest first" (at_most(acts.len(), limit)) }
                    thead {
                        tr {
                            th scope="col" { "When" }
                            th scope="col" { "What" }
                            th scope="col" { "By" }
                            th.rare scope="col" { "At" }
                            th.rare.num scope="col" { "Record" }
                        }
                    }
                    tbody { @for record in acts { (act(record, now)) } }
                }
            }
        }
    }
}

fn act(record: &Record, now: UnixTime) -> Markup {
    let entry = &record.entry;
    html! {
        tr {
            td { (moment(entry.time)) br; span.far { (distance(entry.time, now)) } }
            td { (words(entry.action)) @if let Some(reason) = &entry.reason { br; span.far { (reason) } } }
            td {
                (actor(&entry.actor))
                @if let Some(from) = entry.came_from() { br; span.far { "from " (from) } }
            }
            td.rare { (entry.node) }
            td.rare.num { (record.seq) }
        }
    }
}

/// The actor, which may be broken behind what kind of somebody they are.
fn actor(actor: &str) -> Markup {
    let (kind, who) = actor.split_at(actor.find(':').map_or(0, |colon| colon + 1));
    html! { code.name { (kind) wbr; (who) } }
}

/// The credentials that a device got.
pub(super) fn issues(issues: &[Issue], limit: u32, now: UnixTime) -> Markup {
    html! {
        section.card aria-labelledby="issues" {
            h2 #issues { "What was issued" }
            @if issues.is_empty() {
                p.empty { "Nothing, as far back as this is kept." }
            } @else {
                table {
                    caption { "Credentials, newest first" (at_most(issues.len(), limit)) }
                    thead {
                        tr {
                            th scope="col" { "Issued" }
                            th scope="col" { "Ends" }
                            th.rare scope="col" { "Name" }
                            th scope="col" { "Credential" }
                            th.rare scope="col" { "Under certificate" }
                        }
                    }
                    tbody { @for one in issues { (issue(one, now)) } }
                }
            }
        }
    }
}

fn issue(issue: &Issue, now: UnixTime) -> Markup {
    html! {
        tr {
            td { (moment(issue.issued)) br; span.far { (distance(issue.issued, now)) } }
            td { (moment(issue.expires)) br; span.far { (distance(issue.expires, now)) } }
            td.rare { (name(&issue.name)) }
            td { (short_hash(&issue.credential_sha256)) }
            td.rare { (short_hash(&issue.delegation_sha256)) }
        }
    }
}

fn at_most(rows: usize, limit: u32) -> Markup {
    html! { @if u32::try_from(rows).is_ok_and(|rows| rows >= limit) { ", the last " (limit) } }
}

/// An act in the words of the pages.
fn words(action: Action) -> &'static str {
    match action {
        Action::Add => "Added",
        Action::ClearClone => "Clone flag cleared",
        Action::Enrol => "Enrolled",
        Action::FinishSwitch => "New enrolment key used",
        Action::FlagClone => "Flagged as possible clone",
        Action::Issue => "Credential issued",
        Action::IssueClient => "Credential issued for a client",
        Action::NewCode => "Activation code made",
        Action::NewName => "Got a new name",
        Action::Replace => "Replaced",
        Action::Resume => "Resumed",
        Action::Retire => "Retired",
        Action::Suspend => "Suspended",
        Action::TakeName => "Took the name before the old box's credentials were over",
        Action::SwitchKey => "Began to change its enrolment key",
        // Of zones, slots and operators.
        other => other.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::registry::{at, key};
    use crate::web::page::testing::NOW;

    #[test]
    fn no_record_is_left_without_words() {
        for action in Action::ALL {
            assert!(!words(*action).is_empty());
        }
    }

    #[test]
    fn a_table_that_was_cut_off_says_so() {
        let issue = Issue {
            credential_sha256: key(1),
            spki_sha256: key(2),
            delegation_sha256: key(3),
            name: dc_pki::names::parse("k3v.cpe.example.com").unwrap(),
            issued: at(NOW - 60),
            expires: at(NOW + 60),
        };
        let rows = vec![issue; 3];
        assert!(
            issues(&rows, 3, at(NOW))
                .into_string()
                .contains("the last 3")
        );
        let page = issues(&rows, 4, at(NOW)).into_string();
        assert!(
            !page.contains("the last") && page.contains("1 min ago") && page.contains("in 1 min")
        );
    }
}
