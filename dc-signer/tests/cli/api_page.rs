//! `docs/api.md`: `openapi.json` for people.
//!
//! `UPDATE_API=1 cargo test --workspace --test cli api_page` writes it anew, once `openapi.json` is as it should be.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use dc_protocol::Kind;
use serde_json::{Map, Value};

const FROM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
const TO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/api.md");

const BEGINNING: &str = "# The API

The signer answers HTTPS at `listen.address`, and what is for operators at `listen.operators` if that is configured. This page is
made from [`openapi.json`](../dc-signer/openapi.json), which the signer also serves, at `/openapi.json`; programs read that.

";

/// The groups of requests, in this order.
const GROUPS: [(&str, &str, &str); 4] = [
    (
        "devices",
        "For devices",
        "A device is known by the key of its client certificate; `dc-agent` does all of this.",
    ),
    (
        "operators",
        "For operators",
        "With `Authorization: Bearer TOKEN`, or a client certificate; [`operators.md`](operators.md) says who may what. With a client certificate, requests that change something also have the header `X-Requested-With`.",
    ),
    ("public", "For everybody", "No authentication."),
    (
        "health",
        "The service itself",
        "At `listen.health` and nowhere else, if that is configured.",
    ),
];

#[test]
fn the_page_of_the_api_is_what_openapi_json_says() {
    let document: Value = serde_json::from_str(&fs::read_to_string(FROM).unwrap()).unwrap();
    let page = page(&document);
    if std::env::var_os("UPDATE_API").is_some() {
        fs::write(TO, &page).unwrap();
    }
    let written = fs::read_to_string(TO).unwrap_or_default();
    assert!(
        written == page,
        "docs/api.md differs: UPDATE_API=1 writes it anew"
    );
}

#[test]
fn no_request_parameter_schema_or_field_is_missing_on_the_page() {
    let document: Value = serde_json::from_str(&fs::read_to_string(FROM).unwrap()).unwrap();
    let page = page(&document);
    for (path, methods) in object(&document["paths"]) {
        for (method, request) in object(methods) {
            assert!(page.contains(&format!("### {} `{path}`\n", method.to_uppercase())));
            for parameter in list(&request["parameters"]) {
                assert!(page.contains(&format!("| `{}` | ", text(&parameter["name"]))));
            }
        }
    }
    for (name, schema) in object(&document["components"]["schemas"]) {
        assert!(page.contains(&format!("### {name}\n")), "{name}");
        for field in schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(field, _)| field)
        {
            assert!(page.contains(&format!("| `{field}` | ")), "{name}: {field}");
        }
    }
    for kind in Kind::ALL {
        assert!(page.contains(&kind.urn()));
    }
}

fn page(document: &Value) -> String {
    let mut out = BEGINNING.to_owned();
    writeln!(out, "{}\n", text(&document["info"]["description"])).unwrap();
    let mut groups: BTreeMap<&str, String> = BTreeMap::new();
    for (path, methods) in object(&document["paths"]) {
        for (method, request) in object(methods) {
            let group = groups.entry(text(&request["tags"][0])).or_default();
            group.push_str(&of_request(path, method, request));
        }
    }
    let known: Vec<&str> = GROUPS.iter().map(|(tag, ..)| *tag).collect();
    assert!(
        groups.keys().all(|tag| known.contains(tag)),
        "{:?}",
        groups.keys()
    );
    for (tag, title, what) in GROUPS {
        writeln!(out, "## {title}\n\n{what}\n\n{}", groups[tag]).unwrap();
    }
    out.push_str(&problems());
    out.push_str("## What is sent\n\n");
    for (name, schema) in object(&document["components"]["schemas"]) {
        out.push_str(&of_schema(name, schema));
    }
    out.trim_end().to_owned() + "\n"
}

fn of_request(path: &str, method: &str, request: &Value) -> String {
    let mut out = format!(
        "### {} `{path}`\n\n{}\n\n",
        method.to_uppercase(),
        text(&request["summary"])
    );
    if let Some(more) = request["description"].as_str() {
        writeln!(out, "{}\n", one_line(more)).unwrap();
    }
    let parameters = list(&request["parameters"]);
    if !parameters.is_empty() {
        out.push_str("| parameter | in | type | |\n|---|---|---|---|\n");
        for parameter in parameters {
            let must = if parameter["required"] == true {
                ", required"
            } else {
                ""
            };
            writeln!(
                out,
                "| `{}` | {}{must} | {} | {} |",
                text(&parameter["name"]),
                text(&parameter["in"]),
                of_type(&parameter["schema"]),
                cell(&parameter["description"])
            )
            .unwrap();
        }
        out.push('\n');
    }
    if let Some(body) = request.get("requestBody") {
        let may = if body["required"] == true {
            ""
        } else {
            ", which may be left out"
        };
        writeln!(out, "Body: {}{may}.\n", of_content(&body["content"])).unwrap();
    }
    out.push_str("| answer | body | |\n|---|---|---|\n");
    for (status, answer) in object(&request["responses"]) {
        let status = if status == "default" {
            "any other"
        } else {
            status
        };
        let body = answer
            .get("content")
            .map_or_else(|| "none".to_owned(), of_content);
        writeln!(
            out,
            "| {status} | {body} | {} |",
            cell(&answer["description"])
        )
        .unwrap();
    }
    out.push('\n');
    out
}

