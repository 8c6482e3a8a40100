//! Keys that a reload cannot change.

use std::net::SocketAddr;

use super::Config;

impl Config {
    /// The keys that differ from those of the configuration that the service was started with, and count only after a
    /// restart.
    #[must_use]
    pub fn needs_restart(&self, started: &Self) -> Vec<&'static str> {
        let same = [
            self.data == started.data,
            self.tenant == started.tenant,
            self.node == started.node,
            self.listen.address == started.listen.address,
            operators(self) == operators(started),
            self.listen.health == started.listen.health,
            proxied(self) == proxied(started),
            self.credential_listener == started.credential_listener,
            self.database == started.database,
            self.keys.passphrase == started.keys.passphrase,
            self.keys.process == started.keys.process,
            (&self.secrets.key, &self.secrets.next_key)
                == (&started.secrets.key, &started.secrets.next_key),
            self.checkpoints == started.checkpoints,
            self.checkpoint_places == started.checkpoint_places,
            self.log.format == started.log.format,
        ];
        let keys = KEYS.into_iter().zip(same);
        keys.filter_map(|(key, same)| (!same).then_some(key))
            .collect()
    }
}

/// The address alone: the rest is like the limits of `[listen]`.
fn operators(config: &Config) -> Option<SocketAddr> {
    let operators = config.listen.operators.as_ref();
    operators.map(|operators| operators.address)
}

fn proxied(config: &Config) -> Option<SocketAddr> {
    let proxied = config.listen.proxied.as_ref();
    proxied.map(|proxied| proxied.address)
}

/// As they are written in the file.
const KEYS: [&str; 15] = [
    "data",
    "tenant",
    "node",
    "listen.address",
    "listen.operators",
    "listen.health",
    "listen.proxied",
    "credential_listener",
    "database",
    "keys.passphrase",
    "keys.process",
    "secrets",
    "checkpoints",
    "checkpoint_places",
    "log.format",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SAMPLE;

    const SERVER: &str =
        "#postgres = \"postgres://signer@db.example.com/signer?sslmode=verify-full\"";

    const PASSPHRASE: &str = "#passphrase = { credential = \"delegation\" }";

    const PROCESS: &str = "#process = { certificate = \"signer.pem\", key = \"signer-key.pem\", peer = \"keyd.pem\" }";

    const NEXT_KEY: &str = "#next_key = { credential = \"next-secrets\" }";

    fn parse(text: &str) -> Config {
        Config::parse(text, "/etc".as_ref()).unwrap()
    }

    fn changed(from: &str, to: &str) -> Vec<&'static str> {
        assert!(SAMPLE.contains(from), "{from}");
        parse(&SAMPLE.replace(from, to)).needs_restart(&parse(SAMPLE))
    }

    #[test]
    fn each_key_is_told_apart() {
        assert!(changed("data", "data").is_empty());
        for (key, from, to) in [
            ("tenant", "#tenant = \"default\"", "tenant = \"other\""),
            ("node", "#node = \"signer\"", "node = \"other\""),
            ("listen.address", "[::]:8443", "[::]:8445"),
            (
                "listen.operators",
                "[database]",
                "[listen.operators]\naddress = '[::]:8446'\n[database]",
            ),
            (
                "listen.health",
                "[database]",
                "[listen.health]\nunix = 'health'\n[database]",
            ),
            (
                "listen.proxied",
                "[database]",
                "[listen.proxied]\naddress = '[::]:8447'\nproxies = []\n[database]",
            ),
            (
                "credential_listener",
                "[database]",
                "[credential_listener]\naddress = '[::]:8444'\nroots = 'r'\n[database]",
            ),
            (
                "database",
                "#sqlite = \"dc-signer.db\"",
                "sqlite = \"o.db\"",
            ),
            ("database", SERVER, &SERVER[1..]),
            ("keys.passphrase", PASSPHRASE, &PASSPHRASE[1..]),
            ("keys.process", PROCESS, &PROCESS[1..]),
            ("secrets", NEXT_KEY, &NEXT_KEY[1..]),
            (
                "checkpoints",
                "[database]",
                "[checkpoints]\nname = 'log'\nkey = 'k'\n[database]",
            ),
            (
                "checkpoint_places",
                "[database]",
                "[[checkpoint_places]]\nfile = 'f'\n[database]",
            ),
            ("log.format", "#format = \"human\"", "format = \"json\""),
        ] {
            assert_eq!(changed(from, to), [key]);
        }
        // The database is in it.
        assert_eq!(
            changed("/var/lib/dc-signer", "/srv/dc-signer"),
            ["data", "database"]
        );
    }

    #[test]
    fn another_server_is_another_database() {
        let one = parse(&SAMPLE.replace(SERVER, &SERVER[1..]));
        let other = parse(&SAMPLE.replace(SERVER, &SERVER[1..].replace("db.", "other.")));
        assert_eq!(other.needs_restart(&one), ["database"]);
        assert!(one.needs_restart(&one).is_empty());
    }

    #[test]
    fn the_sample_says_so_of_each_of_them_and_of_no_other() {
        let quoted = KEYS.map(|key| format!("'{key}'"));
        let (last, others) = quoted.split_last().unwrap();
        let sentence = format!(
            "all but {} and {last} changes without a restart",
            others.join(", ")
        );
        let words: Vec<&str> = SAMPLE
            .split_whitespace()
            .filter(|word| *word != "#")
            .collect();
        assert!(words.join(" ").contains(&sentence), "{sentence}");
    }
}
