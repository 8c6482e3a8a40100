//! Errors about Encrypted ClientHello: the ECHConfigs in rustls's own, and what is said.

use std::fmt;

use rustls::internal::msgs::codec::Codec;
use rustls::pki_types::EchConfigListBytes;
use rustls::{Error, PeerIncompatible};

/// The ECHConfigList that the server wants, if it has said one; the outer is `None` for all other errors.
///
/// rustls shows the parsed list only, in types that are not part of its public interface.
pub(crate) fn retry_configs(error: &Error) -> Option<Option<EchConfigListBytes<'static>>> {
    let Error::PeerIncompatible(PeerIncompatible::ServerRejectedEncryptedClientHello(configs)) =
        error
    else {
        return None;
    };
    // An empty list, which RFC 9849 §4 does not allow, is none.
    let configs = configs.as_ref().filter(|configs| !configs.is_empty());
    Some(configs.map(|configs| {
        let mut list = Vec::new();
        configs.encode(&mut list);
        list.into()
    }))
}

pub(crate) fn say(f: &mut fmt::Formatter<'_>, wants_others: bool) -> fmt::Result {
    f.write_str("the server rejected Encrypted ClientHello, ")?;
    f.write_str(match wants_others {
        true => "and wants other ECHConfigs: try once more with them, or ask DNS again",
        false => "and names no ECHConfigs that it wants: ask DNS again, or connect without",
    })
}

pub(crate) const BELOW_TLS13: &str = "Encrypted ClientHello needs TLS 1.3: do not allow TLS 1.2";
pub(crate) const NO_ECH: &str = "Encrypted ClientHello that hides names is for TCP only: connect over QUIC without it, or with GREASE";
pub(crate) const NO_HPKE: &str = "there is no HPKE suite, which Encrypted ClientHello needs: pass those of aws-lc-rs, because ring has none";
