//! Files as editors and other programs write them: taken, or named with their line; nothing is lost without a
//! word. OpenSSL says what it takes of each.

use std::process::Command;

use dc_pki::trust::{read_chain, read_roots};
use rcgen::KeyPair;

use crate::sandbox::{NAME, Sandbox};

/// The same file, written in all the ways that are taken.
fn ways_to_write(pem: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = |text: String| text.into_bytes();
    let spaced = pem.replace('\n', "\n  ");
    vec![
        ("as it was", bytes(pem.to_owned())),
        ("byte order mark", bytes(format!("\u{feff}{pem}"))),
        ("CRLF", bytes(pem.replace('\n', "\r\n"))),
        ("CR", bytes(pem.replace('\n', "\r"))),
        (
            "white space behind lines",
            bytes(pem.replace('\n', " \t\n")),
        ),
        ("white space before lines", bytes(spaced)),
        ("empty lines", bytes(pem.replace('\n', "\n\n"))),
        ("no line end", bytes(pem.trim_end().to_owned())),
        ("one line of base64", bytes(unwrapped(pem))),
        ("text in Latin-1", [b"Ger\xe4t\n", pem.as_bytes()].concat()),
        (
            "text behind",
            [pem.as_bytes(), b"that is all\xff\n"].concat(),
        ),
        (
            "bag attributes",
            bytes(format!(
                "Bag Attributes\n    localKeyID: 6C 3E\nsubject=CN = a\n{pem}"
            )),
        ),
        (
            "a CA's letter",
            bytes(format!(
                "Copy all from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----:\n{pem}"
            )),
        ),
    ]
}

/// Each block with all of its base64 in one line.
fn unwrapped(pem: &str) -> String {
    let mut text = String::new();
    for line in pem.lines() {
        let is_boundary = line.starts_with('-');
        if is_boundary && !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(line);
        if is_boundary {
            text.push('\n');
        }
    }
    text
}

fn openssl(sandbox: &Sandbox, arguments: &[&str]) -> Option<String> {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(sandbox.path("."))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(said)
}

#[track_caller]
fn made(sandbox: &Sandbox, command: &str) {
    let arguments: Vec<&str> = command.split(' ').collect();
    assert!(openssl(sandbox, &arguments).is_some(), "openssl {command}");
}

fn two_roots() -> String {
    let root = |name: &str| {
        let mut params = rcgen::CertificateParams::default();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params
            .self_signed(&KeyPair::generate().unwrap())
            .unwrap()
            .pem()
    };
    // rcgen ends lines with CRLF.
    [root("one"), root("two")].concat().replace('\r', "")
}

#[test]
fn requests_are_taken_however_they_are_written() {
    let sandbox = Sandbox::with_vendor();
    let request = sandbox.read("device.csr").replace('\r', "");
    let text = openssl(&sandbox, &["req", "-in", "device.csr", "-text"]).unwrap();
    // So GnuTLS's certtool, Java's keytool and Windows' certreq have it (RFC 7468 §7).
    let new = request.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST");
    let mut ways = ways_to_write(&request);
    ways.extend([
        ("openssl -text", text.into_bytes()),
        ("NEW", new.into_bytes()),
    ]);
    for (at, (way, file)) in ways.iter().enumerate() {
        sandbox.write("odd.csr", file);
        let out = format!("odd{at}");
        let outcome = sandbox.run(&[
            "issue",
            "--delegation",
            "vendor",
            "--csr",
            "odd.csr",
            "--name",
            NAME,
            "--out",
            &out,
        ]);
        assert_eq!(outcome.code, Some(0), "{way}: {outcome:?}");
        assert_eq!(sandbox.run(&["inspect", "odd.csr"]).code, Some(0), "{way}");
    }
}

#[test]
fn chains_and_roots_are_whole_however_they_are_written() {
    let sandbox = Sandbox::empty();
    let roots = two_roots();
    let mut taken_by_openssl = 0;
    for (way, file) in ways_to_write(&roots) {
        sandbox.write("roots.pem", &file);
        let path = sandbox.path("roots.pem");
        assert_eq!(read_chain(&path).unwrap().len(), 2, "{way}");
        assert_eq!(read_roots(&path).unwrap().len(), 2, "{way}");
        let store = openssl(&sandbox, &["storeutl", "-noout", "-certs", "roots.pem"]);
        taken_by_openssl += usize::from(store.is_some_and(|said| said.contains("found: 2")));
    }
    // It does not take all of these; what it takes is here, so that nothing of it is missing above.
    assert!(taken_by_openssl >= 7, "{taken_by_openssl}");
    sandbox.write(
        "roots.pem",
        roots.replace("CERTIFICATE", "X509 CERTIFICATE"),
    );
    assert_eq!(read_chain(&sandbox.path("roots.pem")).unwrap().len(), 2);
}

