//! A log, its signer, and real places: files, an HTTPS server and a witness that checks what it is asked for.

use std::path::Path;
use std::sync::Mutex;

use axum::Router;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use dc_evidence::{Checkpoint, Hash, Note, VerifyingKey, WitnessKey, WitnessRequest};
use dc_pki::test_ca::TestRoot;
use dc_store::registry::{Access, Operator, Role, Sha256};
use dc_store::{Act, Location};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rustls::crypto::ring::default_provider;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::authority::claim;

const NOW: u64 = 1_800_000_000;

pub(super) fn pkcs8() -> Vec<u8> {
    // RFC 8410 §7, around a seed of 32 bytes.
    let mut der = vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06];
    der.extend([0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20]);
    der.extend([5; 32]);
    der
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// A log with its signer's folder.
struct Rig {
    folder: TempDir,
    store: Arc<Store>,
    told: Told,
}

impl Rig {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let key = pem("PRIVATE KEY", &pkcs8());
        std::fs::write(folder.path().join("audit.pem"), key).unwrap();
        let location = Location::File(folder.path().join("signer.db"));
        dc_store::migrate(&location).await.unwrap();
        let store = dc_store::open(&location, "node").await.unwrap();
        let told = Told::default();
        let rig = Self {
            folder,
            store,
            told,
        };
        rig.act(1).await;
        rig
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self, node: &str, more: &str) -> Config {
        let text = format!(
            "data = '{0}/{node}'\nnode = '{node}'\n[listen]\naddress = '[::]:1'\ncertificate = 'c'\nkey = 'k'\n\
             [checkpoints]\nname = 'log'\nkey = '{0}/audit.pem'\nrecords = 5\n{more}",
            self.folder.path().display()
        );
        let config = Config::parse(&text, self.folder.path()).unwrap();
        std::fs::create_dir_all(&config.data).unwrap();
        config
    }

    fn open(&self, config: &Config) -> Checkpoints {
        let provider = Arc::new(default_provider());
        let metrics = Metrics::new();
        let told = self.told.clone();
        let opened = Checkpoints::open(config, self.store.clone(), &provider, metrics, told);
        opened.unwrap().unwrap()
    }

    /// Something that is in the log.
    async fn act(&self, number: u64) {
        let operator = Operator::new(
            format!("operator-{number}").parse().unwrap(),
            Role::Admin,
            Access::Token(Sha256::of(&number.to_be_bytes())),
            None,
        );
        let by = match number {
            1 => claim::first(at(NOW)),
            _ => Act::new("operator:operator-1", at(NOW)),
        };
        let by = by.because("a test".parse().ok());
        self.store.put_operator(&operator, &by).await.unwrap();
    }

    async fn tamper(&self, sql: &str) {
        use sqlx::{AssertSqlSafe, Connection as _, Executor as _, SqliteConnection};
        let url = format!("sqlite:{}", self.path("signer.db").display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let sql = AssertSqlSafe(sql.to_owned());
        connection.execute(sql).await.unwrap();
    }

    fn status(&self) -> Status {
        self.told.get().unwrap()
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = data_encoding::BASE64.encode(der);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

fn log_key() -> VerifyingKey {
    let key = SigningKey::from_pkcs8("log", &pkcs8()).unwrap();
    key.verifying_key().clone()
}

/// The sizes of the checkpoints in a text, each verified.
fn sizes(text: &str) -> Vec<u64> {
    let notes = Note::read_all(text).unwrap().into_iter();
    let size = |note: Note| Checkpoint::verify(&note, &log_key()).unwrap().size();
    notes.map(size).collect()
}

fn sizes_in(path: &Path) -> Vec<u64> {
    sizes(&std::fs::read_to_string(path).unwrap_or_default())
}

/// An HTTPS server, until it is dropped.
struct Server {
    port: u16,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves on localhost with a certificate of a root whose file is written.
async fn serve(routes: Router, roots: &Path) -> Server {
    let now = clock::now().unwrap();
    let root = TestRoot::generate(now).unwrap();
    let name = dc_pki::names::parse("localhost").unwrap();
    let server = root.certify_server(&name, now).unwrap();
    let folder = TempDir::new().unwrap();
    dc_pki::test_ca::write_server(&folder.path().join("tls"), &server).unwrap();
    std::fs::write(roots, pem("CERTIFICATE", root.certificate())).unwrap();
    let read = |name: &str| folder.path().join("tls").join(name);
    let certificate = crate::server::listener::ServiceCertificate::load(
        &read("chain.pem"),
        &read("key.pem"),
        &default_provider(),
    );
    let text = "address = '[::]:1'\ncertificate = 'c'\nkey = 'k'\n";
    let listen = toml::from_str(text).unwrap();
    let config = crate::server::listener::tls_config(
        &certificate.unwrap(),
        &listen,
        Arc::new(default_provider()),
    );
    let mut config = Arc::unwrap_or_clone(config.unwrap());
    config.alpn_protocols.clear();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let (acceptor, routes) = (acceptor.clone(), routes.clone());
            tokio::spawn(async move {
                let Ok(tls) = acceptor.accept(tcp).await else {
                    return;
                };
                let service = TowerToHyperService::new(routes);
                let served = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(tls), service);
                let _ = served.await;
            });
        }
    });
    Server { port, task }
}

