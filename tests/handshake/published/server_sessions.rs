//! `handshakes.json`: whether a server takes a session.

use std::sync::Arc;
use std::time::Duration;

use dc_core::Role;
use dc_rustls::client::{Config, IdentityStore, Peer};
use dc_rustls::server::{Acceptor, ClientCredentials, Identity, Settings, Store};
use dc_tests::vendor::{Device, Key, Vendor};
use dc_vectors::format::Policy;
use dc_vectors::format::handshakes::{Accepted, ClientSession, ServerSessionVector};
use rustls::pki_types::UnixTime;
use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};

use super::clients::under;
use super::files::HANDSHAKES;
use super::peers::accepted;
use super::{backend, form};
use crate::clients::{Meeting, certificate, meet};
use crate::setup::{ALL, Clock, stock_server};

#[test]
fn every_session_of_a_server_is_taken_as_published() {
    let vectors = HANDSHAKES.server_sessions.iter();
    let (shown, left_out): (Vec<_>, Vec<_>) = vectors.partition(|(_, vector)| has_one_name(vector));
    assert_eq!((shown.len(), left_out.len()), (21, 4));
    let wrong: Vec<String> = shown
        .into_iter()
        .filter(|(_, vector)| resumes(vector) != vector.resumes)
        .map(|(name, vector)| format!("{name}: expected {}", vector.resumes))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// No client of this project asks for a session under another name than that of the hello, or takes a unique name
/// without one.
fn has_one_name(vector: &ServerSessionVector) -> bool {
    vector.made_with.as_deref() == Some(NAME) && vector.server_name == vector.made_with
}

/// Both ends of a vector. The client's time stands still, so that it is the server that knows better.
struct Ends {
    server: Vendor,
    clients: Vendor,
    /// The server's time.
    clock: Clock,
    begin: Clock,
    sessions: Arc<dyn StoresServerSessions>,
}

/// Makes the session, lets the time come, and sees whether it is resumed.
fn resumes(vector: &ServerSessionVector) -> bool {
    let ends = [
        Some(&vector.own),
        vector.client.as_ref().map(|client| &client.peer),
    ];
    let ends = ends.into_iter().flatten().filter_map(|end| end.expires);
    let begin = ends.fold(vector.now, u64::min) - HOUR;
    let ends = Ends {
        server: Vendor::with_names(&["*.cpe.example.com".to_owned()]),
        clients: Vendor::default(),
        clock: Clock::at(begin),
        begin: Clock::at(begin),
        sessions: ServerSessionMemoryCache::new(8),
    };
    let client = ends.client(vector.client.as_ref());
    let nobody = Arc::default();
    let before = vector
        .client
        .as_ref()
        .map(|client| ends.policy(client.made_under, client.made_for.clone(), nobody));
    let first = ends.acceptor(&vector.own, before);
    let made = meet(&client, NAME, &first, ALL);
    assert!(!made.known().is_resumed);
    let peer = made.peer();
    assert_eq!(
        peer.map(accepted).as_ref(),
        vector.client.as_ref().map(|client| &client.peer)
    );
    let now = vector.client.as_ref().map(|client| {
        let gone = Arc::new(Withdrawn::of(client, peer));
        ends.policy(client.policy, client.wanted_name.clone(), gone)
    });
    // A server whose own credential ends stays what it is; one that asks differently is another.
    let second = match now {
        Some(now) => ends.acceptor(&vector.own, Some(now)),
        None => first,
    };
    ends.clock.set(vector.now);
    is_resumed(&meet(&client, NAME, &second, ALL))
}

fn is_resumed(meeting: &Meeting) -> bool {
    meeting.client.is_ok() && meeting.server.as_ref().is_ok_and(|known| known.is_resumed)
}

impl Ends {
    fn acceptor(&self, own: &Accepted, policy: Option<ClientCredentials>) -> Acceptor {
        let clock = Arc::new(self.clock.clone());
        let settings = Settings::new(backend().provider())
            .time_provider(clock.clone())
            .session_storage(Arc::clone(&self.sessions))
            .expiry_margin(Duration::ZERO);
        let store = Store::with_settings(match policy {
            Some(policy) => settings.client_credentials(policy).unwrap(),
            None => settings,
        });
        let acceptor = Acceptor::new(Arc::clone(&store));
        let Some(identity) = identity(&self.server, Role::Server, own, self.begin()) else {
            let mut config = (*stock_server(&self.server)).clone();
            config.time_provider = clock;
            config.session_storage = Arc::clone(&self.sessions);
            return acceptor.fallback(Arc::new(config));
        };
        store.install(identity).unwrap();
        acceptor
    }

    fn begin(&self) -> UnixTime {
        use rustls::time_provider::TimeProvider;
        self.begin.current_time().unwrap()
    }

    fn client(&self, session: Option<&ClientSession>) -> Config {
        let clock = Arc::new(self.begin.clone());
        let client = Config::builder(backend().provider())
            .roots(self.server.roots())
            .unique_name(dc_rustls::client::NamePolicy::Preferred)
            .time_provider(clock.clone());
        let client = match session {
            None => client,
            Some(session) => {
                match identity(&self.clients, Role::Client, &session.peer, self.begin()) {
                    None => client.client_auth(certificate(&self.clients)),
                    Some(identity) => {
                        let store = IdentityStore::with_time_provider(backend().provider(), clock);
                        store.install(identity).unwrap();
                        client.client_identity(store)
                    }
                }
            }
        };
        client.build().unwrap()
    }

    fn policy(
        &self,
        policy: Policy,
        wanted: Option<String>,
        withdrawn: Arc<Withdrawn>,
    ) -> ClientCredentials {
        let clients = ClientCredentials::roots(&backend().provider(), self.clients.roots());
        under(policy, clients.unwrap()).authorize(move |peer| {
            let name = accepted(peer).unique_name;
            let is_wanted = match (&wanted, &name) {
                (Some(wanted), Some(name)) => wanted == name,
                _ => true,
            };
            is_wanted && withdrawn.allows(peer, name.as_deref())
        })
    }
}

/// The identity of an end that has a credential.
fn identity(vendor: &Vendor, role: Role, own: &Accepted, now: UnixTime) -> Option<Identity> {
    let (own_form, expires) = own.form.zip(own.expires)?;
    let device = Device {
        name: own.unique_name.clone().unwrap_or_else(|| NAME.to_owned()),
        key: Key::p256(),
    };
    let lifetime = Duration::from_secs(expires - now.as_secs());
    let stored = vendor.issue_as(role, &device, form(own_form), now, lifetime);
    Some(Identity::new(
        vendor.chain(),
        vec![stored],
        device.key.private_key(),
    ))
}

/// What the application does not want any more.
#[derive(Default)]
struct Withdrawn {
    names: Vec<String>,
    keys: Vec<Vec<u8>>,
}

impl Withdrawn {
    /// What the vector says, with this peer's key for that of the vector's.
    fn of(session: &ClientSession, peer: Option<&Peer>) -> Self {
        let keys = session.withdrawn_keys.iter().map(|key| match peer {
            Some(Peer::Delegated { spki, .. }) if session.key.as_ref() == Some(key) => spki.clone(),
            _ => key.0.clone(),
        });
        Self {
            names: session.withdrawn.clone(),
            keys: keys.collect(),
        }
    }

    fn allows(&self, peer: &Peer, name: Option<&str>) -> bool {
        let key = match peer {
            Peer::Delegated { spki, .. } => self.keys.contains(spki),
            _ => false,
        };
        !key && !self.names.iter().any(|one| Some(one.as_str()) == name)
    }
}

/// The name that sessions are made with.
const NAME: &str = "k3v.cpe.example.com";
/// No client presents what ends in a moment.
const HOUR: u64 = 3600;
