//! The head of an HTTP CONNECT request (RFC 9110 §9.3.6), from anybody who reaches the port.

use std::fmt;

use crate::target::Target;

/// A whole head.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// The device to reach.
    pub target: Target,
    /// The length of the head, in bytes; what stands behind it is for the device.
    pub length: usize,
}

/// The reason why a head is not answered with a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum BadRequest {
    /// It is not HTTP/1.
    Malformed,
    /// It asks for something else than a connection.
    Method,
    /// The name or the port is none.
    Target,
    /// It does not end within [`MAX_HEAD`] bytes.
    TooLong,
}

/// The most bytes of a head.
pub const MAX_HEAD: usize = 8192;

/// Reads a head that may not have arrived as a whole; `None` until it has.
///
/// Fails with [`BadRequest`] as soon as nothing that may follow could mend it.
pub fn parse(bytes: &[u8]) -> Result<Option<Request>, BadRequest> {
    let Some(length) = find_end(bytes) else {
        return match bytes.len() < MAX_HEAD {
            true => early(bytes).map(|()| None),
            false => Err(BadRequest::TooLong),
        };
    };
    if length > MAX_HEAD {
        return Err(BadRequest::TooLong);
    }
    let head = bytes.get(..length).unwrap_or_default();
    let head = str::from_utf8(head).map_err(|_| BadRequest::Malformed)?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(BadRequest::Malformed);
    };
    if !matches!(version, "HTTP/1.1" | "HTTP/1.0") || !lines.all(is_field_or_end) {
        return Err(BadRequest::Malformed);
    }
    if method != METHOD {
        return Err(BadRequest::Method);
    }
    let target = Target::parse(target, None).map_err(|_| BadRequest::Target)?;
    Ok(Some(Request { target, length }))
}

/// Refuses at once what is TLS or another protocol, whose client may wait for an answer and never end a line.
fn early(bytes: &[u8]) -> Result<(), BadRequest> {
    match bytes
        .iter()
        .take(MAX_METHOD)
        .find(|byte| !byte.is_ascii_uppercase())
    {
        None | Some(b' ') => Ok(()),
        Some(_) => Err(BadRequest::Malformed),
    }
}

fn find_end(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(END.len()).position(|window| window == END)?;
    Some(end + END.len())
}

fn is_field_or_end(line: &str) -> bool {
    let is_clean = !line.bytes().any(|byte| matches!(byte, 0 | b'\r' | b'\n'));
    is_clean
        && match line.split_once(':') {
            Some((name, _)) => !name.is_empty() && !name.contains([' ', '\t']),
            None => line.is_empty(),
        }
}

impl BadRequest {
    /// The status that HTTP has for it.
    #[must_use]
    pub fn status(self) -> &'static str {
        match self {
            Self::Malformed | Self::Target => "400 Bad Request",
            Self::Method => "405 Method Not Allowed",
            Self::TooLong => "431 Request Header Fields Too Large",
        }
    }
}

impl fmt::Display for BadRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the request is not HTTP/1: use this port as an HTTP proxy"),
            Self::Method => f.write_str(
                "only CONNECT is answered here: let the program tunnel, as curl does with --proxytunnel",
            ),
            Self::Target => f.write_str("CONNECT has no NAME:PORT, such as k3v.cpe.example.com:443"),
            Self::TooLong => write!(f, "the head of the request has more than {MAX_HEAD} bytes"),
        }
    }
}

impl std::error::Error for BadRequest {}

