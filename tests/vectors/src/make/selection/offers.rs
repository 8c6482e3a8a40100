//! What a client offers.

use std::collections::BTreeMap;

use crate::fault::Fault;
use crate::format::selection::OfferVector;
use crate::format::{Form, Policy};
use crate::make::alerts::silently;

#[rustfmt::skip]
pub(super) fn all() -> BTreeMap<String, OfferVector> {
    let mut all = BTreeMap::new();
    for (policy_id, policy) in POLICIES {
        for (id, note, wanted_name, sent) in [
            ("name", "a DNS name", "k3v.cpe.example.com", Some("k3v.cpe.example.com")),
            ("final-dot", "server_name has no dot at the end (RFC 6066 §3)", "k3v.cpe.example.com.", Some("k3v.cpe.example.com")),
            ("single-label", "a name of one label", "router", Some("router")),
            ("ipv4", "an address, which is no name of a device", "192.0.2.1", None),
            ("ipv6", "an address, which is no name of a device", "2001:db8::1", None),
        ] {
            let is_address = sent.is_none();
            let forms = forms(policy, is_address);
            let vector = OfferVector {
                note: note.to_owned(),
                section: "offer".to_owned(),
                wanted_name: wanted_name.to_owned(),
                policy,
                refused: forms.is_none().then(|| silently(Fault::NotADnsName)),
                server_name: forms.as_ref().and(sent).map(Into::into),
                forms,
            };
            all.insert(format!("{policy_id}-{id}"), vector);
        }
    }
    all
}

/// None if nothing may be sent.
fn forms(policy: Policy, is_address: bool) -> Option<Vec<Form>> {
    match (policy, is_address) {
        (Policy::Required, true) => None,
        (Policy::RequiredOrCertificate, true) => Some(vec![]),
        (Policy::Required | Policy::RequiredOrCertificate, false) => Some(vec![Form::Named]),
        (Policy::Preferred, false) => Some(vec![Form::Named, Form::Rfc9345]),
        (Policy::Preferred, true) | (Policy::Ignored, _) => Some(vec![Form::Rfc9345]),
    }
}

const POLICIES: [(&str, Policy); 4] = [
    ("required", Policy::Required),
    ("required-or-certificate", Policy::RequiredOrCertificate),
    ("preferred", Policy::Preferred),
    ("ignored", Policy::Ignored),
];
