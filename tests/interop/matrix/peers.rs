//! The peers, as the matrix needs them: what each says about a connection, as a verdict.

use super::{
    cell::{Said, Verdict},
    two_at_a_time,
};
use crate::{
    boring,
    endpoint::Endpoint,
    firefox,
    lab::{Lab, NAME, Served},
    nss,
    process::{Outcome, run},
    tlslite,
};

/// A client program: connects to these ports, with or without offering credentials, and says how each connection ended.
/// It connects twice to a port that comes twice, one right behind the other, and takes up the session if there is one.
pub(crate) type Connect = fn(&Lab, &[u16], Offers) -> Vec<Said>;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Offers {
    Credentials,
    Nothing,
}

pub(crate) fn nss_client(lab: &Lab, ports: &[u16], offers: Offers) -> Vec<Said> {
    let database = lab.nss_database();
    let connect = |same: &&[u16]| {
        let times = same.len().to_string();
        let mut arguments = vec!["-L", &times];
        if offers == Offers::Credentials {
            arguments.push("-B");
        }
        let outcome = nss::client(&database, NAME, &arguments).run(same[0]);
        vec![nss_said(&outcome); same.len()]
    };
    two_at_a_time(&by_port(ports), connect).concat()
}

fn by_port(ports: &[u16]) -> Vec<&[u16]> {
    ports.chunk_by(u16::eq).collect()
}

fn nss_said(outcome: &Outcome) -> Said {
    let words = outcome
        .stderr
        .lines()
        .find(|line| line.contains(": SSL_ERROR"));
    match outcome.exit {
        // It says so of the first connection only, which the others continue.
        Some(0) if nss::says_used(outcome) => Said::new(Verdict::Credential, ""),
        Some(0) => Said::new(Verdict::Certificate, ""),
        _ => Said::new(Verdict::Refused, words.unwrap_or(&outcome.stderr).trim()),
    }
}

pub(crate) fn tlslite_client(_: &Lab, ports: &[u16], offers: Offers) -> Vec<Said> {
    let some: Vec<Vec<u16>> = by_port(ports)
        .chunks(TLSLITE_PORTS)
        .map(<[_]>::concat)
        .collect();
    two_at_a_time(&some, |ports| tlslite_clients(ports, offers)).concat()
}

fn tlslite_clients(ports: &[u16], offers: Offers) -> Vec<Said> {
    let mut client = tlslite::python("tlslite_client.py");
    client.arg(NAME).args(ports.iter().map(u16::to_string));
    match offers {
        Offers::Credentials => client.args(["--schemes", tlslite::ALL_SCHEMES]),
        Offers::Nothing => client.args(["--schemes", "none"]),
    };
    let outcome = run(&mut client);
    let stdout = format!("\n{}", outcome.stdout);
    let said: Vec<Said> = stdout.split("\nport ").skip(1).map(tlslite_said).collect();
    assert!(said.len() == ports.len(), "{outcome:?}");
    with_sessions_of_the_first(ports, said)
}

/// These clients know nothing any more of the credential when they take up the session that was made with it.
fn with_sessions_of_the_first(ports: &[u16], mut said: Vec<Said>) -> Vec<Said> {
    for again in 1..said.len() {
        let first = again - 1;
        if ports[again] == ports[first] && said[again].verdict == Verdict::Certificate {
            said[again].verdict = said[first].verdict.clone();
        }
    }
    said
}

/// What it says of one connection.
fn tlslite_said(text: &str) -> Said {
    let line = |start: &str| text.lines().find(|line| line.starts_with(start));
    match (line("credential: "), line("refused: ")) {
        (Some("credential: none"), _) => Said::new(Verdict::Certificate, ""),
        (Some(used), _) => Said::new(Verdict::Credential, used),
        (None, Some(refused)) => Said::new(Verdict::Refused, refused),
        (None, None) => Said::new(Verdict::Refused, text),
    }
}

pub(crate) fn firefox_client(lab: &Lab, ports: &[u16], offers: Offers) -> Vec<Said> {
    let url = |port: &u16| format!("https://{NAME}:{port}/");
    let urls: Vec<String> = ports.iter().map(url).collect();
    let arguments = match offers {
        Offers::Credentials => &["--hidden"][..],
        Offers::Nothing => &["--hidden", "--without-credentials"],
    };
    let pages = firefox::pages(&[&lab.root()], arguments, &urls);
    with_sessions_of_the_first(ports, pages.iter().map(firefox_said).collect())
}

