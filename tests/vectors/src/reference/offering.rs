//! What a client offers.

use super::Reference;
use super::name::is_address;
use super::rule::Rule;
use crate::fault::Fault;
use crate::format::selection::OfferVector;
use crate::format::{Form, Policy};

/// What a client offers: the forms, and the server_name.
pub(super) type Offered = (Vec<Form>, Option<String>);

impl Reference<'_> {
    /// What follows from a policy and a reference identity.
    pub(super) fn offering(&self, client: &OfferVector) -> Result<Offered, Fault> {
        let wanted = client.wanted_name.as_str();
        let is_dns_name = self.reference(wanted).is_ok();
        let names_itself = is_dns_name || !self.keeps(Rule::OnlyADnsNameIsOfferedFor);
        let (unnamed, named) = match client.policy {
            Policy::Required if !names_itself && self.keeps(Rule::RequiredNeedsADnsName) => {
                return Err(Fault::NotADnsName);
            }
            Policy::Required => (!self.keeps(Rule::RequiredOffersNothingElse), true),
            Policy::RequiredOrCertificate => {
                (!self.keeps(Rule::OrCertificateOffersNothingElse), true)
            }
            Policy::Preferred => (self.keeps(Rule::PreferredOffersBoth), true),
            Policy::Ignored => (true, !self.keeps(Rule::IgnoredOffersNoName)),
        };
        let mut forms = Vec::new();
        if named && names_itself {
            forms.push(Form::Named);
        }
        if unnamed {
            forms.push(Form::Rfc9345);
        }
        let relative = match self.keeps(Rule::OfferedNameHasNoFinalDot) {
            true => wanted.strip_suffix('.').unwrap_or(wanted),
            false => wanted,
        };
        let named = is_dns_name && !is_address(wanted);
        let server_name =
            (named && self.keeps(Rule::OfferNamesTheReference)).then(|| relative.to_owned());
        Ok((forms, server_name))
    }
}
