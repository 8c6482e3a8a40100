//! `--role`: the end of a connection that a credential authenticates.

use clap::ValueEnum;

/// As `dc_core::Role`, with the words of the help.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Role {
    /// A server, which clients verify
    Server,
    /// A client, which servers verify
    Client,
}

impl Role {
    /// Both.
    pub(super) const ALL: [Self; 2] = [Self::Server, Self::Client];

    /// As it is written on the command line.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

impl From<Role> for dc_core::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Server => Self::Server,
            Role::Client => Self::Client,
        }
    }
}
