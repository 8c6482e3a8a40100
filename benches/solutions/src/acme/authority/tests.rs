use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use rcgen::KeyPair;
use serde_json::json;

use super::*;
use crate::acme::client::{ChallengeAnswer, Client, PreAuthorized, Responder, fetch_star};
use crate::acme::delegation::Template;
use crate::acme::jws::{AccountKey, Jws, Signer};
use crate::acme::objects::{AutoRenewal, to_date};
use crate::ca::Validity;
use crate::dns::Dns;
use crate::ledger::{Act, Party, Phase};
use crate::world::World;

const NAME: &str = "nas.example.com";
const DAY: u64 = 86_400;

/// A CA that asks a DNS server for proofs, in a world of its own.
struct Place {
    world: World,
    dns: Dns,
    ca: Server<Authority>,
    _folder: tempfile::TempDir,
}

fn place() -> Place {
    let dns = Dns::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path(), Path::new("none"), 47).unwrap();
    let [_, issuing] = ca::Authority::public(folder.path(), world.now()).unwrap();
    let ca = Authority::start(Plan {
        issuing,
        clock: world.clock.clone(),
        tally: Tally::new(&world.ledger, Party::PublicCa),
        days: 47,
        dns: SocketAddr::from((Ipv4Addr::LOCALHOST, dns.port())),
    })
    .unwrap();
    Place {
        world,
        dns,
        ca,
        _folder: folder,
    }
}

impl Place {
    fn client(&self) -> Client {
        let key = AccountKey::generate().unwrap();
        Client::register(&self.ca.directory(), key, None, self.tally()).unwrap()
    }

    fn tally(&self) -> Tally {
        Tally::new(&self.world.ledger, Party::PublicCa)
    }

    fn counted(&self, act: Act) -> u64 {
        self.world.ledger.get(Party::PublicCa, Phase::Fleet, act)
    }

    fn pass(&self, seconds: u64) {
        let now = self.world.now();
        self.world.clock.advance_to(now + seconds).unwrap();
    }

    fn renewal(&self, days: u64) -> AutoRenewal {
        AutoRenewal {
            end_date: to_date(self.world.now() + days * DAY),
            lifetime: 4 * DAY,
            lifetime_adjust: 4 * DAY,
            allow_certificate_get: true,
            ..AutoRenewal::default()
        }
    }
}

struct Texts(Dns);

impl Responder for Texts {
    fn kind(&self) -> &'static str {
        "dns-01"
    }

    fn publish(&mut self, answer: &ChallengeAnswer) -> Result<()> {
        self.0.add_text(&answer.place, &answer.content);
        Ok(())
    }
}

/// Publishes something else.
struct Wrong(Dns);

impl Responder for Wrong {
    fn kind(&self) -> &'static str {
        "dns-01"
    }

    fn publish(&mut self, answer: &ChallengeAnswer) -> Result<()> {
        self.0.add_text(&answer.place, "something else");
        Ok(())
    }
}

fn csr(name: &str) -> Vec<u8> {
    Template::server(name)
        .fill(&KeyPair::generate().unwrap())
        .unwrap()
}

