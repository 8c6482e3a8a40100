//! BoringSSL as a server with RFC 9345 and RFC 9849, for the interop tests, and as a client that authenticates itself.
//!
//! ```text
//! boring-server version
//! boring-server [--group GROUP] [--ech CONFIG KEY] [--clients ROOT.pem] CHAIN.pem KEY.pem [CREDENTIAL CREDENTIAL_KEY.pem]
//! boring-server --connect PORT [CHAIN.pem KEY.pem [CREDENTIAL CREDENTIAL_KEY.pem]]
//! ```
//!
//! With `--connect` it is a client of 127.0.0.1 that trusts every server and has this certificate, or this credential and
//! no certificate, for a server that asks. Else it listens on a free port of 127.0.0.1 and says in one line how each handshake ended. BoringSSL knows credentials as a
//! server only. It checks that the key fits the credential, but neither its time nor its signature nor the
//! certificate: that makes it a good judge of a client's strictness.
//!
//! CREDENTIAL is PEM, or the bare structure, which is what BoringSSL itself takes. CONFIG is an ECHConfig and KEY its private key
//! for DHKEM(X25519, HKDF-SHA256), both in hexadecimal digits; a client that has another ECHConfig is told this one.

mod client;
mod credential;
mod early;

use std::{
    env, fs,
    io::Write as _,
    net::{TcpListener, TcpStream},
    process::ExitCode,
    thread,
};

use boring::{
    error::ErrorStack,
    hpke::HpkeKey,
    pkey::{PKey, Private},
    ssl::{
        self, ErrorCode, HandshakeError, NameType, Ssl, SslContext, SslContextBuilder, SslEchKeys,
        SslMethod, SslStream, SslVerifyMode, SslVersion,
    },
    x509::X509,
};

use credential::Selected;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("boring-server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<()> {
    match *arguments {
        ["version"] => println!("{}", boring::version::version()),
        ["--connect", port, ref files @ ..] => client::connect(port, files)?,
        ref arguments => serve(arguments)?,
    }
    Ok(())
}

fn serve(arguments: &[&str]) -> Result<()> {
    let mut context = SslContextBuilder::new(SslMethod::tls())?;
    context.set_min_proto_version(Some(SslVersion::TLS1_3))?;
    context.set_session_id_context(b"interop")?;
    early::enable(&mut context);
    let files = set_options(&mut context, arguments)?;
    let (chain, key, rest) = match *files {
        [chain, key, ref rest @ ..] => (read_chain(chain)?, read_key(key)?, rest),
        _ => return Err("a chain and its key are missing".into()),
    };
    let selected = match *rest {
        [] => Selected::default(),
        [file, key] => credential::add_delegated(
            &mut context,
            &chain,
            &read_credential(file)?,
            &read_key(key)?,
        )?,
        _ => return Err("give a credential and its key, or neither".into()),
    };
    credential::add_certificate(&mut context, &chain, &key)?;
    selected.announce(&mut context);

    let context = context.build();
    for tcp in TcpListener::bind("127.0.0.1:0")?.incoming() {
        let (tcp, context) = (tcp?, context.clone());
        thread::spawn(move || println!("{}", answer(&context, tcp)));
    }
    Ok(())
}

/// What is behind the options.
fn set_options<'a>(
    context: &mut SslContextBuilder,
    arguments: &'a [&'a str],
) -> Result<&'a [&'a str]> {
    match arguments {
        ["--group", group, rest @ ..] => {
            context.set_curves_list(group)?;
            set_options(context, rest)
        }
        ["--ech", config, key, rest @ ..] => {
            let mut keys = SslEchKeys::builder()?;
            let key = HpkeKey::dhkem_p256_sha256(&bytes(key)?)?;
            keys.add_key(true, &bytes(config)?, key)?;
            context.set_ech_keys(&keys.build())?;
            set_options(context, rest)
        }
        ["--clients", root, rest @ ..] => {
            context.set_ca_file(root)?;
            context.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
            set_options(context, rest)
        }
        files => Ok(files),
    }
}

/// Of hexadecimal digits.
fn bytes(digits: &str) -> Result<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
    pairs.map(byte).collect()
}

fn answer(context: &SslContext, tcp: TcpStream) -> String {
    let handshake = || Ok::<_, Failure>(Ssl::new(context)?.accept(tcp)?);
    let mut tls = match handshake() {
        Ok(tls) => tls,
        Err(Failure(reason)) => return format!("handshake failed: {reason}"),
    };
    let how = if tls.ssl().session_reused() {
        "resumed"
    } else {
        "full"
    };
    let name = tls
        .ssl()
        .servername(NameType::HOST_NAME)
        .unwrap_or("nobody");
    let hidden = if tls.ssl().ech_accepted() {
        format!(", for {name}, who was hidden")
    } else {
        String::new()
    };
    let then = match reply(&mut tls) {
        Some(error) => format!(", then {error}"),
        None => String::new(),
    };
    let early = match early::was_accepted(tls.ssl()) {
        true => ", early data accepted",
        false => "",
    };
    format!("handshake ok, {how}{early}{hidden}{then}")
}

/// Why there was no handshake.
struct Failure(String);

impl From<ErrorStack> for Failure {
    fn from(error: ErrorStack) -> Self {
        Self(error.to_string())
    }
}

impl From<HandshakeError<TcpStream>> for Failure {
    fn from(error: HandshakeError<TcpStream>) -> Self {
        Self(error.to_string())
    }
}

/// Answers a request. The alert, if one comes in its place.
fn reply(tls: &mut SslStream<TcpStream>) -> Option<ssl::Error> {
    let mut request = [0; 4096];
    match tls.ssl_read(&mut request) {
        // A client that has left already is no concern of this program.
        Ok(_) => _ = tls.write_all(REPLY),
        Err(error) if error.code() == ErrorCode::SSL => return Some(error),
        Err(_) => {}
    }
    let _ = tls.shutdown();
    // Until the client has closed too: a reset would take the reply from it.
    while tls.ssl_read(&mut request).is_ok_and(|length| length > 0) {}
    None
}

fn read(path: &str) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| format!("{path}: {error}").into())
}

fn read_chain(path: &str) -> Result<Vec<Vec<u8>>> {
    let chain = X509::stack_from_pem(&read(path)?)?;
    Ok(chain
        .iter()
        .map(|certificate| certificate.to_der())
        .collect::<std::result::Result<_, _>>()?)
}

fn read_key(path: &str) -> Result<PKey<Private>> {
    Ok(PKey::private_key_from_pem(&read(path)?)?)
}

fn read_credential(path: &str) -> Result<Vec<u8>> {
    let file = read(path)?;
    let text = String::from_utf8_lossy(&file);
    let Some((_, body)) = text.split_once("-----BEGIN DELEGATED CREDENTIAL-----") else {
        return Ok(file);
    };
    let (body, _) = body
        .split_once("-----END")
        .ok_or_else(|| format!("{path}: the PEM block has no end"))?;
    let body: String = body.split_whitespace().collect();
    Ok(boring::base64::decode_block(&body)?)
}

const REPLY: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\nConnection: close\r\n\r\nboringssl\n";
