//! The PROXY protocol, version 2: the bytes in front of a connection by which a proxy says whose it is.

use std::io;
use std::net::SocketAddr;

use proxy_header::{ParseConfig, Protocol, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpStream;

/// A reason not to take a connection of a proxy.
#[derive(Debug, thiserror::Error)]
pub(super) enum HeaderError {
    /// It is no header that the specification knows.
    #[error("its PROXY header is broken: see what else than a proxy connects from there")]
    Broken,
    /// The connection ended in it.
    #[error("the connection ended within its PROXY header: {0}")]
    Ended(#[from] io::Error),
    /// Something else comes first, such as a TLS handshake.
    #[error(
        "it does not begin with a PROXY header: have the proxy send version 2 (HAProxy: 'send-proxy-v2'; nginx and AWS: PROXY protocol v2), or take its address out of listen.proxy_protocol"
    )]
    Missing,
    /// The client is known to the proxy by something else than TCP and an IP address.
    #[error(
        "its PROXY header names no TCP client with an IP address: have the proxy take TCP alone"
    )]
    NoAddress,
    /// More is in it than a proxy has to say.
    #[error("its PROXY header has {length} bytes: have the proxy send at most {MOST}")]
    TooLong {
        /// Bytes behind the fixed part.
        length: usize,
    },
    /// It is a text.
    #[error(
        "it begins with version 1 of the PROXY protocol: have the proxy send version 2 (HAProxy: 'send-proxy-v2' in place of 'send-proxy')"
    )]
    Version1,
}

/// Reads a header and not a byte more: the address of the client; none of a connection that is the proxy's own, as for its health
/// checks.
pub(super) async fn read<R: AsyncRead + Unpin>(
    stream: &mut R,
) -> Result<Option<SocketAddr>, HeaderError> {
    let mut start = [0; START];
    stream.read_exact(&mut start).await?;
    let length = length(&start)?;
    let mut header = vec![0; START + length];
    let (head, rest) = header.split_at_mut(START);
    head.copy_from_slice(&start);
    stream.read_exact(rest).await?;
    parse(&header)
}

/// True if a connection begins with a header of either version: whoever may not send one is not heard as if there were none.
pub(super) async fn is_ahead(tcp: &TcpStream) -> bool {
    let mut first = [0; VERSION_1.len()];
    let read = tcp.peek(&mut first).await.unwrap_or_default();
    read == first.len() && (SIGNATURE.starts_with(&first) || first == *VERSION_1)
}

/// The bytes behind the fixed part.
fn length(start: &[u8; START]) -> Result<usize, HeaderError> {
    let [.., high, low] = *start;
    match usize::from(u16::from_be_bytes([high, low])) {
        _ if start.starts_with(VERSION_1) => Err(HeaderError::Version1),
        _ if !start.starts_with(SIGNATURE) => Err(HeaderError::Missing),
        length if length > MOST => Err(HeaderError::TooLong { length }),
        length => Ok(length),
    }
}

fn parse(header: &[u8]) -> Result<Option<SocketAddr>, HeaderError> {
    let config = ParseConfig {
        include_tlvs: false,
        allow_v1: false,
        allow_v2: true,
    };
    let parsed = ProxyHeader::parse(header, config);
    let (parsed, read) = parsed.map_err(|_| HeaderError::Broken)?;
    match parsed.proxied_address() {
        _ if read != header.len() => Err(HeaderError::Broken),
        Some(proxied) if proxied.protocol == Protocol::Stream => Ok(Some(proxied.source)),
        None if header.get(SIGNATURE.len()) == Some(&LOCAL) => Ok(None),
        _ => Err(HeaderError::NoAddress),
    }
}

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const VERSION_1: &[u8; 5] = b"PROXY";
/// Version 2, and the command of a connection of the proxy's own.
const LOCAL: u8 = 0x20;
/// Signature, version and command, family, length.
const START: usize = SIGNATURE.len() + 4;
/// Room for the addresses, and for what proxies add about TLS and their cloud.
const MOST: usize = 2048;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family][..], &length, rest].concat()
    }

    /// The verdict on bytes, and what is left of them.
    async fn said(mut bytes: &[u8]) -> (Result<Option<SocketAddr>, String>, usize) {
        let read = read(&mut bytes).await;
        (read.map_err(|error| error.to_string()), bytes.len())
    }

    const V4: [u8; 12] = [192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x34, 0x01, 0xbb];

    #[tokio::test]
    async fn the_client_is_whom_the_header_names_and_what_is_behind_is_left() {
        let hello = [0x16, 3, 1];
        let bytes = [&header(0x21, 0x11, &V4)[..], &hello].concat();
        let client = "192.0.2.7:4660".parse().unwrap();
        assert_eq!(said(&bytes).await, (Ok(Some(client)), 3));
        let more = [&V4[..], &[0x04, 0, 2, 0, 0]].concat();
        assert_eq!(
            said(&header(0x21, 0x11, &more)).await,
            (Ok(Some(client)), 0)
        );
        let [v6, other]: [std::net::Ipv6Addr; 2] =
            ["2001:db8::7", "2001:db8::1"].map(|text| text.parse().unwrap());
        let v6 = [&v6.octets()[..], &other.octets(), &[0, 1, 0, 2]].concat();
        let client = "[2001:db8::7]:1".parse().unwrap();
        assert_eq!(said(&header(0x21, 0x21, &v6)).await, (Ok(Some(client)), 0));
    }

    #[tokio::test]
    async fn a_connection_of_the_proxys_own_has_no_other_client() {
        assert_eq!(said(&header(0x20, 0, &[])).await, (Ok(None), 0));
        assert_eq!(said(&header(0x20, 0x11, &V4)).await, (Ok(None), 0));
    }

    #[tokio::test]
    async fn everything_else_is_refused_with_what_to_do() {
        let long = header(0x21, 0x11, &[0; MOST + 1]);
        for (bytes, words) in [
            (
                b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n".to_vec(),
                "version 1",
            ),
            (vec![0x16; 32], "send-proxy-v2"),
            (long, "2049 bytes"),
            (header(0x21, 0x11, &V4[..11]), "broken"),
            (header(0x11, 0x11, &V4), "broken"),
            (header(0x22, 0x11, &V4), "broken"),
            (header(0x21, 0x13, &V4), "broken"),
            (header(0x21, 0x12, &V4), "no TCP client"),
            (header(0x21, 0, &[]), "no TCP client"),
            (header(0x21, 0x31, &[0; 216]), "no TCP client"),
            (header(0x21, 0x11, &V4)[..27].to_vec(), "ended within"),
        ] {
            let (refused, _) = said(&bytes).await;
            let refused = refused.unwrap_err();
            assert!(refused.contains(words), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_none_are_read_that_are_not_the_headers(
            command: u8,
            family: u8,
            rest in proptest::collection::vec(any::<u8>(), 0..300),
            behind in proptest::collection::vec(any::<u8>(), 0..20),
            cut in 0..400_usize,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let whole = [&header(command, family, &rest)[..], &behind].concat();
            let (read, left) = runtime.block_on(said(&whole));
            prop_assert_eq!(left, behind.len());
            if read.is_ok() {
                prop_assert!(matches!(command, 0x20 | 0x21));
            }
            let cut = cut.min(whole.len() - behind.len() - 1);
            prop_assert!(runtime.block_on(said(&whole[..cut])).0.is_err());
        }
    }
}
