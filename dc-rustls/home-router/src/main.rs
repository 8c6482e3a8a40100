//! A home router with its vendor's delegated credential: a page about itself, DNS over TLS, HTTPS and QUIC; and plain DNS
//! for its own name, which it announces at home.
//!
//! One process, one identity folder, two ports and more. DNS queries are forwarded to an upstream resolver, for example the
//! one that the router has for plain DNS already. `docs/home-router.md` says how to run it.

mod agent;
mod clients;
mod designated;
mod dnr;
mod doh;
mod doq;
mod dot;
mod home;
mod http3;
mod human;
mod identity;
mod listen;
mod mdns;
mod message;
mod outlook;
mod own;
mod padding;
mod page;
mod plain;
mod quic;
mod resolver;
mod upstream;
mod web;
mod withdrawn;

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use clap::Parser;
use dc_rustls::server::Acceptor;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::clients::{Clients, Service};
use crate::designated::Ports;
use crate::dnr::{Format, Handout};
use crate::home::{Home, Network};
use crate::identity::{Credential, Follower};
use crate::listen::{Door, acceptor, bind};
use crate::mdns::Announcer;
use crate::resolver::Resolver;
use crate::upstream::Upstream;
use crate::web::Web;
use crate::withdrawn::ListFile;

#[derive(Parser)]
#[command(
    about = "A home router's page, DNS over TLS and DNS over HTTPS, with a delegated credential"
)]
struct Args {
    /// Folder with chain.pem, credential.pem and key.pem; followed when it changes.
    #[arg(
        long,
        value_name = "DIR",
        default_value = "/var/lib/dc-identity/current"
    )]
    identity: PathBuf,
    /// Status file of the agent that renews the identity.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/var/lib/dc-agent/status.json"
    )]
    status: PathBuf,
    /// List of withdrawn names that the agent keeps, for clients in the network.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/var/lib/dc-identity/withdrawn-names"
    )]
    withdrawn: PathBuf,
    /// Where to listen for the page and DNS over HTTPS; port 0 picks a free one.
    #[arg(long, value_name = "ADDR", default_value = "[::]:443")]
    https: String,
    /// Where to listen for DNS over TLS; port 0 picks a free one.
    #[arg(long, value_name = "ADDR", default_value = "[::]:853")]
    dot: String,
    /// Where to listen for the page and DNS over HTTPS with HTTP/3, an IP address and a UDP port; nowhere unless this is
    /// given, port 0 picks a free one.
    #[arg(long, value_name = "ADDR")]
    http3: Option<String>,
    /// Where to listen for DNS over QUIC, an IP address and a UDP port; nowhere unless this is given, port 0 picks a free
    /// one.
    #[arg(long, value_name = "ADDR")]
    doq: Option<String>,
    /// The router's address at home, with the bits of that network: its name is answered there with plain DNS, over UDP and
    /// TCP, for clients in that network; may be given several times.
    #[arg(long, value_name = "IP/BITS")]
    home: Vec<Network>,
    /// The port for that.
    #[arg(long, value_name = "PORT", default_value_t = 53, value_parser = clap::value_parser!(u16).range(1..))]
    dns_port: u16,
    /// Announce the page and DNS over TLS at home, to whoever looks for services (DNS-SD over multicast DNS).
    #[arg(long, requires = "home")]
    dns_sd: bool,
    /// The resolver to forward queries to, over UDP and TCP.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:53")]
    upstream: SocketAddr,
    /// How long to wait for it.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = humantime::parse_duration)]
    upstream_timeout: Duration,
    /// How often to look at the identity folder.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    reload: Duration,
    /// Certificate chain for clients that do not understand credentials.
    #[arg(long, value_name = "FILE", requires = "fallback_key")]
    fallback_cert: Option<PathBuf>,
    /// Its private key.
    #[arg(long, value_name = "FILE", requires = "fallback_cert")]
    fallback_key: Option<PathBuf>,
    /// Print what DHCP, router advertisements and DNS have to say, so that clients find this router by its name at
    /// this address, and end; may be given several times.
    #[arg(long, value_name = "IP")]
    hand_out: Vec<IpAddr>,
    /// Print it as the configuration of a program has it.
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        requires = "hand_out"
    )]
    hand_out_as: Format,
}

/// An error that ends this program.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let done = match args.hand_out.is_empty() {
        true => serve(&args).await,
        false => hand_out(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("home-router: {error}");
            ExitCode::FAILURE
        }
    }
}

fn hand_out(args: &Args) -> Result<(), Failure> {
    let credential = Credential::read(&args.identity).map_err(|error| {
        format!(
            "{}: {error}; enrol the router first",
            args.identity.display()
        )
    })?;
    let router = credential
        .name
        .ok_or("the credential has no name to hand out; issue one of the named form")?;
    let handout = Handout {
        router: &router,
        addresses: &args.hand_out,
        ports: Ports {
            dot: port(&args.dot, "--dot")?,
            https: port(&args.https, "--https")?,
            doq: told(&args.doq, "--doq")?,
            http3: told(&args.http3, "--http3")?,
        },
    };
    for line in handout.written(args.hand_out_as)? {
        println!("{line}");
    }
    Ok(())
}

fn port(address: &str, option: &str) -> Result<u16, Failure> {
    let port = address
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok());
    match port {
        Some(port @ 1..) => Ok(port),
        _ => Err(format!("{option} {address}: clients have to be told a port").into()),
    }
}

/// The port of a service that is there if it has an address.
fn told(address: &Option<String>, option: &str) -> Result<Option<u16>, Failure> {
    let port = address.as_ref().map(|address| port(address, option));
    port.transpose()
}