fn problems() -> String {
    let mut out = "## Problems\n\nEvery refusal is a [Problem](#problem), whose `type` stays as it is. *Again* is whether the same request may succeed later without
anybody doing anything, and after how long it is worth another try if the answer does not say.\n\n| type | status | | again |\n|---|---|---|---|\n"
        .to_owned();
    for kind in Kind::ALL {
        let again = match (kind.is_transient(), kind.retry_after()) {
            (false, _) => "no".to_owned(),
            (true, None) => "yes".to_owned(),
            (true, Some(seconds)) => format!("yes, after {seconds} s"),
        };
        writeln!(
            out,
            "| `{}` | {} | {} | {again} |",
            kind.urn(),
            kind.status(),
            kind.title()
        )
        .unwrap();
    }
    out + "\n"
}

fn of_schema(name: &str, schema: &Value) -> String {
    let mut out = format!("### {name}\n\n{}\n\n", cell(&schema["description"]));
    let Some(fields) = schema["properties"].as_object() else {
        let kind = of_type(schema);
        return out + &kind + ".\n\n";
    };
    out.push_str("| field | type | |\n|---|---|---|\n");
    let required = list(&schema["required"]);
    for (field, value) in fields {
        let may = if required.iter().any(|name| name == field) {
            ""
        } else {
            ", may be left out"
        };
        let described = match value["description"].as_str() {
            Some(said) => one_line(said),
            None => list(&value["oneOf"])
                .iter()
                .filter_map(|one| one["description"].as_str())
                .map(one_line)
                .collect::<Vec<_>>()
                .join(" "),
        };
        writeln!(out, "| `{field}` | {}{may} | {described} |", of_type(value)).unwrap();
    }
    out + "\n"
}

fn of_content(content: &Value) -> String {
    let each = object(content)
        .iter()
        .map(|(media, value)| match media.as_str() {
            "application/json" | "application/problem+json" => of_type(&value["schema"]),
            media => format!("{} (`{media}`)", of_type(&value["schema"])),
        });
    each.collect::<Vec<_>>().join(" or ")
}

/// A schema in words.
fn of_type(schema: &Value) -> String {
    if let Some(path) = schema["$ref"].as_str() {
        let name = path.rsplit('/').next().unwrap();
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(several) = schema["oneOf"].as_array() {
        let each: Vec<String> = several.iter().map(of_type).collect();
        return each.join(" or ");
    }
    let words = match &schema["type"] {
        Value::String(word) => vec![word.as_str()],
        Value::Array(words) => words.iter().map(text).collect(),
        _ => vec!["anything"],
    };
    let words: Vec<String> = words
        .into_iter()
        .map(|word| of_word(word, schema))
        .collect();
    words.join(" or ")
}

fn of_word(word: &str, schema: &Value) -> String {
    let number = |key: &str| schema[key].as_i64();
    let bounds = match (number("minimum"), number("maximum")) {
        (Some(least), Some(most)) => format!(", {least} to {most}"),
        (Some(least), None) if least > 0 => format!(", {least} at least"),
        _ => String::new(),
    };
    let long = match (number("minLength"), number("maxLength")) {
        (Some(least), Some(most)) => format!(", {least} to {most} characters"),
        (None, Some(most)) => format!(", {most} characters at most"),
        _ => String::new(),
    };
    let pattern = schema["pattern"]
        .as_str()
        .map(|pattern| format!(", `{}`", pattern.replace('|', "\\|")));
    match word {
        "array" => format!("list of {}", of_type(&schema["items"])),
        "integer" => format!("number{bounds}"),
        "boolean" => "true or false".to_owned(),
        "string" => format!("text{long}{}", pattern.unwrap_or_default()),
        other => other.to_owned(),
    }
}

fn object(value: &Value) -> &Map<String, Value> {
    value
        .as_object()
        .unwrap_or_else(|| panic!("no object: {value}"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// A description in a cell; nothing if there is none.
fn cell(value: &Value) -> String {
    one_line(value.as_str().unwrap_or_default())
}

/// Without line breaks, what would end a cell, and links of rustdoc.
fn one_line(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.replace('|', "\\|")
        .replace("; see [`Kind::urn`]", "; see [problems](#problems)")
        .replace('<', "&lt;")
}
