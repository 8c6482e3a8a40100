//! The clients that are connected now.

use std::sync::Arc;
use std::time::SystemTime;

use maud::{Markup, html};

use super::proved;
use crate::clients::{Connection, Service};
use crate::human::{moment, span};
use crate::identity::seconds;

/// The last card.
pub(super) fn clients(clients: &[Arc<Connection>]) -> Markup {
    html! {
        section.card {
            h2 { "Connected now " span.count { (clients.len()) } }
            @if clients.is_empty() {
                p.far { "Nobody is connected." }
            } @else {
                table {
                    thead { tr {
                        th { "Address" } th { "Service" } th { "Since" } th { "Authenticated with" } th.num { "Queries" }
                    } }
                    tbody { @for client in clients.iter().rev().take(SHOWN) { (row(client)) } }
                }
                @if let Some(more @ 1..) = clients.len().checked_sub(SHOWN) {
                    p.far { "and " (more) " more" }
                }
            }
        }
    }
}

fn row(client: &Connection) -> Markup {
    let since = seconds(client.since);
    let ago = seconds(SystemTime::now()).saturating_sub(since);
    // On a phone a row is a small card, and a cell has its head in front.
    html! {
        tr {
            td data-head="Address" { code { (client.address) } }
            td data-head="Service" { (service(client)) }
            td data-head="Since" title={ (moment(since)) " UTC" } { (span(ago)) }
            td data-head="Authenticated with" { @if let Some(proof) = client.proof() { (proved(proof)) } }
            td.num data-head="Queries" { (client.queries()) }
        }
    }
}

fn service(client: &Connection) -> &'static str {
    match (client.service, client.queries()) {
        (Service::Dot, _) => "DNS over TLS",
        (Service::Doq, _) => "DNS over QUIC",
        (Service::Dns, _) => "DNS",
        (Service::Https, 0) => "This page",
        (Service::Https, _) => "DNS over HTTPS",
    }
}

const SHOWN: usize = 100;
