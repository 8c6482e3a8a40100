//! What a peer sends in answer to an offer.

use super::Reference;
use super::bytes::Bytes;
use super::certificate::Certificate;
use super::credential::list;
use super::handshake::{has_twice, is_grease};
use super::name::is_address;
use super::rule::Rule;
use crate::fault::Fault;
use crate::format::credentials::Certificates;
use crate::format::selection::{Answer, Held, SelectionVector, Selections};
use crate::format::{Extension, Form, Offer, Refused, Role};

impl Reference<'_> {
    /// The answer to an offer.
    pub(super) fn select(
        &self,
        asked: &SelectionVector,
        known: &Selections,
        certificates: &Certificates,
    ) -> Result<Answer, Refused> {
        let offer = self.last_offer(asked);
        let offer = offer.map_err(|fault| self.with_alert(fault))?;
        if asked.tls13 && offer.signature_algorithms.is_empty() {
            // RFC 8446 §9.2.
            return match self.keeps(Rule::SignatureAlgorithmsAreThere) {
                true => Err(self.without_algorithms()),
                false => Ok(Answer::Certificate),
            };
        }
        let held = |name: &&String| {
            let held = known.held.get(*name);
            held.is_some_and(|held| self.may_be_sent(held, &offer, asked, certificates))
        };
        let named = |name: &&String| {
            let held = known.held.get(*name);
            held.is_some_and(|held| held.form == Form::Named)
        };
        let mut candidates: Vec<&String> = asked.held.iter().filter(held).collect();
        if !self.keeps(Rule::OwnOrderCounts) {
            candidates.reverse();
        }
        let first = candidates.first().copied();
        let chosen = match self.keeps(Rule::NamedComesFirst) {
            true => candidates
                .iter()
                .copied()
                .find(|name| named(name))
                .or(first),
            false => first,
        };
        match chosen {
            Some(name) => Ok(Answer::Credential(name.clone())),
            None if asked.certificate && self.keeps(Rule::CertificateIsTheFallback) => {
                Ok(Answer::Certificate)
            }
            None if asked.role == Role::Client
                && self.keeps(Rule::ClientWithoutACandidateSendsNoEntries) =>
            {
                Ok(Answer::Empty)
            }
            None => Err(self.nothing_suits(self.has_name(asked, known, certificates))),
        }
    }

    /// Whether the name that was asked for is one of those that are held, if one was.
    fn has_name(
        &self,
        asked: &SelectionVector,
        known: &Selections,
        certificates: &Certificates,
    ) -> bool {
        let Some(server_name) = self.server_name(asked) else {
            return true;
        };
        let relative = server_name.strip_suffix('.').unwrap_or(server_name);
        let held = asked.held.iter().filter_map(|name| known.held.get(name));
        held.into_iter().any(|held| {
            let credential = self.decode(held.form, &held.credential.0);
            match credential.map(|credential| credential.unique_name) {
                Ok(Some(name)) => relative.eq_ignore_ascii_case(&name),
                Ok(None) => certificates.get(&held.certificate).is_some_and(|entry| {
                    let mut names = entry.dns_names.iter();
                    names.any(|dns_name| self.covers(dns_name, relative))
                }),
                Err(_) => false,
            }
        })
    }

    fn last_offer(&self, asked: &SelectionVector) -> Result<Offer, Fault> {
        let first = self.offer_of(&asked.extensions, asked.tls13)?;
        let Some(second) = &asked.second_extensions else {
            return Ok(first);
        };
        self.is_unchanged(&asked.extensions, second)?;
        self.offer_of(second, asked.tls13)
    }

    /// The lists of a hello or of a CertificateRequest.
    fn offer_of(&self, extensions: &[Extension], tls13: bool) -> Result<Offer, Fault> {
        let mut offer = Offer {
            rfc9345: None,
            named: None,
            signature_algorithms: Vec::new(),
        };
        let kinds: Vec<u16> = extensions.iter().map(|extension| extension.kind).collect();
        if has_twice(&kinds) && self.keeps(Rule::OfferHasNoExtensionTwice) {
            return Err(Fault::DuplicateExtension);
        }
        if kinds.iter().any(|kind| is_grease(*kind))
            && !self.keeps(Rule::UnknownExtensionsAreIgnored)
        {
            return Err(Fault::WrongMessage);
        }
        let ignores = self.keeps(Rule::OlderVersionsIgnoreTheOffer)
            && self.keeps(Rule::OlderVersionsGetNoCredential);
        for extension in extensions {
            let data = &extension.data.0;
            match extension.kind {
                // Below TLS 1.3 nobody looks into them.
                34 | 0xff22 if !tls13 && ignores => {}
                34 => offer.rfc9345 = Some(self.schemes(data)?),
                0xff22 => offer.named = Some(self.schemes(data)?),
                13 => offer.signature_algorithms.extend(self.schemes(data)?),
                50 if !self.keeps(Rule::AlgorithmsOfCertificatesAreOthers) => {
                    offer.signature_algorithms.extend(self.schemes(data)?);
                }
                _ => {}
            }
        }
        Ok(offer)
    }

    /// A SignatureSchemeList (RFC 8446 §4.2.3): 2 to 2^16-2 octets.
    fn schemes(&self, data: &[u8]) -> Result<Vec<u16>, Fault> {
        let mut bytes = Bytes(data);
        let list = match bytes.vector(2) {
            Some(list) => list,
            None if self.keeps(Rule::ListIsWhole) => return Err(Fault::MalformedList),
            None => std::mem::take(&mut bytes.0),
        };
        let whole = bytes.is_empty() || !self.keeps(Rule::NothingAfterTheList);
        let even = list.len() % 2 == 0 || !self.keeps(Rule::ListIsEven);
        let filled = !list.is_empty() || !self.keeps(Rule::ListIsNotEmpty);
        if !(whole && even && filled) {
            return Err(Fault::MalformedList);
        }
        let pairs = list.chunks_exact(2);
        let schemes: Vec<u16> = pairs.filter_map(|pair| Bytes(pair).u16()).collect();
        let unknown = schemes
            .iter()
            .any(|scheme| super::key::key_type(*scheme).is_none());
        match unknown && !self.keeps(Rule::UnknownSchemesAreIgnored) {
            true => Err(Fault::MalformedList),
            false => Ok(schemes),
        }
    }

    /// The second ClientHello offers what the first did (RFC 8446 §4.1.2).
    fn is_unchanged(&self, first: &[Extension], second: &[Extension]) -> Result<(), Fault> {
        let rules = [
            (34, Rule::SecondHelloRepeatsRfc9345),
            (0xff22, Rule::SecondHelloRepeatsNamed),
        ];
        let changed = rules.into_iter().any(|(kind, rule)| {
            let of = |extensions: &[Extension]| {
                let found = extensions.iter().find(|extension| extension.kind == kind);
                found.map(|extension| extension.data.clone())
            };
            let (first, second) = (of(first), of(second));
            let unlike = match self.keeps(Rule::SecondHelloRepeatsTheList) {
                true => first != second,
                false => first.is_some() != second.is_some(),
            };
            unlike && self.keeps(rule)
        });
        match changed {
            true => Err(Fault::OfferChanged),
            false => Ok(()),
        }
    }

    /// Whether a credential is a candidate.
    fn may_be_sent(
        &self,
        held: &Held,
        offer: &Offer,
        asked: &SelectionVector,
        certificates: &Certificates,
    ) -> bool {
        let Some(entry) = certificates.get(&held.certificate) else {
            return false;
        };
        let Some(certificate) = Certificate::read(&entry.der.0) else {
            return false;
        };
        let Ok(credential) = self.decode(held.form, &held.credential.0) else {
            return false;
        };
        let now = i64::try_from(asked.now).unwrap_or(i64::MAX);
        let ended = now > certificate.not_before + i64::from(credential.valid_time);
        let offered = match list(offer, held.form) {
            None if !self.keeps(Rule::OnlyOfferedFormsAreSent) => {
                Some(&*offer.signature_algorithms)
            }
            offered => offered,
        };
        let scheme = offered.unwrap_or_default().contains(&credential.scheme);
        let algorithm = offer.signature_algorithms.contains(&credential.algorithm);
        let name = credential.unique_name.as_deref();
        offered.is_some()
            && (!ended || !self.keeps(Rule::EndedCredentialsAreNotSent))
            && (scheme || !self.keeps(Rule::SentSchemeIsInTheList))
            && (algorithm || !self.keeps(Rule::SentAlgorithmIsInSignatureAlgorithms))
            && (asked.tls13 || !self.keeps(Rule::OlderVersionsGetNoCredential))
            && self.is_for(asked, &certificate)
            && name.is_none_or(|name| self.may_hear(asked, name))
    }

    /// Whether the peer may learn a unique name.
    fn may_hear(&self, asked: &SelectionVector, name: &str) -> bool {
        if asked.role == Role::Client {
            return self.keeps(Rule::ClientSendsItsName);
        }
        match self.server_name(asked) {
            Some(server_name) => {
                self.is_named(server_name, name)
                    || !self.keeps(Rule::NameIsSentToWhoNamesIt)
                    || asked.named_without_server_name && !self.keeps(Rule::ExceptionIsForNoName)
            }
            None if asked.named_without_server_name => self.keeps(Rule::ExceptionIsPossible),
            None => !self.keeps(Rule::NameIsNotSentToWhoNamesNone),
        }
    }

    /// The name that a client sends, if it sends any.
    fn server_name<'s>(&self, asked: &'s SelectionVector) -> Option<&'s str> {
        let sent = asked.server_name.as_deref();
        sent.filter(|sent| self.keeps(Rule::AddressIsAnotherName) || !is_address(sent))
    }

    fn is_named(&self, server_name: &str, name: &str) -> bool {
        let relative = match self.keeps(Rule::ServerNameMayEndWithADot) {
            true => server_name.strip_suffix('.').unwrap_or(server_name),
            false => server_name,
        };
        match self.keeps(Rule::CaseOfServerNameIsIgnored) {
            true => relative.eq_ignore_ascii_case(name),
            false => relative == name,
        }
    }

    /// Whether the certificate of a credential is for the wanted name.
    fn is_for(&self, asked: &SelectionVector, certificate: &Certificate<'_>) -> bool {
        let Some(server_name) = self.server_name(asked) else {
            return true;
        };
        let relative = match self.keeps(Rule::CoveredServerNameMayEndWithADot) {
            true => server_name.strip_suffix('.').unwrap_or(server_name),
            false => server_name,
        };
        let other_case = relative.bytes().any(|octet| octet.is_ascii_uppercase());
        let names = certificate.dns_names();
        let covered = names.iter().any(|dns_name| self.covers(dns_name, relative));
        covered && (!other_case || self.keeps(Rule::CaseOfACoveredServerNameIsIgnored))
            || !self.keeps(Rule::CertificateIsForServerName)
    }
}
