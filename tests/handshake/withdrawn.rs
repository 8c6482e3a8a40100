//! Names that are on a signed list are refused, over real sockets, and by both ends.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use dc_core::Form;
use dc_rustls::client::{Config, NamePolicy};
use dc_rustls::server::Acceptor;
use dc_rustls::{Error, ListError, ListPolicy, ListStanding, Refusal, Withdrawals};
use dc_tests::lister::Lister;
use dc_tests::pair::connect;
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription, HandshakeKind};

use crate::clients::{FRONTS, Site};
use crate::rogue::NAME;
use crate::setup::{ALL, Clock, HOUR, acceptor, client_of, stock_server};

const ZONE: &str = "cpe.example.com";

fn lists(lister: &Lister, policy: ListPolicy) -> Arc<Withdrawals> {
    let lists = Withdrawals::new(&provider()).unwrap();
    Arc::new(lists.zone(ZONE.try_into().unwrap(), [lister.key()], policy))
}

fn client_with(vendor: &Vendor, lists: &Arc<Withdrawals>, clock: &Clock) -> Config {
    client_of(vendor)
        .withdrawals(Arc::clone(lists))
        .time_provider(Arc::new(clock.clone()))
        .build()
        .unwrap()
}

/// Over TCP: the client's kind of handshake or why it has none, and what the server makes of it.
fn meet(
    client: &Config,
    acceptor: &Acceptor,
) -> (Result<Option<HandshakeKind>, Error>, Result<(), Error>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let (tcp, _) = listener.accept()?;
            let mut tls = acceptor.accept(tcp)?;
            tls.read_exact(&mut [0; 4])?;
            tls.write_all(b"pong")?;
            Ok(())
        });
        let tcp = TcpStream::connect(address).unwrap();
        let name = ServerName::try_from(NAME).unwrap();
        let kind = client.connect(name, tcp).and_then(|mut tls| {
            tls.write_all(b"ping")?;
            tls.read_exact(&mut [0; 4])?;
            Ok(tls.connection().handshake_kind())
        });
        (kind, server.join().unwrap())
    })
}