#[test]
fn no_trust_file_that_lost_a_block_or_a_part_of_one_is_taken() {
    let sandbox = Sandbox::empty();
    let path = sandbox.path("roots.pem");
    let roots = two_roots();
    let lines: Vec<&str> = roots.lines().collect();
    let mut damaged = Vec::new();
    for at in 0..lines.len() {
        let mut without = lines.clone();
        let line = without.remove(at);
        damaged.push((format!("line {} is missing", at + 1), without.join("\n")));
        for (how, other) in [
            (
                "has a strange character",
                format!("{}*{}", &line[..4], &line[4..]),
            ),
            ("has lost its first character", line[1..].to_owned()),
            (
                "has lost its last character",
                line[..line.len() - 1].to_owned(),
            ),
        ] {
            let mut changed = lines.clone();
            changed[at] = &other;
            damaged.push((format!("line {} {how}", at + 1), changed.join("\n")));
        }
    }
    let end = "-----END CERTIFICATE-----\n";
    damaged.extend([
        (
            "run together".to_owned(),
            roots.replacen(end, end.trim_end(), 1),
        ),
        (
            "empty".to_owned(),
            roots.clone() + "-----BEGIN CERTIFICATE-----\n" + end,
        ),
        (
            "trusted".to_owned(),
            roots.replacen("CERTIFICATE", "TRUSTED CERTIFICATE", 2),
        ),
        (
            "unknown".to_owned(),
            roots.replacen("CERTIFICATE", "SERTIFICATE", 2),
        ),
        (
            "PKCS#7".to_owned(),
            roots.replacen("CERTIFICATE", "PKCS7", 2),
        ),
    ]);
    for (how, file) in damaged {
        sandbox.write("roots.pem", &file);
        let error = read_roots(&path).map(|_| ()).expect_err(&how).to_string();
        assert!(
            error.contains("roots.pem") && !error.contains('\n'),
            "{how}: {error}"
        );
    }
    let utf16: Vec<u8> = roots.encode_utf16().flat_map(u16::to_le_bytes).collect();
    sandbox.write("roots.pem", [b"\xff\xfe", &utf16[..]].concat());
    let error = read_roots(&path).unwrap_err().to_string();
    assert!(error.contains("UTF-16"), "{error}");
}

#[test]
fn a_root_with_something_beside_its_boundaries_is_never_lost() {
    let sandbox = Sandbox::empty();
    let two = two_roots();
    let is_end = |line: &str| line.starts_with("-----END");
    let half = two.lines().position(is_end).unwrap() + 1;
    let one: String = two
        .lines()
        .take(half)
        .map(|line| format!("{line}\n"))
        .collect();
    let other: String = two
        .lines()
        .skip(half)
        .map(|line| format!("{line}\n"))
        .collect();
    let every = |change: &dyn Fn((usize, &str)) -> String| -> String {
        other.lines().enumerate().map(change).collect()
    };
    let boundaries = |before: &str, behind: &str| {
        every(&|(_, line)| match line.starts_with('-') {
            true => format!("{before}{line}{behind}\n"),
            false => format!("{line}\n"),
        })
    };
    for dressed in [
        boundaries("", " (one)"),
        boundaries("", " # my root"),
        boundaries("root: ", ""),
        boundaries("my ", " root"),
        every(&|(at, line)| format!("{at:6}\t{line}\n")),
        every(&|(at, line)| format!("{at}:{line}\n")),
        every(&|(_, line)| format!("\"{line}\\n\"\n")),
        every(&|(_, line)| format!("# {line}\n")),
    ] {
        for (roots, line) in [
            (format!("{one}{dressed}"), half + 1),
            (format!("{dressed}{one}"), 1),
        ] {
            sandbox.write("roots.pem", &roots);
            for read in [
                read_roots(&sandbox.path("roots.pem")).map(drop),
                read_chain(&sandbox.path("roots.pem")).map(drop),
            ] {
                let error = read.expect_err(&roots).to_string();
                let words = format!("roots.pem, line {line}: something stands beside");
                assert!(error.contains(&words), "{error}: {roots}");
            }
        }
    }
    made(
        &sandbox,
        "req -x509 -newkey rsa:2048 -nodes -keyout k.pem -subj /CN=x -outform DER -out x.der",
    );
    let der = std::fs::read(sandbox.path("x.der")).unwrap();
    sandbox.write("roots.pem", [one.as_bytes(), &der].concat());
    let error = read_roots(&sandbox.path("roots.pem"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&format!("line {}: DER begins there", half + 1)),
        "{error}"
    );
}

