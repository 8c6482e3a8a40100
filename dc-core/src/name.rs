//! The unique name of a device: what it may look like, and which certificates cover it.

use alloc::borrow::{Cow, ToOwned};
use core::fmt;

use pki_types::ServerName;

use crate::error::Error;

/// The name that exactly one device has: a DNS host name as A-labels.
///
/// Lower-case letters, digits, hyphens and dots; labels of 1 to 63 octets that neither begin nor
/// end with a hyphen; at most 253 octets; no trailing dot, no wildcard, not an IP address.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct UniqueName<'a>(Cow<'a, str>);

impl<'a> UniqueName<'a> {
    /// The longest name, in octets.
    pub const MAX_LEN: usize = 253;

    /// Reads a name from its octets.
    ///
    /// Fails with [`Error::MalformedName`], which says the offset of the first octet that does not
    /// belong, unless the octets are a name as the type describes. Upper case is malformed here:
    /// the signed form has one spelling.
    pub fn parse(octets: &'a [u8]) -> Result<Self, Error> {
        if let Some(offset) = first_bad_octet(octets) {
            return Err(Error::MalformedName { offset });
        }
        match core::str::from_utf8(octets) {
            Ok(name) => Ok(Self(Cow::Borrowed(name))),
            Err(error) => Err(Error::MalformedName {
                offset: error.valid_up_to(),
            }),
        }
    }

