use std::collections::BTreeSet;

use proptest::prelude::*;
use toml::de::DeValue;

use super::node::Node;
use super::*;
use dc_pki::secret::SecretSource;

const SMALLEST: &str =
    "data = 'data'\n[listen]\naddress = '[::]:1'\ncertificate = 'c'\nkey = 'k'\n";

fn problems(text: &str) -> Vec<String> {
    let problems = Config::parse(text, "/etc".as_ref()).unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

/// The sample with each line `#key = value` as a line that counts, but for the one that
/// excludes another.
fn whole_sample() -> String {
    let line = |line: &'static str| match line.strip_prefix('#') {
        Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) && key.contains(" = ") => {
            match [
                "#postgres",
                "#read = \"postgres",
                "#webroot",
                "#http_address",
                "#keyd",
                "#log_key",
                "#unix",
            ]
            .iter()
            .any(|key| line.starts_with(key))
            {
                true => line,
                false => key,
            }
        }
        Some(table) if table.starts_with('[') => table,
        _ => line,
    };
    SAMPLE.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_sample_is_loaded_as_it_stands_and_with_every_key() {
    let short = Config::parse(SAMPLE, "/etc".as_ref()).unwrap();
    assert!(short.manufacturers.is_empty() && short.credential_listener.is_none());
    let whole = Config::parse(&whole_sample(), "/etc".as_ref()).unwrap();
    let listener = whole.credential_listener.as_ref().unwrap();
    assert_eq!(listener.roots, Path::new("/etc/roots.pem"));
    assert_ne!(SAMPLE, whole_sample());
    let strip = |mut config: Config| {
        // The default is to have none.
        config.manufacturers.clear();
        config.acme.clear();
        config.order_command.clear();
        config.credential_listener = None;
        (config.listen.operators, config.listen.health) = (None, None);
        config.listen.proxied = None;
        config.certificate_renewal.zones.clear();
        config.checkpoints = None;
        config.checkpoint_places.clear();
        config.keys = Keys::default();
        config.approval.retire_above = None;
        config.secrets = Secrets::default();
        format!("{config:?}")
    };
    // What the comments call defaults are the defaults.
    assert_eq!(strip(short), strip(whole));
}

