//! The other end: a cloud service that knows devices by the credentials that they present as clients.

use std::sync::Arc;

use dc_core::UniqueName;
use dc_rustls::client::{self, Identity, IdentityStore, Peer};
use dc_rustls::server::{Acceptor, ClientCredentials, Settings, Store};
use dc_rustls::{Error as Tls, Refusal};
use pki_types::ServerName;

use super::client::{Accepted, Attempt, server_name, talk};
use super::fleet::{Device, Fleet};
use super::reason::{is_bad_signature, is_expired, is_not_the_holder};
use super::row::{Expected, Proof, Row};
use super::{cannot, forge, server};
use crate::cmd::Error;

use Expected::{Accepted as Takes, Refused, Resumed};

/// The rows of devices that come to a service with one customer.
pub(super) fn all(fleet: &Fleet, customer: &Device, twin: &Device) -> Result<Vec<Row>, Error> {
    let cloud = Cloud::of(fleet, customer)?;
    let home = fleet.enrol_client("home-client", customer)?;
    let row =
        |scenario, expected: Expected, attempt| Row::new(scenario, &expected, &home.name, &attempt);
    let honest = honest(fleet, home.identity()?)?;
    let (first, second) = (cloud.meet(&honest)?, cloud.meet(&honest)?);
    let mut rows = vec![
        row("right CPE at a cloud service", Takes(Proof::Named), first),
        row("right CPE comes again", Resumed, second),
    ];
    for (scenario, identity, reason, is) in bad_identities(fleet, customer, twin, &home)? {
        let attempt = cloud.meet(&reckless(fleet, identity)?)?;
        rows.push(row(scenario, Refused(reason, is), attempt));
    }
    let nothing = client(fleet, IdentityStore::new(Arc::clone(&fleet.provider)))?;
    let expected = Refused("nothing presented", presented_nothing);
    rows.push(row(
        "client comes with nothing",
        expected,
        cloud.meet(&nothing)?,
    ));
    Ok(rows)
}

/// An attempt, what is presented, the reason for which it is refused, and the test of that.
type Bad = (&'static str, Identity, &'static str, fn(&Tls) -> bool);

fn bad_identities(
    fleet: &Fleet,
    customer: &Device,
    twin: &Device,
    home: &Device,
) -> Result<[Bad; 5], Error> {
    let other = fleet.enrol_client("twin-client", twin)?;
    let stolen = forge::stolen(fleet, home, &other)?;
    let renamed = forge::renamed(fleet, &other, &home.name)?;
    Ok([
        (
            "evil twin comes with its own name",
            other.identity()?,
            "no customer's name",
            is_unwanted,
        ),
        (
            "evil twin comes with the right name written in",
            renamed,
            "signature",
            is_bad_signature,
        ),
        (
            "evil twin comes with the right CPE's credential",
            stolen,
            "not the credential's key",
            is_not_the_holder,
        ),
        (
            "right CPE comes with a server's credential",
            customer.identity()?,
            "signature",
            is_bad_signature,
        ),
        (
            "right CPE comes with an expired one",
            forge::expired(fleet, home)?,
            "expired",
            is_expired,
        ),
    ])
}

fn is_unwanted(error: &Tls) -> bool {
    matches!(error, Tls::Refused(Refusal::NotAuthorized))
}

fn presented_nothing(error: &Tls) -> bool {
    matches!(error, Tls::Tls(rustls::Error::NoCertificatesPresented))
}

/// A service with an ordinary certificate.
struct Cloud {
    acceptor: Acceptor,
    name: ServerName<'static>,
}

impl Cloud {
    /// One that serves a single customer.
    fn of(fleet: &Fleet, customer: &Device) -> Result<Self, Error> {
        let name = UniqueName::try_from(NAME).map_err(cannot("name a cloud service"))?;
        let customer = customer.name.clone();
        let policy = ClientCredentials::roots(&fleet.provider, fleet.roots()?)
            .map_err(cannot("trust the vendor's root"))?
            .authorize(move |peer| is_named(peer, &customer));
        let settings = Settings::new(Arc::clone(&fleet.provider))
            .client_credentials(policy)
            .map_err(cannot("ask clients for credentials"))?;
        let fallback = server::ordinary(fleet, &name)?;
        Ok(Self {
            acceptor: Acceptor::new(Store::with_settings(settings)).fallback(fallback),
            name: server_name(&name)?,
        })
    }

    /// The service's judgement of a client.
    fn meet(&self, client: &client::Config) -> Result<Attempt, Error> {
        let name = self.name.clone();
        let (_, judgement) = server::serve_both(&self.acceptor, |tcp| {
            talk(&mut client.connect(name, tcp)?)?;
            Ok::<_, Tls>(())
        })?;
        Ok(judgement.and_then(|visitor| match visitor.peer {
            Some(peer) => Ok(Accepted {
                peer,
                resumed: visitor.resumed,
            }),
            None => Err(Tls::Refused(Refusal::CredentialRequired)),
        }))
    }
}

fn is_named(peer: &Peer, name: &UniqueName<'_>) -> bool {
    let Peer::Delegated { unique_name, .. } = peer else {
        return false;
    };
    unique_name.as_ref() == Some(name)
}

/// A client that presents what is in order.
fn honest(fleet: &Fleet, identity: Identity) -> Result<client::Config, Error> {
    let store = IdentityStore::new(Arc::clone(&fleet.provider));
    let installed = store.install(identity);
    installed.map_err(cannot("install a client's identity"))?;
    client(fleet, store)
}

/// The client of an attacker: it presents whatever it has.
fn reckless(fleet: &Fleet, identity: Identity) -> Result<client::Config, Error> {
    let store = IdentityStore::new(Arc::clone(&fleet.provider));
    let installed = client::danger::install_unchecked(&store, identity);
    installed.map_err(cannot("install a forged client's identity"))?;
    client(fleet, store)
}

/// A client of services that have certificates.
fn client(fleet: &Fleet, identities: Arc<IdentityStore>) -> Result<client::Config, Error> {
    client::Config::builder(Arc::clone(&fleet.provider))
        .roots(fleet.roots()?)
        .or_certificate()
        .client_identity(identities)
        .build()
        .map_err(cannot("configure a device's client"))
}

const NAME: &str = "cloud.example.com";
