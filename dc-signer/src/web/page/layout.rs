//! The frame of all pages.

use maud::{DOCTYPE, Markup, html};
use pki_types::UnixTime;

use super::show::moment;
use crate::web::assets::{ICON, style_address};
use dc_store::registry::{Role, Search};

/// The operator who is looking.
#[derive(Clone, Debug)]
pub(in crate::web) struct Who {
    /// Their name in the audit log.
    pub(in crate::web) name: String,
    /// Their role.
    pub(in crate::web) role: Role,
    /// The CSRF token of their forms.
    pub(in crate::web) form_token: String,
    /// There is a session to end.
    pub(in crate::web) can_sign_out: bool,
    /// When their token or certificate ends, if that is soon.
    pub(in crate::web) ends: Option<UnixTime>,
}

/// The place of a page in the navigation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    Fleet,
    Devices,
    Device,
    Approvals,
}

/// A page for an operator.
pub(super) fn page(title: &str, who: &Who, place: Place, main: Markup) -> Markup {
    let head = html! {
        nav aria-label="Pages" {
            a href="/" aria-current=[current(place == Place::Fleet)] { "Fleet" }
            a href="/devices" aria-current=[current(place == Place::Devices)] { "Devices" }
            a href="/approvals" aria-current=[current(place == Place::Approvals)] { "Approvals" }
        }
        // The list of devices has a larger one.
        @if place != Place::Devices { (search()) }
        div.who {
            span { (who.name) " " span.role { (who.role.as_str()) } }
            @if who.can_sign_out {
                form action="/sign-out" method="post" {
                    (token(who))
                    button.quiet type="submit" { "Sign out" }
                }
            }
        }
    };
    document(title, &head, &html! { (ending(who)) (main) })
}

/// Warns whoever will not be let in any more soon.
fn ending(who: &Who) -> Markup {
    html! {
        @if let Some(ends) = who.ends {
            p.notice role="status" {
                "Your token or certificate ends on " (moment(ends)) ": renew it with "
                code { "dc-signer operators renew" } ", or with "
                code { "POST /v1/admin/operators/" (who.name) "/renew" } ", or ask an admin to."
            }
        }
    }
}

fn current(here: bool) -> Option<&'static str> {
    here.then_some("page")
}

fn search() -> Markup {
    html! {
        form.find action="/devices" role="search" {
            label.hidden for="find" { "Find a device" }
            input #find type="search" name="q" maxlength=(Search::MAX_LEN) placeholder="External id, name, serial, key…"
                autocomplete="off" autocapitalize="none" spellcheck="false";
            button.quiet type="submit" { "Find" }
        }
    }
}

/// The field that shows that a form is ours.
pub(super) fn token(who: &Who) -> Markup {
    html! { input type="hidden" name="form_token" value=(who.form_token); }
}

/// A page for whoever is not known.
pub(super) fn bare(title: &str, main: &Markup) -> Markup {
    document(title, &html! {}, main)
}

/// A page that says what went wrong.
pub(in crate::web) fn fault(status: u16, title: &str, detail: &str, id: &str) -> Markup {
    bare(
        title,
        &html! {
            div.narrow {
                p.status { (status) }
                h1 { (title) }
                p { (detail) }
                p { a.button.primary href="/" { "To the fleet" } }
                p.small { "Request " code { (id) } }
            }
        },
    )
}

fn document(title: &str, head: &Markup, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex, nofollow";
                title { (title) " · dc-signer" }
                link rel="icon" type="image/svg+xml" href=(ICON);
                link rel="stylesheet" href=(style_address());
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    div.wide {
                        a.brand href="/" { img src=(ICON) alt="" width="28" height="28"; "dc-signer" }
                        (head)
                    }
                }
                main #main.wide { (main) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::page::testing::who;

    #[test]
    fn only_who_has_a_session_can_sign_out() {
        let mut who = who(Role::Viewer);
        let page = page("Fleet", &who, Place::Fleet, html! {}).into_string();
        assert!(page.contains("action=\"/sign-out\"") && page.contains("value=\"form token\""));
        assert!(!page.contains("operators renew"));
        who.ends = Some(crate::testing::registry::at(1_800_000_000));
        who.can_sign_out = false;
        let page = super::page("Fleet", &who, Place::Fleet, html! {}).into_string();
        assert!(!page.contains("/sign-out") && page.contains("alice"));
        assert!(page.contains("operators renew") && page.contains("2027-01-15"));
    }

    #[test]
    fn what_went_wrong_is_escaped_and_says_which_request_it_was() {
        let page = fault(404, "Nothing", "<b>no</b>", "1234-5").into_string();
        assert!(page.contains("&lt;b&gt;no") && page.contains("1234-5"));
    }
}