#[tokio::test]
async fn a_checkpoint_is_signed_after_a_minute_or_enough_records_and_only_if_there_is_something_new()
 {
    let rig = Rig::start().await;
    let config = rig.config("a", "[[checkpoint_places]]\nfile = 'out'\n");
    let mut signer = rig.open(&config);
    let out = rig.path("out");
    signer.step(at(NOW)).await.unwrap();
    assert_eq!(sizes_in(&out), [1]);
    signer.step(at(NOW + 600)).await.unwrap();
    rig.act(2).await;
    signer.step(at(NOW + 600)).await.unwrap();
    assert_eq!(sizes_in(&out), [1, 2]);
    rig.act(3).await;
    signer.step(at(NOW + 659)).await.unwrap();
    assert_eq!(sizes_in(&out), [1, 2]);
    signer.step(at(NOW + 660)).await.unwrap();
    for number in 4..9 {
        rig.act(number).await;
    }
    signer.step(at(NOW + 661)).await.unwrap();
    assert_eq!(sizes_in(&out), [1, 2, 3, 8]);
    // A clock that was set back keeps nothing waiting.
    rig.act(9).await;
    signer.step(at(NOW)).await.unwrap();
    assert_eq!(sizes_in(&out), [1, 2, 3, 8, 9]);
    let all = Note::read_all(&std::fs::read_to_string(&out).unwrap()).unwrap();
    let all = all
        .iter()
        .map(|note| Checkpoint::verify(note, &log_key()).unwrap());
    rig.store
        .verify_audit_with(all.collect(), &|_| ())
        .await
        .unwrap();
    let status = rig.status();
    assert_eq!((status.size, status.at, status.failure), (9, NOW, None));
    assert_eq!(status.key, log_key().to_string());
}

