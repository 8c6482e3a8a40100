//! JSON objects that people and programs send; what is wrong with one names the place, never the contents.

use serde::de::DeserializeOwned;

/// Reads the object of a body.
///
/// Fails with a clause that says what is wrong, and at which line and column.
pub fn read_body<T: DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    read(json, " at line 1", |error| {
        format!("line {}, column {}", error.line(), error.column())
    })
}

/// Reads the object of a line of NDJSON, as editors write it: with white space around it, and what some put in front of all text;
/// none if the line is empty.
///
/// Fails with a clause that says what is wrong, and at which column.
pub fn read_line<T: DeserializeOwned>(line: &[u8]) -> Option<Result<T, String>> {
    let text = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    let text = text.trim_ascii();
    (!text.is_empty()).then(|| read(text, "", |error| format!("column {}", error.column())))
}

fn read<T: DeserializeOwned>(
    json: &[u8],
    first: &str,
    place: impl Fn(&serde_json::Error) -> String,
) -> Result<T, String> {
    // serde would take a list for a struct, by the order of its fields.
    if json.trim_ascii_start().first() == Some(&b'[') {
        return Err(format!(
            "the JSON is wrong{first}: expected an object, in braces, and found a list"
        ));
    }
    serde_json::from_slice(json).map_err(|error| {
        let (place, wrong) = (place(&error), what_is_wrong(&error));
        format!("the JSON is wrong at {place}: {wrong}")
    })
}

/// serde's own text quotes values, and a value may be a code.
fn what_is_wrong(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if !error.is_data() {
        return "it is not JSON".to_owned();
    }
    let of_a_field = ["missing field `", "unknown field `", "duplicate field `"];
    match of_a_field.iter().find(|start| text.starts_with(**start)) {
        Some(start) if *start != "unknown field `" => {
            text.split(" at line").take(1).collect::<String>()
        }
        // What is expected comes from us, what was found does not.
        Some(_) => match text.split_once(", expected ") {
            Some((_, rest)) => format!("unknown field, expected {}", without_place(rest)),
            None => "unknown field".to_owned(),
        },
        None => match text.split_once(", expected ") {
            Some((_, rest)) => format!("expected {}", for_people(without_place(rest))),
            None => "a value is of the wrong type".to_owned(),
        },
    }
}

fn for_people(wanted: &str) -> String {
    match wanted {
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "u64" => format!("a whole number from 0 to {}", u64::MAX),
        wanted if wanted.starts_with("struct ") => "an object, in braces".to_owned(),
        wanted => wanted.to_owned(),
    }
}

fn without_place(text: &str) -> &str {
    text.split(" at line").next().unwrap_or(text)
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

#[cfg(test)]
mod tests {
    use dc_protocol::EnrollRequest;

    use super::super::NewDevice;
    use super::*;

    fn said<T: DeserializeOwned + std::fmt::Debug>(json: &str) -> String {
        read_body::<T>(json.as_bytes()).unwrap_err()
    }

    #[test]
    fn what_is_wrong_with_json_is_said_without_its_contents() {
        for (json, words) in [
            ("{\"csr\": 5, \"code\": \"secret\"}", "expected a string"),
            ("{\"code\": \"secret\"}", "missing field `csr`"),
            ("{\"csr\": \"a\", \"code\": \"secret", "it is not JSON"),
            ("[\"secret\"]", "at line 1: expected an object"),
            ("\"secret\"", "expected an object, in braces"),
        ] {
            let said = said::<EnrollRequest>(json);
            assert!(said.contains(words) && !said.contains("secret"), "{said}");
        }
        let said = said::<NewDevice>("{\"external_id\": \"a\", \"secret\": 1}");
        assert!(
            said.contains("unknown field, expected one of `external_id`"),
            "{said}"
        );
        assert!(!said.contains("secret"), "{said}");
    }

    #[test]
    fn a_line_is_read_whichever_editor_wrote_it_and_has_no_line_of_its_own() {
        let read = |line: &str| read_line::<NewDevice>(line.as_bytes());
        for line in [
            "{\"external_id\":\"a\"}",
            "\u{feff}{\"external_id\":\"a\"}\r\n",
        ] {
            assert_eq!(read(line).unwrap().unwrap().external_id, "a");
        }
        for line in ["", "\r\n", "\u{feff}\n", " \t"] {
            assert!(read(line).is_none());
        }
        for (line, words) in [
            ("[\"a\"]", "found a list"),
            (" [", "found a list"),
            ("{\"external_id\":\"a\"},", "at column 20"),
            ("{\"external_id\":7}", "expected a string"),
            ("5", "expected an object, in braces"),
            (
                "{\"external_id\":\"a\",\"slot\":-1}",
                "expected a whole number from 0 to 4294967295",
            ),
        ] {
            let said = read(line).unwrap().unwrap_err();
            assert!(said.contains(words) && !said.contains("line 1"), "{said}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(body: Vec<u8>, text in "[\\[\\]{}\":a-z0-9, ]{0,40}") {
            let _ = read_body::<NewDevice>(&body);
            let _ = read_line::<NewDevice>(&body);
            let _ = read_line::<NewDevice>(text.as_bytes());
        }
    }
}
