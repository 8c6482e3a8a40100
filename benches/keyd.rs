//! What it costs that the delegation key is in another process: credentials a second and how long each takes, with the key here
//! and through `dc-signer keyd` over its Unix socket, and signatures of the key alone, in one run on one machine.
//!
//! ```text
//! cargo bench -p dc-benches --bench keyd -- --seconds 3
//! ```

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use dc_core::{DelegationCertificate, Signer};
use dc_pki::delegation::{CHAIN, KEY, KEY_KEYD};
use dc_pki::keyd::Keyd;
use dc_pki::names::{self, ZoneName};
use dc_pki::{Delegation, Wanted, clock, pem, test_ca};
use dc_signer::config::KeydConfig;
use dc_signer::keyd::{self, Desk};
use pki_types::SignatureVerificationAlgorithm;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};

#[derive(Debug, Parser)]
#[command(about = "Compares a delegation key here with one in a signing process")]
struct Args {
    /// How long each line takes, in seconds
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// How many threads ask at the same time
    #[arg(long, value_delimiter = ',', default_value = "1,8")]
    threads: Vec<usize>,
    /// The configuration to serve, in the process that this program starts
    #[arg(long, hide = true)]
    serve: Option<PathBuf>,
    /// The argument Cargo gives to benchmarks
    #[arg(long, hide = true)]
    bench: bool,
    /// `cargo test --benches` only wants to know whether it runs
    #[arg(long, hide = true)]
    test: bool,
}

fn main() {
    let args = Args::parse();
    if let Some(config) = &args.serve {
        return serve(config);
    }
    let time = match args.test {
        true => Duration::from_millis(50),
        false => Duration::from_secs(args.seconds),
    };
    println!(
        "{:<10} {:<24} {:>7} {:>10} {:>9} {:>9}",
        "key", "what", "threads", "a second", "p50", "p99"
    );
    for (name, algorithm) in [
        ("Ed25519", &rcgen::PKCS_ED25519),
        ("P-256", &rcgen::PKCS_ECDSA_P256_SHA256),
    ] {
        let setup = Setup::new(algorithm);
        for &threads in &args.threads {
            let key = setup.here.key();
            let alone = || drop(key.sign(&[7; 900]).expect("the key signs"));
            let issue = |delegation| move || issue(delegation);
            for (what, load) in [
                ("signature, key alone", load(threads, time, &alone)),
                (
                    "credential, key here",
                    load(threads, time, &issue(&setup.here)),
                ),
                (
                    "credential, from keyd",
                    load(threads, time, &issue(&setup.there)),
                ),
            ] {
                println!("{name:<10} {what:<24} {threads:>7} {load}");
            }
        }
    }
}

/// The same delegation twice: with its key, and with a signing process that has it.
struct Setup {
    here: Delegation,
    there: Delegation,
    _process: Process,
}

impl Setup {
    fn new(algorithm: &'static rcgen::SignatureAlgorithm) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let (here, there) = (path("here"), path("there"));
        write_delegation(&here, algorithm);
        fs::create_dir(&there).expect("a folder");
        fs::copy(here.join(CHAIN), there.join(CHAIN)).expect("a copy");
        let socket = path("socket");
        fs::write(there.join(KEY_KEYD), socket.to_str().expect("text")).expect("a file");
        let me = owner_of(folder.path());
        let config = format!(
            "socket = \"socket\"\nstate = \"state\"\n[[callers]]\nuser = \"{me}\"\n[[delegations]]\nfolder = \"here\"\n[[zones]]\nzone = \"{ZONE}\"\nper_minute = 1000000\nper_hour = 10000000\n[log]\nfilter = \"error\"\n"
        );
        fs::write(path("keyd.toml"), config).expect("a file");
        let child = Command::new(std::env::current_exe().expect("this program"))
            .arg("--serve")
            .arg(path("keyd.toml"))
            .spawn()
            .expect("a process");
        let process = Process(child, folder);
        let began = Instant::now();
        while Keyd::new(socket.clone()).status().is_err() {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "it does not start"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        Self {
            here: Delegation::load(&here).expect("a delegation"),
            there: Delegation::load(&there).expect("a delegation that is there"),
            _process: process,
        }
    }
}

/// Ends with its owner, and before its folder.
struct Process(Child, tempfile::TempDir);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = self.1.path();
    }
}

