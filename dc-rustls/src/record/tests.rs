use proptest::collection::vec;
use proptest::prelude::*;
use rustls::ProtocolVersion;

use super::*;
use crate::testing::backend::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256;
use crate::view::stream::certificates_to_wire;
use crate::view::testing::any_flight;

/// One direction of a connection: one side protects, the other opens, under one key.
struct Keyed {
    encrypter: Box<dyn MessageEncrypter>,
    decrypter: Box<dyn MessageDecrypter>,
    sequence: u64,
}

impl Keyed {
    fn new(encrypts: &dyn Tls13AeadAlgorithm, decrypts: &dyn Tls13AeadAlgorithm) -> Self {
        let (key, iv) = (|| AeadKey::from([7; 32]), || Iv::new([1; 12]));
        Self {
            encrypter: encrypts.encrypter(key(), iv()),
            decrypter: decrypts.decrypter(key(), iv()),
            sequence: 0,
        }
    }

    /// Sends one record, and returns what arrives.
    fn pass(&mut self, typ: ContentType, payload: &[u8]) -> Vec<u8> {
        let message = OutboundPlainMessage {
            typ,
            version: ProtocolVersion::TLSv1_3,
            payload: OutboundChunks::Single(payload),
        };
        let record = self.encrypter.encrypt(message, self.sequence).unwrap();
        let mut bytes = record.encode().split_off(5);
        let message = InboundOpaqueMessage::new(
            ContentType::ApplicationData,
            ProtocolVersion::TLSv1_2,
            &mut bytes,
        );
        let plain = self.decrypter.decrypt(message, self.sequence).unwrap();
        assert_eq!(plain.typ, typ);
        self.sequence += 1;
        plain.payload.to_vec()
    }

    /// Sends `handshake`, cut into records, with a warning in front of each that is told to have one, and returns what
    /// arrives.
    fn pass_all(&mut self, mut handshake: &[u8], records: &[(usize, bool)]) -> Vec<u8> {
        let mut arrived = Vec::new();
        for (length, is_warned) in records.iter().cycle() {
            if handshake.is_empty() {
                break;
            }
            if *is_warned {
                assert_eq!(self.pass(ContentType::Alert, &USER_CANCELED), USER_CANCELED);
            }
            let (record, rest) = handshake.split_at((*length).min(handshake.len()));
            arrived.extend(self.pass(ContentType::Handshake, record));
            handshake = rest;
        }
        arrived
    }
}

fn stock() -> &'static dyn Tls13AeadAlgorithm {
    TLS13_CHACHA20_POLY1305_SHA256.tls13().unwrap().aead_alg
}

fn ours(side: Side) -> RecordProtection {
    RecordProtection {
        inner: stock(),
        side,
    }
}

fn to_rustls(handshake: &[u8]) -> Vec<u8> {
    let mut mapped = handshake.to_vec();
    ToRustls::new().apply(&mut mapped).unwrap();
    mapped
}

proptest! {
    /// Law 2, whatever comes between the records of the handshake.
    #[test]
    fn only_application_data_ends_the_mapping_of_a_client(
        flight in any_flight(),
        records in vec((1..500_usize, any::<bool>()), 1..6),
    ) {
        let mut client = Keyed::new(stock(), &ours(Side::Client { offer: &[] }));
        prop_assert_eq!(client.pass_all(&flight.bytes, &records), to_rustls(&flight.bytes));
        client.pass(ContentType::ApplicationData, b"data");
        prop_assert_eq!(client.pass_all(&flight.bytes, &records), flight.bytes);
    }
}

proptest! {
    #[test]
    fn only_application_data_ends_the_mapping_of_a_server(flight in any_flight()) {
        let mapped = to_rustls(&flight.bytes);
        let mut server = Keyed::new(&ours(Side::Server), stock());
        let whole = [(mapped.len(), true)];
        prop_assert_eq!(server.pass_all(&mapped, &whole), &*certificates_to_wire(&mapped));
        server.pass(ContentType::ApplicationData, b"data");
        prop_assert_eq!(server.pass_all(&mapped, &whole), mapped);
    }
}

/// A warning that TLS 1.3 still has (RFC 8446 §6.1).
const USER_CANCELED: [u8; 2] = [1, 90];
