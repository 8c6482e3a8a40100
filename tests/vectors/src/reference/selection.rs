//! What a peer sends in answer to an offer.

use super::Reference;
use super::bytes::Bytes;
use super::certificate::Certificate;
use super::credential::list;
use super::handshake::has_twice;
use super::rule::Rule;
use crate::fault::Fault;
use crate::format::credentials::Certificates;
use crate::format::selection::{Answer, Held, SelectionVector, Selections};
use crate::format::{Extension, Form, Offer, Role};

impl Reference<'_> {
    /// The answer to an offer.
    pub(super) fn select(
        &self,
        asked: &SelectionVector,
        known: &Selections,
        certificates: &Certificates,
    ) -> Result<Answer, Fault> {
        let mut offer = self.offer_of(&asked.extensions, asked.tls13)?;
        if let Some(second) = &asked.second_extensions {
            self.is_unchanged(&asked.extensions, second)?;
            offer = self.offer_of(second, asked.tls13)?;
        }
        let held = |name: &&String| {
            known
                .held
                .get(*name)
                .is_some_and(|held| self.may_be_sent(held, &offer, asked, certificates))
        };
        let mut candidates = asked.held.iter().filter(held);
        let named = |name: &&String| {
            known
                .held
                .get(*name)
                .is_some_and(|held| held.form == Form::Named)
        };
        let chosen = match (
            self.keeps(Rule::NamedComesFirst),
            self.keeps(Rule::OwnOrderCounts),
        ) {
            (true, true) => candidates.clone().find(named).or_else(|| candidates.next()),
            (false, _) => candidates.next(),
            (_, false) => candidates
                .clone()
                .rfind(named)
                .or_else(|| candidates.next_back()),
        };
        match chosen {
            Some(name) => Ok(Answer::Credential(name.clone())),
            None if asked.certificate && self.keeps(Rule::CertificateIsTheFallback) => {
                Ok(Answer::Certificate)
            }
            None => Err(Fault::NothingSuits),
        }
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
        for extension in extensions {
            let data = &extension.data.0;
            match extension.kind {
                // Below TLS 1.3 nobody looks into them.
                34 | 0xff22 if !tls13 && self.keeps(Rule::OlderVersionsIgnoreTheOffer) => {}
                34 => offer.rfc9345 = Some(self.schemes(data)?),
                0xff22 => offer.named = Some(self.schemes(data)?),
                13 => offer.signature_algorithms = self.schemes(data)?,
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
            None => data.get(2..).unwrap_or_default(),
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
        let end = certificate.not_before + i64::from(credential.valid_time);
        let ended = match self.keeps(Rule::LastSecondIsServed) {
            true => now > end,
            false => now >= end,
        };
        let offered =
            list(offer, held.form).is_some() || !self.keeps(Rule::OnlyOfferedFormsAreSent);
        let scheme = list(offer, held.form)
            .unwrap_or_default()
            .contains(&credential.scheme);
        let algorithm = offer.signature_algorithms.contains(&credential.algorithm);
        offered
            && (!ended || !self.keeps(Rule::EndedCredentialsAreNotSent))
            && (scheme || !self.keeps(Rule::SentSchemeIsInTheList))
            && (algorithm || !self.keeps(Rule::SentAlgorithmIsInSignatureAlgorithms))
            && (asked.tls13 || !self.keeps(Rule::OlderVersionsGetNoCredential))
            && match &credential.unique_name {
                Some(name) => self.may_hear(asked, name),
                None => self.is_for(asked, &certificate),
            }
    }

    /// Whether the peer may learn a unique name.
    fn may_hear(&self, asked: &SelectionVector, name: &str) -> bool {
        if asked.role == Role::Client {
            return self.keeps(Rule::ClientSendsItsName);
        }
        match &asked.server_name {
            Some(server_name) => {
                self.is_named(server_name, name)
                    || !self.keeps(Rule::NameIsSentToWhoNamesIt)
                    || asked.named_without_server_name && !self.keeps(Rule::ExceptionIsForNoName)
            }
            None if asked.named_without_server_name => self.keeps(Rule::ExceptionIsPossible),
            None => !self.keeps(Rule::NameIsNotSentToWhoNamesNone),
        }
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

    /// Whether the certificate of a credential without a name is for the wanted name.
    fn is_for(&self, asked: &SelectionVector, certificate: &Certificate<'_>) -> bool {
        let Some(server_name) = &asked.server_name else {
            return true;
        };
        let relative = server_name.strip_suffix('.').unwrap_or(server_name);
        let names = certificate.dns_names();
        names.iter().any(|dns_name| self.covers(dns_name, relative))
            || !self.keeps(Rule::CertificateIsForServerName)
    }
}
