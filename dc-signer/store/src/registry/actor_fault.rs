//! The reasons that an actor could not do what a record of the audit log says.

use std::fmt;

use super::Role;

/// The reason that an actor could not do what a record of the audit log says they did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ActorFault {
    /// It takes two operators, and there was one.
    Alone,
    /// Their token or certificate had ended.
    Ended,
    /// They were kept out.
    KeptOut,
    /// They were made what they were by somebody who could not.
    MadeWrongly {
        /// The record that says so.
        seq: u64,
    },
    /// No record says that they acted without a credential then.
    NoBreakGlass,
    /// The record does not say which acts take two operators.
    NoPolicy,
    /// The second operator had not agreed to anything that the first had asked for, or it was done already.
    NotAgreed,
    /// No other certificate of the zone was used from then on.
    NothingTookOver,
    /// There was an operator before.
    NotFirst {
        /// The record that made the first one.
        seq: u64,
    },
    /// No actor of this kind does it.
    NotTheirs,
    /// The signer ends no certificate that a zone is issued from, nor one while what was issued under it lives.
    TooEarly,
    /// Their role was lower than it takes.
    RoleTooLow {
        /// The role.
        role: Role,
        /// The least that it takes.
        needed: Role,
    },
    /// There was no such operator.
    Unknown,
}

impl fmt::Display for ActorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alone => f.write_str("it took two operators then"),
            Self::Ended => f.write_str("what let them in had ended"),
            Self::KeptOut => f.write_str("they were kept out"),
            Self::MadeWrongly { seq } => write!(
                f,
                "record {seq} made them what they were, and is of somebody who could not do that"
            ),
            Self::NoBreakGlass => f.write_str(
                "no 'break-glass' record of them at this signer is within a day before it",
            ),
            Self::NoPolicy => {
                f.write_str("it does not say which acts take two, as every signer does there")
            }
            Self::NotAgreed => f.write_str(
                "no record says that the first asked for anything that the second agreed to and that was not done yet",
            ),
            Self::NotFirst { seq } => write!(f, "record {seq} had made an operator before"),
            Self::NothingTookOver => f.write_str(
                "the next record does not say that another certificate of the zone took over, as every signer writes it",
            ),
            Self::NotTheirs => f.write_str("no signer writes that of such an actor"),
            Self::RoleTooLow { role, needed } => {
                write!(f, "their role was {role}, and it takes {needed}")
            }
            Self::TooEarly => f.write_str(
                "the signer ends a certificate when another took over from it and what was issued under it is over, and not before",
            ),
            Self::Unknown => f.write_str("no record made them an operator"),
        }
    }
}