#[tokio::test]
async fn nothing_is_signed_of_a_log_that_was_cut_or_rewritten() {
    let rig = Rig::start().await;
    let config = rig.config("a", "[[checkpoint_places]]\nfile = 'out'\n");
    let mut signer = rig.open(&config);
    for number in 2..5 {
        rig.act(number).await;
    }
    signer.step(at(NOW)).await.unwrap();
    assert_eq!(sizes_in(&rig.path("out")), [4]);
    let head = rig.store.audit_head().await.unwrap();
    let third = rig.store.audit_from(4, 1).await.unwrap()[0].prev_hash;
    let hex = |hash: Sha256| format!("X'{hash}'");
    // The last row deleted and the head mended, then another one in its place, then many.
    rig.tamper("CREATE TABLE kept AS SELECT * FROM audit WHERE seq = 4")
        .await;
    rig.tamper("DELETE FROM audit WHERE seq = 4").await;
    rig.tamper(&format!(
        "UPDATE audit_head SET seq = 3, hash = {}",
        hex(third)
    ))
    .await;
    for extra in 0..4 {
        let refused = signer.step(at(NOW + 999 + extra)).await.unwrap_err();
        assert!(refused.is_tampering(), "{refused}");
        assert!(rig.status().refused);
        // One that starts anew knows it too, and one that has lost its file: by the note in the database.
        let again = rig
            .open(&config)
            .step(at(NOW + 999 + extra))
            .await
            .unwrap_err();
        assert!(again.is_tampering(), "{again}");
        let state = config.data.join("checkpoints.json");
        let kept = std::fs::read(&state).unwrap();
        std::fs::remove_file(&state).unwrap();
        let lost = rig
            .open(&config)
            .step(at(NOW + 999 + extra))
            .await
            .unwrap_err();
        assert!(lost.is_tampering(), "{lost}");
        std::fs::write(&state, kept).unwrap();
        rig.act(10 + extra).await;
    }
    assert_eq!(sizes_in(&rig.path("out")), [4]);
    // What was there put back is signed for again.
    rig.tamper("DELETE FROM audit WHERE seq >= 4").await;
    rig.tamper("INSERT INTO audit SELECT * FROM kept").await;
    rig.tamper(&format!(
        "UPDATE audit_head SET seq = 4, hash = {}",
        hex(head.hash)
    ))
    .await;
    rig.tamper("DELETE FROM operators WHERE name >= 'operator-10'")
        .await;
    rig.act(5).await;
    signer.step(at(NOW + 2000)).await.unwrap();
    assert_eq!(sizes_in(&rig.path("out")), [4, 5]);
    assert!(!rig.status().refused);
}

#[tokio::test]
async fn several_signers_take_turns_and_sign_one_log() {
    let rig = Rig::start().await;
    let place = "[[checkpoint_places]]\nfile = 'out'\n";
    let [mut a, mut b] = ["a", "b"].map(|node| rig.open(&rig.config(node, place)));
    a.step(at(NOW)).await.unwrap();
    rig.act(2).await;
    b.step(at(NOW + 60)).await.unwrap();
    assert_eq!(sizes_in(&rig.path("out")), [1]);
    a.step(at(NOW + 60)).await.unwrap();
    // It stops: the other one goes on when its turn is over.
    drop(a);
    rig.act(3).await;
    b.step(at(NOW + 239)).await.unwrap();
    assert_eq!(sizes_in(&rig.path("out")), [1, 2]);
    b.step(at(NOW + 240)).await.unwrap();
    assert_eq!(sizes_in(&rig.path("out")), [1, 2, 3]);
}

/// A collector with all that it has got, and whether it takes anything.
#[derive(Default)]
struct Collector {
    got: Mutex<String>,
    is_down: Mutex<bool>,
}

async fn collect(
    Shared(collector): Shared<Arc<Collector>>,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, &'static str) {
    if *collector.is_down.lock().unwrap() {
        return (StatusCode::SERVICE_UNAVAILABLE, "full\u{7}\nmore");
    }
    if headers.get("authorization").unwrap() != "Bearer s3cret" {
        return (StatusCode::UNAUTHORIZED, "");
    }
    collector.got.lock().unwrap().push_str(&body);
    (StatusCode::CREATED, "")
}

