//! Unique names, the dNSNames that cover them, and the reference identities that they are.

use super::Book;
use crate::fault::Fault;
use crate::format::Role;
use crate::make::alerts::refused;
use crate::make::draft::Draft;

pub(super) fn add(good: &Draft, book: &mut Book) {
    of_malformed(good, book);
    of_valid(good, book);
    of_coverage(good, book);
    of_exclusion(good, book);
    of_references(good, book);
    of_precedence(good, book);
}

/// Octets that are no name. The certificate covers them all, for who does not look, and each is what was wanted.
fn of_malformed(good: &Draft, book: &mut Book) {
    let label = |length: usize| format!("{}.cpe.example.com", "a".repeat(length));
    let lengths = [
        ("label-of-64", label(64)),
        ("254-octets", long_name(62)),
        ("255-octets", long_name(63)),
    ];
    let texts = ODD.map(|(id, name)| (id, name.as_bytes().to_vec(), "good"));
    let numbers = NUMBERS.map(|(id, name)| (id, name.as_bytes().to_vec(), "numbers"));
    let lengths = lengths.map(|(id, name)| {
        (
            id,
            name.into_bytes(),
            if id == "label-of-64" { "good" } else { "long" },
        )
    });
    let bytes = [("not-utf-8", b"k\xff.cpe.example.com".to_vec(), "good")];
    for (id, name, certificate) in texts.into_iter().chain(numbers).chain(lengths).chain(bytes) {
        let note = "not a unique name, whatever covers it";
        let draft = good.but("name", note, |draft| {
            draft.under(certificate);
            draft.name(&name);
        });
        book.add(&format!("name-{id}"), &draft.refused(Fault::MalformedName));
    }
}

/// Names that a wildcard covers, for who does not look at their octets.
const ODD: [(&str, &str); 30] = [
    ("upper-case", "K3V.cpe.example.com"),
    ("upper-case-later", "k3v.cpe.example.coM"),
    ("final-dot", "k3v.cpe.example.com."),
    ("first-dot", ".cpe.example.com"),
    ("dot", "."),
    ("wildcard", "*.cpe.example.com"),
    ("wildcard-in-label", "k*.cpe.example.com"),
    ("underscore", "k_v.cpe.example.com"),
    ("space", "k v.cpe.example.com"),
    ("space-last", "k3v.cpe.example.com "),
    ("colon", "k3v:443.cpe.example.com"),
    ("slash", "k/v.cpe.example.com"),
    ("before-a", "k`v.cpe.example.com"),
    ("after-z", "k{v.cpe.example.com"),
    ("after-nine", "k;v.cpe.example.com"),
    ("nul", "k3v\0.cpe.example.com"),
    ("nul-last", "k3v.cpe.example.com\0"),
    ("line-feed", "k3v\n.cpe.example.com"),
    ("u-label", "b\u{fc}cher.cpe.example.com"),
    ("e-acute", "caf\u{e9}.cpe.example.com"),
    ("kelvin", "\u{212a}3v.cpe.example.com"),
    ("full-width-dot", "k3v\u{ff0e}x.cpe.example.com"),
    ("empty-label", "k3v..cpe.example.com"),
    ("hyphen-first", "-3v.cpe.example.com"),
    ("hyphen-last", "k3-.cpe.example.com"),
    ("hyphen-alone", "-.cpe.example.com"),
    ("hyphen-first-later", "k3v.-cpe.example.com"),
    ("hyphen-last-at-end", "k3v.cpe.example.com-"),
    ("ipv6", "::1"),
    ("ipv6-in-brackets", "[::1]"),
];

/// Names that end in a number.
const NUMBERS: [(&str, &str); 5] = [
    ("address", "192.0.2.1"),
    ("number-last", "a.1"),
    ("number-alone", "1"),
    ("hexadecimal-last", "a.0x1f"),
    ("hexadecimal-without-digits", "a.0x"),
];

/// A name of 192 octets and as many as its last label has.
fn long_name(last: usize) -> String {
    format!(
        "{}.{1}.{1}.{2}",
        "a".repeat(63),
        "b".repeat(63),
        "c".repeat(last)
    )
}