/// The number of whoever runs this, who owns what they make.
fn owner_of(folder: &Path) -> u32 {
    use std::os::unix::fs::MetadataExt;
    folder.metadata().expect("a folder").uid()
}

fn serve(config: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.enable_all().build().expect("threads");
    let base = config.parent().expect("a folder");
    let config = KeydConfig::load(config).expect("a configuration");
    let desk = Arc::new(Desk::open(&config, base).expect("keys"));
    let served = keyd::serve(desk, &config, async {}, std::future::pending());
    runtime.block_on(served).expect("a socket");
}

fn write_delegation(folder: &Path, algorithm: &'static rcgen::SignatureAlgorithm) {
    let root_key = KeyPair::generate().expect("a key");
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate_for(algorithm).expect("a key");
    let zone = ZoneName::parse(ZONE).expect("a zone");
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::DnsName(
        zone.wildcard().try_into().expect("a name"),
    )];
    params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    params.custom_extensions = vec![test_ca::delegation_usage()];
    let issuer = Issuer::from_params(&root, &root_key);
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    DelegationCertificate::parse(certificate.der().clone()).expect("one that may delegate");
    fs::create_dir(folder).expect("a folder");
    fs::write(
        folder.join(CHAIN),
        pem::encode("CERTIFICATE", certificate.der()),
    )
    .expect("a file");
    fs::write(folder.join(KEY), key.serialize_pem()).expect("a file");
}

fn issue(delegation: &Delegation) {
    let spki: &[u8] = SPKI.with(|spki| *spki);
    let wanted = Wanted::Named(names::parse("k3v.cpe.example.com").expect("a name"));
    let lifetime = Some(Duration::from_secs(164 * 3600));
    let now = clock::now().expect("a clock");
    let issued = dc_pki::sign(delegation, spki, &wanted, lifetime, algorithms(), now);
    assert_eq!(issued.expect("a credential").len(), 1);
}

thread_local! {
    /// A device's key, one for each thread.
    static SPKI: &'static [u8] = {
        let key = KeyPair::generate().expect("a key");
        Vec::leak(rcgen::PublicKeyData::subject_public_key_info(&key))
    };
}

/// How long each call took.
struct Load {
    calls: Vec<Duration>,
    time: Duration,
}

fn load(threads: usize, time: Duration, call: &(impl Fn() + Sync)) -> Load {
    let began = Instant::now();
    let calls = std::thread::scope(|scope| {
        let each = || {
            call();
            let mut calls = Vec::new();
            while began.elapsed() < time {
                let one = Instant::now();
                call();
                calls.push(one.elapsed());
            }
            calls
        };
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(each)).collect();
        let calls = all
            .into_iter()
            .flat_map(|one| one.join().expect("a thread"));
        calls.collect()
    });
    let time = began.elapsed();
    Load { calls, time }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut calls = self.calls.clone();
        calls.sort_unstable();
        let at = |part: usize| {
            let one = calls
                .get(calls.len() * part / 100)
                .copied()
                .unwrap_or_default();
            format!("{:.0} us", one.as_secs_f64() * 1e6)
        };
        let rate = calls.len() as f64 / self.time.as_secs_f64();
        write!(f, "{rate:>10.0} {:>9} {:>9}", at(50), at(99))
    }
}

fn algorithms() -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    rustls::crypto::ring::default_provider()
        .signature_verification_algorithms
        .all
}

const ZONE: &str = "cpe.example.com";
