//! A request to the proxy of `dc-connect`, from whoever reaches its port.
#![no_main]

use dc_connect::request::{MAX_HEAD, parse};
use dc_connect::target::Target;
use libfuzzer_sys::fuzz_target;

const END: &[u8] = b"\r\n\r\n";

fuzz_target!(|input: &[u8]| {
    let read = parse(input);
    let end = input.windows(END.len()).position(|part| part == END);
    match &read {
        Ok(Some(request)) => {
            let length = end.expect("it was read") + END.len();
            assert!(request.length == length && length <= MAX_HEAD);
            check_head(&input[..length], &request.target);
        }
        Ok(None) => assert!(end.is_none() && input.len() < MAX_HEAD),
        Err(_) => {}
    }
    // Bytes come as they come: what was said of some is said of all.
    let lines = input.iter().enumerate();
    let cuts = lines.filter(|(_, byte)| matches!(byte, b'\n' | b'\r' | b' '));
    for (cut, _) in cuts.take(50) {
        match parse(&input[..cut]) {
            Ok(Some(request)) => assert_eq!(read, Ok(Some(request))),
            Ok(None) => {}
            Err(_) => assert!(read.is_err()),
        }
    }
});

/// What plain sentences say of a head that was read.
fn check_head(head: &[u8], target: &Target) {
    let head = str::from_utf8(head).expect("it was read");
    let lines: Vec<&str> = head.split("\r\n").collect();
    let [first, fields @ .., "", ""] = &lines[..] else {
        panic!("{head:?}");
    };
    let written = first.strip_prefix("CONNECT ").expect("another method");
    let (written, version) = written.split_once(' ').expect("no version");
    assert!(matches!(version, "HTTP/1.0" | "HTTP/1.1"), "{version}");
    assert!(
        !written.contains(['\0', '\r', '\n', ' ', '/', '@']),
        "{written}"
    );
    for field in fields {
        let (name, _) = field.split_once(':').expect("no field");
        assert!(!name.is_empty() && !name.contains([' ', '\t']), "{field}");
        assert!(!field.contains(['\0', '\r', '\n']), "{field}");
    }
    // The same place, and no other, when it is written again.
    let again = format!("CONNECT {target} HTTP/1.1\r\n\r\n");
    let again = parse(again.as_bytes()).expect("it was written by us");
    assert_eq!(again.expect("it is whole").target, *target);
}
