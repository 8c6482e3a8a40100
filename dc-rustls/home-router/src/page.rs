//! The page: what there is to say, as HTML whose escaping cannot be forgotten. Pure, so that every state can be seen.

mod advice;
mod clients;
mod credential;
mod dns;

use std::net::SocketAddr;
use std::sync::Arc;

use maud::{DOCTYPE, Markup, html};

use crate::agent::{Report, Silence};
use crate::clients::{Connection, Proof};
use crate::designated::Ports;
use crate::human::moment;
use crate::identity::Standing;
use crate::outlook::Outlook;
use crate::upstream::Outcome;

/// All that the page shows.
#[derive(Debug)]
pub(crate) struct View {
    /// Seconds since 1970.
    pub(crate) now: u64,
    pub(crate) standing: Standing,
    pub(crate) report: Result<Report, Silence>,
    pub(crate) dns: Dns,
    pub(crate) clients: Vec<Arc<Connection>>,
    /// The proof that the visitor of the page was sent.
    pub(crate) visitor: Option<Proof>,
}

/// The router as a resolver.
#[derive(Debug)]
pub(crate) struct Dns {
    pub(crate) ports: Ports,
    pub(crate) upstream: SocketAddr,
    pub(crate) last: Option<Outcome>,
}

impl View {
    fn outlook(&self) -> Outlook {
        Outlook::of(&self.standing, &self.report, self.now)
    }
}

/// The whole page.
pub(crate) fn page(view: &View) -> Markup {
    let name = view
        .standing
        .credential
        .as_ref()
        .and_then(|credential| credential.name.as_deref())
        .unwrap_or("Home router");
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (word(view.outlook())) " · " (name) }
                link rel="icon" type="image/svg+xml" href="/icon.svg";
                link rel="stylesheet" href="/style.css";
            }
            body {
                header { div.wide {
                    img src="/icon.svg" alt="" width="36" height="36";
                    div.titles { p.kind { "Home router" } h1 { (name) } }
                    (pill(view.outlook()))
                } }
                main.wide {
                    (advice::advice(view))
                    (credential::credential(view))
                    (dns::dns(view))
                    (clients::clients(&view.clients))
                }
                footer.wide {
                    p {
                        "As of " (moment(view.now)) " UTC. "
                        @if let Some(proof) = view.visitor { "This page came with " (proved(proof)) ". " }
                        a href="/" { "Look again" }
                    }
                }
            }
        }
    }
}

fn pill(outlook: Outlook) -> Markup {
    html! { p.pill.(class(outlook)) { (word(outlook)) } }
}

fn word(outlook: Outlook) -> &'static str {
    match outlook {
        Outlook::Fresh => "Fine",
        Outlook::AtRisk => "At risk",
        Outlook::Ended => "Ended",
        Outlook::Nothing => "Not enrolled",
    }
}

/// The CSS class that colours the state.
fn class(outlook: Outlook) -> &'static str {
    match outlook {
        Outlook::Fresh => "fine",
        Outlook::AtRisk => "risk",
        Outlook::Ended | Outlook::Nothing => "bad",
    }
}

fn proved(proof: Proof) -> &'static str {
    match proof {
        Proof::Named => "a credential with the router's name",
        Proof::Rfc9345 => "a credential (RFC 9345)",
        Proof::Certificate => "a plain certificate",
    }
}

#[cfg(test)]
mod tests {
    use dc_core::Form;

    use super::*;
    use crate::agent::Level;
    use crate::clients::{Clients, Service};
    use crate::human::{DAY, HOUR};
    use crate::identity::Credential;

    const NOW: u64 = 1_800_000_000;

    fn view(left: Option<i64>) -> View {
        let credential = left.map(|left| Credential {
            name: Some("k3v.cpe.example.com".to_owned()),
            forms: vec![Form::Named, Form::Rfc9345],
            written: Some(NOW - HOUR),
            expires: NOW.saturating_add_signed(left),
        });
        View {
            now: NOW,
            standing: Standing {
                credential,
                complaint: None,
            },
            report: Err(Silence::Absent),
            dns: Dns {
                ports: Ports {
                    dot: 853,
                    https: 8443,
                    doq: Some(8853),
                    http3: None,
                },
                upstream: ([127, 0, 0, 1], 53).into(),
                last: None,
            },
            clients: Vec::new(),
            visitor: None,
        }
    }

    fn days(days: i64) -> i64 {
        days * i64::try_from(DAY).unwrap()
    }

    #[test]
    fn every_state_has_its_word_and_says_what_to_do_where_something_is() {
        for (left, word, does) in [
            (Some(days(5)), "Fine", None),
            (Some(days(1) - 1), "At risk", Some("agent status")),
            (Some(-1), "Ended", Some("agent status")),
            (None, "Not enrolled", Some("activation code")),
        ] {
            let page = page(&view(left)).into_string();
            assert!(page.contains(&format!("<title>{word} · ")), "{page}");
            match does {
                Some(text) => assert!(page.contains(text), "{word}: {page}"),
                None => assert!(!page.contains("What to do"), "{word}: {page}"),
            }
        }
    }

    #[test]
    fn shows_where_names_are_found_and_what_the_upstream_does() {
        let mut view = view(Some(days(5)));
        view.dns.last = Some(Outcome {
            at: NOW - 120,
            failure: Some("it did not answer in time".to_owned()),
        });
        let page = page(&view).into_string();
        for text in [
            "https://k3v.cpe.example.com:8443/dns-query",
            "k3v.cpe.example.com</code>",
            "<dt>DNS over QUIC</dt><dd><code>k3v.cpe.example.com:8853</code>",
            "did not answer in time",
            "2 min ago",
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
    }

    #[test]
    fn what_comes_from_files_is_escaped() {
        let mut view = view(Some(days(5)));
        view.standing.complaint = Some("<script>alert(1)</script>".to_owned());
        view.report = Ok(Report {
            level: Level::AtRisk,
            reason: Some("<img src=x>".to_owned()),
            ..Report::default()
        });
        let page = page(&view).into_string();
        assert!(!page.contains("<script") && !page.contains("<img src=x"));
        assert!(page.contains("&lt;script&gt;") && page.contains("&lt;img"));
    }

    #[test]
    fn shows_who_is_connected_and_with_what() {
        let clients = Clients::default();
        let here = clients.admit([192, 0, 2, 7].into(), Service::Dot).unwrap();
        here.connection()
            .greet(&dc_rustls::server::Served::Certificate);
        let mut view = view(Some(days(5)));
        view.clients = clients.list();
        let page = page(&view).into_string();
        for text in ["192.0.2.7", "DNS over TLS", "plain certificate"] {
            assert!(page.contains(text), "{text}: {page}");
        }
    }
}
