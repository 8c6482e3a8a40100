//! The page of acts that take two operators.

use maud::{Markup, html};
use pki_types::UnixTime;

use super::layout::{Place, Who, page, token};
use super::show::{distance, moment, name};
use crate::authority::approvals::{Asked, agreed_in_vain, waits, word};
use crate::web::act::may_act;
use dc_store::registry::{Approval, Device, Reason};

/// An act with what is to be known of it.
pub(in crate::web) struct ApprovalRow<'a> {
    /// The act.
    pub(in crate::web) approval: &'a Approval,
    /// The act.
    pub(in crate::web) what: Asked,
    /// Some of the devices that it is to be done to.
    pub(in crate::web) devices: Vec<Device>,
    /// How things are that it would change.
    pub(in crate::web) effect: Vec<String>,
}

/// The data of the page.
pub(in crate::web) struct ApprovalsPage<'a> {
    /// The newest first.
    pub(in crate::web) rows: &'a [ApprovalRow<'a>],
    /// The time of the page.
    pub(in crate::web) now: UnixTime,
}

impl ApprovalsPage<'_> {
    /// The page.
    pub(in crate::web) fn render(&self, who: &Who) -> Markup {
        let (open, rest): (Vec<_>, Vec<_>) = self
            .rows
            .iter()
            .partition(|row| waits(row.approval, self.now));
        let main = html! {
            div.title { h1 { "Approvals" } }
            @if open.is_empty() {
                p.notice.good { "Nothing waits for a second operator." }
            }
            @for row in &open { (self.waiting(row, who)) }
            @if !rest.is_empty() {
                section.card aria-labelledby="before" {
                    h2 #before { "Before" }
                    table {
                        caption { "Acts that took two operators, newest first" }
                        thead {
                            tr {
                                th scope="col" { "Asked" }
                                th scope="col" { "What" }
                                th scope="col" { "By" }
                                th scope="col" { "State" }
                            }
                        }
                        tbody { @for row in &rest { (self.over(row)) } }
                    }
                }
            }
        };
        page("Approvals", who, Place::Approvals, main)
    }

    fn waiting(&self, row: &ApprovalRow<'_>, who: &Who) -> Markup {
        let Approval {
            number,
            reason,
            asked_by,
            ends,
            ..
        } = row.approval;
        let is_own = asked_by.as_str() == who.name;
        let may = may_act(who.role) && who.role >= row.what.needed();
        html! {
            section.card {
                h2 { (row.what) }
                dl {
                    dt { "Asked by" } dd { (asked_by) }
                    dt { "Reason" } dd { (reason) }
                    dt { "Until" } dd { (moment(*ends)) ", " (distance(*ends, self.now)) }
                    @for device in &row.devices {
                        dt { (device.external_id) } dd { (name(&device.name)) }
                    }
                    @if let Some(agreed) = agreed_in_vain(row.approval, self.now) {
                        dt { "Agreed" } dd { (agreed) }
                    }
                    @for line in &row.effect {
                        dt { "Now" } dd { (line) }
                    }
                }
                @if may && !is_own {
                    form action={ "/approvals/" (number) "/approve" } method="post" {
                        (token(who))
                        div.acts { button.danger type="submit" { "Agree, and do it" } }
                    }
                }
                @if may {
                    form action={ "/approvals/" (number) "/refuse" } method="post" {
                        (token(who))
                        label for={ "reason-" (number) } { "Reason or ticket" }
                        input id={ "reason-" (number) } type="text" name="reason" required autocomplete="off"
                            minlength=(Reason::MIN_LEN) maxlength=(Reason::MAX_LEN);
                        div.acts { button type="submit" { @if is_own { "Take it back" } @else { "Refuse" } } }
                    }
                }
                @if is_own {
                    p.small { "Another operator has to agree to it." }
                }
            }
        }
    }

    fn over(&self, row: &ApprovalRow<'_>) -> Markup {
        let approval = row.approval;
        html! {
            tr {
                td { (moment(approval.asked)) }
                td.foreign { (row.what) br; span.far { (approval.reason) } }
                td {
                    (approval.asked_by)
                    @if let Some(other) = &approval.decided_by { ", " (other) }
                }
                td { (word(approval, self.now)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::registry::at;
    use crate::web::page::testing::{NOW, who};
    use dc_store::registry::{ApprovalState, Role};

    fn approval(asked_by: &str) -> Approval {
        Approval {
            number: 7,
            what: String::new(),
            reason: "<b>stolen</b>".parse().unwrap(),
            asked_by: asked_by.parse().unwrap(),
            asked: at(NOW - 60),
            ends: at(NOW + 60),
            state: ApprovalState::Waiting,
            decided_by: None,
        }
    }

    fn rendered(approval: &Approval, what: Asked, role: Role) -> String {
        let row = ApprovalRow {
            approval,
            what,
            devices: Vec::new(),
            effect: vec!["it is <b>next</b> now".into()],
        };
        let page = ApprovalsPage {
            rows: &[row],
            now: at(NOW),
        };
        page.render(&who(role)).into_string()
    }

    #[test]
    fn whoever_asked_gets_no_button_to_agree_and_neither_does_whose_role_is_too_low() {
        let retire = || Asked::Retire {
            devices: vec!["a".into()],
        };
        let rollover = || Asked::Rollover {
            leave_signers_out: false,
            zone: "cpe.example.com".into(),
            certificate_sha256: "00".into(),
        };
        for (asked_by, what, role, agrees, refuses) in [
            ("bob", retire(), Role::Operator, true, true),
            ("alice", retire(), Role::Operator, false, true),
            ("bob", retire(), Role::Viewer, false, false),
            ("bob", rollover(), Role::Operator, false, false),
            ("bob", rollover(), Role::Admin, true, true),
        ] {
            let page = rendered(&approval(asked_by), what, role);
            assert_eq!(page.contains("/approvals/7/approve"), agrees, "{page}");
            assert_eq!(page.contains("/approvals/7/refuse"), refuses, "{page}");
            assert!(page.contains("&lt;b&gt;stolen"), "{page}");
            assert!(page.contains("it is &lt;b&gt;next"), "{page}");
        }
        let ended = Approval {
            ends: at(NOW),
            ..approval("bob")
        };
        let page = rendered(&ended, retire(), Role::Admin);
        assert!(
            page.contains("ended") && !page.contains("/approve"),
            "{page}"
        );
    }
}
