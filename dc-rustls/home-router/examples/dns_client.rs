//! A DNS client that knows its router by the unique name: asks over DNS over TLS, HTTPS or QUIC.
//!
//! All questions are on their way before the first answer is back. Prints a line for each answer, in the order in
//! which they come. Exit status: 0 all answered, 1 refused or not answered, 2 wrong usage.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use dc_core::pem;
use dc_rustls::client::{AsyncStream, Config, Peer};
use dc_rustls::quinn::{EarlyData, client_config, server};
use hickory_net::proto::op::{Message, Query};
use hickory_net::proto::rr::{Name, RecordType};
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

#[derive(Parser)]
#[command(about = "Asks a router with a delegated credential for names")]
struct Args {
    /// PEM file with the root certificates to trust.
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    /// The router's unique name, for example k3v.cpe.example.com.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Where it serves DNS over TLS, for example 192.0.2.1:853.
    #[arg(
        long,
        value_name = "ADDR",
        required_unless_present_any = ["doh", "doq"],
        conflicts_with_all = ["doh", "doq"]
    )]
    dot: Option<String>,
    /// Where it serves DNS over HTTPS, for example 192.0.2.1:443.
    #[arg(long, value_name = "ADDR", conflicts_with = "doq")]
    doh: Option<String>,
    /// Where it serves DNS over QUIC, an IP address and a port.
    #[arg(long, value_name = "ADDR")]
    doq: Option<SocketAddr>,
    /// The type of the records to ask for.
    #[arg(long = "type", value_name = "TYPE", default_value = "A")]
    record_type: RecordType,
    /// The names to ask for.
    #[arg(required = true, value_name = "QNAME")]
    names: Vec<Name>,
}

type Failure = Box<dyn Error + Send + Sync>;
type Tls = AsyncStream<TcpStream>;
/// Queries on the wire, by their ids.
type Queries = BTreeMap<u16, Vec<u8>>;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    match timeout(TIMEOUT, ask(&args)).await {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => fail(&error.to_string()),
        Err(_) => fail("no answer in time; is it the right address?"),
    }
}

fn fail(why: &str) -> ExitCode {
    eprintln!("dns_client: {why}");
    ExitCode::FAILURE
}

async fn ask(args: &Args) -> Result<(), Failure> {
    let queries = queries(args)?;
    match (&args.dot, &args.doh, args.doq) {
        (Some(dot), _, _) => over_tls(connect(args, dot, b"dot").await?, queries).await,
        (None, Some(doh), _) => over_https(connect(args, doh, b"h2").await?, args, queries).await,
        (None, None, Some(doq)) => over_quic(args, doq, queries).await,
        (None, None, None) => Err("give --dot, --doh or --doq".into()),
    }
}

/// Each with another id, by which its answer is known.
fn queries(args: &Args) -> Result<Queries, Failure> {
    let mut queries = Queries::new();
    for (id, name) in (1..).zip(&args.names) {
        let mut message = Message::query();
        message.metadata.id = id;
        message.metadata.recursion_desired = true;
        let mut name = name.clone();
        name.set_fqdn(true);
        message.add_query(Query::query(name, args.record_type));
        queries.insert(id, message.to_vec()?);
    }
    Ok(queries)
}

/// Fails unless the peer is the router of this name.
async fn connect(args: &Args, address: &str, protocol: &[u8]) -> Result<Tls, Failure> {
    let config = config(args, protocol)?;
    let name = ServerName::try_from(args.name.clone())
        .map_err(|_| format!("{} is not a host name", args.name))?;
    let tcp = TcpStream::connect(address)
        .await
        .map_err(|error| format!("cannot connect to {address}: {error}"))?;
    let tls = config.connect_async(name, tcp).await?;
    name_peer(tls.peer());
    Ok(tls)
}

fn config(args: &Args, protocol: &[u8]) -> Result<Config, Failure> {
    Ok(Config::builder(Arc::new(ring::default_provider()))
        .roots(roots(&args.root)?)
        .alpn_protocols([protocol.to_vec()])
        .build()?)
}

fn name_peer(peer: &Peer) {
    if let Peer::Delegated {
        unique_name: Some(name),
        ..
    } = peer
    {
        println!("peer {name}");
    }
}