#[test]
fn damage_is_named_with_its_line_and_der_as_what_it_is() {
    let sandbox = Sandbox::with_vendor();
    let chain = sandbox.read("vendor/chain.pem").replace('\r', "");
    sandbox.write("vendor/chain.pem", chain.trim_end().to_owned() + &chain);
    let line = chain.lines().count();
    let said =
        format!("vendor/chain.pem, line {line}: a block begins in the line in which another ends");
    sandbox.issue_refused(&["--csr", "device.csr", "--name", NAME], &[&said]);
    made(
        &sandbox,
        "x509 -in vendor/root.pem -outform DER -out vendor/chain.pem",
    );
    let words = ["the file is DER and not PEM", "openssl x509 -inform DER"];
    sandbox.issue_refused(&["--csr", "device.csr", "--name", NAME], &words);
    let two = sandbox.read("device.csr");
    sandbox.device("other", &rcgen::PKCS_ECDSA_P256_SHA256);
    sandbox.write("vendor/chain.pem", chain);
    sandbox.write("device.csr", two + &sandbox.read("other.csr"));
    let words = ["a second block CERTIFICATE REQUEST"];
    sandbox.issue_refused(&["--csr", "device.csr", "--name", NAME], &words);
}

#[test]
fn keys_are_taken_in_every_encoding_that_the_provider_has() {
    let sandbox = Sandbox::empty();
    made(&sandbox, "ecparam -name prime256v1 -genkey -out sec1.pem");
    made(&sandbox, "pkey -in sec1.pem -out pkcs8.pem");
    made(&sandbox, "genpkey -algorithm ED25519 -out ed25519.pem");
    made(
        &sandbox,
        "req -x509 -new -key pkcs8.pem -subj /CN=x -days 30 -out x.pem",
    );
    made(
        &sandbox,
        "pkcs12 -export -in x.pem -inkey pkcs8.pem -passout pass:x -out x.p12",
    );
    made(
        &sandbox,
        "pkcs12 -in x.p12 -nodes -passin pass:x -out bag.pem",
    );
    let rsa = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/rsa-2048.pem");
    made(
        &sandbox,
        &format!("rsa -in {rsa} -traditional -out pkcs1.pem"),
    );
    let sec1 = sandbox.read("sec1.pem");
    assert!(sec1.contains("EC PARAMETERS") && sandbox.read("pkcs1.pem").contains("BEGIN RSA"));
    assert!(sandbox.read("bag.pem").contains("Bag Attributes"));
    for name in [
        "sec1.pem",
        "pkcs8.pem",
        "ed25519.pem",
        "bag.pem",
        "pkcs1.pem",
    ] {
        let mut ways = ways_to_write(&sandbox.read(name));
        if name == "bag.pem" {
            // Its bag attributes would be in the one line.
            ways.retain(|(way, _)| *way != "one line of base64");
        }
        for (at, (way, file)) in ways.iter().enumerate() {
            sandbox.write("odd.pem", file);
            let out = format!("{name}{at}");
            let outcome = sandbox.run(&[
                "csr",
                "--zone",
                "cpe.example.com",
                "--key",
                "odd.pem",
                "--out",
                &out,
            ]);
            assert_eq!(outcome.code, Some(0), "{name}, {way}: {outcome:?}");
        }
    }
}