#[tokio::test]
async fn a_server_gets_every_checkpoint_also_after_it_was_away_and_the_signer_was_restarted() {
    let rig = Rig::start().await;
    let collector = Arc::<Collector>::default();
    let routes = Router::new()
        .route("/in", post(collect))
        .with_state(collector.clone());
    let server = serve(routes, &rig.path("roots.pem")).await;
    std::fs::write(rig.path("token"), "s3cret\n").unwrap();
    let url = format!("https://localhost:{}/in", server.port);
    let place =
        format!("[[checkpoint_places]]\nurl = '{url}'\nroots = 'roots.pem'\ntoken = 'token'\n");
    let config = rig.config("a", &place);
    let mut signer = rig.open(&config);
    signer.step(at(NOW)).await.unwrap();
    assert_eq!(sizes(&collector.got.lock().unwrap()), [1]);
    *collector.is_down.lock().unwrap() = true;
    for number in 2..5 {
        rig.act(number).await;
        signer.step(at(NOW + number * 60)).await.unwrap();
    }
    let place = &rig.status().places[0];
    let why = "it answered 503 Service Unavailable: full";
    assert_eq!((place.waiting, place.failure.as_deref()), (3, Some(why)));
    drop(signer);
    *collector.is_down.lock().unwrap() = false;
    let mut signer = rig.open(&config);
    assert_eq!(rig.status().places[0].waiting, 3);
    signer.step(at(NOW + 241)).await.unwrap();
    assert_eq!(sizes(&collector.got.lock().unwrap()), [1, 2, 3, 4]);
    // It is tried again only after a while, which is longer each time.
    drop(server);
    rig.act(5).await;
    signer.step(at(NOW + 400)).await.unwrap();
    assert_eq!(rig.status().places[0].waiting, 1);
    let failure = rig.status().places[0].failure.clone().unwrap();
    assert!(failure.starts_with("it cannot be reached"), "{failure}");
}

#[tokio::test]
async fn a_server_with_a_certificate_of_somebody_else_gets_nothing() {
    let rig = Rig::start().await;
    let collector = Arc::<Collector>::default();
    let routes = Router::new()
        .route("/in", post(collect))
        .with_state(collector.clone());
    let server = serve(routes, &rig.path("theirs.pem")).await;
    let other = serve(Router::new(), &rig.path("roots.pem")).await;
    let url = format!("https://localhost:{}/in", server.port);
    let place = format!("[[checkpoint_places]]\nurl = '{url}'\nroots = 'roots.pem'\n");
    let mut signer = rig.open(&rig.config("a", &place));
    signer.step(at(NOW)).await.unwrap();
    let failure = rig.status().places[0].failure.clone().unwrap();
    assert!(failure.contains("certificate"), "{failure}");
    assert_eq!(*collector.got.lock().unwrap(), "");
    drop(other);
}

/// A witness, as C2SP `tlog-witness` says: it cosigns what goes on from what it has seen.
struct Witness {
    pair: Ed25519KeyPair,
    seen: Mutex<(u64, Hash)>,
}

impl Witness {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            pair: Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap(),
            seen: Mutex::new((0, Hash::of_nothing())),
        })
    }

    fn key(&self) -> WitnessKey {
        let public = self.pair.public_key().as_ref().try_into().unwrap();
        WitnessKey::new("witness.example.com", public).unwrap()
    }
}

async fn add_checkpoint(
    Shared(witness): Shared<Arc<Witness>>,
    body: String,
) -> (StatusCode, String) {
    let Ok(request) = body.parse::<WitnessRequest>() else {
        return (StatusCode::BAD_REQUEST, String::new());
    };
    let mut seen = witness.seen.lock().unwrap();
    if request.old != seen.0 {
        return (StatusCode::CONFLICT, format!("{}\n", seen.0));
    }
    let Ok(new) = request.verify(&log_key(), &seen.1) else {
        return (StatusCode::UNPROCESSABLE_ENTITY, String::new());
    };
    *seen = (new.size(), *new.root());
    let text = format!("cosignature/v1\ntime {NOW}\n{new}");
    let signature = witness.pair.sign(text.as_bytes());
    let key = witness.key();
    let bytes = [&key.id()[..], &NOW.to_be_bytes(), signature.as_ref()].concat();
    let line = format!(
        "\u{2014} {} {}\n",
        key.name(),
        data_encoding::BASE64.encode(&bytes)
    );
    (StatusCode::OK, line)
}

