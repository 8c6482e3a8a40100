//! The header of the PROXY protocol, version 2: who the client is, for a server that sees only this program.

use std::net::{IpAddr, SocketAddr};

/// The header of a connection over TCP, from the client to where it has connected.
///
/// Addresses are of one family: IPv4 in IPv6 is IPv4, unless the other one has no such form.
#[must_use]
pub fn header(client: SocketAddr, local: SocketAddr) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    header.push(VERSION_2_PROXY);
    match (client.ip().to_canonical(), local.ip().to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            header.extend([TCP_OVER_IPV4, 0, 12]);
            header.extend(from.octets());
            header.extend(to.octets());
        }
        (from, to) => {
            header.extend([TCP_OVER_IPV6, 0, 36]);
            header.extend(octets(from));
            header.extend(octets(to));
        }
    }
    header.extend(client.port().to_be_bytes());
    header.extend(local.port().to_be_bytes());
    header
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
const VERSION_2_PROXY: u8 = 0x21;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_client_is_said_as_one_also_when_it_came_over_ipv6() {
        let expected =
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x7f\0\0\x01\xd4\x31\x01\xbb";
        for client in ["192.0.2.7:54321", "[::ffff:192.0.2.7]:54321"] {
            assert_eq!(
                header(client.parse().unwrap(), ([127, 0, 0, 1], 443).into()),
                expected
            );
        }
    }

    #[test]
    fn an_ipv6_client_has_a_longer_one() {
        let header = header("[fd00::7]:1".parse().unwrap(), "[::1]:443".parse().unwrap());
        assert_eq!(
            (header.len(), &header[12..16]),
            (52, &b"\x21\x21\0\x24"[..])
        );
        assert_eq!((header[16], header[31], header[47]), (0xfd, 7, 1));
    }
}