/// Names that look odd and are names.
fn of_valid(good: &Draft, book: &mut Book) {
    let label = format!("{}.cpe.example.com", "a".repeat(63));
    let longest = long_name(61);
    assert_eq!(longest.len(), 253);
    for (id, name, certificate) in [
        ("label-of-63", label.as_str(), "good"),
        ("253-octets", &longest, "long"),
        ("single-label", "router", "single-label"),
        ("single-octet", "a", "rare"),
        ("number-first", "1.a", "rare"),
        ("two-hyphens", "a--b", "rare"),
        ("hyphens-third-and-fourth", "ab--c.example", "rare"),
        ("a-label", "xn--bcher-kva.example", "rare"),
        ("a-label-of-nothing", "xn--0.example", "rare"),
        ("hexadecimal-first", "0x1.b", "rare"),
        ("0x-and-a-letter-last", "a.0xg", "rare"),
        ("x-and-a-digit-last", "a.x1", "rare"),
        ("digit-and-letter-last", "a.1a", "rare"),
        ("digits-and-a-hyphen-last", "a.1-1", "rare"),
        ("digits-alone-first", "0.cpe.example.com", "good"),
        ("digit-last-in-label", "k-9.cpe.example.com", "good"),
    ] {
        let draft = good.but("name", "valid: this is a name", |draft| {
            draft.under(certificate);
            draft.name(name.as_bytes());
        });
        book.add(&format!("name-{id}"), &draft);
    }
}

/// Certificates and names that they cover, or do not.
fn of_coverage(good: &Draft, book: &mut Book) {
    const NAME: &str = crate::make::NAME;
    for (certificate, names) in [
        ("exact", &[NAME][..]),
        ("upper-case", &[NAME]),
        ("upper-case-exact", &[NAME]),
        ("second", &[NAME, "www.example.com"]),
        ("many", &["k3v.sensors.example.net"]),
        ("above", &["cpe.example.com"]),
        ("top-level", &["k3v.com"]),
    ] {
        for name in names {
            let draft = covered(good, certificate, name, "valid: covered");
            book.add(&format!("covered-{certificate}-{name}"), &draft);
        }
    }
    for (certificate, name) in [
        ("good", "k3v.example.com"),
        ("good", "a.b.cpe.example.com"),
        ("good", "cpe.example.com"),
        ("good", "k3v.xcpe.example.com"),
        ("good", "k3vcpe.example.com"),
        ("good", "k3v.cpe.example.com.evil.example"),
        ("good", "k3v.cpe.example.net"),
        ("exact", "a.k3v.cpe.example.com"),
        ("exact", "xk3v.cpe.example.com"),
        ("exact", "cpe.example.com"),
        ("sibling", NAME),
        ("below", NAME),
        ("parent", NAME),
        ("above", NAME),
        ("part-of-label", NAME),
        ("inner-wildcard", NAME),
        ("two-wildcards", NAME),
        ("two-wildcards", "k3v.example.com"),
        ("star", NAME),
        ("star", "router"),
        ("top-level", "k3v.example.com"),
        ("final-dot", NAME),
        ("single-label", "router.router"),
        ("common-name", NAME),
        ("address", NAME),
        ("srv", NAME),
        ("uri", NAME),
        ("rfc822", NAME),
        ("nul", NAME),
    ] {
        let draft = covered(
            good,
            certificate,
            name,
            "no dNSName of the certificate covers it",
        );
        book.add(
            &format!("not-covered-{certificate}-{name}"),
            &draft.refused(Fault::NameNotCovered),
        );
    }
}

fn covered(good: &Draft, certificate: &'static str, name: &str, note: &str) -> Draft {
    good.but("coverage", note, |draft| {
        draft.under(certificate);
        draft.name(name.as_bytes());
    })
}

/// Subtrees that name constraints of the path exclude, which a wildcard can straddle.
fn of_exclusion(good: &Draft, book: &mut Book) {
    for (certificate, name, fault) in [
        (
            "excluding",
            "twin.cpe.example.com",
            Some(Fault::NameExcluded),
        ),
        (
            "excluding-above",
            "twin.cpe.example.com",
            Some(Fault::NameExcluded),
        ),
        (
            "excluding-in-capitals",
            "twin.cpe.example.com",
            Some(Fault::NameExcluded),
        ),
        (
            "excluding-below",
            "k3v.cpe.example.com",
            Some(Fault::NameExcluded),
        ),
        (
            "excluding-with-final-dot",
            "twin.cpe.example.com",
            Some(Fault::NameExcluded),
        ),
        (
            "excluding-everything",
            "k3v.cpe.example.com",
            Some(Fault::NameExcluded),
        ),
        (
            "excluding-by-root",
            "twin.cpe.example.com",
            Some(Fault::NameExcluded),
        ),
        (
            "excluding-by-itself",
            "twin.cpe.example.com",
            Some(Fault::NameExcluded),
        ),
        (
            "constrained-unreadably",
            "k3v.cpe.example.com",
            Some(Fault::MalformedConstraints),
        ),
        (
            "constrained-twice",
            "k3v.cpe.example.com",
            Some(Fault::MalformedConstraints),
        ),
        ("excluding-below-twin", "twin.cpe.example.com", None),
        ("excluding-below-twin", "k3v.cpe.example.com", None),
        ("excluding-with-final-dot", "k3v.cpe.example.com", None),
        ("excluding-by-root", "k3v.cpe.example.com", None),
        ("excluding-by-itself", "k3v.cpe.example.com", None),
        (
            "excluding-a-dot",
            "k3v.cpe.example.com",
            Some(Fault::NameExcluded),
        ),
        ("excluding-a-star", "k3v.cpe.example.com", None),
        ("excluding", "k3v.cpe.example.com", None),
        ("excluding", "atwin.cpe.example.com", None),
        ("excluding-above", "k3v.cpe.example.com", None),
    ] {
        let note = match fault {
            Some(Fault::MalformedConstraints) => {
                "constraints that say who knows what, for whoever processes name constraints"
            }
            Some(_) => "in an excluded subtree of the path, for whoever processes name constraints",
            None => "valid: in no excluded subtree of the path",
        };
        let mut draft = covered(good, certificate, name, note);
        draft.refused = fault.map(refused);
        book.add(&format!("{certificate}-{name}"), &draft);
    }
}