#[tokio::test]
async fn a_witness_cosigns_what_goes_on_from_what_it_has_seen() {
    let rig = Rig::start().await;
    let witness = Witness::new();
    let routes = Router::new().route("/w/add-checkpoint", post(add_checkpoint));
    let server = serve(routes.with_state(witness.clone()), &rig.path("roots.pem")).await;
    let place = format!(
        "[[checkpoint_places]]\nfile = 'out'\n[[checkpoint_places]]\nurl = 'https://localhost:{}/w/'\n\
         roots = 'roots.pem'\nwitness = '{}'\n",
        server.port,
        witness.key()
    );
    let config = rig.config("a", &place);
    let mut signer = rig.open(&config);
    for number in 2..9 {
        signer.step(at(NOW + number * 60)).await.unwrap();
        rig.act(number).await;
    }
    assert_eq!(witness.seen.lock().unwrap().0, 7);
    let kept = std::fs::read_to_string(rig.path("out")).unwrap();
    assert_eq!(sizes(&kept), [1, 2, 3, 4, 5, 6, 7]);
    for note in Note::read_all(&kept).unwrap() {
        assert_eq!(witness.key().verify(&note), Ok(NOW));
    }
    // Without its file it finds out what the witness has seen.
    drop(signer);
    std::fs::remove_file(config.data.join("checkpoints.json")).unwrap();
    let mut signer = rig.open(&config);
    signer.step(at(NOW + 999)).await.unwrap();
    assert_eq!(witness.seen.lock().unwrap().0, 8);
    assert_eq!(rig.status().places[0].failure, None);
    // A witness that has seen more is not asked to forget it.
    *witness.seen.lock().unwrap() = (99, Hash::of_nothing());
    rig.act(20).await;
    signer.step(at(NOW + 2000)).await.unwrap();
    let failure = rig.status().places[0].failure.clone().unwrap();
    assert!(failure.contains("somebody else signs"), "{failure}");
    assert_eq!(sizes_in(&rig.path("out")).last(), Some(&9));
}

/// A key that signs nothing without a proof that the log goes on from what it has signed for last, as a signing process does.
#[derive(Debug)]
struct Strict {
    key: SigningKey,
    last: Mutex<Option<Checkpoint>>,
    is_away: std::sync::atomic::AtomicBool,
}

impl CheckpointSigner for Strict {
    fn verifying_key(&self) -> &VerifyingKey {
        self.key.verifying_key()
    }

    fn last(&self) -> Result<Option<(u64, Hash)>, dc_evidence::Error> {
        let last = self.last.lock().unwrap();
        Ok(last.as_ref().map(|last| (last.size(), *last.root())))
    }

    fn sign(
        &self,
        text: &str,
        growth: Option<&dc_evidence::Growth>,
    ) -> Result<dc_evidence::Signature, dc_evidence::Error> {
        let refused = |reason: &str| {
            let reason = reason.to_owned();
            Err(dc_evidence::Error::SignerFailed { reason })
        };
        if self
            .is_away
            .swap(false, std::sync::atomic::Ordering::SeqCst)
        {
            return refused("away");
        }
        let signature = CheckpointSigner::sign(&self.key, text, None)?;
        let note: Note = format!("{text}\n{signature}\n").parse().unwrap();
        let new = Checkpoint::verify(&note, self.key.verifying_key())?;
        let mut last = self.last.lock().unwrap();
        if let Some(old) = &*last {
            let Some(growth) = growth else {
                return refused("no proof");
            };
            let (old, new) = ((old.size(), old.root()), (new.size(), new.root()));
            dc_evidence::verify_consistency(old, new, &growth.proof)?;
        }
        *last = Some(new);
        Ok(signature)
    }
}