const METHOD: &str = "CONNECT";
const END: &[u8] = b"\r\n\r\n";
/// Longer than any method of HTTP.
const MAX_METHOD: usize = 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "CONNECT k3v.cpe.example.com:443 HTTP/1.1\r\nHost: k3v.cpe.example.com:443\r\nProxy-Connection: x\r\n\r\n";

    #[test]
    fn reads_the_name_and_where_the_head_ends() {
        let text = format!("{HEAD}already for the device\r\n\r\n");
        let request = parse(text.as_bytes()).unwrap().unwrap();
        assert_eq!(request.target.to_string(), "k3v.cpe.example.com:443");
        assert_eq!(request.length, HEAD.len());
    }

    #[test]
    fn a_head_that_was_cut_is_waited_for() {
        for cut in 0..HEAD.len() {
            assert_eq!(parse(&HEAD.as_bytes()[..cut]), Ok(None), "{cut}");
        }
    }

    #[test]
    fn each_fault_has_its_status() {
        for (head, fault) in [
            ("GET http://k3v/ HTTP/1.1\r\n\r\n", BadRequest::Method),
            ("connect k3v:1 HTTP/1.1\r\n\r\n", BadRequest::Method),
            ("CONNECT k3v HTTP/1.1\r\n\r\n", BadRequest::Target),
            ("CONNECT k3v:0 HTTP/1.1\r\n\r\n", BadRequest::Target),
            ("CONNECT k3v:1 HTTP/2\r\n\r\n", BadRequest::Malformed),
            ("CONNECT k3v:1\r\n\r\n", BadRequest::Malformed),
            ("CONNECT  k3v:1 HTTP/1.1\r\n\r\n", BadRequest::Malformed),
            (
                "CONNECT k3v:1 HTTP/1.1\r\nno field\r\n\r\n",
                BadRequest::Malformed,
            ),
            (
                "CONNECT k3v:1 HTTP/1.1\r\nA : b\r\n\r\n",
                BadRequest::Malformed,
            ),
            (
                "CONNECT k3v:1 HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
                BadRequest::Malformed,
            ),
            ("\u{16}\u{3}\u{1}", BadRequest::Malformed),
        ] {
            assert_eq!(parse(head.as_bytes()), Err(fault), "{head:?}");
        }
        let long = format!("CONNECT k3v:1 HTTP/1.1\r\nA: {}", "b".repeat(MAX_HEAD));
        assert_eq!(parse(long.as_bytes()), Err(BadRequest::TooLong));
        assert_eq!(
            parse((long + "\r\n\r\n").as_bytes()),
            Err(BadRequest::TooLong)
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn nor_does_a_head_with_bytes_changed(at in 0..HEAD.len(), byte: u8, more in prop::collection::vec(any::<u8>(), 0..20)) {
            let mut bytes = HEAD.as_bytes().to_vec();
            bytes[at] = byte;
            bytes.extend(more);
            if let Ok(Some(request)) = parse(&bytes) {
                prop_assert!(request.length <= bytes.len());
            }
        }

        #[test]
        fn what_was_written_is_read_once_it_is_there_whatever_stands_behind(
            host in "[a-z0-9]{1,20}(\\.[a-z0-9]{1,20}){0,3}\\.[a-z]{2,5}|\\[fd00::[1-9a-f][0-9a-f]{0,3}\\]",
            port in 1u16..,
            version in "HTTP/1\\.[01]",
            fields in prop::collection::vec("[A-Za-z-]{1,20}:[ -~\t]{0,40}", 0..5),
            behind in prop::collection::vec(any::<u8>(), 0..40),
            cut in any::<prop::sample::Index>(),
        ) {
            let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
            let head = format!("CONNECT {host}:{port} {version}\r\n{fields}\r\n");
            let bytes = [head.as_bytes(), &behind].concat();
            let request = parse(&bytes).unwrap().unwrap();
            prop_assert_eq!((request.length, request.target.to_string()), (head.len(), format!("{host}:{port}")));
            prop_assert_eq!(parse(&bytes[..cut.index(head.len())]), Ok(None));
        }

        #[test]
        fn what_is_refused_in_part_is_refused_as_a_whole(bytes in prop::collection::vec(any::<u8>(), 0..60), cut in 0usize..60) {
            let part = &bytes[..cut.min(bytes.len())];
            if parse(part).is_err() {
                prop_assert!(parse(&bytes).is_err());
            }
        }
    }
}