    /// The same name without a borrow.
    #[must_use]
    pub fn into_owned(self) -> UniqueName<'static> {
        UniqueName(Cow::Owned(self.0.into_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if the name that a client wanted to reach is this name, ASCII case and a final dot
    /// ignored.
    ///
    /// An IP address never is.
    #[must_use]
    pub fn is(&self, wanted: &ServerName<'_>) -> bool {
        relative(wanted).is_some_and(|wanted| self.0.eq_ignore_ascii_case(wanted))
    }

    /// The unique name that a client wants that connects to `reference`: ASCII letters in lower case, without the
    /// final dot.
    ///
    /// `None` if no device can have it: it is an IP address, or a DNS name that the type does not allow. Such a
    /// client has no use for named credentials, and must not ask for them.
    #[must_use]
    pub fn wanted(reference: &ServerName<'_>) -> Option<UniqueName<'static>> {
        let name = relative(reference)?.to_ascii_lowercase();
        let is_unique = first_bad_octet(name.as_bytes()).is_none();
        is_unique.then_some(UniqueName(Cow::Owned(name)))
    }

    /// True if a dNSName of a certificate covers this name (RFC 9525 §6.3): it is the same name, or
    /// a wildcard that stands for exactly the first label.
    #[must_use]
    pub fn covered_by(&self, dns_name: &str) -> bool {
        let (presented, name) = match dns_name.strip_prefix("*.") {
            Some(parent) => (parent, self.parent()),
            None => (dns_name, Some(self.as_str())),
        };
        name.is_some_and(|name| !presented.is_empty() && name.eq_ignore_ascii_case(presented))
    }

    /// True if the name is in the subtree of a dNSName in name constraints (RFC 5280 §4.2.1.10): it is that name, or
    /// that name with labels in front. A dNSName that begins with a dot has only the latter in its subtree,
    /// and the empty one has every name.
    #[must_use]
    pub fn is_within(&self, subtree: &str) -> bool {
        let (domain, only_below) = match subtree.strip_prefix('.') {
            Some(domain) => (domain, true),
            None => (subtree, false),
        };
        let domain = domain.strip_suffix('.').unwrap_or(domain);
        let name = self.as_str();
        let split = name.len().checked_sub(domain.len());
        let Some((labels, end)) = split.and_then(|at| name.split_at_checked(at)) else {
            return false;
        };
        let is_below = labels.ends_with('.') || domain.is_empty();
        end.eq_ignore_ascii_case(domain) && (is_below || labels.is_empty() && !only_below)
    }

    fn parent(&self) -> Option<&str> {
        self.0.split_once('.').map(|(_, parent)| parent)
    }
}

/// True if two references are one name, ASCII case and a final dot ignored, or one address.
#[must_use]
pub fn is_same_reference(one: &ServerName<'_>, other: &ServerName<'_>) -> bool {
    match (relative(one), relative(other)) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        _ => one == other,
    }
}

impl fmt::Display for UniqueName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'a> TryFrom<&'a str> for UniqueName<'a> {
    type Error = Error;

    fn try_from(name: &'a str) -> Result<Self, Error> {
        Self::parse(name.as_bytes())
    }
}

impl From<&UniqueName<'_>> for UniqueName<'static> {
    fn from(name: &UniqueName<'_>) -> Self {
        UniqueName(Cow::Owned(name.as_str().to_owned()))
    }
}

/// The DNS name in a reference without its final dot; `None` of an IP address.
fn relative<'a>(reference: &'a ServerName<'_>) -> Option<&'a str> {
    let ServerName::DnsName(dns) = reference else {
        return None;
    };
    let dns = dns.as_ref();
    Some(dns.strip_suffix('.').unwrap_or(dns))
}

/// The offset at which `octets` stop being a unique name, if they do.
fn first_bad_octet(octets: &[u8]) -> Option<usize> {
    if octets.len() > UniqueName::MAX_LEN {
        return Some(UniqueName::MAX_LEN);
    }
    let mut start = 0;
    let mut last = &[][..];
    for label in octets.split(|&octet| octet == b'.') {
        if let Some(offset) = first_bad_octet_of_label(label) {
            return Some(start + offset);
        }
        start += label.len() + 1;
        last = label;
    }
    is_number(last).then(|| octets.len() - last.len())
}

/// True if some resolvers read a name that ends in this label as an IPv4 address: a number in decimal,
/// which no top-level domain is (RFC 3696 §2), or in hexadecimal.
fn is_number(label: &[u8]) -> bool {
    match label {
        [b'0', b'x', digits @ ..] => digits.iter().all(u8::is_ascii_hexdigit),
        digits => digits.iter().all(u8::is_ascii_digit),
    }
}

fn first_bad_octet_of_label(label: &[u8]) -> Option<usize> {
    match label {
        [] | [b'-', ..] => Some(0),
        [rest @ .., b'-'] => Some(rest.len()),
        _ if label.len() > MAX_LABEL => Some(MAX_LABEL),
        _ => label
            .iter()
            .position(|octet| !matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-')),
    }
}

const MAX_LABEL: usize = 63;

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn offset(name: &str) -> Option<usize> {
        match UniqueName::try_from(name) {
            Ok(_) => None,
            Err(Error::MalformedName { offset }) => Some(offset),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn references_are_the_same_whatever_their_case_and_final_dot() {
        let same = |one: &str, other: &str| {
            is_same_reference(&one.try_into().unwrap(), &other.try_into().unwrap())
        };
        assert!(same("K3V.example.com.", "k3v.example.com"));
        assert!(same("a_b.example.com", "A_b.example.com."));
        assert!(same("192.0.2.1", "192.0.2.1"));
        assert!(!same("k3v.example.com", "k3v.example.org"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
        assert!(!same("192.0.2.1", "k3v.example.com"));
    }

    #[test]
    fn accepts_host_names() {
        let long = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
        assert_eq!(long.len(), 253);
        for name in [
            "a.0xg",
            "0x1f.example",
            "a",
            "k3v.cpe.example.com",
            "xn--bcher-kva.example",
            "9.a",
            "a--b",
            &long,
        ] {
            assert_eq!(offset(name), None, "{name}");
        }
    }

    #[test]
    fn rejects_everything_else_and_says_where() {
        let long_label = format!("{}.com", "a".repeat(64));
        let long = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(62));
        for (name, at) in [
            ("", 0),
            ("A.example", 0),
            ("a.Example", 2),
            ("a..b", 2),
            ("a.b.", 4),
            (".a", 0),
            ("*.a", 0),
            ("-a.b", 0),
            ("a-.b", 1),
            ("a_b", 1),
            ("a b", 1),
            ("b\u{fc}cher.example", 1),
            ("a\0.b", 1),
            ("192.0.2.1", 8),
            ("::1", 0),
            ("1", 0),
            ("a.0x7f000001", 2),
            ("a.0x", 2),
            (&long_label, 63),
            (&long, 253),
        ] {
            assert_eq!(offset(name), Some(at), "{name:?}");
        }
    }

    #[test]
    fn is_ignores_case_and_a_final_dot_and_never_matches_addresses() {
        let name = UniqueName::try_from("k3v.cpe.example.com").unwrap();
        assert!(name.is(&"K3V.cpe.example.COM".try_into().unwrap()));
        assert!(!name.is(&"k3w.cpe.example.com".try_into().unwrap()));
        assert!(name.is(&"k3v.cpe.example.com.".try_into().unwrap()));
        assert!(!name.is(&"192.0.2.1".try_into().unwrap()));
    }

    #[test]
    fn a_wildcard_stands_for_exactly_one_label() {
        let name = UniqueName::try_from("k3v.cpe.example.com").unwrap();
        for covers in [
            "*.cpe.example.com",
            "*.CPE.example.com",
            "k3v.cpe.example.com",
        ] {
            assert!(name.covered_by(covers), "{covers}");
        }
        for other in [
            "*.example.com",
            "*.k3v.cpe.example.com",
            "cpe.example.com",
            "k*.cpe.example.com",
            "*.*.example.com",
            "*",
            "*.",
            "",
        ] {
            assert!(!name.covered_by(other), "{other}");
        }
    }

    #[test]
    fn what_a_client_wants_is_a_unique_name_or_none_at_all() {
        let wanted = |name: &str| {
            let name = ServerName::try_from(name).unwrap();
            UniqueName::wanted(&name).map(|name| name.as_str().to_owned())
        };
        for name in ["k3v.example.com", "K3V.Example.COM", "k3v.example.com."] {
            assert_eq!(wanted(name).as_deref(), Some("k3v.example.com"), "{name}");
        }
        assert_eq!(wanted("router").as_deref(), Some("router"));
        for name in ["192.0.2.1", "2001:db8::1", "my_router.example.com"] {
            assert_eq!(wanted(name), None, "{name}");
        }
    }

    #[test]
    fn a_subtree_has_its_name_and_what_is_below() {
        let name = UniqueName::try_from("k3v.cpe.example.com").unwrap();
        for subtree in [
            "k3v.cpe.example.com",
            "K3V.cpe.example.com.",
            "cpe.example.com",
            ".cpe.example.com",
            "com",
            ".com",
            "",
            ".",
        ] {
            assert!(name.is_within(subtree), "{subtree:?}");
        }
        for other in [
            ".k3v.cpe.example.com",
            "3v.cpe.example.com",
            "v.cpe.example.com",
            "a.k3v.cpe.example.com",
            "m7q.cpe.example.com",
            "example.net",
            "*.cpe.example.com",
            "..com",
        ] {
            assert!(!name.is_within(other), "{other:?}");
        }
    }

    #[test]
    fn a_name_of_one_label_has_no_wildcard() {
        let name = UniqueName::try_from("router").unwrap();
        assert!(!name.covered_by("*."));
        assert!(name.covered_by("router"));
    }

    proptest! {
        #[test]
        #[cfg_attr(miri, ignore = "strategies from regular expressions take minutes")]
        fn agrees_with_the_definition(name in "[a-c0-1.\\-]{0,12}") {
            let labels: Vec<&str> = name.split('.').collect();
            let fine = labels.iter().all(|l| !l.is_empty() && !l.starts_with('-') && !l.ends_with('-'))
                && !labels.last().unwrap().chars().all(|c| c.is_ascii_digit());
            prop_assert_eq!(UniqueName::try_from(&*name).is_ok(), fine, "{}", name);
        }

        #[test]
        fn never_panics(octets: Vec<u8>) {
            let _ = UniqueName::parse(&octets);
        }

        #[test]
        fn a_subtree_is_compared_by_labels(labels in proptest::collection::vec("[ab]{1,2}", 1..5), text in "[ab.]{0,8}") {
            let name = labels.join(".");
            let ends: Vec<String> = (0..labels.len()).map(|from| labels[from..].join(".")).collect();
            let domain = text.trim_start_matches('.').trim_end_matches('.');
            prop_assume!(!domain.is_empty() && domain == text);
            let is_within = UniqueName::try_from(&*name).unwrap().is_within(&text);
            prop_assert_eq!(is_within, ends.contains(&text));
        }

        #[test]
        #[cfg_attr(miri, ignore = "strategies from regular expressions take minutes")]
        fn covers_only_below_the_zone(label in "[a-z]{1,9}", zone in "[a-z]{1,5}\\.[a-z]{2,3}") {
            let name: String = format!("{label}.{zone}");
            let wildcard: String = format!("*.{zone}");
            prop_assert!(UniqueName::try_from(&*name).unwrap().covered_by(&wildcard));
            prop_assert!(!UniqueName::try_from(&*zone).unwrap().covered_by(&wildcard));
        }
    }
}