/// The name of the problem that this failed with.
fn problem<T: std::fmt::Debug>(result: Result<T>) -> String {
    let error = result.unwrap_err();
    match error.downcast::<Problem>() {
        Ok(problem) => problem.name().to_owned(),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn signs_for_whoever_publishes_the_text_record() {
    let place = place();
    let mut client = place.client();
    let mut texts = Texts(place.dns.clone());
    let chain = client.order(&[NAME], &csr(NAME), &mut texts).unwrap();
    let Validity { first, last } = chain.validity().unwrap();
    assert_eq!(last + 1 - first, 47 * DAY);
    assert_eq!(place.ca.service().names(), [NAME]);
    assert_eq!(place.counted(Act::Signature), 1);
    // directory, nonce, account, order, authorization, challenge, authorization, order, finalize, certificate.
    assert_eq!(place.counted(Act::Request), 10);
}

#[test]
fn refuses_a_wrong_proof() {
    let place = place();
    let mut wrong = Wrong(place.dns.clone());
    let asked = place.client().order(&[NAME], &csr(NAME), &mut wrong);
    assert_eq!(problem(asked), "incorrectResponse");
    assert_eq!(place.counted(Act::Signature), 0);
}

#[test]
fn refuses_a_csr_for_another_name_than_the_order() {
    let place = place();
    let mut texts = Texts(place.dns.clone());
    let asked = place
        .client()
        .order(&[NAME], &csr("b.example.com"), &mut texts);
    assert_eq!(problem(asked), "badCSR");
    assert_eq!(place.counted(Act::Signature), 0);
}

#[test]
fn revokes_for_the_account_that_ordered_and_lists_it() {
    let place = place();
    let mut client = place.client();
    let mut texts = Texts(place.dns.clone());
    let chain = client.order(&[NAME], &csr(NAME), &mut texts).unwrap();
    let leaf = chain.leaf().unwrap();
    assert_eq!(problem(place.client().revoke(&leaf, 1)), "unauthorized");
    assert_eq!(problem(client.revoke(&leaf, 7)), "badRevocationReason");
    let list = |place: &Place| {
        place
            .ca
            .service()
            .issuing
            .list_der(place.world.now())
            .unwrap()
    };
    let empty = list(&place).len();
    client.revoke(&leaf, 1).unwrap();
    assert_eq!(problem(client.revoke(&leaf, 1)), "alreadyRevoked");
    assert!(list(&place).len() > empty);
    let url = place.ca.directory().replace("/directory", LIST);
    let served = ureq::get(&url)
        .call()
        .unwrap()
        .body_mut()
        .read_to_vec()
        .unwrap();
    use der::Decode as _;
    let served =
        x509_cert::crl::CertificateList::<x509_cert::certificate::Rfc5280>::from_der(&served)
            .unwrap();
    assert_eq!(served.tbs_cert_list.revoked_certificates.unwrap().len(), 1);
}

#[test]
fn renews_by_itself_until_the_order_ends() {
    let place = place();
    let mut client = place.client();
    let mut texts = Texts(place.dns.clone());
    let renewal = place.renewal(30);
    let star = client
        .order_star(&[NAME], renewal, &csr(NAME), &mut texts)
        .unwrap();
    assert!(star.for_all);
    let fetch = || fetch_star(&star.certificate_url, &place.tally());
    let first = fetch().unwrap();
    assert_eq!(fetch().unwrap(), first);
    assert_eq!(place.counted(Act::Signature), 1);
    let ends = first.validity().unwrap().last + 1;
    let mut before = first;
    // Days 4, 8, 12 and so on: the next one is there halfway through, and valid at once.
    for _ in 0..6 {
        let Validity {
            first: from,
            last: to,
        } = before.validity().unwrap();
        place
            .world
            .clock
            .advance_to(from + (to + 1 - from) / 2 + 1)
            .unwrap();
        let next = fetch().unwrap();
        assert_ne!(next, before);
        assert!(next.validity().unwrap().first <= place.world.now());
        assert!(next.validity().unwrap().last <= ends + 22 * DAY);
        before = next;
    }
    assert_eq!(place.counted(Act::Signature), 7);
    place.pass(7 * DAY);
    assert_eq!(problem(fetch()), "autoRenewalExpired");
    assert_eq!(place.counted(Act::Signature), 7);
}

#[test]
fn signs_what_nobody_fetches_and_not_what_an_outage_left_out() {
    let place = place();
    let mut client = place.client();
    let mut texts = Texts(place.dns.clone());
    let renewal = place.renewal(300);
    let star = client
        .order_star(&[NAME], renewal, &csr(NAME), &mut texts)
        .unwrap();
    place.pass(22 * DAY + 1);
    place.ca.service().roll().unwrap();
    // At days 0, 4, 8, 12, 16 and 20.
    assert_eq!(place.counted(Act::Signature), 6);
    place.ca.reach(false);
    fetch_star(&star.certificate_url, &place.tally()).unwrap_err();
    place.pass(20 * DAY);
    place.ca.service().recover();
    place.ca.reach(true);
    let chain = fetch_star(&star.certificate_url, &place.tally()).unwrap();
    let Validity { first, last } = chain.validity().unwrap();
    assert!(first <= place.world.now() && place.world.now() < last);
    assert_eq!(place.counted(Act::Signature), 7);
}

#[test]
fn a_canceled_order_gives_nothing_more() {
    let place = place();
    let mut client = place.client();
    let mut texts = Texts(place.dns.clone());
    let star = { client.order_star(&[NAME], place.renewal(30), &csr(NAME), &mut texts) }.unwrap();
    let chain = fetch_star(&star.certificate_url, &place.tally()).unwrap();
    let revoked = client.revoke(&chain.leaf().unwrap(), 1);
    assert_eq!(problem(revoked), "autoRenewalRevocationNotSupported");
    assert_eq!(
        problem(place.client().cancel(&star.order_url)),
        "unauthorized"
    );
    client.cancel(&star.order_url).unwrap();
    let fetched = fetch_star(&star.certificate_url, &place.tally());
    assert_eq!(problem(fetched), "autoRenewalCanceled");
    let again = client.cancel(&star.order_url);
    assert_eq!(problem(again), "autoRenewalCancellationInvalid");
    place.pass(20 * DAY);
    place.ca.service().roll().unwrap();
    assert_eq!(place.counted(Act::Signature), 1);
}

#[test]
fn only_the_account_fetches_what_is_not_for_all() {
    let place = place();
    let mut client = place.client();
    let mut texts = Texts(place.dns.clone());
    let renewal = AutoRenewal {
        allow_certificate_get: false,
        ..place.renewal(30)
    };
    let star = client
        .order_star(&[NAME], renewal, &csr(NAME), &mut texts)
        .unwrap();
    assert!(!star.for_all);
    fetch_star(&star.certificate_url, &place.tally()).unwrap_err();
}

/// Requests as no client of ours makes them.
struct Raw<'a> {
    place: &'a Place,
    key: AccountKey,
}

impl Raw<'_> {
    fn url(&self, path: &str) -> String {
        self.place.ca.directory().replace("/directory", path)
    }

    fn nonce(&self) -> String {
        let answer = ureq::head(self.url("/nonce")).call().unwrap();
        answer.headers()["replay-nonce"]
            .to_str()
            .unwrap()
            .to_owned()
    }

    /// The name of the problem; empty if there is none.
    fn post(&self, path: &str, jws: &Jws) -> String {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let mut answer = agent
            .post(self.url(path))
            .header("content-type", "application/jose+json")
            .send(serde_json::to_string(jws).unwrap())
            .unwrap();
        let body = answer.body_mut().read_to_string().unwrap();
        match answer.status().is_success() {
            true => String::new(),
            false => Problem::read(0, &body).name().to_owned(),
        }
    }

    fn open(&self, nonce: &str) -> Jws {
        let payload = json!({}).to_string();
        let url = self.url("/account");
        self.key
            .sign(Signer::Key, nonce, &url, payload.as_bytes())
            .unwrap()
    }
}

