//! HTTP/1.1, as little of it as services in a home and our own clients need: one request in a connection.

use std::io::{self, BufRead as _, BufReader, Read, Write};

use crate::Result;

/// A request, without its header fields.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
}

/// The status and the body of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self { status, body }
    }

    /// What was asked for; the server's words if it is something else.
    pub(crate) fn success(self) -> Result<Vec<u8>> {
        match self.status {
            200..300 => Ok(self.body),
            status => Err(format!("{status}: {}", String::from_utf8_lossy(&self.body)).into()),
        }
    }
}

/// Reads a request. Fails if it is none, or larger than anybody here sends.
pub(crate) fn read_request(stream: impl Read) -> io::Result<Request> {
    let mut reader = BufReader::new(stream.take(LARGEST));
    let first = read_line(&mut reader)?;
    let mut words = first.split(' ').map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Err(malformed("a request line"));
    };
    let length = read_fields(&mut reader)?.unwrap_or_default();
    let mut body = vec![0; length.min(LARGEST as usize)];
    reader.read_exact(&mut body)?;
    Ok(Request { method, path, body })
}

/// Answers a request, the last of its connection.
pub(crate) fn write_answer(mut stream: impl Write, answer: &Answer) -> io::Result<()> {
    let Answer { status, body } = answer;
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} .\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    stream.write_all(body)?;
    stream.flush()
}

/// Sends a request and reads the answer.
pub(crate) fn ask(
    mut stream: impl Read + Write,
    host: &str,
    method: &str,
    path: &str,
    body: &[u8],
) -> io::Result<Answer> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat())?;
    stream.flush()?;
    read_answer(stream)
}

fn read_answer(stream: impl Read) -> io::Result<Answer> {
    let mut reader = BufReader::new(stream.take(LARGEST));
    let first = read_line(&mut reader)?;
    let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or_else(|| malformed("a status line"))?;
    let mut body = Vec::new();
    match read_fields(&mut reader)? {
        Some(length) => {
            body.resize(length.min(LARGEST as usize), 0);
            reader.read_exact(&mut body)?;
        }
        None => {
            reader.read_to_end(&mut body)?;
        }
    }
    Ok(Answer { status, body })
}

/// Reads up to the empty line behind the header fields, and returns Content-Length.
fn read_fields(reader: &mut BufReader<impl Read>) -> io::Result<Option<usize>> {
    let mut length = None;
    loop {
        let line = read_line(reader)?;
        match line.split_once(':') {
            None if line.is_empty() => return Ok(length),
            None => return Err(malformed("a header field")),
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                let value = value.trim().parse();
                length = Some(value.map_err(|_| malformed("a length"))?);
            }
            Some(_) => {}
        }
    }
}

fn read_line(reader: &mut BufReader<impl Read>) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    match line.ends_with('\n') {
        true => Ok(line.trim_end().to_owned()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no HTTP: {what}"))
}

const LARGEST: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_is_sent() {
        let sent = b"POST /a HTTP/1.1\r\nHost: b\r\ncontent-length: 3\r\n\r\nxyzMORE";
        let request = read_request(&sent[..]).unwrap();
        assert_eq!((&*request.method, &*request.path), ("POST", "/a"));
        assert_eq!(request.body, b"xyz");
    }

    #[test]
    fn an_answer_is_read_as_it_is_written() {
        let answer = Answer::new(404, "no such name");
        let mut sent = Vec::new();
        write_answer(&mut sent, &answer).unwrap();
        assert_eq!(read_answer(&sent[..]).unwrap(), answer);
        let said = answer.success().unwrap_err().to_string();
        assert_eq!(said, "404: no such name");
    }

    #[test]
    fn half_an_answer_is_an_error() {
        let sent = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
        assert!(read_answer(&sent[..]).is_err());
        assert!(read_answer(&b"220 a mail server"[..]).is_err());
    }
}
