use std::string::String;
use std::{format, vec};

use proptest::prelude::*;

use super::*;
use crate::pem::encrypted_private_key;

const ONE: &str = "-----BEGIN CERTIFICATE-----\nb25l\n-----END CERTIFICATE-----\n";
const TWO: &str = "-----BEGIN CERTIFICATE-----\ndHdv\n-----END CERTIFICATE-----\n";

fn read(file: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    blocks(file)?.iter().map(Block::decode).collect()
}

fn both() -> Vec<Vec<u8>> {
    vec![b"one".to_vec(), b"two".to_vec()]
}

#[test]
fn takes_what_other_programs_and_editors_write() {
    let chain = [ONE, TWO].concat();
    let mark = "\u{feff}";
    for file in [
        chain.clone(),
        format!("{mark}{chain}"),
        format!("{mark}{ONE}{mark}{TWO}"),
        format!("{mark}\n{mark} {chain}"),
        chain.replace('\n', "\r\n"),
        chain.replace('\n', "\r"),
        chain.replace('\n', " \t\n"),
        chain.replace('\n', "\n\n"),
        chain.replace('\n', "\n    "),
        chain.trim_end().into(),
        chain.replace("b25l", "b2\n5l"),
        chain.replace("b25l", "b2 5l"),
        chain.replace("b25l\n", "b25l"),
        chain.replace("-----\nb25l\n", "-----b25l"),
        chain.replace("b25l", "Comment: nobody reads this\n\nb25l"),
        chain.replace("CERTIFICATE-----\n", "CERTIFICATE ----- \n"),
        format!(
            "subject=/CN=x\nCopy from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----.\n{chain}"
        ),
        format!(
            "Copy all from the line -----BEGIN CERTIFICATE----- on\nand with the \"-----END CERTIFICATE-----\", and no more\n{chain}"
        ),
        format!("Behind -----BEGIN CERTIFICATE-----, as you see,\n\nthere is one.\n{chain}"),
        format!("Between -----BEGIN ... to -----END ... is a certificate.\n{chain}"),
        format!("to begin certificate issuance -- and end certificate use\n{chain}"),
        format!("{}: {TWO}", ONE.trim_end()).replace(": -----BEGIN", " (one)\n-----BEGIN"),
        format!("-- begin of the list --\n{chain}--- end ---\n"),
    ] {
        assert_eq!(read(file.as_bytes()), Ok(both()), "{file}");
    }
    let bytes = [b"caf\xe9 \xff\x00\n", chain.as_bytes(), b"\xc3"].concat();
    assert_eq!(read(&bytes), Ok(both()));
}

#[test]
fn takes_a_block_whose_line_breaks_became_spaces() {
    let bytes = b"one line of base64 has 48 bytes: so many, and no m";
    let body = Base64::encode_string(bytes);
    for between in [" ", "  ", "\t", ""] {
        let parts = [
            "-----BEGIN CERTIFICATE-----",
            &body,
            "-----END CERTIFICATE-----\n",
        ];
        let file = format!("{}{TWO}", parts.join(between));
        assert_eq!(
            read(file.as_bytes()),
            Ok(vec![bytes.to_vec(), b"two".to_vec()]),
            "{file}"
        );
    }
}

fn assert_fault(file: &[u8], fault: PemFault, line: usize) {
    let shown = String::from_utf8_lossy(file);
    assert_eq!(read(file), Err(fault.at(line)), "{shown}");
}

