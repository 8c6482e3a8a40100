//! `exceptions.json`: where a peer is known to be wrong, and why.
//!
//! An exception names cells by any of their keys, says how they end instead, and gives the reason. It fails the tests
//! when one of its cells ends as it should, and when it has no cell any more.

use std::fs;

use serde_json::Value;

use super::cell::Cell;
use crate::setup;

/// One entry of the file.
#[derive(Debug)]
pub(crate) struct Exception {
    cells: Value,
    got: Value,
    pub(crate) reason: String,
}

impl Exception {
    /// Whether it is about this cell, which is given with its peer and role.
    pub(crate) fn is_about(&self, cell: &Value) -> bool {
        let Value::Object(keys) = &self.cells else {
            return false;
        };
        keys.iter().all(|(key, wanted)| match wanted {
            Value::Array(any) => any.contains(&cell[key]),
            one => *one == cell[key],
        })
    }

    /// What is wrong with the exception, if the cell is not as it says.
    pub(crate) fn contradiction(&self, cell: &Cell) -> Option<&'static str> {
        let (client, server) = (
            cell.client.verdict.to_string(),
            cell.server.verdict.to_string(),
        );
        if cell.is_as_expected() {
            Some(
                "exceptions.json says that this is wrong, but it is right now: remove the exception",
            )
        } else if self.got["client"] != *client || self.got["server"] != *server {
            Some("this is wrong in another way than exceptions.json says")
        } else {
            None
        }
    }
}

/// The exceptions of this peer in this role.
pub(crate) fn of(peer: &str, role: &str) -> Vec<Exception> {
    all()
        .into_iter()
        .filter(|entry| entry.cells["peer"] == peer && entry.cells["role"] == role)
        .collect()
}

fn all() -> Vec<Exception> {
    let path = setup::source().join("exceptions.json");
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file: Value =
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let Value::Array(all) = file else {
        panic!("{}: not an array", path.display());
    };
    all.into_iter()
        .map(|entry| Exception {
            cells: entry["cells"].clone(),
            got: entry["got"].clone(),
            reason: entry["reason"].as_str().unwrap_or_default().to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::matrix::{
        PEERS, Peer,
        cell::{Backend, Case, Handshake, Role, Said, Verdict},
        expected,
    };

    fn expired() -> Case {
        Case {
            credential_key: "P-256",
            delegation_key: "P-256",
            both_forms: false,
            handshake: Handshake::Full,
            backend: Backend::Ring,
            wrong: Some("expired"),
        }
    }

    fn exception(wrong: Value) -> Exception {
        Exception {
            cells: json!({ "peer": "lax", "wrong": wrong }),
            got: json!({ "client": "credential", "server": "accepted" }),
            reason: String::new(),
        }
    }

    fn cell(client: Verdict, server: Verdict) -> Cell {
        Cell {
            case: expired(),
            expected: expected::refusal("illegal_parameter"),
            client: Said::new(client, ""),
            server: Said::new(server, ""),
        }
    }

    #[test]
    fn an_exception_is_about_the_cells_that_it_names() {
        let key = expired().to_json("lax", Role::Client);
        assert!(exception(json!("expired")).is_about(&key));
        assert!(exception(json!(["twice", "expired"])).is_about(&key));
        assert!(!exception(json!("twice")).is_about(&key));
    }

    /// Or nobody would ask whether it is still true.
    #[test]
    fn every_exception_is_about_a_peer_of_the_matrix_and_has_a_reason() {
        for exception in all() {
            let (peer, role) = (&exception.cells["peer"], &exception.cells["role"]);
            let is_of = |(p, r): &Peer| peer == p && *role == r.name();
            assert!(PEERS.iter().any(is_of), "{exception:?}");
            assert!(!exception.reason.is_empty(), "{exception:?}");
        }
    }

    #[test]
    fn an_exception_that_is_not_true_any_more_fails() {
        let exception = exception(json!("expired"));
        let wrong = cell(Verdict::Credential, Verdict::Accepted);
        let right = cell(Verdict::Refused, Verdict::alert("illegal_parameter"));
        let otherwise = cell(Verdict::Refused, Verdict::Closed);
        assert_eq!(exception.contradiction(&wrong), None);
        assert!(exception.contradiction(&right).is_some());
        assert!(exception.contradiction(&otherwise).is_some());
    }
}