#[tokio::test]
async fn a_key_that_wants_a_proof_gets_one_also_after_a_signature_that_was_not_made() {
    let rig = Rig::start().await;
    let config = rig.config("a", "[[checkpoint_places]]\nfile = 'out'\n");
    let strict = Arc::new(Strict {
        key: SigningKey::from_pkcs8("log", &pkcs8()).unwrap(),
        last: Mutex::default(),
        is_away: false.into(),
    });
    let open = || {
        let mut signer = rig.open(&config);
        signer.signer = strict.clone();
        signer
    };
    let mut signer = open();
    rig.act(2).await;
    signer.step(at(NOW)).await.unwrap();
    // It is away when it is to sign, and the tree has grown already; then the service is started anew.
    for round in 0..2 {
        rig.act(3 + round).await;
        strict
            .is_away
            .store(true, std::sync::atomic::Ordering::SeqCst);
        signer.step(at(NOW + 600 + round)).await.unwrap_err();
    }
    let mut signer = open();
    signer.step(at(NOW + 1200)).await.unwrap();
    assert_eq!(strict.last().unwrap().map(|(size, _)| size), Some(4));
}

#[tokio::test]
async fn a_key_that_has_signed_for_more_or_for_another_log_is_no_fault_that_waits() {
    let rig = Rig::start().await;
    let config = rig.config("a", "[[checkpoint_places]]\nfile = 'out'\n");
    let signed = |size, root| Strict {
        key: SigningKey::from_pkcs8("log", &pkcs8()).unwrap(),
        last: Mutex::new(Some(Checkpoint::of_root("log", size, root))),
        is_away: false.into(),
    };
    let open = |strict| {
        let mut signer = rig.open(&config);
        signer.signer = Arc::new(strict);
        signer
    };
    rig.act(2).await;
    let own = rig.open(&config).step(at(NOW)).await;
    own.unwrap();
    let root = *Checkpoint::verify(
        &Note::read_all(&std::fs::read_to_string(rig.path("out")).unwrap()).unwrap()[0],
        &log_key(),
    )
    .unwrap()
    .root();
    // Everything of this machine is as old as the database; what has the key is not. Nothing new is needed to notice.
    for (size, root, is_other) in [
        (3, Hash::of_nothing(), true),
        (2, Hash::of_nothing(), true),
        (2, root, false),
    ] {
        let stepped = open(signed(size, root)).step(at(NOW + 5)).await;
        assert_eq!(stepped.is_err(), is_other, "{stepped:?}");
        assert_eq!(rig.status().refused, is_other);
        let checked = compare(&config, &rig.store).await;
        assert_eq!(checked.is_err(), is_other, "{checked:?}");
    }
    // Nor does a log that was forked go unnoticed that is longer again.
    for number in 3..6 {
        rig.act(number).await;
    }
    let refused = open(signed(4, Hash::of_nothing())).step(at(NOW + 90)).await;
    let refused = refused.unwrap_err();
    assert!(refused.is_tampering(), "{refused}");
    assert!(rig.status().refused);
    let error = compare(&config, &rig.store).await.unwrap_err().to_string();
    assert!(error.contains("signs no checkpoint"), "{error}");
    // It is away: not the log's fault.
    let away = signed(2, root);
    away.is_away
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let failed = open(away).step(at(NOW + 95)).await.unwrap_err();
    assert!(!failed.is_tampering(), "{failed}");
    open(signed(2, root)).step(at(NOW + 100)).await.unwrap();
    compare(&config, &rig.store).await.unwrap();
}

#[tokio::test]
async fn a_check_compares_the_log_with_the_files_that_checkpoints_were_sent_to() {
    let rig = Rig::start().await;
    let config = rig.config("a", "[[checkpoint_places]]\nfile = 'out'\n");
    rig.open(&config).step(at(NOW)).await.unwrap();
    compare(&config, &rig.store).await.unwrap();
    // Of a time that this machine and its database have forgotten.
    let key = SigningKey::from_pkcs8("log", &pkcs8()).unwrap();
    let kept = std::fs::read_to_string(rig.path("out")).unwrap();
    let later = Checkpoint::of_root("log", 7, Hash::of_nothing());
    let later = later.sign(&key).unwrap();
    std::fs::write(rig.path("out"), format!("{kept}{later}\n")).unwrap();
    let error = compare(&config, &rig.store).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Store(dc_store::Error::Cut { size: 7, found: 1 })
        ),
        "{error}"
    );
    std::fs::write(rig.path("out"), kept).unwrap();
    compare(&config, &rig.store).await.unwrap();
}

