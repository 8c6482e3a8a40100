//! What a program says to a server: heard from the server's own log, kept in a file, and said again.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Connection, Either, Executor, PgConnection};

use crate::testing::Own;
use crate::{Location, Store, migrate, open};

/// One message.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Said {
    /// The connection, by a number.
    on: usize,
    sql: String,
    /// Its values, if it was prepared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    with: Option<Vec<Option<String>>>,
}

impl Said {
    /// True of what asks the server which indexes there are.
    pub(super) fn looks_at_indexes(&self) -> bool {
        self.sql.contains("pg_catalog.pg_index ")
    }

    /// The message without what differs each time: texts, bytes and numbers.
    pub(super) fn form(&self) -> String {
        let mut form = String::new();
        let mut before = ' ';
        let mut letters = self.sql.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '\'' => {
                    while letters.next_if(|next| *next != '\'').is_some() {}
                    letters.next();
                    form.push('?');
                }
                '0'..='9' if !before.is_ascii_alphanumeric() && !"_$".contains(before) => {
                    while letters.next_if(char::is_ascii_digit).is_some() {}
                    form.push('?');
                }
                _ => form.push(letter),
            }
            before = letter;
        }
        // A list is as long as what is written together.
        while form.contains("?, ?") {
            form = form.replace("?, ?", "?");
        }
        form
    }

    /// As the server takes it in text.
    fn to_text(&self, names: &BTreeMap<&str, String>) -> String {
        let Some(values) = &self.with else {
            return self.sql.clone();
        };
        let texts: Vec<String> = values.iter().map(literal).collect();
        match names.get(self.sql.as_str()) {
            Some(name) if texts.is_empty() => format!("EXECUTE {name}"),
            Some(name) => format!("EXECUTE {name}({})", texts.join(", ")),
            None => self.sql.clone(),
        }
    }

    /// True of what a server can prepare in text.
    fn is_prepared(&self) -> bool {
        let begins = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];
        self.with.is_some() && begins.iter().any(|word| self.sql.starts_with(word))
    }
}

fn literal(value: &Option<String>) -> String {
    match value {
        None => "NULL".to_owned(),
        Some(text) => format!("'{}'", text.replace('\'', "''")),
    }
}

/// Has a store work on a server of its own, and says what the server has heard.
pub(super) async fn listen(server: Own, work: impl AsyncFn(&Store)) -> Vec<Said> {
    let location: Location = server.url.parse().unwrap();
    migrate(&location).await.unwrap();
    tell(
        &server.url,
        "ALTER DATABASE postgres SET log_statement = 'all'",
    )
    .await;
    let log = server.url.split("?host=").nth(1).unwrap().to_owned() + "/log";
    let before = fs::read_to_string(&log).unwrap().len();
    let store = open(&location, "node-1").await.unwrap();
    work(&store).await;
    store.close().await;
    let log = fs::read_to_string(&log).unwrap();
    heard(&log[before..])
}

/// Does something with a connection of its own.
pub(super) async fn tell(url: &str, sql: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let sql = AssertSqlSafe(sql.to_owned());
    connection.execute(sql).await.unwrap();
}

/// The messages in a server's log.
fn heard(log: &str) -> Vec<Said> {
    let mut all: Vec<Said> = Vec::new();
    let mut connections: Vec<&str> = Vec::new();
    for line in log.lines() {
        // 2026-11-30 09:20:20.123 UTC [4711] LOG:  statement: BEGIN
        let Some((_, rest)) = line.split_once(" UTC [") else {
            continue;
        };
        let (pid, rest) = rest.split_once("] ").unwrap();
        if let Some(sql) = rest.strip_prefix("LOG:  statement: ") {
            let on = number(&mut connections, pid);
            let (sql, with) = (sql.to_owned(), None);
            all.push(Said { on, sql, with });
        } else if let Some(rest) = rest.strip_prefix("LOG:  execute ") {
            let (_, sql) = rest.split_once(": ").unwrap();
            let on = number(&mut connections, pid);
            let (sql, with) = (sql.to_owned(), Some(Vec::new()));
            all.push(Said { on, sql, with });
        } else if let Some(rest) = rest.strip_prefix("DETAIL:  ")
            && let Some((_, list)) = rest.split_once("arameters: ")
        {
            all.last_mut().unwrap().with = Some(values(list));
        } else if rest.starts_with("ERROR:") || rest.starts_with("FATAL:") {
            panic!("the day's work fails: {line}");
        }
    }
    all
}

fn number<'a>(connections: &mut Vec<&'a str>, pid: &'a str) -> usize {
    let known = connections.iter().position(|known| *known == pid);
    known.unwrap_or_else(|| {
        connections.push(pid);
        connections.len() - 1
    })
}