async fn serve(args: &Args) -> Result<(), Failure> {
    let https = bind(&args.https, "--https").await?;
    let dot = bind(&args.dot, "--dot").await?;
    let identity = Follower::new(&args.identity);
    let stores = [HTTPS, DOT].map(identity::store);
    let _watch = identity.follow(&stores, args.reload)?;
    let [https_store, dot_store] = stores;
    let clients = Clients::default();
    let dot_acceptor = acceptor(dot_store, args.fallback(DOT)?);
    let https_acceptor = acceptor(https_store, args.fallback(HTTPS)?);
    println!("https on {}", https.local_addr()?);
    println!("dot on {}", dot.local_addr()?);
    let doq = Args::open(&args.doq, (&dot_acceptor, DOQ), Service::Doq, &clients)?;
    let http3 = (&https_acceptor, HTTP3);
    let http3 = Args::open(&args.http3, http3, Service::Https, &clients)?;
    let port = |door: &Option<quic::Door>| door.as_ref().map(quic::Door::port).transpose();
    let resolver = Arc::new(Resolver {
        upstream: Upstream::new(args.upstream, args.upstream_timeout),
        identity,
        home: Home::new(&args.home),
        ports: Ports {
            dot: dot.local_addr()?.port(),
            https: https.local_addr()?.port(),
            doq: port(&doq)?,
            http3: port(&http3)?,
        },
    });
    let at_home = args.open_home(&resolver).await?;
    let announcer = at_home.announcer.clone();
    let app = web::app(Arc::new(args.web(&resolver, &clients)));
    let door = |tcp: TcpListener, acceptor: Acceptor, service| Door {
        tcp,
        acceptor,
        service,
        clients: clients.clone(),
    };
    let https = door(https, https_acceptor, Service::Https);
    let dot = door(dot, dot_acceptor, Service::Dot);
    let quic = serve_quic((doq, Arc::clone(&resolver)), (http3, app.clone()));
    let at_home = at_home.serve(Arc::clone(&resolver), clients.clone());
    let served = async {
        tokio::join!(
            https.serve(move |greeted| web::serve(app.clone(), greeted)),
            dot.serve(move |greeted| dot::serve(Arc::clone(&resolver), greeted)),
            quic,
            at_home,
        )
    };
    tokio::select! {
        _ = served => {}
        ended = end() => ended?,
    }
    if let Some(announcer) = announcer {
        announcer.goodbye().await;
    }
    Ok(())
}

/// Serves what goes over QUIC, if there are ports for it.
async fn serve_quic(
    (doq, resolver): (Option<quic::Door>, Arc<Resolver>),
    (http3, app): (Option<quic::Door>, Router),
) {
    tokio::join!(
        quic::serve(doq, move |greeted| doq::serve(
            Arc::clone(&resolver),
            greeted
        )),
        quic::serve(http3, move |greeted| http3::serve(app.clone(), greeted)),
    );
}

/// Comes when somebody wants this program to end.
async fn end() -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// What is there for clients at home alone.
struct AtHome {
    doors: Vec<plain::Door>,
    announcer: Option<Announcer>,
}

impl AtHome {
    async fn serve(self, resolver: Arc<Resolver>, clients: Clients) {
        let announced = async {
            if let Some(announcer) = self.announcer {
                announcer.serve().await;
            }
        };
        tokio::join!(plain::serve(self.doors, resolver, clients), announced);
    }
}

impl Args {
    /// Opens a port for one protocol over QUIC, if there is to be one.
    fn open(
        at: &Option<String>,
        serving: (&Acceptor, &[u8]),
        service: Service,
        clients: &Clients,
    ) -> Result<Option<quic::Door>, Failure> {
        let Some(at) = at else { return Ok(None) };
        let name = String::from_utf8_lossy(serving.1).into_owned();
        let door = quic::Door::open(at, serving, service, clients)?;
        println!("{name} on {}", door.endpoint.local_addr()?);
        Ok(Some(door))
    }

    /// Opens the ports at home, if this program was told where that is.
    async fn open_home(&self, resolver: &Arc<Resolver>) -> Result<AtHome, Failure> {
        let addresses = resolver.home.addresses();
        let mut doors = Vec::new();
        for address in &addresses {
            doors.push(plain::Door::open(*address, self.dns_port).await?);
            println!("dns on {}", SocketAddr::new(*address, self.dns_port));
        }
        let announcer = self
            .dns_sd
            .then(|| Announcer::open(&addresses, resolver))
            .transpose()?;
        Ok(AtHome { doors, announcer })
    }

    fn web(&self, resolver: &Arc<Resolver>, clients: &Clients) -> Web {
        Web {
            resolver: Arc::clone(resolver),
            clients: clients.clone(),
            status: self.status.clone(),
            list: ListFile::new(&self.withdrawn),
        }
    }

    fn fallback(&self, alpn: &[&[u8]]) -> Result<Option<Arc<rustls::ServerConfig>>, Failure> {
        match (&self.fallback_cert, &self.fallback_key) {
            (Some(chain), Some(key)) => listen::fallback(chain, key, alpn).map(Some),
            _ => Ok(None),
        }
    }
}

/// RFC 7301: the names of the application protocols, the favourite first.
const HTTPS: &[&[u8]] = &[b"h2", b"http/1.1"];
/// RFC 7858.
const DOT: &[&[u8]] = &[b"dot"];
/// RFC 9250 §4.1.1.
const DOQ: &[u8] = b"doq";
/// RFC 9114 §3.1.
const HTTP3: &[u8] = b"h3";
