//! What a credential costs in memory and on flash: two servers that differ in nothing else are built, started,
//! and weighed at rest, after one connection, and with idle connections.
//!
//! `cargo bench -p dc-footprint` prints a table, with `-- --json` JSON, and with
//! `-- --profile release` what another profile of Cargo's makes of it.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use dc_core::Form;
use dc_rustls::client::{Config, NamePolicy, Stream};
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::pki_types::ServerName;
use serde_json::{Map, json};

type Failure = Box<dyn Error>;

/// What a program takes, in bytes.
#[derive(Clone, Copy)]
struct Weight {
    file: u64,
    rest: Memory,
    idle: Memory,
}

/// The memory of a process, in bytes.
#[derive(Clone, Copy)]
struct Memory {
    /// What is resident, with the pages of its file.
    resident: u64,
    /// The same, with a share of what others use as well.
    share: u64,
    /// Of that, what no file is behind: heap and stacks.
    own: u64,
}

impl Memory {
    fn of(process: u32) -> Result<Self, Failure> {
        let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
        let read = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            let kilobytes =
                line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
            kilobytes
                .map(|kilobytes| kilobytes * 1024)
                .ok_or_else(|| format!("no {key}"))
        };
        Ok(Self {
            resident: read("Rss:")?,
            share: read("Pss:")?,
            own: read("Anonymous:")?,
        })
    }
}

/// A server that ends with this.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(program: &Path, folder: &Path) -> Result<Self, Failure> {
        let mut process = Command::new(program)
            .arg(folder)
            .stdout(Stdio::piped())
            // It tells of each connection that ends without a goodbye.
            .stderr(Stdio::null())
            .spawn()?;
        let mut address = String::new();
        let output = process.stdout.take().ok_or("it has no output")?;
        BufReader::new(output).read_line(&mut address)?;
        Ok(Self {
            process,
            address: address.trim().to_owned(),
        })
    }

    fn memory(&self) -> Result<Memory, Failure> {
        // Until its threads have done what they do first.
        sleep(Duration::from_millis(500));
        Memory::of(self.process.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn weigh(program: &Path, folder: &Path, client: &Config) -> Result<Weight, Failure> {
    let server = Server::start(program, folder)?;
    // What a handshake needs of the program's file is in memory from then on, in both.
    drop(connect(&server, client)?);
    let rest = server.memory()?;
    let open = (0..CONNECTIONS).map(|_| connect(&server, client));
    let _open = open.collect::<Result<Vec<_>, _>>()?;
    Ok(Weight {
        file: fs::metadata(program)?.len(),
        rest,
        idle: server.memory()?,
    })
}

/// A connection whose handshake is over at both ends.
fn connect(server: &Server, client: &Config) -> Result<Stream<TcpStream>, Failure> {
    let tcp = TcpStream::connect(&server.address)?;
    tcp.set_nodelay(true)?;
    let mut tls = client.connect(ServerName::try_from(NAME)?, tcp)?;
    tls.write_all(b"?")?;
    tls.read_exact(&mut [0])?;
    Ok(tls)
}

/// The median, in each number, of several weighings.
fn median(mut weigh: impl FnMut() -> Result<Weight, Failure>) -> Result<Weight, Failure> {
    let all = (0..ROUNDS)
        .map(|_| weigh())
        .collect::<Result<Vec<_>, _>>()?;
    let middle = |number: fn(&Weight) -> u64| {
        let mut numbers: Vec<u64> = all.iter().map(number).collect();
        numbers.sort_unstable();
        numbers[ROUNDS / 2]
    };
    Ok(Weight {
        file: middle(|weight| weight.file),
        rest: Memory {
            resident: middle(|weight| weight.rest.resident),
            share: middle(|weight| weight.rest.share),
            own: middle(|weight| weight.rest.own),
        },
        idle: Memory {
            resident: middle(|weight| weight.idle.resident),
            share: middle(|weight| weight.idle.share),
            own: middle(|weight| weight.idle.own),
        },
    })
}

/// Builds both programs with nothing but their own features. Returns the folder that they are in.
fn build(profile: &str) -> Result<PathBuf, Failure> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/footprint");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--package", "dc-footprint"])
        .args(["--profile", profile, "--target-dir"])
        .arg(&target)
        .status()?;
    match status.success() {
        true => Ok(target.join(profile)),
        false => Err("the programs were not built".into()),
    }
}

fn write_folder(folder: &Path, vendor: &Vendor, device: &Device) -> Result<(), Failure> {
    let stored = vendor.issue(device, Form::Named);
    fs::create_dir(folder)?;
    fs::write(folder.join("chain.pem"), vendor.chain_pem())?;
    fs::write(
        folder.join("credential.pem"),
        dc_core::pem::write(stored.form, &stored.bytes),
    )?;
    Ok(fs::write(
        folder.join("key.pem"),
        device.key.private_key_pem(),
    )?)
}

/// The numbers that are compared.
fn rows(weight: &Weight) -> [(&'static str, u64); 7] {
    let Weight { file, rest, idle } = weight;
    [
        ("program, stripped", *file),
        ("at rest: resident", rest.resident),
        ("at rest: proportional", rest.share),
        ("at rest: heap and stacks", rest.own),
        ("100 idle connections: resident", idle.resident),
        ("100 idle connections: proportional", idle.share),
        ("100 idle connections: heap and stacks", idle.own),
    ]
}

fn print(ours: &Weight, stock: &Weight, as_json: bool) {
    let mut all = Map::new();
    if !as_json {
        println!(
            "{:36} {:>12} {:>12} {:>7}",
            "bytes", "stock", "credential", "ratio"
        );
    }
    for ((what, ours), (_, stock)) in rows(ours).into_iter().zip(rows(stock)) {
        #[expect(clippy::cast_precision_loss, reason = "a ratio of less than petabytes")]
        let ratio = ours as f64 / stock as f64;
        if !as_json {
            println!("{what:36} {stock:12} {ours:12} {ratio:7.3}");
        }
        all.insert(
            what.to_owned(),
            json!({"stock": stock, "credential": ours, "ratio": ratio}),
        );
    }
    if as_json {
        println!("{}", json!(all));
    }
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    let given = arguments
        .iter()
        .position(|argument| argument == "--profile");
    let profile = given.and_then(|at| arguments.get(at + 1));
    let programs = build(profile.map_or("agent", String::as_str))?;
    let temporary = tempfile::tempdir()?;
    let (vendor, device) = (Vendor::default(), Device::new("router"));
    let [credential, certificate] =
        ["credential", "certificate"].map(|name| temporary.path().join(name));
    write_folder(&credential, &vendor, &device)?;
    // Without a credential, the key is that of the certificate.
    write_folder(&certificate, &vendor, &device)?;
    fs::write(certificate.join("key.pem"), vendor.private_key_pem())?;
    let client = |policy| {
        Config::builder(provider())
            .roots(vendor.roots())
            .unique_name(policy)
    };
    let required = client(NamePolicy::Required).build()?;
    let any = client(NamePolicy::Preferred).build()?;
    let ours = median(|| {
        weigh(
            &programs.join("footprint-credential"),
            &credential,
            &required,
        )
    })?;
    let stock = median(|| weigh(&programs.join("footprint-stock"), &certificate, &any))?;
    print(
        &ours,
        &stock,
        arguments.iter().any(|argument| argument == "--json"),
    );
    Ok(())
}

const NAME: &str = "router.cpe.example.com";
const CONNECTIONS: usize = 100;
const ROUNDS: usize = 3;
