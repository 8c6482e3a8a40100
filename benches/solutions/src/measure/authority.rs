//! What a CA of today has to change: acme2certifier is asked for what each solution needs, as it is and changed.

mod wish;

use std::fmt;
use std::fs;

use dc_core::DelegationCertificate;
use dc_tests::process;
use der::Decode as _;
use serde::Serialize;
use x509_cert::Certificate;
use x509_cert::ext::pkix::{BasicConstraints, NameConstraints};

use crate::Result;
use crate::acme::objects::AutoRenewal;
use crate::ca::{Authority, Plan};
use crate::dns::Dns;
use crate::leaf::Leaf;
use crate::public_ca::{Changes, PublicCa};
use crate::rows::normal::Account;
use crate::vendor::Issuing as _;
use crate::world::World;
use wish::{MATTER, Wish, ZONE};

/// A question to a CA, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Answer {
    /// The rows that need it; none if it is for comparison only.
    pub(crate) rows: &'static [&'static str],
    /// What was asked for.
    pub(crate) asked: &'static str,
    pub(crate) changed: Changed,
    /// In words.
    pub(crate) came: String,
    /// Whether that is what the solution needs.
    pub(crate) works: bool,
}

/// How many lines were changed for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Changed {
    /// Of the CA's configuration.
    pub(crate) configuration: usize,
    /// Of code that is not the CA's, but runs in it.
    pub(crate) code: usize,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = |number| match number {
            1 => "1 line".to_owned(),
            _ => format!("{number} lines"),
        };
        let configuration = lines(self.configuration);
        match (self.configuration, self.code) {
            (0, 0) => f.write_str("as it is"),
            (_, 0) => write!(f, "{configuration} of configuration"),
            (_, code) => write!(
                f,
                "{configuration} of configuration, {} of code",
                lines(code)
            ),
        }
    }
}

/// Asks everything; about a second for each of the four CAs that are started.
pub(crate) fn measure(world: &World) -> Result<Vec<Answer>> {
    let mut answers = as_it_is(world)?;
    answers.push(configured(world)?);
    answers.extend(extended(world)?);
    answers.push(by_openssl(world)?);
    Ok(answers)
}

fn as_it_is(world: &World) -> Result<Vec<Answer>> {
    let mut shop = Shop::open(world, "ca-as-it-is", Changes::default())?;
    let ordinary = shop.order("nas.cpe.example.com", &Wish::default());
    let delegation = shop.order_delegation();
    let authority = shop.order(ZONE, &Wish::authority());
    let matter = shop.order("matter.cpe.example.com", &Wish::matter());
    let as_it_is = |rows, asked, (works, came)| Answer {
        rows,
        asked,
        changed: Changed::default(),
        came,
        works,
    };
    Ok(vec![
        as_it_is(
            &["normal"],
            "a server's certificate",
            came(&ordinary, |_| Ok(true), "its name")?,
        ),
        as_it_is(
            DELEGATED,
            DELEGATION,
            came(&delegation, may_delegate, DELEGATION_USAGE)?,
        ),
        as_it_is(
            CONSTRAINED,
            AUTHORITY,
            came(&authority, is_authority, CONSTRAINTS)?,
        ),
        as_it_is(
            // Matter's authorities are the vendors' own.
            &[],
            "a certificate with Matter's vendor and product identifiers",
            came(&matter, has_matter_names, "both of them")?,
        ),
        as_it_is(
            &["acme-delegated"],
            "a certificate that is renewed by itself (RFC 8739)",
            shop.order_star(),
        ),
    ])
}

/// The extension is written into the CA's template for certificates.
fn configured(world: &World) -> Result<Answer> {
    let template = format!("{TEMPLATE}{LINE}\n");
    let changes = Changes {
        template: Some(&template),
        ..Changes::default()
    };
    let mut shop = Shop::open(world, "ca-configured", changes)?;
    let (works, came) = came(&shop.order_delegation(), may_delegate, DELEGATION_USAGE)?;
    Ok(Answer {
        rows: DELEGATED,
        asked: DELEGATION,
        changed: Changed {
            configuration: 1,
            code: 0,
        },
        came,
        works,
    })
}

