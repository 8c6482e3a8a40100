//! Names: what a unique name may look like, when it is the reference identity, and which dNSNames cover it.

use std::net::IpAddr;

use super::Reference;
use super::rule::Rule;
use crate::fault::Fault;

impl Reference<'_> {
    /// The unique name from its octets.
    pub(super) fn unique_name(&self, octets: &[u8]) -> Result<String, Fault> {
        if octets.is_empty() && !self.keeps(Rule::NameNotEmpty) {
            return Ok(String::new());
        }
        let text = str::from_utf8(octets).map_err(|_| Fault::MalformedName)?;
        let name = self.repaired(text);
        let well_formed = name
            .chars()
            .enumerate()
            .all(|(at, char)| self.may_be_in_a_name(at, char))
            && self.has_lengths(&name)
            && name.split('.').all(|label| self.is_label(label))
            && !self.ends_in_a_number(&name);
        match well_formed {
            true => Ok(name),
            false => Err(Fault::MalformedName),
        }
    }

    /// The name as it is; only broken rules change it.
    fn repaired(&self, text: &str) -> String {
        let mut name = text;
        if !self.keeps(Rule::NameHasNoNul) {
            name = name.split('\0').next().unwrap_or_default();
        }
        if !self.keeps(Rule::NameHasNoSpace) {
            name = name.trim();
        }
        if !self.keeps(Rule::NameHasNoFinalDot) {
            name = name.strip_suffix('.').unwrap_or(name);
        }
        match self.keeps(Rule::NameHasNoUpperCase) {
            true => name.to_owned(),
            false => name.to_ascii_lowercase(),
        }
    }

    fn may_be_in_a_name(&self, at: usize, char: char) -> bool {
        match char {
            'a'..='z' | '0'..='9' | '-' | '.' => true,
            '_' => !self.keeps(Rule::NameHasNoUnderscore),
            '*' => at == 0 && !self.keeps(Rule::NameHasNoWildcard),
            '[' | ']' | ':' => !self.keeps(Rule::NameIsNoAddress),
            other => !other.is_ascii() && !self.keeps(Rule::NameIsAscii),
        }
    }

    fn has_lengths(&self, name: &str) -> bool {
        let most = match (
            self.keeps(Rule::NameHas253OctetsAtMost),
            self.keeps(Rule::NameMayHave253Octets),
        ) {
            (true, true) => 253,
            (false, _) => 255,
            (_, false) => 252,
        };
        let most_in_a_label = match (
            self.keeps(Rule::LabelHas63OctetsAtMost),
            self.keeps(Rule::LabelMayHave63Octets),
        ) {
            (true, true) => 63,
            (false, _) => 64,
            (_, false) => 62,
        };
        let one_label = !name.contains('.') && !self.keeps(Rule::NameMayBeOneLabel);
        name.len() <= most
            && name.split('.').all(|label| label.len() <= most_in_a_label)
            && !one_label
    }

    fn is_label(&self, label: &str) -> bool {
        let bytes = label.as_bytes();
        if label.is_empty() && self.keeps(Rule::LabelsAreNotEmpty)
            || label.starts_with('-') && self.keeps(Rule::LabelBeginsWithNoHyphen)
            || label.ends_with('-') && self.keeps(Rule::LabelEndsWithNoHyphen)
        {
            return false;
        }
        let hyphens = bytes.get(2..4) == Some(b"--");
        let digit = bytes.first().is_some_and(u8::is_ascii_digit);
        let refused = hyphens && !label.starts_with("xn") && !self.keeps(Rule::HyphensMayMeet)
            || label.starts_with("xn--") && !self.keeps(Rule::ALabelsAreLabels)
            || digit && !self.keeps(Rule::LabelMayBeginWithADigit);
        !refused
    }

    /// True if some resolvers would read the name as an IPv4 address.
    fn ends_in_a_number(&self, name: &str) -> bool {
        let mut labels: Vec<&str> = name.split('.').collect();
        if self.keeps(Rule::OnlyTheLastLabelIsNoNumber) {
            labels = labels.split_off(labels.len() - 1);
        }
        labels.iter().any(|label| {
            let digits = !label.is_empty() && label.bytes().all(|octet| octet.is_ascii_digit());
            let hexadecimal = label.strip_prefix("0x");
            digits && self.keeps(Rule::LastLabelIsNoDecimal)
                || hexadecimal.is_some_and(|digits| self.is_hexadecimal(digits))
        })
    }

    /// True if what follows `0x` makes a number of it.
    fn is_hexadecimal(&self, digits: &str) -> bool {
        if digits.is_empty() {
            return self.keeps(Rule::LastLabelIsNot0x);
        }
        digits.bytes().all(|octet| octet.is_ascii_hexdigit())
            && self.keeps(Rule::LastLabelIsNoHexadecimal)
    }

    /// True if the name is the reference identity.
    pub(super) fn is_reference(&self, name: &str, wanted: &str) -> Result<(), Fault> {
        if self.keeps(Rule::ReferenceIsADnsName) || !is_address(wanted) {
            let wanted = self.reference(wanted)?;
            let same = self.same(name, wanted)
                || !self.keeps(Rule::NameIsNotTheEndOfReference)
                    && wanted.ends_with(&format!(".{name}"))
                || !self.keeps(Rule::ReferenceIsNotTheEndOfName) && name.ends_with(wanted)
                || !self.keeps(Rule::ReferenceIsNotTheBeginningOfName) && name.starts_with(wanted)
                || !self.keeps(Rule::NameIsNotTheBeginningOfReference) && wanted.starts_with(name)
                || !self.keeps(Rule::WholeNamesAreCompared)
                    && first_label(name) == first_label(wanted)
                || !self.keeps(Rule::ParentsAreNotEnough) && parent(name) == parent(wanted);
            if !same && self.keeps(Rule::NameIsTheReference) {
                return Err(Fault::WrongName);
            }
        }
        Ok(())
    }

    /// A reference identity that can be a unique name, without its final dot.
    pub(super) fn reference<'a>(&self, wanted: &'a str) -> Result<&'a str, Fault> {
        let mut relative = match self.keeps(Rule::ReferenceMayEndWithADot) {
            true => wanted.strip_suffix('.').unwrap_or(wanted),
            false => wanted,
        };
        if !self.keeps(Rule::ReferenceEndsWithOneDotAtMost) {
            relative = relative.trim_end_matches('.');
        }
        let name = match self.keeps(Rule::ReferenceIsNoWildcard) {
            true => relative,
            false => relative.strip_prefix("*.").unwrap_or(relative),
        };
        let lowered = match self.keeps(Rule::OnlyAsciiCaseIsIgnored) {
            true => name.to_ascii_lowercase(),
            false => name.to_lowercase(),
        };
        let named = self.unique_name(lowered.as_bytes());
        named.map(|_| relative).map_err(|_| Fault::NotADnsName)
    }

    /// True if a name is a DNS-ID, letter case ignored.
    pub(super) fn same(&self, name: &str, wanted: &str) -> bool {
        if !self.keeps(Rule::ReferenceIsNoWildcard) && matches_wildcard(wanted, name) {
            return true;
        }
        match (
            self.keeps(Rule::CaseOfTheReferenceIsIgnored),
            self.keeps(Rule::OnlyAsciiCaseIsIgnored),
        ) {
            (false, _) => name == wanted,
            (_, false) => name.to_lowercase() == wanted.to_lowercase(),
            (true, true) => name.eq_ignore_ascii_case(wanted),
        }
    }

    /// True if a dNSName covers a name (RFC 9525 §6.3).
    pub(super) fn covers(&self, dns_name: &str, name: &str) -> bool {
        let folded = match self.keeps(Rule::CaseOfTheDnsNameIsIgnored) {
            true => dns_name.to_ascii_lowercase(),
            false => dns_name.to_owned(),
        };
        let whole = match self.keeps(Rule::DnsNameIsNotCutAtNul) {
            true => folded.as_str(),
            false => folded.split('\0').next().unwrap_or_default(),
        };
        let presented = match self.keeps(Rule::DnsNameWithAFinalDotCoversNothing) {
            true => whole,
            false => whole.strip_suffix('.').unwrap_or(whole),
        };
        let name = name.to_ascii_lowercase();
        match presented.strip_prefix("*.") {
            Some(zone) => self.wildcard_covers(zone, &name),
            None => self.other_covers(presented, &name),
        }
    }

    fn wildcard_covers(&self, zone: &str, name: &str) -> bool {
        let below = format!(".{zone}");
        let exact = parent(name) == Some(zone)
            && !name.starts_with('.')
            && (zone.contains('.') || self.keeps(Rule::WildcardMayStandBelowATopLevel));
        exact
            || !self.keeps(Rule::WildcardStandsForOneLabel) && name.ends_with(&below)
            || !self.keeps(Rule::WildcardStandsForALabel) && name == zone
            || !self.keeps(Rule::OneWildcardAtMost)
                && matches_wildcard(zone, parent(name).unwrap_or_default())
    }

    fn other_covers(&self, presented: &str, name: &str) -> bool {
        let same = presented == name && self.keeps(Rule::SameDnsNameCovers);
        let partial = || {
            let (pattern, zone) = presented.split_once('.')?;
            let (before, after) = pattern.split_once('*')?;
            let (label, domain) = name.split_once('.')?;
            Some(zone == domain && label.starts_with(before) && label.ends_with(after))
        };
        same || !self.keeps(Rule::DnsNameCoversNoSubdomain)
            && name.ends_with(&format!(".{presented}"))
            || !self.keeps(Rule::WildcardIsAWholeLabel) && partial().unwrap_or_default()
            || !self.keeps(Rule::WildcardIsTheFirstLabel) && matches_labels(presented, name)
            || !self.keeps(Rule::StarAloneCoversNothing) && presented == "*"
    }
}

/// True if a text is an IP address, also in the brackets of a URI.
pub(super) fn is_address(text: &str) -> bool {
    let bare = text.strip_suffix('.').unwrap_or(text);
    let bare = bare
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(bare);
    bare.parse::<IpAddr>().is_ok()
}

/// True if a name has the labels of a pattern, where `*` is any label.
fn matches_labels(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.split('.'), name.split('.'));
    let same = |(one, other)| one == "*" || one == other;
    pattern.clone().count() == name.clone().count() && pattern.zip(name).all(same)
}

fn matches_wildcard(pattern: &str, name: &str) -> bool {
    pattern
        .strip_prefix("*.")
        .is_some_and(|zone| parent(name) == Some(zone))
}

fn parent(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, parent)| parent)
}

fn first_label(name: &str) -> Option<&str> {
    name.split('.').next()
}
