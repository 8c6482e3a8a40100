//! The page that asks for confirmation, and says what an act means.

use maud::{Markup, html};
use pki_types::UnixTime;

use super::device::label;
use super::layout::{Place, Who, page, token};
use super::show::{distance, name, state};
use crate::web::act::Act;
use dc_store::registry::{Device, Reason};

/// A field of the form.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::web) enum Field {
    /// The reason or ticket.
    Reason,
    /// The box to tick before what cannot be undone.
    Sure,
}

/// The data of the page.
pub(in crate::web) struct ConfirmPage<'a> {
    /// The device.
    pub(in crate::web) device: &'a Device,
    /// The act to confirm.
    pub(in crate::web) act: Act,
    /// The field for which it was not done, and why, after the form was sent.
    pub(in crate::web) missing: Option<(Field, String)>,
    /// The reason as it was given in the form.
    pub(in crate::web) reason: &'a str,
    /// The time of the page.
    pub(in crate::web) now: UnixTime,
}

impl ConfirmPage<'_> {
    /// The page.
    pub(in crate::web) fn render(&self, who: &Who) -> Markup {
        let device = self.device;
        let address = format!("/devices/{}", device.id);
        let main = html! {
            div.narrow.card {
                h1 { (question(self.act)) }
                dl {
                    dt { "External id" } dd { span.id { (device.external_id.as_str()) } }
                    dt { "Name" } dd { (name(&device.name)) }
                    dt { "State" } dd { (state(device.state)) }
                }
                ul.means { @for line in self.means() { li { (line) } } }
                @if let Some((_, missing)) = &self.missing {
                    p #missing.notice.severe role="alert" { (missing) }
                }
                form action={ (address) "/" (self.act.path()) } method="post" {
                    (token(who))
                    (self.why())
                    @if self.act == Act::Retire { (self.sure()) }
                    div.acts {
                        button.primary[self.act != Act::Retire].danger[self.act == Act::Retire] type="submit" { (label(self.act)) }
                        a.button href=(address) { "Cancel" }
                    }
                }
            }
        };
        page(question(self.act), who, Place::Device, main)
    }

    /// True if it was not done for this field.
    fn lacks(&self, field: Field) -> bool {
        self.missing
            .as_ref()
            .is_some_and(|(missing, _)| *missing == field)
    }

    /// For the audit log.
    fn why(&self) -> Markup {
        let is_needed = self.act.action().wants_reason();
        let lacks = self.lacks(Field::Reason);
        html! {
            label for="reason" { "Reason or ticket" @if !is_needed { " (may be left out)" } }
            input #reason type="text" name="reason" value=(self.reason) required[is_needed]
                minlength=(Reason::MIN_LEN) maxlength=(Reason::MAX_LEN) autocomplete="off"
                aria-invalid=[lacks.then_some("true")] aria-describedby=(if lacks { "missing reason-help" } else { "reason-help" });
            p #reason-help.small { "It stands in the audit log with your name." }
        }
    }

    /// For what cannot be undone.
    fn sure(&self) -> Markup {
        let lacks = self.lacks(Field::Sure);
        html! {
            div.tick {
                input #sure type="checkbox" name="sure" value="yes" required aria-invalid=[lacks.then_some("true")]
                    aria-describedby=[lacks.then_some("missing")];
                label for="sure" { "I know that this cannot be undone" }
            }
        }
    }

    fn means(&self) -> Vec<String> {
        match self.act {
            Act::ClearClone => vec![
                "The device is in order as far as you know.".into(),
                "The flag comes back if two boxes use its key or its name again.".into(),
            ],
            Act::Resume => vec![
                "It gets credentials again, with the name and the enrolment key that it had."
                    .into(),
                self.restored(),
            ],
            Act::Suspend => vec![
                "It gets no credentials until somebody resumes it.".into(),
                self.held(),
            ],
            Act::Retire => vec![
                "It never gets credentials again, and nobody can resume it.".into(),
                "Its name stays taken: no other device ever gets it.".into(),
                self.held(),
            ],
        }
    }

    fn restored(&self) -> String {
        match self.device.waits_until(self.now) {
            Some(from) => format!(
                "Its name stays on the list of withdrawn ones until the credential of the box that had it before is over, {}.",
                distance(from, self.now)
            ),
            None => "Its name is taken off the list of withdrawn ones.".into(),
        }
    }

    fn held(&self) -> String {
        match self.device.held_until(self.now) {
            Some(until) => format!(
                "Its name is withdrawn: clients that load the list refuse it at once. For all others the credential for it ends {}.",
                distance(until, self.now)
            ),
            None => "It holds no credential now.".into(),
        }
    }
}

fn question(act: Act) -> &'static str {
    match act {
        Act::ClearClone => "Clear the clone flag?",
        Act::Resume => "Resume this device?",
        Act::Retire => "Retire this device for good?",
        Act::Suspend => "Suspend this device?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::registry::at;
    use crate::web::page::testing::{NOW, device, who};
    use dc_store::registry::Role;

    fn rendered(act: Act, missing: Option<&str>) -> String {
        let page = ConfirmPage {
            device: &device(),
            act,
            missing: missing.map(|why| (Field::Reason, why.to_owned())),
            reason: "<b>",
            now: at(NOW),
        };
        page.render(&who(Role::Operator)).into_string()
    }

    #[test]
    fn a_form_posts_the_act_with_its_token() {
        let id = device().id;
        for act in Act::ALL {
            let page = rendered(act, None);
            let action = format!("action=\"/devices/{id}/{}\" method=\"post\"", act.path());
            assert!(page.contains(&action), "{page}");
            assert!(page.contains("name=\"form_token\" value=\"form token\""));
        }
    }

    #[test]
    fn only_what_cannot_be_undone_has_a_box_to_tick() {
        for act in Act::ALL {
            let page = rendered(act, None);
            assert_eq!(page.contains("name=\"sure\""), act == Act::Retire);
            assert!(!page.contains("role=\"alert\""));
        }
        assert!(rendered(Act::Retire, Some("tick the box first")).contains("tick the box first"));
    }

    #[test]
    fn whoever_takes_rights_or_gives_them_back_says_why() {
        for act in Act::ALL {
            let page = rendered(act, None);
            assert!(
                page.contains("name=\"reason\"") && page.contains("&lt;b&gt;"),
                "{page}"
            );
            let is_needed = !page.contains("may be left out");
            assert_eq!(is_needed, act != Act::ClearClone, "{page}");
        }
    }

    #[test]
    fn a_name_that_stays_withdrawn_is_not_said_to_be_restored() {
        let mut device = device();
        for (from, words) in [
            (None, "taken off the list"),
            (Some(at(NOW + 3600)), "stays on the list"),
        ] {
            device.hold.free_from = from;
            let page = ConfirmPage {
                device: &device,
                act: Act::Resume,
                missing: None,
                reason: "",
                now: at(NOW),
            };
            let page = page.render(&who(Role::Operator)).into_string();
            assert!(page.contains(words), "{page}");
        }
    }

    #[test]
    fn it_says_until_when_the_credential_is_good() {
        assert!(rendered(Act::Suspend, None).contains("ends in 5 d 20 h"));
    }
}