#[track_caller]
fn refusal(outcome: Result<Option<HandshakeKind>, Error>) -> Refusal {
    match outcome {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[track_caller]
fn alert(outcome: Result<(), Error>) -> AlertDescription {
    match outcome {
        Err(Error::Tls(rustls::Error::AlertReceived(alert))) => alert,
        other => panic!("no alert: {other:?}"),
    }
}

fn withdrawn(name: &'static str) -> Refusal {
    Refusal::Withdrawn {
        name: name.try_into().unwrap(),
    }
}

#[test]
fn a_name_on_the_list_is_refused_and_its_neighbour_is_not() {
    let (vendor, lister, clock) = (Vendor::default(), Lister::new(), Clock::now());
    let acceptor = acceptor(&vendor, &Device::new("router"), &[Form::Named]);
    let lists = lists(&lister, ListPolicy::Require);
    let client = client_with(&vendor, &lists, &clock);
    lists
        .load(lister.list(ZONE, 1, &["m7q.cpe.example.com"], clock.seconds()))
        .unwrap();
    let (outcome, served) = meet(&client, &acceptor);
    assert_eq!(outcome.unwrap(), Some(HandshakeKind::Full));
    served.unwrap();
    lists
        .load(lister.list(ZONE, 2, &["m7q.cpe.example.com", NAME], clock.seconds()))
        .unwrap();
    let (outcome, served) = meet(&client, &acceptor);
    assert_eq!(refusal(outcome), withdrawn(NAME));
    assert_eq!(alert(served), AlertDescription::CertificateRevoked);
    // Restored: the session that was there is gone all the same.
    lists
        .load(lister.list(ZONE, 3, &[], clock.seconds()))
        .unwrap();
    let (outcome, _) = meet(&client, &acceptor);
    assert_eq!(outcome.unwrap(), Some(HandshakeKind::Full));
}

#[test]
fn an_open_connection_and_its_sessions_know_of_the_next_list() {
    let (vendor, lister, clock) = (Vendor::default(), Lister::new(), Clock::now());
    let acceptor = acceptor(&vendor, &Device::new("router"), &[Form::Named]);
    let lists = lists(&lister, ListPolicy::Prefer);
    let client = client_with(&vendor, &lists, &clock);
    let (outcome, _) = meet(&client, &acceptor);
    assert_eq!(outcome.unwrap(), Some(HandshakeKind::Full));
    let (outcome, _) = meet(&client, &acceptor);
    assert_eq!(outcome.unwrap(), Some(HandshakeKind::Resumed));
    let open = connect(&client, NAME, &acceptor, ALL).client.unwrap();
    open.recheck().unwrap();
    lists
        .load(lister.list(ZONE, 1, &[NAME], clock.seconds()))
        .unwrap();
    let error = open.recheck().unwrap_err();
    assert!(matches!(error, Error::Refused(Refusal::Withdrawn { .. })));
    let (outcome, served) = meet(&client, &acceptor);
    assert_eq!(refusal(outcome), withdrawn(NAME));
    assert_eq!(alert(served), AlertDescription::CertificateRevoked);
}

/// A certificate or a credential without a name is there under the name that was wanted.
#[test]
fn whatever_proves_a_withdrawn_name_is_refused() {
    let (vendor, lister, clock) = (Vendor::default(), Lister::new(), Clock::now());
    let lists = lists(&lister, ListPolicy::Prefer);
    lists
        .load(lister.list(ZONE, 1, &[NAME], clock.seconds()))
        .unwrap();
    let client = client_of(&vendor)
        .unique_name(NamePolicy::Preferred)
        .withdrawals(lists)
        .build()
        .unwrap();
    let unnamed = acceptor(&vendor, &Device::new("router"), &[Form::Rfc9345]);
    let store = dc_rustls::server::Store::new(provider());
    let certificate = Acceptor::new(store).fallback(stock_server(&vendor));
    for acceptor in [unnamed, certificate] {
        let (outcome, served) = meet(&client, &acceptor);
        assert_eq!(refusal(outcome), withdrawn(NAME));
        assert_eq!(alert(served), AlertDescription::CertificateRevoked);
    }
}

#[test]
fn without_a_current_list_the_policy_decides() {
    let (vendor, lister, clock) = (Vendor::default(), Lister::new(), Clock::now());
    let acceptor = acceptor(&vendor, &Device::new("router"), &[Form::Named]);
    let [required, preferred] =
        [ListPolicy::Require, ListPolicy::Prefer].map(|policy| lists(&lister, policy));
    let meet = |lists| meet(&client_with(&vendor, lists, &clock), &acceptor);
    let refuses = || {
        meet(&preferred).0.unwrap();
        let (outcome, served) = meet(&required);
        let zone = ZONE.try_into().unwrap();
        assert_eq!(refusal(outcome), Refusal::ListNotCurrent { zone });
        assert_eq!(alert(served), AlertDescription::CertificateUnknown);
    };
    refuses();
    let list = lister.list(ZONE, 1, &[], clock.seconds());
    for lists in [&required, &preferred] {
        lists.load(list.clone()).unwrap();
    }
    meet(&required).0.unwrap();
    // The last second counts.
    clock.forward(HOUR);
    meet(&required).0.unwrap();
    clock.forward(Duration::from_secs(1));
    refuses();
}

/// What is on a list is withdrawn, however old the list is.
#[test]
fn a_stale_list_still_refuses_its_names() {
    let (vendor, lister, clock) = (Vendor::default(), Lister::new(), Clock::now());
    let acceptor = acceptor(&vendor, &Device::new("router"), &[Form::Named]);
    for policy in [ListPolicy::Require, ListPolicy::Prefer] {
        let lists = lists(&lister, policy);
        let long_ago = clock.seconds() - 2 * HOUR.as_secs();
        lists.load(lister.list(ZONE, 1, &[NAME], long_ago)).unwrap();
        let (outcome, _) = meet(&client_with(&vendor, &lists, &clock), &acceptor);
        assert_eq!(refusal(outcome), withdrawn(NAME));
    }
}

#[test]
fn each_change_of_standing_is_told_once() {
    let (vendor, lister, clock) = (Vendor::default(), Lister::new(), Clock::now());
    let acceptor = acceptor(&vendor, &Device::new("router"), &[Form::Named]);
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let zone = || ZONE.try_into().unwrap();
    let lists = Withdrawals::new(&provider())
        .unwrap()
        .zone(zone(), [lister.key()], ListPolicy::Prefer)
        .report(move |_, standing| telling.lock().unwrap().push(standing));
    let lists = Arc::new(lists);
    let client = client_with(&vendor, &lists, &clock);
    let meet_twice = || {
        for _ in 0..2 {
            meet(&client, &acceptor).0.unwrap();
        }
    };
    meet_twice();
    lists
        .load(lister.list(ZONE, 1, &[], clock.seconds()))
        .unwrap();
    meet_twice();
    clock.forward(2 * HOUR);
    meet_twice();
    let all = [
        ListStanding::Missing,
        ListStanding::Current,
        ListStanding::Stale,
    ];
    assert_eq!(*told.lock().unwrap(), all);
    let now = UnixTime::since_unix_epoch(Duration::from_secs(clock.seconds()));
    assert_eq!(lists.standing(&zone(), now), Some(ListStanding::Stale));
}

/// Whoever made the list had a wrong clock, or makes lists that are to hide what is withdrawn later.
#[test]
fn a_list_counts_for_a_week_at_most_and_not_long_before_it_was_made() {
    const HOUR: u64 = 3600;
    const DAY: u64 = 24 * HOUR;
    let (vendor, lister, clock) = (Vendor::default(), Lister::new(), Clock::now());
    let acceptor = acceptor(&vendor, &Device::new("router"), &[Form::Named]);
    let zone = || ZONE.try_into().unwrap();
    let now = clock.seconds();
    for (issued, life, standing) in [
        (now, u64::MAX, ListStanding::Current),
        (now - 6 * DAY, 30 * DAY, ListStanding::Current),
        (now - 8 * DAY, u64::MAX, ListStanding::Stale),
        (now + DAY - HOUR, DAY, ListStanding::Current),
        (now + DAY + HOUR, DAY, ListStanding::Early),
        (u64::MAX, 0, ListStanding::Early),
    ] {
        let lists = lists(&lister, ListPolicy::Require);
        let client = client_with(&vendor, &lists, &clock);
        lists
            .load(lister.list_for(life, ZONE, 1, &[], issued))
            .unwrap();
        let at = UnixTime::since_unix_epoch(Duration::from_secs(now));
        assert_eq!(lists.standing(&zone(), at), Some(standing), "{issued}");
        let (outcome, served) = meet(&client, &acceptor);
        if standing == ListStanding::Current {
            outcome.unwrap();
        } else {
            assert_eq!(refusal(outcome), Refusal::ListNotCurrent { zone: zone() });
            assert_eq!(alert(served), AlertDescription::CertificateUnknown);
        }
    }
}

#[test]
fn a_list_of_a_time_that_has_not_come_gives_way_to_one_that_is_right() {
    const DAY: u64 = 24 * 3600;
    let (lister, clock) = (Lister::new(), Clock::now());
    let zone = || ZONE.try_into().unwrap();
    let lists = Withdrawals::new(&provider())
        .unwrap()
        .zone(zone(), [lister.key()], ListPolicy::Require)
        .time_provider(Arc::new(clock.clone()));
    let now = clock.seconds();
    lists
        .load(lister.list(ZONE, 5, &[], now + 3 * DAY))
        .unwrap();
    // Not to one of before, nor to another that is early.
    lists.load(lister.list(ZONE, 4, &[], now)).unwrap_err();
    lists
        .load(lister.list(ZONE, 5, &[], now + 2 * DAY))
        .unwrap_err();
    lists.load(lister.list(ZONE, 5, &[NAME], now)).unwrap();
    let at = UnixTime::since_unix_epoch(Duration::from_secs(now));
    assert_eq!(lists.standing(&zone(), at), Some(ListStanding::Current));
    // And that one to none that is older.
    lists.load(lister.list(ZONE, 5, &[], now - 1)).unwrap_err();
}

#[test]
fn forged_foreign_and_older_lists_leave_the_one_that_is_there() {
    let (lister, other, now) = (Lister::new(), Lister::new(), 1_800_000_000);
    let lists = lists(&lister, ListPolicy::Require);
    let zone = || ZONE.try_into().unwrap();
    lists.load(lister.list(ZONE, 5, &[NAME], now)).unwrap();
    let error = |list: Vec<u8>| match lists.load(list).unwrap_err() {
        Error::List(error) => error,
        other => panic!("{other}"),
    };
    let forged = error(other.list(ZONE, 6, &[], now));
    assert!(matches!(
        forged,
        ListError::Invalid(dc_core::Error::ListNotSigned)
    ));
    let foreign = error(lister.list("else.example.com", 6, &[], now));
    assert!(matches!(foreign, ListError::OtherZone { .. }));
    for older in [
        lister.list(ZONE, 4, &[], now + 9),
        lister.list(ZONE, 5, &[], now - 1),
    ] {
        assert!(matches!(error(older), ListError::Older { known: 5, .. }));
    }
    let mut cut = lister.list(ZONE, 6, &[], now);
    cut.pop();
    assert!(matches!(error(cut), ListError::Invalid(_)));
    assert!(matches!(error(Vec::new()), ListError::Invalid(_)));
    assert_eq!(lists.list(&zone()).unwrap().sequence(), 5);
    // The same again is no older one.
    lists.load(lister.list(ZONE, 5, &[NAME], now)).unwrap();
}

/// A key of the list is replaced: the list that both signed says so, and the application trusts the next one.
#[test]
fn several_keys_can_be_trusted_for_a_zone() {
    let (old, new) = (Lister::new(), Lister::new());
    let zone = ZONE.try_into().unwrap();
    let lists = Withdrawals::new(&provider()).unwrap();
    let lists = lists.zone(zone, [old.key(), new.key()], ListPolicy::Require);
    lists.load(old.list(ZONE, 1, &[], 1_800_000_000)).unwrap();
    lists.load(new.list(ZONE, 2, &[], 1_800_000_000)).unwrap();
}

#[test]
fn names_of_other_zones_are_in_no_list() {
    let (lister, clock) = (Lister::new(), Clock::now());
    let vendor = Vendor::in_zone("other.example.com");
    let lists = lists(&lister, ListPolicy::Require);
    let client = client_with(&vendor, &lists, &clock);
    let store = dc_rustls::server::Store::new(provider());
    let acceptor = Acceptor::new(store).fallback(stock_server(&vendor));
    let outcome = connect(&client, "k3v.other.example.com", &acceptor, ALL);
    assert!(matches!(outcome.refusal(), Refusal::CredentialRequired));
}

#[test]
fn a_client_whose_name_is_withdrawn_is_refused_also_when_it_resumes() {
    const CAMERA: &str = "camera.cpe.example.com";
    let (site, lister) = (Site::new(), Lister::new());
    let now = UnixTime::now().as_secs();
    for front in FRONTS {
        let lists = lists(&lister, ListPolicy::Require);
        let acceptor = site.acceptor(front, site.policy().withdrawals(Arc::clone(&lists)));
        let client = site.client(&Form::ALL);
        let zone = || ZONE.try_into().unwrap();
        let meeting = site.meet(&client, &acceptor, ALL);
        let missing = Refusal::ListNotCurrent { zone: zone() };
        let unknown = AlertDescription::CertificateUnknown;
        assert_eq!(meeting.refused(), (&missing, unknown));
        lists.load(lister.list(ZONE, 1, &[NAME], now)).unwrap();
        assert!(!site.meet(&client, &acceptor, ALL).known().is_resumed);
        assert!(site.meet(&client, &acceptor, ALL).known().is_resumed);
        lists.load(lister.list(ZONE, 2, &[CAMERA], now)).unwrap();
        let meeting = site.meet(&client, &acceptor, ALL);
        let revoked = AlertDescription::CertificateRevoked;
        assert_eq!(meeting.refused(), (&withdrawn(CAMERA), revoked));
    }
}

#[test]
fn a_list_is_followed_and_what_went_wrong_is_told_once() {
    let (lister, now) = (Lister::new(), 1_800_000_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zone.withdrawn");
    let replace = |list: &[u8]| {
        let new = folder.path().join("new");
        std::fs::write(&new, list).unwrap();
        std::fs::rename(&new, &path).unwrap();
    };
    let lists = lists(&lister, ListPolicy::Require);
    let (send, told) = std::sync::mpsc::channel();
    let report = move |loaded: Result<Arc<dc_rustls::WithdrawnNames>, Error>| {
        let _ = send.send(loaded.map(|list| list.sequence()));
    };
    let every = Duration::from_millis(1);
    let watch = lists.follow_file(&path, every, report).unwrap();
    let missing = told.recv().unwrap().unwrap_err();
    assert!(matches!(missing, Error::List(ListError::File { .. })));
    replace(&lister.list(ZONE, 1, &[], now));
    assert_eq!(told.recv().unwrap().unwrap(), 1);
    replace(&lister.list(ZONE, 2, &[NAME], now));
    assert_eq!(told.recv().unwrap().unwrap(), 2);
    replace(b"{}");
    let malformed = told.recv().unwrap().unwrap_err();
    assert!(matches!(malformed, Error::List(ListError::Invalid(_))));
    drop(watch);
    assert!(told.recv().is_err());
    let mut next = [Ok(Some(lister.list(ZONE, 3, &[], now))), Ok(None)].into_iter();
    let fetch = move || {
        next.next()
            .unwrap_or_else(|| Err(std::io::ErrorKind::TimedOut.into()))
    };
    let (send, told) = std::sync::mpsc::channel();
    let report = move |loaded: Result<_, Error>| {
        let _ = send.send(loaded.map(|_| ()));
    };
    let _watch = lists.follow(every, fetch, report).unwrap();
    told.recv().unwrap().unwrap();
    let failed = told.recv().unwrap().unwrap_err();
    assert!(matches!(failed, Error::List(ListError::Fetch(_))));
    assert_eq!(lists.list(&ZONE.try_into().unwrap()).unwrap().sequence(), 3);
}

#[test]
fn a_file_that_can_be_no_list_is_not_read_into_memory() {
    let folder = tempfile::tempdir().unwrap();
    let large = folder.path().join("zone.withdrawn");
    // It takes no room on the disk.
    let sparse = std::fs::File::create(&large).unwrap();
    sparse.set_len((128 << 20) + 1).unwrap();
    for (path, said) in [
        (large.as_path(), "134217729 bytes"),
        ("/dev/zero".as_ref(), "not a regular file"),
    ] {
        let lists = lists(&Lister::new(), ListPolicy::Require);
        let (send, told) = std::sync::mpsc::channel();
        let report = move |loaded: Result<Arc<dc_rustls::WithdrawnNames>, Error>| {
            let _ = send.send(loaded.map(|list| list.sequence()));
        };
        let _watch = lists
            .follow_file(path, Duration::from_secs(60), report)
            .unwrap();
        let refused = told.recv().unwrap().unwrap_err();
        assert!(refused.to_string().contains(said), "{refused}");
    }
}
