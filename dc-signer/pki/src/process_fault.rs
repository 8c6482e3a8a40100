//! The reasons that a signing process does not sign.

/// The reason that a signing process ('dc-signer keyd') has not done something.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessFault {
    /// It is not reached, or does not answer.
    #[error(
        "the signing process does not answer: {why}: check 'dc-signer keyd', and that this user may use its socket"
    )]
    Away {
        /// The system's reason.
        why: String,
    },
    /// Its answer cannot be read, or is not an answer to what it was asked.
    #[error(
        "the signing process answers what nobody understands: use the same version on both sides"
    )]
    Malformed,
    /// Somebody wants it to sign a message, which it does for nobody.
    #[error(
        "the signing process signs credentials and checkpoints, and no messages that others give it"
    )]
    NoMessages,
    /// It has refused.
    #[error("the signing process refuses: {detail}")]
    Refused {
        /// The kind of reason.
        reason: Refusal,
        /// The reason in its words, at most 1024 bytes.
        detail: String,
    },
}

impl ProcessFault {
    /// True if it may do the same later without anybody's doing anything here.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Away { .. } => true,
            Self::Refused { reason, .. } => reason.is_temporary(),
            Self::Malformed | Self::NoMessages => false,
        }
    }
}

/// A kind of reason to refuse, as it is sent.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// Too much is asked for at the same time.
    Busy,
    /// The caller's user may ask for nothing.
    Caller,
    /// It holds no such certificate.
    Certificate,
    /// The tree of a checkpoint does not follow the one before.
    Checkpoint,
    /// Its clock and the caller's are too far apart.
    Clock,
    /// The form is not one of the zone's.
    Form,
    /// The key does not sign now.
    Key,
    /// The lifetime is above its ceiling.
    Lifetime,
    /// It cannot write its log or its state.
    Log,
    /// The request cannot be read.
    Malformed,
    /// The name is in none of its zones.
    Name,
    /// The ceiling on issues a minute or an hour is reached.
    Rate,
    /// The role is not one of the zone's.
    Role,
    /// RFC 9345 or the rules of the unique name forbid it.
    Rule,
    /// One that this version does not know.
    Other(u8),
}

impl Refusal {
    /// Those that there are.
    pub const ALL: [Self; 14] = [
        Self::Busy,
        Self::Caller,
        Self::Certificate,
        Self::Checkpoint,
        Self::Clock,
        Self::Form,
        Self::Key,
        Self::Lifetime,
        Self::Log,
        Self::Malformed,
        Self::Name,
        Self::Rate,
        Self::Role,
        Self::Rule,
    ];

    /// True if the same may be done later without anybody's doing anything at the caller's side.
    #[must_use]
    pub fn is_temporary(self) -> bool {
        matches!(
            self,
            Self::Busy | Self::Clock | Self::Key | Self::Log | Self::Rate
        )
    }

    /// As logs and counts have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Caller => "caller",
            Self::Certificate => "certificate",
            Self::Checkpoint => "checkpoint",
            Self::Clock => "clock",
            Self::Form => "form",
            Self::Key => "key",
            Self::Lifetime => "lifetime",
            Self::Log => "log",
            Self::Malformed => "malformed",
            Self::Name => "name",
            Self::Rate => "rate",
            Self::Role => "role",
            Self::Rule => "rule",
            Self::Other(_) => "other",
        }
    }

    /// The octet that is sent.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Busy => 1,
            Self::Caller => 2,
            Self::Certificate => 3,
            Self::Checkpoint => 4,
            Self::Form => 5,
            Self::Key => 6,
            Self::Lifetime => 7,
            Self::Log => 8,
            Self::Malformed => 9,
            Self::Name => 10,
            Self::Rate => 11,
            Self::Role => 12,
            Self::Rule => 13,
            Self::Clock => 14,
            Self::Other(code) => code,
        }
    }

    /// That of an octet.
    #[must_use]
    pub fn of_code(code: u8) -> Self {
        let known = Self::ALL.into_iter().find(|known| known.code() == code);
        known.unwrap_or(Self::Other(code))
    }
}
