//! The credential's life as a bar, and its renewals.

use dc_core::Form;
use maud::{Markup, html};

use super::{View, class};
use crate::agent::Silence;
use crate::human::{moment, span};
use crate::identity::Credential;
use crate::outlook::{Life, renewal};

/// The second card; nothing without a credential.
pub(super) fn credential(view: &View) -> Markup {
    let Some(credential) = &view.standing.credential else {
        return html! {};
    };
    let life = Life::of(credential, renewal(credential, &view.report), view.now);
    html! {
        section.card {
            h2 { "Credential" }
            (bar(view, &life))
            dl {
                dt { "Unique name" }
                dd { @match &credential.name {
                    Some(name) => strong.name { (name) },
                    None => "none: other routers of this make can pose as this one",
                } }
                dt { "Sent" } dd { (forms(credential)) }
                (renewals(view, credential))
            }
        }
    }
}

fn bar(view: &View, life: &Life) -> Markup {
    let passed = life.permille();
    let left = match life.left {
        0 => "nothing left".to_owned(),
        left => format!("{} left", span(left)),
    };
    let label = format!("{} % of its life has passed, {left}", passed / 10);
    html! {
        div.life {
            p.left { (left) }
            p.far { (passed / 10) " % passed" }
        }
        // The policy forbids styles of an element, and widths are data.
        svg.bar viewBox="0 0 1000 20" preserveAspectRatio="none" role="img" aria-label=(label) {
            rect.passed x="0" y="0" width=(passed) height="20" {}
            rect.(class(view.outlook())) x=(passed) y="0" width=(1000 - passed) height="20" {}
        }
        div.life.far {
            span { "since " (moment(life.begins)) }
            span { "until " (moment(life.ends)) " UTC" }
        }
    }
}

fn forms(credential: &Credential) -> &'static str {
    let has = |form| credential.forms.contains(&form);
    match (has(Form::Named), has(Form::Rfc9345)) {
        (true, true) => "with the name, or as in RFC 9345 to clients that know no names",
        (true, false) => "with the name, to clients that know such names",
        _ => "as in RFC 9345, without a name",
    }
}

fn renewals(view: &View, credential: &Credential) -> Markup {
    let last = renewal(credential, &view.report);
    let ago = |at: u64| span(view.now.saturating_sub(at));
    html! {
        dt { "Last renewal" }
        dd {
            @match (last, credential.written) {
                (Some(last), _) => { (moment(last.issued)) " UTC, " (ago(last.issued)) " ago" },
                (None, Some(written)) => {
                    (moment(written)) " UTC, " (ago(written)) " ago"
                    span.far { " · " (why_the_files_time(view)) }
                },
                (None, None) => "unknown",
            }
        }
        @if let Some(last) = last {
            @if last.renew_at > view.now {
                dt { "Next renewal" } dd { (moment(last.renew_at)) " UTC" }
            } @else {
                dt { "Renewal due" } dd { (moment(last.renew_at)) " UTC, " (ago(last.renew_at)) " ago" }
            }
        }
        @if let Ok(report) = &view.report {
            @if report.failures > 0 {
                dt { "Failures in a row" }
                dd {
                    (report.failures)
                    @if let Some(next) = report.next_attempt { ", next try " (moment(next)) " UTC" }
                }
            }
        }
    }
}

fn why_the_files_time(view: &View) -> String {
    match &view.report {
        Ok(_) => "the file's time; the agent speaks of another credential".to_owned(),
        Err(Silence::Absent) => "the file's time; no agent says more".to_owned(),
        Err(Silence::Unreadable(why)) => format!("the file's time; {why}"),
    }
}
