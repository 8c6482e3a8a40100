//! The router as a resolver: what to tell devices, and whether it gets answers itself.

use maud::{Markup, html};

use super::View;
use crate::human::span;

/// The third card.
pub(super) fn dns(view: &View) -> Markup {
    let credential = view.standing.credential.as_ref();
    let name = credential.and_then(|credential| credential.name.as_deref());
    html! {
        section.card {
            h2 { "Private DNS" }
            dl {
                @if let Some(name) = name {
                    dt { "DNS over TLS" } dd { code { (name) (port(view.dns.ports.dot, 853)) } }
                    @if let Some(doq) = view.dns.ports.doq {
                        dt { "DNS over QUIC" } dd { code { (name) (port(doq, 853)) } }
                    }
                    dt { "DNS over HTTPS" }
                    dd { code { "https://" (name) (port(view.dns.ports.https, 443)) "/dns-query" } }
                }
                dt { "Upstream" }
                dd { code { (view.dns.upstream) } " " (upstream(view)) }
            }
        }
    }
}

/// A port that is not the one that everybody takes.
fn port(port: u16, usual: u16) -> Markup {
    html! { @if port != usual { ":" (port) } }
}

fn upstream(view: &View) -> Markup {
    let Some(last) = &view.dns.last else {
        return html! { span.far { "was not asked yet" } };
    };
    let ago = span(view.now.saturating_sub(last.at));
    html! {
        @match &last.failure {
            None => span.far { "answered " (ago) " ago" },
            Some(why) => strong.bad { (why) ", " (ago) " ago" },
        }
    }
}
