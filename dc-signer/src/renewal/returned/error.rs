//! All that can be wrong with what a CA returns.

use std::time::Duration;

use dc_pki::Roles;
use dc_pki::chain::{ChainError, Untrusted};
use dc_pki::time::{Moment, Span};
use pki_types::UnixTime;

/// The first thing that is wrong with what a CA returned.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReturnedError {
    /// Every peer would refuse the chain.
    #[error("the CA returned a chain that is not fit for use: {0}")]
    Chain(#[source] ChainError),
    /// There is nothing.
    #[error("the CA returned nothing: it has to be the certificate and its intermediates, in PEM")]
    Empty,
    /// It is over.
    #[error("the CA returned a certificate that ended on {}, and it is {} here: order a new one, or check this machine's clock", Moment(*.not_after), Moment(*.now))]
    Ended {
        /// The last second of the certificate.
        not_after: UnixTime,
        /// This machine's time.
        now: UnixTime,
    },
    /// It may not delegate: RFC 9345 §4.2 wants DelegationUsage and digitalSignature.
    #[error(
        "the CA returned a certificate that may not delegate: {0}. Ask the CA for a profile with DelegationUsage (1.3.6.1.4.1.44363.44, NULL, not critical) and digitalSignature"
    )]
    MayNotDelegate(#[source] dc_core::Error),
    /// Two neighbours of the chain do not belong together.
    #[error(
        "the CA returned a chain with a gap: certificate {at} is issued by {issuer}, and the next one is {subject}. Each has to be signed by the one behind it"
    )]
    NoLink {
        /// The lower of the two, counted from 1.
        at: usize,
        /// Its issuer.
        issuer: String,
        /// The subject of the next one.
        subject: String,
    },
    /// It is not in PEM.
    #[error("the CA returned no chain in PEM: {0}")]
    NoPem(#[source] dc_core::Error),
    /// It is for everything.
    #[error("the CA returned a certificate without extKeyUsage: ask for one with {}", purposes(*.roles))]
    NoPurpose {
        /// The ends that it is for.
        roles: Roles,
    },
    /// The chain does not lead to a root that is known here.
    #[error(
        "no root in 'anchors' vouches for the chain of {length} that the CA returned: the last one's issuer is {issuer}. An intermediate is missing, or the CA's root is not in that file"
    )]
    NoRoot {
        /// The issuer of the last certificate.
        issuer: String,
        /// The number of certificates.
        length: usize,
    },
    /// It begins too far in the future.
    #[error("the CA returned a certificate that begins on {}, and it is {} here: check the clocks of this machine and of the CA", Moment(*.not_before), Moment(*.now))]
    NotYet {
        /// The first second of the certificate.
        not_before: UnixTime,
        /// This machine's time.
        now: UnixTime,
    },
    /// It is for another key.
    #[error(
        "the CA returned a certificate for another key than the request's: it may be an older one, or another order's"
    )]
    OtherKey,
    /// It is for other names, or for more.
    #[error("the CA returned a certificate for {}, and it has to be for {expected} alone", listed(.got))]
    OtherNames {
        /// The wildcard of the zone.
        expected: String,
        /// All names of the certificate.
        got: Vec<String>,
    },
    /// A private key came back, which this signer never uses.
    #[error(
        "the CA returned a private key, which others have seen then: the key of a delegation certificate is made here, so order with a request"
    )]
    PrivateKey,
    /// It is longer than TLS has room for.
    #[error("the CA returned {got} bytes, and a chain has {max} at most: check that it is one")]
    TooLarge {
        /// Its length in bytes.
        got: usize,
        /// The most.
        max: usize,
    },
    /// It is valid for years.
    #[error("the CA returned a certificate for {}, and no more than {} are taken: a stolen key would be good as long. Ask for a shorter one", Span::new(*.lifetime), Span::new(*.max))]
    TooLong {
        /// The time between its first and its last second.
        lifetime: Duration,
        /// The longest that is taken.
        max: Duration,
    },
    /// There are more certificates than any chain has.
    #[error(
        "the CA returned {got} certificates, and a chain has {max} at most: it may be a list of roots"
    )]
    TooMany {
        /// Their number.
        got: usize,
        /// The most.
        max: usize,
    },
    /// A signature or a rule of the chain does not hold.
    #[error("the CA returned a chain that does not hold: {}", Untrusted(.0))]
    Untrusted(rustls::Error),
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "no name".to_owned(),
        names => names.join(", "),
    }
}

fn purposes(roles: Roles) -> &'static str {
    match roles {
        Roles::Both => "serverAuth and clientAuth",
        Roles::Server => "serverAuth",
    }
}
