//! What a CA signs: host names.

use crate::acme::objects::Identifier;
use crate::acme::problem::Problem;

/// The names of an order. Fails for what this CA does not sign.
pub(super) fn names_of(identifiers: &[Identifier]) -> Result<Vec<String>, Problem> {
    if identifiers.is_empty() {
        return Err(Problem::new(400, "malformed", "an order needs identifiers"));
    }
    identifiers
        .iter()
        .map(|identifier| {
            let Identifier { kind, value } = identifier;
            if kind != "dns" {
                let detail = format!("{kind} is no kind of name that is signed here");
                return Err(Problem::new(400, "unsupportedIdentifier", detail));
            }
            match is_host_name(value) {
                true => Ok(value.clone()),
                false => {
                    let detail = format!("{value:?} is no host name in lower case");
                    Err(Problem::new(400, "rejectedIdentifier", detail))
                }
            }
        })
        .collect()
}

fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.contains('.') && name.split('.').all(is_label)
}