/// `$1 = 'a''b', $2 = NULL`
fn values(list: &str) -> Vec<Option<String>> {
    let mut values = Vec::new();
    let mut rest = list;
    while let Some((_, behind)) = rest.split_once(" = ") {
        let Some(quoted) = behind.strip_prefix('\'') else {
            values.push(None);
            rest = behind;
            continue;
        };
        let mut text = String::new();
        let mut letters = quoted.char_indices();
        let end = loop {
            let (at, letter) = letters.next().unwrap();
            match letter {
                '\'' if quoted[at + 1..].starts_with('\'') => {
                    letters.next();
                    text.push('\'');
                }
                '\'' => break at + 1,
                _ => text.push(letter),
            }
        };
        values.push(Some(text));
        rest = &quoted[end..];
    }
    values
}

/// A message as a line of a file: a text that was there before is only named by the number of its line.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Line {
    New(Said),
    Again {
        on: usize,
        again: usize,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        with: Option<Vec<Option<String>>>,
    },
}

pub(super) fn write(path: &Path, said: &[Said]) {
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    let mut text = String::new();
    for (number, one) in said.iter().enumerate() {
        let first = *known.entry(&one.sql).or_insert(number);
        let line = match first == number {
            true => Line::New(one.clone()),
            false => Line::Again {
                on: one.on,
                again: first,
                with: one.with.clone(),
            },
        };
        text += &(serde_json::to_string(&line).unwrap() + "\n");
    }
    fs::write(path, text).unwrap();
}

pub(super) fn read(path: &Path) -> Vec<Said> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut all: Vec<Said> = Vec::new();
    for line in text.lines() {
        let one = match serde_json::from_str(line).unwrap() {
            Line::New(one) => one,
            Line::Again { on, again, with } => {
                let sql = all[again].sql.clone();
                Said { on, sql, with }
            }
        };
        all.push(one);
    }
    all
}

/// Says it all again, each on its connection with its statement prepared before; does something in front of the message with a number,
/// or of the next one at which no transaction is open: here nobody ends one while somebody else waits.
///
/// The answers are the numbers of rows that each message gets back, and of those that it changes.
pub(super) async fn say(
    url: &str,
    all: &[Said],
    (at, meanwhile): (usize, impl AsyncFn()),
) -> Vec<(usize, u64)> {
    let mut connections: BTreeMap<usize, PgConnection> = BTreeMap::new();
    let mut names: BTreeMap<&str, String> = BTreeMap::new();
    for one in all {
        if let Entry::Vacant(new) = connections.entry(one.on) {
            new.insert(PgConnection::connect(url).await.unwrap());
        }
        let number = names.len();
        if one.is_prepared() {
            names
                .entry(&one.sql)
                .or_insert_with(|| format!("p{number}"));
        }
    }
    let mut prepared: BTreeSet<(usize, &str)> = BTreeSet::new();
    for (on, connection) in &mut connections {
        for (sql, name) in &names {
            // Weeks of issuances have tables that are made on the way.
            if !sql.contains("issues_") {
                prepare(connection, name, sql).await;
                prepared.insert((*on, sql));
            }
        }
    }
    let numbered = all.iter().enumerate();
    let last: BTreeMap<usize, usize> = numbered.map(|(number, one)| (one.on, number)).collect();
    let mut open: BTreeSet<usize> = BTreeSet::new();
    let mut is_done = false;
    let mut answers = Vec::with_capacity(all.len());
    for (number, one) in all.iter().enumerate() {
        if number >= at && open.is_empty() && !is_done {
            meanwhile().await;
            is_done = true;
        }
        match one.sql.split([' ', ';']).next() {
            Some("BEGIN") => drop(open.insert(one.on)),
            Some("COMMIT" | "ROLLBACK") => drop(open.remove(&one.on)),
            _ => {}
        }
        let connection = connections.get_mut(&one.on).unwrap();
        if let Some(name) = names.get(one.sql.as_str())
            && prepared.insert((one.on, &one.sql))
        {
            prepare(connection, name, &one.sql).await;
        }
        let query = sqlx::raw_sql(AssertSqlSafe(one.to_text(&names)));
        let mut answer = connection.fetch_many(query);
        let (mut rows, mut changed) = (0, 0);
        while let Some(part) = futures_util::StreamExt::next(&mut answer).await {
            match part.unwrap_or_else(|error| panic!("{one:?}: {error}")) {
                Either::Left(done) => changed += done.rows_affected(),
                Either::Right(_) => rows += 1,
            }
        }
        drop(answer);
        answers.push((rows, changed));
        if last.get(&one.on) == Some(&number) {
            // Whoever only reads ends in this way.
            let connection = connections.remove(&one.on).unwrap();
            connection.close().await.unwrap();
            open.remove(&one.on);
        }
    }
    assert!(is_done || at == usize::MAX, "a transaction stays open");
    answers
}

async fn prepare(connection: &mut PgConnection, name: &str, sql: &str) {
    let prepare = AssertSqlSafe(format!("PREPARE {name} AS {sql}"));
    let prepared = connection.execute(prepare).await;
    prepared.unwrap_or_else(|error| panic!("{sql}: {error}"));
}