#[test]
fn names_the_line_of_a_boundary_that_it_does_not_take() {
    let chain = [ONE, TWO].concat();
    for (from, to, fault, line) in [
        ("-----END CERTIFICATE-----\n", "", PemFault::MissingEnd, 1),
        (
            "-----BEGIN CERTIFICATE-----\n",
            "",
            PemFault::MissingBegin,
            2,
        ),
        ("-----BEGIN", "----BEGIN", PemFault::BadBoundary, 1),
        ("-----BEGIN", "------BEGIN", PemFault::BadBoundary, 1),
        ("-----BEGIN", "----- BEGIN", PemFault::BadBoundary, 1),
        ("-----BEGIN", "-----begin", PemFault::BadBoundary, 1),
        (
            "-----BEGIN",
            "\u{2014}\u{2013}BEGIN",
            PemFault::BadBoundary,
            1,
        ),
        ("-----BEGIN ", "-----BEGIN", PemFault::BadBoundary, 1),
        ("-----BEGIN", "> -----BEGIN", PemFault::BesideBoundary, 1),
        (
            "CERTIFICATE-----",
            "CERTIFICATE----",
            PemFault::BadBoundary,
            1,
        ),
        (
            "CERTIFICATE-----",
            "CERTIFICATE------",
            PemFault::BadBoundary,
            1,
        ),
        ("-----END", "----END", PemFault::BadBoundary, 3),
        ("END CERTIFICATE", "END X509 CRL", PemFault::WrongEnd, 3),
    ] {
        assert_fault(chain.replacen(from, to, 1).as_bytes(), fault, line);
    }
    for file in [
        [ONE.trim_end(), TWO].concat(),
        format!("{} {TWO}", ONE.trim_end()),
    ] {
        assert_fault(file.as_bytes(), PemFault::RunTogether, 3);
    }
    assert_fault(
        chain.replace('\n', "\\n").as_bytes(),
        PemFault::RunTogether,
        1,
    );
    let body = ONE.replace("b25l", &"b25l".repeat(9)).replace('\n', "\\n");
    let json = format!("{{\"chain\": \"{body}\"}}");
    assert_fault(json.as_bytes(), PemFault::BesideBoundary, 1);
}

#[test]
fn names_the_line_of_what_it_does_not_take() {
    let chain = [ONE, TWO].concat();
    let utf16: Vec<u8> = chain.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_fault(&utf16, PemFault::Utf16, 1);
    let utf16: Vec<u8> = chain.encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_fault(&utf16, PemFault::Utf16, 1);
    let encrypted = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\ndHdv";
    for (from, to, fault, line) in [
        ("dHdv", "d?dv", PemFault::Base64, 5),
        ("dHdv", "d=dv", PemFault::Base64, 5),
        ("dHdv", "d:Hdv\ndHdv", PemFault::Base64, 5),
        ("dHdv", "dHdvA:\ndHdv", PemFault::Base64, 5),
        ("dHdv", "dHdv\ndHd", PemFault::CutOff, 6),
        ("dHdv", "dHdvA", PemFault::CutOff, 5),
        ("dHdv\n", "", PemFault::Empty, 4),
        ("dHdv", " \r", PemFault::Empty, 4),
        ("dHdv", encrypted, PemFault::Encrypted, 4),
    ] {
        assert_fault(chain.replace(from, to).as_bytes(), fault, line);
    }
    let key = TWO.replace("CERTIFICATE", "ENCRYPTED PRIVATE KEY");
    assert_fault(key.as_bytes(), PemFault::Encrypted, 1);
}

#[test]
fn an_encrypted_key_is_read_as_it_is_if_it_is_the_only_key() {
    let key = TWO.replace("CERTIFICATE", "ENCRYPTED PRIVATE KEY");
    let plain = TWO.replace("CERTIFICATE", "PRIVATE KEY");
    let old = plain.replace(
        "dHdv",
        "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\ndHdv",
    );
    let read = |file: &[&str]| encrypted_private_key(file.concat().as_bytes());
    assert_eq!(read(&[ONE, &key]).unwrap(), b"two");
    let another = |line| {
        let label = "PRIVATE KEY";
        Err(PemFault::Another { label }.at(line))
    };
    assert_eq!(read(&[&key, &plain]), another(4));
    assert_eq!(read(&[&key, &key]), another(4));
    assert_eq!(read(&[&old]), Err(PemFault::Encrypted.at(1)));
    for nothing in [ONE, &plain] {
        let label = "ENCRYPTED PRIVATE KEY";
        assert_eq!(read(&[nothing]), Err(Error::MissingPem { label }));
    }
}

