//! A server's session over QUIC that asks clients for credentials: what arrives in the CRYPTO stream, cut anywhere.
#![no_main]

use std::sync::{Arc, LazyLock};

use dc_rustls::quinn::{EarlyData, server_config};
use dc_rustls::server::{Acceptor, ClientCredentials, NamePolicy, Settings, Store};
use libfuzzer_sys::fuzz_target;
use quinn_proto::crypto::Session;
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{ServerConfig, Side};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

// Two lengths of pieces, the length of what comes before the server's answer, and all that comes.
fuzz_target!(|input: &[u8]| {
    let Some((&[a, b, high, low], stream)) = input.split_first_chunk() else {
        return;
    };
    let answered = usize::from(u16::from_be_bytes([high, low]));
    let (hello, behind) = stream.split_at(answered.min(stream.len()));
    let lengths = [usize::from(a), usize::from(b)];
    let whole = [stream.len()];
    for (first, second) in [
        (&whole[..], &whole[..]),
        (&whole, &lengths),
        (&lengths, &whole),
    ] {
        meet(hello, behind, first, second);
    }
});

/// Gives all of it to a session. Nobody is ever known: there is no Finished that a fuzzer could make.
fn meet(hello: &[u8], behind: &[u8], first: &[usize], second: &[usize]) {
    let none = TransportParameters::read(Side::Server, &mut [].as_slice());
    let none = none.expect("no parameters are parameters");
    let mut session = Arc::clone(&SERVER.crypto).start_session(1, &none);
    if feed(session.as_mut(), hello, first) {
        feed(session.as_mut(), behind, second);
    }
}

/// True if the session refuses nothing.
fn feed(session: &mut dyn Session, mut bytes: &[u8], lengths: &[usize]) -> bool {
    let mut lengths = lengths.iter().cycle();
    let mut is_well = true;
    while is_well && !bytes.is_empty() {
        let length = lengths.next().copied().unwrap_or(1);
        let (piece, rest) = bytes.split_at(length.clamp(1, bytes.len()));
        bytes = rest;
        is_well = session.read_handshake(piece).is_ok();
        assert!(session.is_handshaking());
        assert!(session.peer_identity().is_none());
        // As quinn does, which sends until nothing is left.
        let mut flight = Vec::new();
        while session.write_handshake(&mut flight).is_some() {}
    }
    is_well
}

static SERVER: LazyLock<ServerConfig> = LazyLock::new(|| {
    let provider = Arc::new(ring::default_provider());
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let fallback = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![own.cert.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der())
                .expect("a key"),
        )
        .expect("a key of the certificate");
    let clients = ClientCredentials::verifier(&provider, Arc::new(Credulous));
    let clients = clients.unique_name(NamePolicy::Preferred);
    let settings = Settings::new(provider).client_credentials(clients);
    let store = Store::with_settings(settings.expect("schemes to offer"));
    let acceptor = Acceptor::new(store).fallback(Arc::new(fallback));
    server_config(&acceptor, [b"echo".to_vec()], EarlyData::Allowed).expect("a suite for QUIC")
});

/// Trusts every certificate, so that what is next to it is looked at.
#[derive(Debug)]
struct Credulous;

impl ClientCertVerifier for Credulous {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