/// The CA loads a handler that is derived from its own: one for delegation certificates, one for authorities.
fn extended(world: &World) -> Result<[Answer; 2]> {
    let changes = Changes {
        handler: HANDLER_LINE,
        module: Some(HANDLER_MODULE),
        ..Changes::default()
    };
    let mut shop = Shop::open(world, "ca-extended", changes)?;
    let delegation = came(&shop.order_delegation(), may_delegate, DELEGATION_USAGE)?;
    let changes = Changes {
        handler: AUTHORITY_LINE,
        module: Some(AUTHORITY_MODULE),
        ..Changes::default()
    };
    let mut shop = Shop::open(world, "ca-of-authorities", changes)?;
    let authority = shop.order(ZONE, &Wish::authority());
    let authority = came(&authority, is_authority, CONSTRAINTS)?;
    Ok([
        after_change(DELEGATED, DELEGATION, HANDLER, delegation),
        after_change(CONSTRAINED, AUTHORITY, AUTHORITY_HANDLER, authority),
    ])
}

/// After a line of configuration that loads this source.
fn after_change(
    rows: &'static [&'static str],
    asked: &'static str,
    source: &str,
    (works, came): (bool, String),
) -> Answer {
    let is_code = |line: &&str| !line.trim().is_empty() && !line.starts_with("\"\"\"");
    Answer {
        rows,
        asked,
        changed: Changed {
            configuration: 1,
            code: source.lines().filter(is_code).count(),
        },
        came,
        works,
    }
}

/// OpenSSL itself signs the request, with a line more in its configuration. It has no ACME.
fn by_openssl(world: &World) -> Result<Answer> {
    let folder = world.folder("openssl")?;
    let root = Authority::root(Plan {
        folder: &folder,
        name: "OpenSSL",
        now: world.now(),
        days: 365,
        only: None,
    })?;
    let name = format!("*.{ZONE}");
    let configuration = format!("{TEMPLATE}subjectAltName = DNS:{name}\n{LINE}\n");
    let [request, template] = ["request.der", "template.cnf"].map(|file| folder.join(file));
    fs::write(&request, Wish::delegation().request(&name)?)?;
    fs::write(&template, configuration)?;
    let mut openssl = world.clock.command(apparatus::program("openssl"));
    openssl
        .args(["x509", "-req", "-inform", "DER", "-in"])
        .arg(&request);
    openssl
        .arg("-CA")
        .arg(&root.certificate)
        .arg("-CAkey")
        .arg(&root.key);
    openssl
        .arg("-extfile")
        .arg(&template)
        .args(["-extensions", "extensions"]);
    let said = process::run(&mut openssl);
    let leaf = Leaf::read(&said.stdout).map_err(|_| said.stderr);
    let (works, came) = came(&leaf, may_delegate, DELEGATION_USAGE)?;
    Ok(Answer {
        // It is no CA that a vendor could order from.
        rows: &[],
        asked: "a delegation certificate (RFC 9345), of OpenSSL itself",
        changed: Changed {
            configuration: 1,
            code: 0,
        },
        came,
        works,
    })
}

/// A CA, and an account that asks it.
struct Shop {
    ca: PublicCa,
    account: Account,
}

impl Shop {
    fn open(world: &World, name: &str, changes: Changes<'_>) -> Result<Self> {
        let dns = Dns::start()?;
        let ca = PublicCa::start(world, name, &dns, changes)?;
        let account = Account::open(world, &ca, dns)?;
        Ok(Self { ca, account })
    }

    /// The certificate, or what the CA says.
    fn order(&mut self, name: &str, wish: &Wish) -> Ordered {
        let ordered = wish.request(name);
        let ordered = ordered.and_then(|request| self.account.issue(name, &request));
        let leaf = ordered.and_then(|chain| Leaf::read(&chain));
        leaf.map_err(|error| format!("{error}; its log: {}", self.last_words()))
    }

    fn order_delegation(&mut self) -> Ordered {
        self.order(&format!("*.{ZONE}"), &Wish::delegation())
    }