#[test]
fn a_block_whose_boundaries_have_something_beside_them_is_no_text() {
    let long = TWO.replace("dHdv", &"dHdv".repeat(16));
    for (dressed, fault) in [
        (beside(TWO, "", " # my root"), PemFault::BesideBoundary),
        (beside(TWO, "", " (one)"), PemFault::BesideBoundary),
        (beside(TWO, "", " and"), PemFault::BesideBoundary),
        (beside(TWO, "", "</p>"), PemFault::BesideBoundary),
        (beside(TWO, "# ", ""), PemFault::BesideBoundary),
        (beside(TWO, "     1\t", ""), PemFault::BesideBoundary),
        (beside(TWO, "12:", ""), PemFault::BesideBoundary),
        (beside(TWO, "root: ", ""), PemFault::BesideBoundary),
        (beside(TWO, "the root ", ""), PemFault::BesideBoundary),
        (beside(TWO, "root: ", " (one)"), PemFault::BesideBoundary),
        (beside(TWO, "\"", "\\n\""), PemFault::BesideBoundary),
        (
            beside(TWO, "s = \"", "\\n\" // root"),
            PemFault::BesideBoundary,
        ),
        (beside(TWO, "the ", " root"), PemFault::BesideBoundary),
        (beside(&long, "the ", " root"), PemFault::BesideBoundary),
        (
            beside(&TWO.replace("CERTIFICATE", "FOO BAR"), "# ", ""),
            PemFault::BesideBoundary,
        ),
        (beside(TWO, "# -", ""), PemFault::BadBoundary),
        (
            beside(&TWO.replace("-----BEGIN", "----BEGIN"), "", " # x"),
            PemFault::BadBoundary,
        ),
        (
            beside(&TWO.replace("-----BEGIN", "----BEGIN"), "# ", ""),
            PemFault::BadBoundary,
        ),
        (
            beside(&TWO.replace("CATE-----", "CATE"), "# ", ""),
            PemFault::BadBoundary,
        ),
        (
            beside(&TWO.replace("CATE-----", "CATE"), "# ", " one"),
            PemFault::BadBoundary,
        ),
    ] {
        let alone = read(dressed.as_bytes());
        assert_eq!(alone, Err(fault.clone().at(1)), "{dressed}");
        let file = [ONE, &dressed].concat();
        assert_eq!(read(file.as_bytes()), Err(fault.at(4)), "{file}");
    }
}

