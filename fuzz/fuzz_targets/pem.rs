//! PEM files: no BEGIN is lost without an error, and credentials are read back as they were written.
#![no_main]

use dc_core::{DelegatedCredential, Form, pem};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    account(input);
    dress(input);
    beside(input);
    let Ok(found) = pem::read(input) else {
        return;
    };
    assert!(!found.is_empty());
    for stored in found {
        assert!(stored.bytes.len() <= input.len());
        assert!(DelegatedCredential::decode(stored.form, &stored.bytes).is_ok());
        let file = pem::write(stored.form, &stored.bytes);
        assert!(file.lines().all(|line| line.len() <= 64));
        let again = pem::read(file.as_bytes()).expect("just written");
        let [again] = &again[..] else {
            panic!("one was written");
        };
        assert_eq!((again.form, &again.bytes), (stored.form, &stored.bytes));
    }
});

/// Every line that begins a block is one of the blocks, or all of them are an error.
fn account(input: &[u8]) {
    for found in [
        pem::certificates(input).err(),
        pem::private_key(input).err(),
        pem::encrypted_private_key(input).err(),
    ] {
        let _ = found.map(|error| error.to_string());
    }
    let Ok(blocks) = pem::blocks(input) else {
        return;
    };
    let lines = input.split(|b| matches!(b, b'\r' | b'\n'));
    let begins = lines.filter(|line| {
        let label = line.trim_ascii().strip_prefix(b"-----BEGIN ");
        let label = label.and_then(|label| label.strip_suffix(b"-----"));
        label.is_some_and(|label| !label.windows(5).any(|part| part == b"-----"))
    });
    assert!(blocks.len() >= begins.count());
    let mut before = 0;
    for block in blocks {
        assert!(block.line() >= before);
        before = block.line();
        if let Ok(bytes) = block.decode() {
            assert!(!bytes.is_empty() && bytes.len() < input.len());
        }
    }
}

/// What is in a file does not depend on byte order marks, line ends and text around it.
fn dress(input: &[u8]) {
    let [choice, bytes @ ..] = input else {
        return;
    };
    if bytes.is_empty() {
        return;
    }
    let file = pem::write(Form::Rfc9345, bytes);
    let end = ["\n", "\r\n", "\r", " \n\n"][usize::from(choice & 3)];
    let mark = if choice & 4 == 0 { "" } else { "\u{feff}" };
    let file = format!("{mark}{file}{mark}{file}").replace('\n', end);
    let file = if choice & 8 == 0 {
        &file
    } else {
        file.trim_end()
    };
    let text: &[u8] = if choice & 16 == 0 { b"" } else { b"caf\xe9\n" };
    let file = [text, file.as_bytes()].concat();
    let blocks = pem::blocks(&file).expect("nothing of it is damaged");
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        assert_eq!(block.decode().expect("whole"), bytes);
    }
}

/// What stands beside the boundaries of a block costs neither it nor another one.
fn beside(input: &[u8]) {
    let parts: Vec<_> = input.splitn(3, |b| *b == 0).collect();
    let [before, behind, bytes] = parts[..] else {
        return;
    };
    let breaks = |text: &[u8]| text.iter().any(|b| matches!(b, b'\r' | b'\n'));
    if bytes.len() < 30 || breaks(before) || breaks(behind) {
        return;
    }
    let block = pem::write(Form::Rfc9345, bytes);
    let mut dressed = Vec::new();
    for line in block.lines() {
        dressed.extend(match line.starts_with("-----") {
            true => [before, line.as_bytes(), behind, b"\n"].concat(),
            false => [line.as_bytes(), b"\n"].concat(),
        });
    }
    for file in [
        [&dressed[..], block.as_bytes()].concat(),
        [block.as_bytes(), &dressed[..]].concat(),
    ] {
        if let Ok(blocks) = pem::blocks(&file) {
            assert!(blocks.len() >= 2);
        }
    }
}