#[test]
fn keys_that_are_not_taken_are_named_with_what_mends_them() {
    let sandbox = Sandbox::empty();
    made(
        &sandbox,
        "ecparam -name prime256v1 -genkey -noout -out good.pem",
    );
    made(
        &sandbox,
        "ec -in good.pem -conv_form compressed -out compressed.pem",
    );
    made(&sandbox, "ec -in good.pem -no_public -out half.pem");
    made(
        &sandbox,
        "ec -in good.pem -aes128 -passout pass:pass -out old.pem",
    );
    made(
        &sandbox,
        "pkcs8 -topk8 -in good.pem -passout pass:pass -out new.pem",
    );
    made(
        &sandbox,
        "ec -in good.pem -param_enc explicit -out explicit.pem",
    );
    made(
        &sandbox,
        "ecparam -name secp521r1 -genkey -noout -out p521.pem",
    );
    made(&sandbox, "ec -in good.pem -outform DER -out der.pem");
    made(
        &sandbox,
        "genpkey -algorithm ED25519 -outform DER -out short.pem",
    );
    let openssh = sandbox
        .read("good.pem")
        .replace("EC PRIVATE", "OPENSSH PRIVATE");
    sandbox.write("openssh.pem", openssh);
    for (name, words) in [
        ("der.pem", "the file is DER and not PEM"),
        ("short.pem", "the file is DER and not PEM"),
        (
            "openssh.pem",
            "a block OPENSSH PRIVATE KEY is not taken: make PRIVATE KEY of it with 'ssh-keygen",
        ),
        ("compressed.pem", "compressed point"),
        ("half.pem", "no public half"),
        ("explicit.pem", "explicit curve"),
        ("old.pem", "needs a passphrase: say where it is"),
        ("new.pem", "--passphrase-file"),
        ("p521.pem", "use ECDSA P-256 or P-384, Ed25519, or RSA"),
    ] {
        let csr = [
            "csr",
            "--zone",
            "cpe.example.com",
            "--out",
            "out",
            "--key",
            name,
        ];
        sandbox.run(&csr).refused(&[name, words]);
    }
    // What they are told to do helps.
    made(
        &sandbox,
        "ec -in compressed.pem -conv_form uncompressed -out compressed2.pem",
    );
    made(
        &sandbox,
        "ec -in half.pem -conv_form uncompressed -out half2.pem",
    );
    made(
        &sandbox,
        "ec -in explicit.pem -param_enc named_curve -out explicit2.pem",
    );
    made(&sandbox, "pkey -in old.pem -passin pass:pass -out old2.pem");
    for name in ["compressed2.pem", "half2.pem", "explicit2.pem", "old2.pem"] {
        let out = format!("out-{name}");
        let csr = [
            "csr",
            "--zone",
            "cpe.example.com",
            "--out",
            &out,
            "--key",
            name,
        ];
        sandbox.run(&csr).succeeded();
    }
}

#[test]
fn a_devices_key_that_no_client_takes_is_refused_for_what_it_is() {
    let sandbox = Sandbox::with_vendor();
    made(
        &sandbox,
        "ec -in device.key -conv_form compressed -out compressed.key",
    );
    made(
        &sandbox,
        "ec -in device.key -param_enc explicit -out explicit.key",
    );
    for shape in ["compressed", "explicit"] {
        made(
            &sandbox,
            &format!("req -new -key {shape}.key -subj / -out {shape}.csr"),
        );
        made(
            &sandbox,
            &format!("pkey -in {shape}.key -pubout -out {shape}.pub"),
        );
        for (option, file) in [
            ("--csr", format!("{shape}.csr")),
            ("--spki", format!("{shape}.pub")),
        ] {
            sandbox.issue_refused(
                &[option, &file, "--name", NAME],
                &[&file, shape, "openssl ec"],
            );
            let said = sandbox.run(&["inspect", &file]).stdout;
            assert!(
                said.contains("ECDSA with a") && said.contains(shape),
                "{said}"
            );
        }
    }
}

#[test]
fn a_request_of_an_rsa_key_that_is_too_short_is_named_so() {
    let sandbox = Sandbox::with_vendor();
    made(
        &sandbox,
        "req -new -newkey rsa:1024 -nodes -keyout small.key -subj /CN=x -out small.csr",
    );
    made(&sandbox, "rsa -in small.key -pubout -out small.pub");
    let words = ["the key is RSA of 1024 bits, and 2048 to 8192 are taken"];
    sandbox.issue_refused(&["--csr", "small.csr", "--name", NAME], &words);
    sandbox.issue_refused(&["--spki", "small.pub", "--name", NAME], &words);
    let said = sandbox.run(&["inspect", "small.csr"]);
    assert!(
        said.code == Some(1) && said.stdout.contains(words[0]),
        "{said:?}"
    );
}