#[test]
fn refuses_wrong_nonces_urls_signatures_and_accounts() {
    let place = place();
    let raw = Raw {
        place: &place,
        key: AccountKey::generate().unwrap(),
    };
    assert_eq!(raw.post("/account", &raw.open("made-up")), "badNonce");
    let opening = raw.open(&raw.nonce());
    assert_eq!(raw.post("/account", &opening), "");
    assert_eq!(
        raw.post("/account", &opening),
        "badNonce",
        "a nonce is for once"
    );
    assert_eq!(
        raw.post("/order", &raw.open(&raw.nonce())),
        "unauthorized",
        "another URL"
    );

    let order = |who: Signer<'_>, key: &AccountKey| {
        let payload = json!({ "identifiers": [{ "type": "dns", "value": NAME }] }).to_string();
        let url = raw.url("/order");
        key.sign(who, &raw.nonce(), &url, payload.as_bytes())
            .unwrap()
    };
    let nobody = raw.url("/account/nobody");
    let refused = raw.post("/order", &order(Signer::Account(&nobody), &raw.key));
    assert_eq!(refused, "accountDoesNotExist");
    let refused = raw.post("/order", &order(Signer::Key, &raw.key));
    assert_eq!(refused, "accountDoesNotExist", "orders come from accounts");

    // Somebody else's account, with one's own key.
    let agent = ureq::post(raw.url("/account")).header("content-type", "application/jose+json");
    let opened = agent
        .send(serde_json::to_string(&raw.open(&raw.nonce())).unwrap())
        .unwrap();
    let account = opened.headers()["location"].to_str().unwrap();
    assert_eq!(
        raw.post("/order", &order(Signer::Account(account), &raw.key)),
        ""
    );
    let thief = AccountKey::generate().unwrap();
    let refused = raw.post("/order", &order(Signer::Account(account), &thief));
    assert_eq!(refused, "malformed", "the signature is wrong");
}

#[test]
fn refuses_names_that_are_none() {
    let place = place();
    let mut client = place.client();
    for name in [
        "*.example.com",
        "A.example.com",
        "localhost",
        "-a.example.com",
        "a..com",
        "",
    ] {
        let asked = client.order(&[name], &csr(NAME), &mut PreAuthorized);
        assert_eq!(problem(asked), "rejectedIdentifier", "{name}");
    }
    assert_eq!(
        problem(client.order(&[], &csr(NAME), &mut PreAuthorized)),
        "malformed"
    );
}

#[test]
fn tries_again_after_a_nonce_that_the_server_has_forgotten() {
    let place = place();
    let mut client = place.client();
    client.replace_nonce("made-up");
    let mut texts = Texts(place.dns.clone());
    client.order(&[NAME], &csr(NAME), &mut texts).unwrap();
}

#[test]
fn refuses_a_proof_that_nobody_published() {
    let place = place();
    let asked = place.client().order(&[NAME], &csr(NAME), &mut Silent);
    assert_eq!(problem(asked), "incorrectResponse");
}

/// Publishes nothing.
struct Silent;

impl Responder for Silent {
    fn kind(&self) -> &'static str {
        "dns-01"
    }

    fn publish(&mut self, _: &ChallengeAnswer) -> Result<()> {
        Ok(())
    }
}