#[tokio::test]
async fn another_key_under_the_same_name_is_refused_and_nothing_is_forgotten() {
    let rig = Rig::start().await;
    let config = rig.config("a", "");
    rig.open(&config).step(at(NOW)).await.unwrap();
    let state = config.data.join("checkpoints.json");
    let kept = std::fs::read(&state).unwrap();
    let mut other = pkcs8();
    *other.last_mut().unwrap() ^= 1;
    std::fs::write(rig.path("audit.pem"), pem("PRIVATE KEY", &other)).unwrap();
    let provider = Arc::new(default_provider());
    let (store, told) = (rig.store.clone(), rig.told.clone());
    let opened = Checkpoints::open(&config, store, &provider, Metrics::new(), told);
    let error = opened.unwrap_err();
    assert!(matches!(error, Error::OtherKey { .. }), "{error}");
    assert_eq!(std::fs::read(&state).unwrap(), kept);
}

#[tokio::test]
async fn a_turn_of_one_that_signs_nothing_is_named_and_one_that_stops_gives_it_back() {
    let rig = Rig::start().await;
    let config = rig.config("a", "");
    rig.store
        .take_turn("gone log", at(NOW), at(NOW + 180))
        .await
        .unwrap();
    let mut signer = rig.open(&config);
    signer.step(at(NOW + 100)).await.unwrap();
    assert_eq!(rig.status().failure, None);
    // The record is as old as it is, also for one that was started just now.
    let mut signer = {
        drop(signer);
        rig.open(&config)
    };
    signer.step(at(NOW + 170)).await.unwrap();
    let failure = rig.status().failure.unwrap();
    assert!(failure.contains("the turn of gone log until"), "{failure}");
    rig.store.give_turn_back("gone log").await.unwrap();
    rig.open(&config).step(at(NOW + 171)).await.unwrap();
    let status = rig.status();
    assert_eq!((status.size, status.failure), (1, None));
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_said_with_what_to_do() {
    let rig = Rig::start().await;
    let place = "[[checkpoint_places]]\nfile = 'away/out'\n[[checkpoint_places]]\nfile = 'out'\n[[checkpoint_places]]\nfile = '/dev/full'\n";
    let config = rig.config("a", place);
    let (_, why) = unwritable(&config).remove(0);
    assert!(why.contains("away is not there: mount it"), "{why}");
    assert_eq!(unwritable(&config).len(), 1);
    rig.open(&config).step(at(NOW)).await.unwrap();
    let failures: Vec<_> = { rig.status().places.into_iter() }
        .map(|place| place.failure.unwrap_or_default())
        .collect();
    assert!(failures[0].contains("away is not there"), "{failures:?}");
    assert_eq!(failures[1], "");
    assert!(failures[2].contains("/dev/full is full"), "{failures:?}");
    std::fs::create_dir(rig.path("away")).unwrap();
    assert_eq!(unwritable(&config), []);
}

#[tokio::test]
async fn a_check_finds_a_key_that_is_missing_open_to_others_or_not_the_logs() {
    use std::os::unix::fs::PermissionsExt;
    let rig = Rig::start().await;
    let config = rig.config("a", "");
    let key = rig.path("audit.pem");
    let set_mode = |mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&key, mode).unwrap();
    };
    set_mode(0o600);
    look(&config).unwrap();
    rig.open(&config).step(at(NOW)).await.unwrap();
    look(&config).unwrap();
    set_mode(0o644);
    let error = look(&config).unwrap_err();
    assert!(matches!(error, Error::KeyOfOthers { .. }), "{error}");
    set_mode(0o600);
    let mut other = pkcs8();
    *other.last_mut().unwrap() ^= 1;
    std::fs::write(&key, pem("PRIVATE KEY", &other)).unwrap();
    let error = look(&config).unwrap_err();
    assert!(matches!(error, Error::OtherKey { .. }), "{error}");
    std::fs::remove_file(&key).unwrap();
    assert!(matches!(look(&config).unwrap_err(), Error::Pki(_)));
}