    fn order_star(&mut self) -> (bool, String) {
        let renewal = AutoRenewal {
            end_date: "2030-01-01T00:00:00Z".into(),
            lifetime: 7 * 86_400,
            ..AutoRenewal::default()
        };
        let offered = self
            .account
            .client()
            .directory()
            .meta
            .auto_renewal
            .is_some();
        let offered = match offered {
            true => "its directory offers it",
            false => "its directory does not offer it",
        };
        let name = "star.cpe.example.com";
        let ordered = { Wish::default().request(name) }
            .and_then(|request| self.account.order_star(name, renewal, &request));
        match ordered {
            Ok(_) => (true, offered.into()),
            Err(error) => (false, format!("{offered}; {error}")),
        }
    }

    fn last_words(&self) -> String {
        let log = self.ca.log();
        let mut errors = log.lines().filter(|line| line.contains("due to exception"));
        errors.next_back().unwrap_or("nothing").into()
    }
}

/// The certificate, or what the CA says instead.
type Ordered = std::result::Result<Leaf, String>;

/// Whether that is what was wanted, and in words.
fn came(
    answer: &Ordered,
    has: impl FnOnce(&Leaf) -> Result<bool>,
    what: &str,
) -> Result<(bool, String)> {
    Ok(match answer {
        Ok(leaf) if has(leaf)? => (true, format!("a certificate with {what}")),
        Ok(_) => (false, format!("a certificate without {what}")),
        Err(error) => (false, error.clone()),
    })
}

fn may_delegate(leaf: &Leaf) -> Result<bool> {
    let der = leaf.der.as_slice().into();
    Ok(DelegationCertificate::parse(der).is_ok())
}

fn is_authority(leaf: &Leaf) -> Result<bool> {
    let certificate = Certificate::from_der(&leaf.der)?;
    let tbs = certificate.tbs_certificate();
    let basic = tbs.get_extension::<BasicConstraints>()?;
    let names = tbs.get_extension::<NameConstraints>()?;
    Ok(basic.is_some_and(|(_, basic)| basic.ca) && names.is_some())
}

fn has_matter_names(leaf: &Leaf) -> Result<bool> {
    let certificate = Certificate::from_der(&leaf.der)?;
    let subject = certificate.tbs_certificate().subject().to_string();
    let oids = MATTER.map(|(arc, _)| format!("1.3.6.1.4.1.37244.2.{arc}"));
    Ok(oids.iter().all(|oid| subject.contains(oid)))
}

const DELEGATED: &[&str] = &["named", "rfc9345"];
const DELEGATION: &str = "a delegation certificate (RFC 9345) for *.cpe.example.com";
const CONSTRAINED: &[&str] = &["name-constraints"];
const AUTHORITY: &str = "an authority for a zone: CA:TRUE with nameConstraints";
const CONSTRAINTS: &str = "CA:TRUE and nameConstraints";
const DELEGATION_USAGE: &str = "DelegationUsage";
/// How OpenSSL itself is told to write the extension.
const LINE: &str = "1.3.6.1.4.1.44363.44 = ASN1:NULL";
const TEMPLATE: &str = crate::public_ca::SERVERS;
const HANDLER: &str = include_str!("delegation_handler.py");
/// Lets the CA load the handler.
pub(crate) const HANDLER_LINE: &str = "handler_module: delegation_handler\n";
/// Its name and source.
pub(crate) const HANDLER_MODULE: (&str, &str) = ("delegation_handler", HANDLER);

const AUTHORITY_HANDLER: &str = include_str!("authority_handler.py");
const AUTHORITY_LINE: &str = "handler_module: authority_handler\n";
const AUTHORITY_MODULE: (&str, &str) = ("authority_handler", AUTHORITY_HANDLER);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup;

    #[test]
    fn a_ca_of_today_gives_no_delegation_certificate_until_its_code_is_extended() {
        if !apparatus::have(apparatus::Part::Solutions) {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let library = setup::virtual_clock().unwrap();
        let world = World::new(folder.path(), &library, 47).unwrap();
        let answers = measure(&world).unwrap();
        let works: Vec<bool> = answers.iter().map(|answer| answer.works).collect();
        assert_eq!(
            works,
            [true, false, false, true, false, false, true, true, true],
            "{answers:#?}"
        );
        assert_eq!(
            answers[6].changed,
            Changed {
                configuration: 1,
                code: 9
            }
        );
    }
}
