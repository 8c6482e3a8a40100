//! Exceptions to the rules: each list is to be emptied, each number to be lowered.

/// An import that should not be: package, importing module, imported module.
pub(crate) type Import = (&'static str, &'static str, &'static str);

/// Imports that run up or in a circle. One that does so no more has to leave the list.
pub(crate) const KNOWN: &[Import] = &[
    ("dc-core", "error", "credential"),
    ("dc-core", "error", "name"),
    ("dc-core", "error", "scheme"),
    ("dc-core", "error", "tbs"),
    ("dc-rustls", "hash", "provider"),
    ("dc-rustls", "record", "provider"),
    ("dc-rustls", "server::acceptor", "server::stream"),
    ("dc-rustls", "server::watch", "server::store"),
    ("dc-signer", "error", "agent"),
    ("dc-signer", "error", "config"),
    ("dc-signer", "error", "desk"),
    ("dc-signer", "error", "judge"),
    ("dc-signer", "error", "keys"),
    ("dc-signer", "error", "names"),
    ("dc-signer", "error", "owner"),
    ("dc-signer", "error", "probe"),
    ("dc-signer", "error", "store"),
    ("dc-signer", "agent::hook", "agent::run"),
    ("dc-signer", "agent::run", "agent::device"),
    ("dc-signer", "agent::config", "agent::error"),
    ("dc-signer", "agent::device", "agent::whose"),
    ("dc-signer", "agent::folder", "agent::verify"),
    ("dc-signer", "api::bulk", "api::devices"),
    ("dc-signer", "cmd::codes", "cmd::devices"),
    ("dc-signer", "desk::delegations", "desk::zones"),
    ("dc-signer", "desk::clones", "desk::issue"),
    ("dc-signer", "desk::delegations", "desk::replicas"),
    ("dc-signer", "desk::delegations", "desk::rollover"),
    ("dc-signer", "judge::check", "judge::fit"),
    ("dc-signer", "judge::check", "judge::order"),
    ("dc-signer", "listener::requests", "listener::unread"),
    ("dc-signer", "registry::error", "registry::device"),
    ("dc-signer", "registry::device", "registry::hold"),
    ("dc-signer", "registry::change", "registry::hold"),
    ("dc-signer", "registry::device", "registry::shown"),
    ("dc-signer", "registry::error", "registry::operator"),
    ("dc-signer", "registry::error", "registry::zone"),
    (
        "dc-signer",
        "store::engine::lost",
        "store::engine::withdrawn",
    ),
    ("dc-signer", "web::page", "web::acts"),
    ("dc-signer", "web::fault", "web::page"),
    ("dc-signer", "web::acts", "web::devices"),
];

/// Longer functions, known and to be cut: file and name. Add none.
pub(crate) const LONG: &[(&str, &str)] = &[
    ("dc-core/src/error/display.rs", "fmt"),
    ("dc-signer/src/error/source.rs", "source"),
    ("dc-signer/src/error/text.rs", "fmt"),
    ("dc-signer/src/store/error.rs", "fmt"),
    ("dc-signer/src/warning.rs", "fmt"),
];

/// Documentation that opens with a riddle instead of the thing: package and how often at most. Lower what you can.
pub(crate) const RIDDLES: &[(&str, usize)] =
    &[("dc-core", 51), ("dc-rustls", 80), ("dc-signer", 753)];

/// Lines that compile something only with a feature: package and how many at most. Lower what you can.
pub(crate) const FEATURES: &[(&str, usize)] = &[("dc-rustls", 22), ("dc-signer", 196)];
