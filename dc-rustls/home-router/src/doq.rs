//! DNS over QUIC (RFC 9250): each query on a stream of its own, with its length in front.

use std::sync::Arc;
use std::time::Duration;

use quinn::{ReadToEndError, RecvStream, SendStream, VarInt};
use tokio::time::timeout;

use crate::clients::Connection;
use crate::quic::Greeted;
use crate::resolver::Resolver;

/// Serves a connection until the client closes it, is silent for too long, or breaks the rules.
pub(crate) async fn serve(resolver: Arc<Resolver>, greeted: Greeted) {
    let Greeted {
        quic,
        client,
        local,
    } = greeted;
    while let Ok((send, receive)) = quic.accept_bi().await {
        let (resolver, quic) = (Arc::clone(&resolver), quic.clone());
        let connection = Arc::clone(client.connection());
        tokio::spawn(async move {
            match timeout(PATIENCE, read(receive)).await {
                Ok(Ok(Some(query))) => answer(&resolver, &connection, (&query, send), local).await,
                // RFC 9250 §4.3.3: one such query ends the connection.
                Ok(Err(Broken)) => quic.close(PROTOCOL_ERROR, b""),
                Ok(Ok(None)) | Err(_) => {}
            }
        });
    }
}

async fn answer(
    resolver: &Resolver,
    connection: &Connection,
    (query, mut send): (&[u8], SendStream),
    local: std::net::IpAddr,
) {
    connection.count_query();
    let framed = match resolver.answer(query, connection.way(local)).await {
        Ok(answer) => frame(&answer.bytes),
        Err(_) => None,
    };
    let Some(framed) = framed else {
        let _ = send.reset(INTERNAL_ERROR);
        return;
    };
    // Nobody is there any more to read it, if this fails.
    if let Ok(Ok(())) = timeout(PATIENCE, send.write_all(&framed)).await {
        let _ = send.finish();
    }
}

/// A query that no client may send.
#[derive(Debug, Eq, PartialEq)]
struct Broken;

/// Reads a stream to its end, which is that of the one query on it; `None` if the client gave it up.
async fn read(mut receive: RecvStream) -> Result<Option<Vec<u8>>, Broken> {
    match receive.read_to_end(MAX_LENGTH).await {
        Ok(stream) => Ok(Some(query(&stream).ok_or(Broken)?.to_vec())),
        Err(ReadToEndError::TooLong) => Err(Broken),
        Err(ReadToEndError::Read(_)) => Ok(None),
    }
}

/// The query on a stream. Its id is 0, as the stream says what an answer belongs to (RFC 9250 §4.2.1).
fn query(stream: &[u8]) -> Option<&[u8]> {
    let (length, query) = stream.split_first_chunk()?;
    let is_whole = usize::from(u16::from_be_bytes(*length)) == query.len();
    (is_whole && query.len() >= MIN_LENGTH && query.starts_with(&[0, 0])).then_some(query)
}

/// A message behind its length, if it has not more than DNS allows.
fn frame(message: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(message.len()).ok()?;
    Some([&length.to_be_bytes(), message].concat())
}

/// The length, and the longest message.
const MAX_LENGTH: usize = 2 + 0xffff;
/// The header of a DNS message.
const MIN_LENGTH: usize = 12;
const PATIENCE: Duration = Duration::from_secs(30);
/// DOQ_INTERNAL_ERROR and DOQ_PROTOCOL_ERROR (RFC 9250 §4.3).
const INTERNAL_ERROR: VarInt = VarInt::from_u32(1);
const PROTOCOL_ERROR: VarInt = VarInt::from_u32(2);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn reads_what_was_framed_and_nothing_cut_or_longer(
            body in prop::collection::vec(any::<u8>(), 10..400),
            extra in prop::collection::vec(any::<u8>(), 1..9),
        ) {
            let message = [&[0, 0], body.as_slice()].concat();
            let framed = frame(&message).unwrap();
            prop_assert_eq!(query(&framed), Some(message.as_slice()));
            for cut in 0..framed.len() {
                prop_assert_eq!(query(&framed[..cut]), None);
            }
            let longer = [framed, extra].concat();
            prop_assert_eq!(query(&longer), None);
        }

        #[test]
        fn anything_may_come(stream in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = query(&stream);
        }
    }

    #[test]
    fn an_id_is_refused_and_a_message_without_a_header() {
        let with_id = |id: u8| frame(&[&[0, id][..], &[0; 10]].concat()).unwrap();
        assert!(query(&with_id(0)).is_some());
        assert_eq!(query(&with_id(1)), None);
        assert_eq!(query(&frame(&[0; 11]).unwrap()), None);
        assert_eq!(frame(&vec![0; 0x1_0000]), None);
    }
}