/// A block with something before and behind both of its boundaries.
fn beside(block: &str, before: &str, behind: &str) -> String {
    let lines = block.lines().map(|line| match line.contains("---") {
        true => format!("{before}{line}{behind}\n"),
        false => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn der_besides_pem_is_named() {
    let [certificate, sec1, ed25519, spki]: [&[u8]; 4] = [
        b"\x30\x82\x0a\x0d\x30\x82\x01",
        b"\x30\x77\x02\x01\x01\x04\x20\xff",
        b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70",
        b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70",
    ];
    for der in [certificate, sec1, ed25519, spki] {
        let behind = [ONE.as_bytes(), der].concat();
        assert_eq!(read(&behind), Err(PemFault::DerBesides.at(4)), "{der:x?}");
        let unfinished = [ONE.trim_end().as_bytes(), der].concat();
        assert_eq!(read(&unfinished), Err(PemFault::DerBesides.at(3)));
        let before = [der, b"\n", ONE.as_bytes()].concat();
        assert_eq!(read(&before), Err(PemFault::DerBesides.at(1)));
    }
}

#[test]
fn line_ends_are_counted_once() {
    for end in ["\n", "\r\n", "\r"] {
        let file = format!("text\n\n{ONE}{}", TWO.replace("dHdv", "d?dv")).replace('\n', end);
        assert_eq!(
            read(file.as_bytes()),
            Err(PemFault::Base64.at(7)),
            "{end:?}"
        );
    }
}

/// How a file may be, that has the same in it.
#[derive(Clone, Debug)]
struct Dress {
    mark: bool,
    end: &'static str,
    width: usize,
    indent: &'static str,
    before: &'static [u8],
    finished: bool,
}

fn dress() -> impl Strategy<Value = Dress> {
    let end = prop::sample::select(vec!["\n", "\r\n", "\r", " \n", "\n\n", "\t\r\n"]);
    let indent = prop::sample::select(vec!["", " ", "\t"]);
    let before: Vec<&'static [u8]> =
        vec![b"", b"caf\xe9", b"subject=CN = x", b"\xff\xfe", b"-- x --"];
    let parts = (
        any::<bool>(),
        end,
        1_usize..200,
        indent,
        prop::sample::select(before),
        any::<bool>(),
    );
    parts.prop_map(|(mark, end, width, indent, before, finished)| Dress {
        mark,
        end,
        width,
        indent,
        before,
        finished,
    })
}

fn dressed(label: &str, bytes: &[u8], dress: &Dress) -> Vec<u8> {
    let body = Base64::encode_string(bytes);
    let mut lines = vec![format!("-----BEGIN {label}-----")];
    lines.extend(
        body.as_bytes()
            .chunks(dress.width)
            .map(|line| String::from_utf8_lossy(line).into_owned()),
    );
    lines.push(format!("-----END {label}-----"));
    let mut file = [dress.before, dress.end.as_bytes()].concat();
    if dress.mark {
        file.extend(b"\xef\xbb\xbf");
    }
    for line in lines {
        file.extend([dress.indent, &line, dress.end].concat().bytes());
    }
    file
}

proptest! {
    #[test]
    fn what_is_in_a_file_does_not_depend_on_how_it_is_written(
        parts in prop::collection::vec((prop::sample::select(vec!["CERTIFICATE", "PRIVATE KEY", "X509 CRL"]), prop::collection::vec(any::<u8>(), 1..200), dress()), 1..5),
    ) {
        let mut file = Vec::new();
        for (label, bytes, dress) in &parts {
            file.extend(dressed(label, bytes, dress));
        }
        if !parts[parts.len() - 1].2.finished {
            file.truncate(file.trim_ascii_end().len());
        }
        let found = blocks(&file).unwrap();
        let found: Vec<_> = found.iter().map(|block| (block.label(), block.decode().unwrap())).collect();
        let wanted: Vec<_> = parts.iter().map(|(label, bytes, _)| (*label, bytes.clone())).collect();
        prop_assert_eq!(found, wanted);
    }

    #[test]
    #[cfg_attr(miri, ignore = "strategies from regular expressions take minutes")]
    fn what_stands_beside_boundaries_costs_no_block(
        before in "[#>\"'0-9: \ta-z<(.,-]{0,12}",
        behind in "[#\"'0-9: \ta-z\\\\>).,-]{0,12}",
        is_first: bool,
        width in 3_usize..90,
    ) {
        let body: Vec<_> = "dHdv".repeat(30).into_bytes();
        let body: Vec<_> = body.chunks(width).map(String::from_utf8_lossy).collect();
        let dressed = beside(&TWO.replace("dHdv", &body.join("\n")), &before, &behind);
        let file = match is_first {
            true => [&dressed, ONE].concat(),
            false => [ONE, &dressed].concat(),
        };
        if let Ok(found) = blocks(file.as_bytes()) {
            prop_assert_eq!(found.len(), 2, "{}", file);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "strategies from regular expressions take minutes")]
    fn no_begin_line_is_lost(file in "(-----BEGIN |-----END |-----|----|A|b25l|CERTIFICATE|PRIVATE KEY|\\n|\\r|\u{feff}| |:|=|x){0,40}") {
        let begins = file.split(['\n', '\r']).filter(|line| {
            let label = line.trim_matches(['\u{feff}', ' ']).strip_prefix("-----BEGIN ");
            let label = label.and_then(|label| label.strip_suffix("-----"));
            label.is_some_and(|label| !label.contains("-----"))
        });
        if let Ok(found) = blocks(file.as_bytes()) {
            prop_assert!(found.len() >= begins.count(), "{}", file);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(file: Vec<u8>) {
        let _ = read(&file);
    }
}
