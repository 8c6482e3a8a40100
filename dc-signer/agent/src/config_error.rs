//! The mistakes that a configuration can have.

use std::path::PathBuf;

/// A mistake in a configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The hook has no program.
    #[error(
        "hook.command is empty: give a program and its arguments, as in [\"/etc/init.d/my-server\", \"restart\"]"
    )]
    EmptyHook,
    /// The enrolment key is to live less than a day.
    #[error(
        "enrolment_key_lifetime is {given:?}: it has to be a time of a day at least, such as \"180d\""
    )]
    KeyLifetime {
        /// The value that stands there.
        given: String,
    },
    /// A list is to be fetched too often or too seldom.
    #[error(
        "withdrawn.every is {given:?}: it has to be a time from 5 min to 12 h, such as \"1h\": the signer makes no newer list more often, and a list lives for a day"
    )]
    ListEvery {
        /// The value that stands there.
        given: String,
    },
    /// A list is to be written to what has no name.
    #[error("withdrawn.file is {}: it has to be the path of a file", .given.display())]
    ListFile {
        /// The value that stands there.
        given: PathBuf,
    },
    /// It is no key of lists.
    #[error(
        "withdrawn.keys has {given:?}: it has to be a key of 32 bytes in base64, as GET /v1/withdrawn/ZONE at the signer shows it as \"key\""
    )]
    ListKey {
        /// The value that stands there.
        given: String,
    },
    /// The manufacturer's key is in two places or in none.
    #[error(
        "[manufacturer] needs either key or sign_command, which is a program and its arguments"
    )]
    ManufacturersKey,
    /// The manufacturer's key is to be replaced.
    #[error(
        "enrolment_key_lifetime is for keys that the agent makes: with [manufacturer] the device has its manufacturer's for good; remove one of them"
    )]
    ManufacturersKeyStays,
    /// This build cannot check what is served.
    #[error(
        "self_check needs a build with the feature 'self-check'; remove it, or build with '--features self-check'"
    )]
    NoSelfCheck,
    /// Nobody could sign a list.
    #[error(
        "withdrawn.keys is empty: give the key that the signer signs lists with, \"key\" of GET /v1/withdrawn/ZONE there"
    )]
    NoListKey,
    /// There is no such group of users.
    #[error(
        "key_group is {given:?}, which is no group in /etc/group, and no number of one: make it, or give another one"
    )]
    NoSuchGroup {
        /// The value that stands there.
        given: String,
    },
    /// It is no address with a port.
    #[error(
        "self_check is {given:?}: it has to be an address and a port, such as \"127.0.0.1:443\""
    )]
    NotAnAddress {
        /// The value that stands there.
        given: String,
    },
    /// The signer is not on HTTPS.
    #[error("signer has to begin with https://, as in \"https://signer.example.com:8443\"")]
    NotHttps,
    /// It is no text.
    #[error("it is not UTF-8: write it as plain text")]
    NotUtf8,
    /// A time is none, or longer than an hour.
    #[error(
        "{key} is {given:?}: it has to be a time of an hour at most, such as \"30s\" or \"5m\""
    )]
    Time {
        /// Which one.
        key: &'static str,
        /// The value that stands there.
        given: String,
    },
    /// It is not TOML, or not these keys.
    #[error("{}", .0.message().replace('\n', ", "))]
    Toml(#[source] Box<toml::de::Error>),
    /// There is both a code and a manufacturer's certificate.
    #[error("there are both code_file and [manufacturer]: remove one of them")]
    TwoWaysIn,
}