#[test]
fn health_is_told_in_the_clear_on_this_machine_alone() {
    let health = |lines: &str| {
        let text = format!("{SMALLEST}[listen.health]\n{lines}");
        let read = Config::parse(&text, "/etc".as_ref());
        let health = read.map(|config| config.listen.health.unwrap());
        health.map_err(|errors| errors[0].to_string())
    };
    let [local, other] = ["127.0.0.1:1", "10.0.0.1:1"].map(|text| text.parse().unwrap());
    let tls = health("address = '10.0.0.1:1'");
    assert_eq!(tls, Ok(HealthListener::Tls(other)));
    let plain = health("address = '127.0.0.1:1'\ntls = false");
    assert_eq!(plain, Ok(HealthListener::Plain(local)));
    let unix = health("unix = 'socket'");
    assert_eq!(unix, Ok(HealthListener::Unix("/etc/socket".into())));
    for (lines, words) in [
        (
            "address = '10.0.0.1:1'\ntls = false",
            "others can read along",
        ),
        ("address = '10.0.0.1:1'\nunix = 'socket'", "exactly one"),
        ("tls = false", "exactly one"),
    ] {
        let error = health(lines).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn networks_that_are_none_are_named() {
    let text = format!("{SMALLEST}proxy_protocol = ['10.0.0.0/8', '192.0.2.7', '2001:db8::/32']");
    let config = Config::parse(&text, "/etc".as_ref()).unwrap();
    let has = |address: &str| {
        let proxies = &config.listen.proxy_protocol;
        proxies.contains(address.parse().unwrap())
    };
    assert!(has("10.1.2.3") && has("192.0.2.7") && !has("192.0.2.8") && has("2001:db8::1"));
    for wrong in ["['10.0.0.0/33']", "['balancer']", "[7]", "'10.0.0.0/8'"] {
        let errors = problems(&format!("{SMALLEST}proxy_protocol = {wrong}"));
        assert!(errors[0].contains("listen.proxy_protocol"), "{errors:?}");
    }
}

fn with(table: &str) -> String {
    format!("{SMALLEST}{table}")
}

const ACME: &str = "[[acme]]\ndirectory = 'https://ca.example/directory'\n";

#[test]
fn what_a_ca_leaves_out_is_what_the_sample_says() {
    let sample = Config::parse(&whole_sample(), "/etc".as_ref()).unwrap();
    let short = with(&format!(
        "{ACME}hook = ['hook']\n[[order_command]]\ncommand = ['c']\n\
        zones = ['gw.example.com']\n"
    ));
    let short = Config::parse(&short, "/etc".as_ref()).unwrap();
    let (said, left) = (&sample.acme[0], &short.acme[0]);
    assert_eq!(said.hook_timeout, left.hook_timeout);
    assert_eq!(said.propagation, left.propagation);
    assert_eq!(said.agree_to_terms, left.agree_to_terms);
    assert_eq!(said.challenge, left.challenge);
    assert_eq!(
        (said.timeout, &said.roots, &said.anchors),
        (left.timeout, &left.roots, &left.anchors)
    );
    let (said, left) = (&sample.order_command[0], &short.order_command[0]);
    assert_eq!((said.timeout, &said.anchors), (left.timeout, &left.anchors));
}

#[test]
fn a_table_that_has_another_name_now_is_told_it() {
    for table in [
        "[renewal]\nautomatic = false",
        "[[renewal.zones]]\nzone = 'x.example'",
    ] {
        let errors = Config::parse(&with(table), "/etc".as_ref()).unwrap_err();
        let said = errors[0].to_string();
        assert!(
            said.contains("renewal does not exist: do you mean certificate_renewal?"),
            "{said}"
        );
    }
}

#[test]
fn keys_of_a_ca_that_do_not_go_together_are_told() {
    for (lines, expected) in [
        ("", "line 6: acme needs 'hook'"),
        (
            "hook = ['h']\nchallenge = 'dns-persist-01'",
            "acme has a 'hook'",
        ),
        (
            "challenge = 'http-01'",
            "needs either 'webroot' or 'http_address'",
        ),
        (
            "challenge = 'http-01'\nwebroot = 'w'\nhttp_address = '[::]:80'",
            "needs either",
        ),
        (
            "hook = ['h']\nwebroot = 'w'",
            "which are for the challenge http-01",
        ),
        (
            "hook = ['h']\nchallenge = 'tls'",
            "it has to be \"dns-01\" or",
        ),
        (
            "hook = ['h']\nexternal_account = { kid = 'k' }",
            "acme.external_account.hmac is missing",
        ),
        ("hook = ['h']\nzones = ['com']", "acme.zones"),
        (
            "hook = ['h']\n[[order_command]]\ncommand = ['c']",
            "names all other zones",
        ),
        (
            "hook = ['h']\nzones = ['a.example']\n[[order_command]]\ncommand = ['c']\nzones = ['a.example']",
            "order_command.zones names a.example, which another CA has",
        ),
        ("hook = []", "has no program in it"),
    ] {
        let problems = problems(&with(&format!("{ACME}{lines}\n")));
        assert!(
            problems.iter().any(|said| said.contains(expected)),
            "{lines}: {problems:?}"
        );
    }
    for url in [
        "http://ca.example/directory",
        "ca.example",
        "https:///directory",
        "",
    ] {
        let table = format!("[[acme]]\nhook = ['h']\ndirectory = '{url}'\n");
        let problems = problems(&with(&table));
        assert!(
            problems[0].contains("acme.directory") && problems.len() == 1,
            "{problems:?}"
        );
    }
}

#[test]
fn a_secret_of_a_ca_is_a_place_and_never_in_the_file() {
    let text = with(&format!(
        "{ACME}hook = ['h']\nexternal_account = {{ kid = 'k', hmac = 'c2VjcmV0' }}\n"
    ));
    let problems = problems(&text);
    assert!(
        problems[0].contains("acme.external_account.hmac"),
        "{problems:?}"
    );
    let text = with(&format!(
        "{ACME}hook = ['h']\nexternal_account = {{ kid = 'k', hmac = {{ file = 'eab' }} }}\n"
    ));
    let config = Config::parse(&text, "/etc".as_ref()).unwrap();
    let account = config.acme[0].external_account.as_ref().unwrap();
    assert_eq!(account.hmac, SecretSource::File("/etc/eab".into()));
}

/// serde would take a list for a table, by position, and `metrics = ["anyone"]` would open the metrics.
#[test]
fn a_list_is_no_table() {
    let tables = [
        ("metrics", r#"["anyone"]"#),
        ("log", r#"["json", "info", "more"]"#),
        ("log", "[]"),
        ("operators", r#"["90d"]"#),
        ("approval", "[true]"),
        ("names", r#"["random"]"#),
        ("certificate_renewal", "[66]"),
        ("credentials", r#"["1d"]"#),
        ("enrolment", r#"[false, "1d"]"#),
        ("retention", r#"["30d", "30d"]"#),
        ("limits", r#"["1s", 100, 100]"#),
        ("limits", r#"["1s", 0]"#),
        ("overload", "[1, 2]"),
        ("database", "[]"),
        ("credential_listener", r#"["[::]:8444", "roots.pem"]"#),
        ("checkpoints", r#"["log", "audit.pem"]"#),
    ];
    for (key, list) in tables {
        let text = format!("{key} = {list}\n{SMALLEST}");
        let problems = problems(&text);
        let expected = format!("line 1: {key} is a list: it has to be a table");
        assert_eq!(problems, [expected], "{text}");
    }
    let listen = problems("data = 'data'\n[[listen]]\naddress = '[::]:1'\n");
    assert!(
        listen
            .iter()
            .any(|problem| problem.contains("listen is a list: it has to be a table")),
        "{listen:?}"
    );
    let manufacturers =
        format!("manufacturers = [['a', 'b', 'any', 'cpe.example.com']]\n{SMALLEST}");
    let manufacturers = problems(&manufacturers);
    assert!(
        manufacturers[0].contains("is a list: it has to be a table"),
        "{manufacturers:?}"
    );
}

/// The keys that are known in the table that has one that is not.
fn keys(text: &str) -> &'static [&'static str] {
    let table = toml::de::DeTable::parse(text).unwrap().into_inner();
    match Config::deserialize(Node(&DeValue::Table(table))) {
        Err(KeyErrorKind::Unknown { known, .. }) => known,
        other => panic!("{other:?} {text}"),
    }
}

#[test]
fn every_key_is_in_the_sample() {
    let whole = whole_sample();
    let top = keys(&format!("x = 1\n{whole}"));
    let mut asked: BTreeSet<String> = top.iter().map(|key| (*key).to_owned()).collect();
    for table in top {
        for header in [format!("\n[{table}]"), format!("\n[[{table}]]")] {
            if whole.contains(&header) {
                let text = whole.replace(&header, &format!("{header}\nx = 1"));
                let keys = keys(&text);
                asked.extend(keys.iter().map(|key| format!("{table}.{key}")));
            }
        }
    }
    assert!(asked.len() > 30, "{asked:?}");
    let missing: Vec<_> = asked
        .iter()
        .filter(|key| {
            let last = key.rsplit('.').next().unwrap();
            let lines = [
                format!("\n{last} = "),
                format!("\n#{last} = "),
                format!("\n[{key}]"),
                format!("\n#[{key}]"),
                format!("\n#[[{key}]]"),
            ];
            !lines.iter().any(|line| SAMPLE.contains(line.as_str()))
        })
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let config = Config::parse(SMALLEST, "/etc".as_ref()).unwrap();
    assert_eq!(config.data, Path::new("/etc/data"));
    let database = format!("{:?}", config.database);
    assert_eq!(database, "File(/etc/data/dc-signer.db)");
    assert_eq!(config.listen.max_handshakes, 512);
    assert_eq!(config.listen.max_waiting_handshakes, 2000);
    let limits = config.overload.limits(&config.listen);
    assert_eq!((limits.at_once, limits.waiting), (256, 1000));
    assert_eq!(config.credentials.lifetime.as_secs(), 164 * 3600);
    assert_eq!(config.metrics.access, MetricsAccess::Operators);
    assert!(!config.listen.tls12);
}

#[test]
fn an_empty_file_is_told_all_that_it_needs() {
    let said = problems("").join("\n");
    for key in ["data", "listen.address", "listen.certificate", "listen.key"] {
        assert!(
            said.contains(&format!("{key} is missing: add a line such as")),
            "{said}"
        );
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_line_and_key() {
    let text = format!(
        "{SMALLEST}adress = '[::]:2'\nmax_handshakes = 0\n[names]\nmode = 'md5'\n\
         [[manufacturers]]\nname = 'a b'\n[lmits]\n[database]\nsqlite = 'a'\npostgres = 'postgres://b'\n"
    );
    assert_eq!(
        problems(&text),
        [
            "line 6: listen.adress does not exist: do you mean address?",
            "line 7: listen.max_handshakes is 0: use 1 to 1000000",
            "line 9: names.mode is \"md5\": it has to be \"hmac\" or \"random\"",
            "line 10: manufacturers.anchors is missing: add a line such as 'anchors = \"acme.pem\"'",
            "line 11: manufacturers.name is \"a b\": it has to be 1 to 64 letters, digits, '-', '.' and '_'",
            "line 12: lmits does not exist: do you mean limits?",
            "line 13: database needs either sqlite or postgres: give exactly one of them",
        ]
    );
}

#[test]
fn a_credential_listener_needs_an_address_and_roots() {
    let said = problems(&format!("{SMALLEST}[credential_listener]\n")).join("\n");
    for line in ["address = \"[::]:8443\"", "roots = \"roots.pem\""] {
        let key = line.split(' ').next().unwrap();
        let expected = format!("credential_listener.{key} is missing: add a line such as '{line}'");
        assert!(said.contains(&expected), "{said}");
    }
}

#[test]
fn a_manufacturer_cannot_have_the_name_of_another() {
    let manufacturer = "[[manufacturers]]\nname = 'a'\nanchors = 'b'\n";
    let said = problems(&format!("{SMALLEST}{manufacturer}{manufacturer}"));
    assert!(
        said[0].contains("manufacturers.name is \"a\", which stands there before"),
        "{said:?}"
    );
}

#[test]
fn a_password_in_the_database_url_is_never_shown() {
    for (url, fine) in [
        ("postgres://a:hunter2@b/c", true),
        ("postgres://a:hunter2@b1:5432,b2/c", true),
        ("postgres://a:hunter2@b1:5432,b2:70000/c", false),
        ("postgres://a:hunter2,/@b1,b2/c", false),
        ("mysql://a:hunter2@b/c", false),
    ] {
        let text = format!("{SMALLEST}[database]\npostgres = '{url}'\n");
        let shown = match Config::parse(&text, "".as_ref()) {
            Ok(config) => format!("{config:?}"),
            Err(problems) => format!("{problems:?}{}", problems[0]),
        };
        assert_eq!(Config::parse(&text, "".as_ref()).is_ok(), fine);
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn replicas_are_named_beside_their_server_alone() {
    let read = "read = 'postgres://u@r1,r2/c'\n";
    let text = format!("{SMALLEST}[database]\npostgres = 'postgres://u@b/c'\n{read}");
    let Location::Postgres(urls) = Config::parse(&text, "".as_ref()).unwrap().database else {
        panic!("it is a server");
    };
    assert_eq!(
        (&*urls, urls.read()),
        ("postgres://u@b/c", Some("postgres://u@r1,r2/c"))
    );
    let said = problems(&format!("{SMALLEST}[database]\n{read}"));
    assert!(said[0].contains("give postgres too"), "{said:?}");
}

#[test]
fn a_url_of_several_servers_says_what_is_wrong_with_it() {
    for (url, words) in [
        ("b1,,b3/c", "postgres has no host at place 2 of 3"),
        ("b1,b2:x/c", "a port at host 2 of 2 that is no number"),
        (
            "b1,b2/c?target_session_attrs=any",
            "target_session_attrs=any: leave it out",
        ),
    ] {
        let said = problems(&format!(
            "{SMALLEST}[database]\npostgres = 'postgres://{url}'\n"
        ));
        assert!(said[0].contains(words), "{said:?}");
    }
}

#[test]
fn a_passphrase_comes_from_exactly_one_place_that_is_not_the_file_itself() {
    for (given, expected) in [
        ("{ fd = 3 }", SecretSource::Descriptor(3)),
        ("{ file = 'word' }", SecretSource::File("/etc/word".into())),
        (
            "{ credential = 'word' }",
            SecretSource::Credential("word".to_owned()),
        ),
        (
            "{ command = ['pass', 'dc signer'] }",
            SecretSource::Command(vec!["pass".to_owned(), "dc signer".to_owned()]),
        ),
    ] {
        let text = format!("{SMALLEST}[keys]\npassphrase = {given}\n");
        let keys = Config::parse(&text, "/etc".as_ref()).unwrap().keys;
        assert_eq!(keys.unlock.source(), Some(&expected));
    }
    for (given, words) in [
        ("'word'", "it has to be a table such as { file ="),
        ("{}", "give exactly one of them"),
        ("{ fd = 3, file = 'word' }", "give exactly one of them"),
        ("{ fd = 2 }", "is 2: use 3 to 1023"),
        ("{ command = 'pass' }", "it has to be a list of texts"),
        ("{ command = [] }", "has no program in it"),
        ("{ command = [1] }", "has to be"),
        ("{ env = 'WORD' }", "env does not exist"),
    ] {
        let said = problems(&format!("{SMALLEST}[keys]\npassphrase = {given}\n"));
        assert!(said[0].contains(words), "{said:?}");
    }
}

#[test]
fn a_file_that_is_not_utf_8_is_told_where() {
    let file = [&b"data = 'x'\n"[..], &[0xff, b'\n']].concat();
    let error = str::from_utf8(&file).unwrap_err();
    assert_eq!(
        file::not_utf8(&file, error).to_string(),
        "line 2: not TOML: this line is not UTF-8"
    );
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}", cut in 0..SAMPLE.len()) {
        let _ = Config::parse(&text, "".as_ref());
        if let Some(start) = SAMPLE.get(..cut) {
            let _ = Config::parse(&format!("{start}{text}"), "".as_ref());
        }
    }
}

#[test]
fn the_key_of_a_log_is_a_file_or_in_a_process() {
    let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let both = "needs either key, or keyd and log_key";
    for (table, problem) in [
        ("name = 'log'", both),
        ("name = 'log'\nkeyd = 's'", both),
        (
            &format!("name = 'log'\nkey = 'k'\nkeyd = 's'\nlog_key = '{key}'"),
            both,
        ),
        (
            &format!("name = 'log'\nkeyd = 's'\nlog_key = '{key}'"),
            "log_key is the key of PeterNeumann",
        ),
    ] {
        let text = format!("{SMALLEST}[checkpoints]\n{table}\n");
        let problems = problems(&text);
        assert!(
            problems.len() == 1 && problems[0].contains(problem),
            "{problems:?}"
        );
    }
    let text = format!("{SMALLEST}[checkpoints]\nname = 'log'\nkeyd = 's'\nlog_key = 'k'\n");
    let wrong = problems(&text).pop().unwrap();
    assert!(wrong.contains("a log's key, name+id+key"), "{wrong}");
    let table = format!("name = 'PeterNeumann'\nkeyd = 's'\nlog_key = '{key}'");
    let text = format!("{SMALLEST}[checkpoints]\n{table}\n");
    let config = Config::parse(&text, "/etc".as_ref()).unwrap();
    let Some(CheckpointKey::Process { socket, .. }) = config.checkpoints.map(|table| table.key)
    else {
        panic!("it is a process");
    };
    assert_eq!(socket, Path::new("/etc/s"));
}

#[test]
fn a_place_for_checkpoints_is_a_file_or_a_server() {
    let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let both = "needs either file, or url and roots";
    for (place, problem) in [
        ("", both),
        (
            "file = 'f'\nurl = 'https://a.example.com/'\nroots = 'r'",
            both,
        ),
        ("url = 'https://a.example.com/'", both),
        ("file = 'f'\nroots = 'r'", both),
        (
            "url = 'http://a.example.com/'\nroots = 'r'",
            "has to be a URL",
        ),
        (
            "url = 'https://me@a.example.com/'\nroots = 'r'",
            "has to be a URL",
        ),
        // The key of a log, not of a witness.
        (
            &format!("url = 'https://a.example.com/'\nroots = 'r'\nwitness = '{key}'"),
            "a witness's key",
        ),
    ] {
        let text = format!("{SMALLEST}[[checkpoint_places]]\n{place}\n");
        let problems = problems(&text);
        assert!(
            problems.len() == 1 && problems[0].contains(problem),
            "{problems:?}"
        );
    }
    let text = format!("{SMALLEST}[[checkpoint_places]]\nfile = 'f'\n");
    let config = Config::parse(&text, "/etc".as_ref()).unwrap();
    assert_eq!(
        config.checkpoint_places,
        [CheckpointPlace::File("/etc/f".into())]
    );
}