/// What a peer wanted to reach.
fn of_references(good: &Draft, book: &mut Book) {
    for (id, wanted) in [
        ("lower-case", "k3v.cpe.example.com"),
        ("upper-case", "K3V.CPE.Example.COM"),
        ("final-dot", "k3v.cpe.example.com."),
        ("upper-case-and-final-dot", "K3V.cpe.example.com."),
    ] {
        let note = "valid: ASCII case and one dot at the end do not matter in what is wanted";
        book.add(&format!("wanted-{id}"), &wanting(good, wanted, note));
    }
    for (id, wanted) in [
        ("evil-twin", "neighbour.cpe.example.com"),
        ("with-suffix", "k3v.cpe.example.com.evil.example"),
        ("with-letters-after", "k3v.cpe.example.community"),
        ("with-letters-before", "xk3v.cpe.example.com"),
        ("cut-before", "3v.cpe.example.com"),
        ("cut-after", "k3v.cpe.example.co"),
        ("same-first-label", "k3v.example.com"),
        ("first-label", "k3v"),
        ("parent", "cpe.example.com"),
        ("below", "a.k3v.cpe.example.com"),
        ("other-last-letter", "k3w.cpe.example.com"),
        ("hyphen-in-it", "k3v-cpe.example.com"),
    ] {
        let draft = wanting(good, wanted, "another name than the one that was wanted");
        book.add(&format!("wanted-{id}"), &draft.refused(Fault::WrongName));
    }
    for (id, wanted) in [
        ("address", "192.0.2.1"),
        ("ipv6", "2001:db8::1"),
        ("ipv6-in-brackets", "[2001:db8::1]"),
        ("two-final-dots", "k3v.cpe.example.com.."),
        ("dot", "."),
        ("wildcard", "*.cpe.example.com"),
        ("nothing", ""),
        ("kelvin", "\u{212a}3v.cpe.example.com"),
        ("first-dot", ".k3v.cpe.example.com"),
        ("space", " k3v.cpe.example.com"),
        ("port", "k3v.cpe.example.com:443"),
        ("uri", "https://k3v.cpe.example.com/"),
    ] {
        let draft = wanting(good, wanted, "not a DNS name, and so no name of a device");
        book.add(&format!("wanted-{id}"), &draft.refused(Fault::NotADnsName));
    }
    let draft = good.but("reference", "no name was wanted", |draft| {
        draft.wanted = None;
    });
    match good.role {
        Role::Server => book.add("nothing-wanted", &draft.refused(Fault::NoReferenceIdentity)),
        Role::Client => {
            let note = "no dNSName of the certificate covers it, and no name was wanted";
            let draft = covered(&draft, "good", "k3v.example.com", note);
            book.add(
                "not-covered-nothing-wanted",
                &draft.refused(Fault::NameNotCovered),
            );
        }
    }
}

fn wanting(good: &Draft, wanted: &str, note: &str) -> Draft {
    let section = match good.role {
        Role::Server => "reference",
        Role::Client => "client-auth",
    };
    good.but(section, note, |draft| {
        draft.wanted = Some(wanted.to_owned());
    })
}

/// An unsigned name is an attacker's text: the signature is checked before it is compared with anything.
fn of_precedence(good: &Draft, book: &mut Book) {
    let wanted = Some("neighbour.cpe.example.com".to_owned());
    let draft = good.but(
        "alerts",
        "precedence: a signature of another form, and another name than was wanted",
        |draft| {
            draft.context = draft.context.replace("named ", "");
            draft.wanted = wanted.clone();
        },
    );
    book.add(
        "first-signature-then-name",
        &draft.refused(Fault::BadSignature),
    );
    let draft = good.but(
        "alerts",
        "precedence: another name than was wanted, and not covered",
        |draft| {
            draft.name(b"k3v.example.com");
            draft.wanted = wanted;
        },
    );
    book.add("first-name-then-coverage", &draft.refused(Fault::WrongName));
}
