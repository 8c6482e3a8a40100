//! What a handshake is expected to do, and whether it did.

use std::{fmt, time::Instant};

use crate::{
    process::{Outcome, Server},
    report::{self, Row},
};

/// A client program, and how to run it against a port of 127.0.0.1.
pub(crate) struct Client<'a> {
    name: &'static str,
    connect: Box<dyn FnOnce(u16) -> Outcome + 'a>,
}

impl<'a> Client<'a> {
    pub(crate) fn new(name: &'static str, connect: impl FnOnce(u16) -> Outcome + 'a) -> Self {
        Self {
            name,
            connect: Box::new(connect),
        }
    }
}

impl Client<'_> {
    /// Connects, and leaves the judgement to the caller.
    pub(crate) fn run(self, port: u16) -> Outcome {
        (self.connect)(port)
    }
}

impl fmt::Debug for Client<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// How one handshake has to end. All texts are parts of what the two programs say.
#[derive(Clone, Debug)]
pub(crate) struct Expect<'a> {
    exit: i32,
    client: Vec<&'a str>,
    client_not: Vec<&'a str>,
    server: Vec<&'a str>,
}

impl<'a> Expect<'a> {
    /// The client ends with this exit status.
    pub(crate) fn exit(exit: i32) -> Self {
        Self {
            exit,
            client: Vec::new(),
            client_not: vec![PANICKED],
            server: Vec::new(),
        }
    }

    /// And the client says this.
    pub(crate) fn client(mut self, text: &'a str) -> Self {
        self.client.push(text);
        self
    }

    /// And the client does not say this.
    pub(crate) fn client_not(mut self, text: &'a str) -> Self {
        self.client_not.push(text);
        self
    }

    /// And the server says this.
    pub(crate) fn server(mut self, text: &'a str) -> Self {
        self.server.push(text);
        self
    }

    fn differences(&self, outcome: &Outcome, server: &Server, mark: usize) -> Vec<String> {
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        let mut wrong = Vec::new();
        if outcome.exit != Some(self.exit) {
            wrong.push(format!(
                "exit status {:?} instead of {}",
                outcome.exit, self.exit
            ));
        }
        let silent = self.client.iter().filter(|text| !said.contains(**text));
        wrong.extend(silent.map(|text| format!("the client does not say '{text}'")));
        let talkative = self.client_not.iter().filter(|text| said.contains(**text));
        wrong.extend(talkative.map(|text| format!("the client says '{text}'")));
        let silent = self.server.iter().filter(|text| !server.says(text, mark));
        wrong.extend(silent.map(|text| format!("the server does not say '{text}'")));
        if server.text()[mark..].contains(PANICKED) {
            wrong.push("the server panicked".to_owned());
        }
        wrong
    }

    /// The lines that both sides have said and that were asked for.
    fn evidence(&self, outcome: &Outcome, server: &Server, mark: usize) -> String {
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        let mut evidence = vec![format!("exit {}", self.exit)];
        evidence.extend(self.client.iter().map(|text| line_with(text, &said)));
        let denied = self.client_not.iter().filter(|text| **text != PANICKED);
        evidence.extend(denied.map(|text| format!("no '{text}'")));
        let said = &server.text()[mark..];
        evidence.extend(
            self.server
                .iter()
                .map(|text| format!("server: {}", line_with(text, said))),
        );
        evidence.join(" | ")
    }
}

fn line_with(text: &str, said: &str) -> String {
    let line = said
        .lines()
        .find(|line| line.contains(text))
        .unwrap_or(text);
    line.trim().chars().take(WIDEST_LINE).collect()
}

/// The handshakes of one test. All of them are tried; [`Self::finish`] fails the test if one went wrong.
#[derive(Debug)]
pub(crate) struct Handshakes {
    test: &'static str,
    rows: Vec<Row>,
    failures: Vec<String>,
}

impl Handshakes {
    pub(crate) fn new(test: &'static str) -> Self {
        Self {
            test,
            rows: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Lets this client connect to this server and judges the result.
    pub(crate) fn check(
        &mut self,
        case: &str,
        client: Client<'_>,
        server: &Server,
        expect: &Expect<'_>,
    ) {
        let mark = server.text().len();
        let start = Instant::now();
        let outcome = (client.connect)(server.port());
        let wrong = expect.differences(&outcome, server, mark);
        let (client, took) = (client.name, start.elapsed());
        if !wrong.is_empty() {
            self.failures.push(format!(
                "{client} -> {}, {case}:\n  {}\n--- the client said\n{}{}\n--- the server said\n{}",
                server.name,
                wrong.join("\n  "),
                outcome.stdout,
                outcome.stderr,
                &server.text()[mark..],
            ));
        }
        let evidence = if wrong.is_empty() {
            expect.evidence(&outcome, server, mark)
        } else {
            wrong.join("; ")
        };
        let (case, ok) = (case.to_owned(), wrong.is_empty());
        self.rows.push(Row {
            client,
            server: server.name,
            case,
            evidence,
            ok,
            took,
        });
    }

    /// Panics with every handshake that was not as expected.
    pub(crate) fn finish(self) {
        assert!(self.failures.is_empty(), "\n{}", self.failures.join("\n\n"));
    }
}

/// Files the rows in the report, also those of a test that did not get to its end.
impl Drop for Handshakes {
    fn drop(&mut self) {
        report::file(self.test, std::mem::take(&mut self.rows));
    }
}

const PANICKED: &str = "panicked";
const WIDEST_LINE: usize = 80;