fn firefox_said(page: &firefox::Page) -> Said {
    match (page.delegated(), page.error()) {
        (Some(true), _) => Said::new(Verdict::Credential, ""),
        (Some(false), _) => Said::new(Verdict::Certificate, ""),
        (None, error) => Said::new(Verdict::Refused, error.unwrap_or_default()),
    }
}

/// What a server program is started for.
#[derive(Clone, Debug)]
pub(crate) struct Serve {
    pub(crate) served: Served,
    /// Makes for a HelloRetryRequest with whoever begins with another group.
    pub(crate) only_p384: bool,
    /// What `tlslite_misuse.py` does with the credential; other programs use it.
    pub(crate) mode: &'static str,
}

/// A server program: how to start it for each of these, where it can serve that, and how to read what it says of a
/// connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerProgram {
    pub(crate) start: fn(&[Serve]) -> Vec<Option<Endpoint>>,
    pub(crate) read: fn(&str) -> Option<Said>,
}

pub(crate) const NSS_SERVER: ServerProgram = ServerProgram {
    start: |all| {
        let start = |serve: &Serve| {
            let arguments = if serve.only_p384 {
                &["--only-p384"][..]
            } else {
                &[]
            };
            nss::try_server(&serve.served, arguments).map(Endpoint::only)
        };
        all.iter().map(start).collect()
    },
    read: |text| {
        let line = text.lines().find(|line| line.starts_with("handshake "))?;
        Some(match line.strip_prefix("handshake failed: ") {
            Some(error) => Said::new(nss_alert(error), error),
            None => Said::new(Verdict::Accepted, line),
        })
    },
};

fn nss_alert(error: &str) -> Verdict {
    let name = error
        .strip_prefix("SSL_ERROR_")
        .and_then(|rest| rest.strip_suffix("_ALERT"));
    match name {
        Some("HANDSHAKE_UNEXPECTED") => Verdict::alert("unexpected_message"),
        Some(name) => Verdict::alert(&name.to_lowercase()),
        None if error.starts_with("PR_") => Verdict::Closed,
        None => Verdict::Refused,
    }
}

pub(crate) const TLSLITE_SERVER: ServerProgram = ServerProgram {
    start: |all| {
        let words = |serve: &Serve| (serve.served.clone(), serve.mode, serve.only_p384);
        let all: Vec<_> = all.iter().map(words).collect();
        let endpoints = tlslite::misuse_servers(&all);
        endpoints.into_iter().map(Some).collect()
    },
    read: |text| tlslite_server_said(text, 0),
};

/// What `tlslite_misuse.py` says, in any mode, of the connection with this number.
pub(crate) fn tlslite_server_said(text: &str, number: usize) -> Option<Said> {
    let said = |line: &str| {
        if line.starts_with("accepted") {
            return Some(Said::new(Verdict::Accepted, line));
        }
        if line.starts_with("failed: ") {
            return Some(Said::new(Verdict::Refused, line));
        }
        let mut words = line.strip_prefix("rejected: ")?.split_whitespace();
        Some(match (words.next(), words.next()) {
            (Some("TLSRemoteAlert"), Some(alert)) => Said::new(Verdict::alert(alert), line),
            _ => Said::new(Verdict::Closed, line),
        })
    };
    text.lines().filter_map(said).nth(number)
}

pub(crate) const BORING_SERVER: ServerProgram = ServerProgram {
    start: |all| {
        let start = |serve: &Serve| {
            let arguments = if serve.only_p384 {
                &["--group", "P-384"][..]
            } else {
                &[]
            };
            boring::try_server(&serve.served, arguments).map(Endpoint::only)
        };
        all.iter().map(start).collect()
    },
    read: |text| {
        let line = text.lines().find(|line| line.starts_with("handshake "))?;
        let selected = |what: &str| text.contains(&format!("selected: {what}"));
        let verdict = match line.strip_prefix("handshake failed: ") {
            Some(error) => boring_alert(error),
            None if selected("delegated") => Verdict::Credential,
            None if selected("certificate") => Verdict::Certificate,
            None => Verdict::Accepted,
        };
        Some(Said::new(verdict, line))
    },
};

/// Such as `[SSLV3_ALERT_ILLEGAL_PARAMETER]` or `[TLSV1_ALERT_DECODE_ERROR]`.
fn boring_alert(error: &str) -> Verdict {
    let name = error.split("_ALERT_").nth(1);
    let name = name.and_then(|rest| {
        rest.split(|c: char| !c.is_ascii_uppercase() && c != '_')
            .next()
    });
    name.map_or(Verdict::Closed, |name| Verdict::alert(&name.to_lowercase()))
}

/// So many for each process: starting one takes longer than a handshake.
const TLSLITE_PORTS: usize = 50;
