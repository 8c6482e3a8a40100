//! Whether a session may be resumed, and whether a connection may be used for another origin.

use super::Reference;
use super::rule::Rule;
use crate::format::handshakes::{ReuseVector, SessionVector};
use crate::format::{Form, Policy};

impl Reference<'_> {
    /// Whether a session may be offered in a new connection.
    pub(super) fn resumes(&self, session: &SessionVector) -> bool {
        let peer = &session.peer;
        let ended =
            peer.expires
                .is_some_and(|expires| match self.keeps(Rule::LastSecondIsResumed) {
                    true => session.now > expires,
                    false => session.now >= expires,
                });
        let withdrawn = peer.unique_name.as_ref();
        let is = |name: &String, withdrawn: &String| {
            name == withdrawn
                || !self.keeps(Rule::WithdrawalIsOfWholeNames) && name.ends_with(withdrawn)
        };
        let withdrawn = withdrawn.is_some_and(|name| session.withdrawn.iter().any(|w| is(name, w)));
        let same = match self.keeps(Rule::SessionsReferenceIsAName) {
            true => is_same(&session.made_for, &session.wanted_name),
            false => session.made_for == session.wanted_name,
        };
        (same || !self.keeps(Rule::SessionIsForOneReference))
            && (!ended || !self.keeps(Rule::EndedSessionsAreNotResumed))
            && (!withdrawn || !self.keeps(Rule::WithdrawnSessionsAreNotResumed))
            && (strength(session.policy) <= strength(session.made_under)
                || !self.keeps(Rule::SessionsGoToNoStrongerPolicy))
            && self.satisfies(peer.form, session.policy)
    }

    /// Whether a policy takes a peer that was authenticated in this way.
    fn satisfies(&self, form: Option<Form>, policy: Policy) -> bool {
        match (form, policy) {
            (Some(Form::Named), _) => self.keeps(Rule::NamedSessionsAreResumed),
            (Some(Form::Rfc9345), Policy::Required) => !self.keeps(Rule::RequiredResumesNoRfc9345),
            (Some(Form::Rfc9345), Policy::RequiredOrCertificate) => {
                !self.keeps(Rule::OrCertificateResumesNoRfc9345)
            }
            (None, Policy::Required) => !self.keeps(Rule::RequiredResumesNoCertificate),
            (None, Policy::RequiredOrCertificate) => {
                self.keeps(Rule::OrCertificateResumesCertificates)
            }
            (_, Policy::Preferred | Policy::Ignored) => true,
        }
    }

    /// Whether a connection is authoritative for another origin.
    pub(super) fn authoritative(&self, connection: &ReuseVector) -> bool {
        let other = connection.other.as_str();
        let relative = other.strip_suffix('.').unwrap_or(other);
        let names = &connection.dns_names;
        let by_certificate = || names.iter().any(|dns_name| self.covers(dns_name, relative));
        match &connection.peer.unique_name {
            Some(name) => {
                let same = match self.keeps(Rule::CaseOfTheOtherOriginIsIgnored) {
                    true => is_same(name, other),
                    false => name == other,
                };
                same && self.keeps(Rule::NamedIsAuthoritativeForItself)
                    || !self.keeps(Rule::NamedIsNotWhatItsCertificateIs) && by_certificate()
            }
            None => by_certificate(),
        }
    }
}

/// The order of the policies.
fn strength(policy: Policy) -> u8 {
    match policy {
        Policy::Required => 3,
        Policy::RequiredOrCertificate => 2,
        Policy::Preferred => 1,
        Policy::Ignored => 0,
    }
}

fn is_same(one: &str, other: &str) -> bool {
    let relative = |name: &str| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    relative(one) == relative(other)
}