fn roots(path: &Path) -> Result<RootCertStore, Failure> {
    let explain = |error: &dyn Error| format!("roots {}: {error}", path.display());
    let file = fs::read(path).map_err(|e| explain(&e))?;
    let mut roots = RootCertStore::empty();
    for certificate in pem::certificates(&file).map_err(|e| explain(&e))? {
        roots.add(certificate).map_err(|e| explain(&e))?;
    }
    Ok(roots)
}

/// RFC 7858: each message behind its length.
async fn over_tls(mut tls: Tls, mut queries: Queries) -> Result<(), Failure> {
    for query in queries.values() {
        let length = u16::try_from(query.len())?.to_be_bytes();
        tls.write_all(&[&length, query.as_slice()].concat()).await?;
    }
    tls.flush().await?;
    while !queries.is_empty() {
        let length = tls.read_u16().await?;
        let mut answer = vec![0; length.into()];
        tls.read_exact(&mut answer).await?;
        let answer = Message::from_vec(&answer)?;
        match queries.remove(&answer.id) {
            Some(query) => show(&query, &answer)?,
            None => return Err("an answer to nothing that was asked".into()),
        }
    }
    Ok(())
}

/// RFC 8484, with POST.
async fn over_https(tls: Tls, args: &Args, queries: Queries) -> Result<(), Failure> {
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await?;
    tokio::spawn(connection);
    let mut answers = JoinSet::new();
    for query in queries.into_values() {
        let mut sender = sender.clone();
        let request = Request::post(format!("https://{}/dns-query", args.name))
            .header("Content-Type", MEDIA_TYPE)
            .header("Accept", MEDIA_TYPE)
            .body(Full::new(Bytes::from(query.clone())))?;
        answers.spawn(async move {
            let response = sender.send_request(request).await?;
            if response.status() != 200 {
                return Err(format!("the router says {}", response.status()).into());
            }
            let body = Limited::new(response.into_body(), MAX_LENGTH);
            let answer = body.collect().await?.to_bytes();
            Ok::<_, Failure>((query, Message::from_vec(&answer)?))
        });
    }
    while let Some(answer) = answers.join_next().await {
        let (query, answer) = answer??;
        show(&query, &answer)?;
    }
    Ok(())
}

/// RFC 9250: each query on a stream, and the id 0 in all of them.
async fn over_quic(args: &Args, address: SocketAddr, queries: Queries) -> Result<(), Failure> {
    let tls = client_config(&config(args, b"doq")?, EarlyData::Never)?;
    let endpoint = quinn::Endpoint::client((Ipv6Addr::UNSPECIFIED, 0).into())?;
    let connection = endpoint.connect_with(tls, address, &args.name)?.await?;
    name_peer(server(&connection).ok_or("nobody is there")?.peer());
    let mut answers = JoinSet::new();
    for mut query in queries.into_values() {
        let (mut send, mut receive) = connection.open_bi().await?;
        answers.spawn(async move {
            query.splice(..2, [0, 0]);
            let length = u16::try_from(query.len())?.to_be_bytes();
            send.write_all(&[&length, query.as_slice()].concat())
                .await?;
            send.finish()?;
            let answer = receive.read_to_end(2 + MAX_LENGTH).await?;
            let answer = answer.get(2..).ok_or("an answer without length")?;
            Ok::<_, Failure>((query, Message::from_vec(answer)?))
        });
    }
    while let Some(answer) = answers.join_next().await {
        let (query, answer) = answer??;
        show(&query, &answer)?;
    }
    connection.close(0u8.into(), b"");
    endpoint.wait_idle().await;
    Ok(())
}

fn show(query: &[u8], answer: &Message) -> Result<(), Failure> {
    let query = Message::from_vec(query)?;
    if answer.queries != query.queries {
        return Err("an answer to another question".into());
    }
    let data: Vec<String> = answer
        .answers
        .iter()
        .map(|record| record.data.to_string())
        .collect();
    let data = match data.is_empty() {
        true => "no records".to_owned(),
        false => data.join(" "),
    };
    for question in &query.queries {
        let (name, code) = (question.name(), answer.response_code);
        println!("{name} {}: {code}, {data}", question.query_type());
    }
    Ok(())
}

const TIMEOUT: Duration = Duration::from_secs(20);
const MEDIA_TYPE: &str = "application/dns-message";
const MAX_LENGTH: usize = 0xffff;
