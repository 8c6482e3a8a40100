//! The meaning of the state, and advice what to do about it.

use maud::{Markup, html};

use super::{View, class};
use crate::human::span;
use crate::outlook::Outlook;

/// The first card: a sentence, and a list of things to do where something is to be done.
pub(super) fn advice(view: &View) -> Markup {
    let outlook = view.outlook();
    html! {
        section.card.advice.(class(outlook)) {
            p.lead { (meaning(view, outlook)) }
            @for notice in notices(view) { p.notice { (notice) } }
            @match outlook {
                Outlook::Fresh => {}
                Outlook::AtRisk | Outlook::Ended => (renew()),
                Outlook::Nothing => (enrol()),
            }
        }
    }
}

fn meaning(view: &View, outlook: Outlook) -> String {
    let expires = view.standing.credential.as_ref().map(|c| c.expires);
    let expires = expires.unwrap_or_default();
    let left = span(expires.saturating_sub(view.now));
    match outlook {
        Outlook::Fresh => {
            "Devices that know this router by its name can be sure that they talk to \
            it, and to no other router of its make."
                .to_owned()
        }
        Outlook::AtRisk => format!(
            "The credential ends in {left}, and has not been renewed in time. When it has ended, \
             devices that know this router by its name refuse it."
        ),
        Outlook::Ended => format!(
            "The credential ended {} ago. Devices that know this router by its name refuse it, and \
             find no names with it.",
            span(view.now.saturating_sub(expires))
        ),
        Outlook::Nothing => "This router has no credential yet, so nothing shows devices that it \
            is the one they know."
            .to_owned(),
    }
}

/// The errors, in the words of whoever noticed them.
fn notices(view: &View) -> Vec<String> {
    let mut notices = Vec::new();
    let complaint = view.standing.complaint.as_ref();
    notices.extend(
        complaint.map(|why| format!("What is in the identity folder now is not served: {why}.")),
    );
    if let Ok(report) = &view.report {
        let reason = report.reason.as_ref();
        notices.extend(reason.map(|why| format!("The agent says: {why}.")));
        let clock = report.clock.as_ref();
        notices.extend(clock.map(|why| format!("The agent says of the clock: {why}.")));
    }
    notices
}

fn renew() -> Markup {
    html! {
        h2 { "What to do" }
        ol {
            li { "See whether the router is online and its clock is right: a credential is renewed over the internet, and lives by the clock." }
            li { "Ask the agent what keeps it: " code { "dc-agent status --config /etc/dc-agent.toml" } }
            li { "If it is refused, ask your provider: the router may have to be enrolled again, with a new activation code." }
        }
    }
}

fn enrol() -> Markup {
    html! {
        h2 { "What to do" }
        ol {
            li { "Get an activation code from your provider, and put it into the file that " code { "code_file" } " in " code { "/etc/dc-agent.toml" } " names." }
            li { "Start the agent, which enrols the router and renews from then on: " code { "dc-agent --config /etc/dc-agent.toml" } }
            li { "Come back: what the agent gets is served within seconds, without a restart." }
        }
    }
}
