//! What somebody with the private key finds in a client's hellos.

use dc_tests::message::{CLIENT_HELLO, ech_config, number, split_vector, vector};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_128;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke, HpkeOpener, HpkePrivateKey, HpkeSuite};
use rustls::pki_types::EchConfigListBytes;

/// The name that everybody sees.
pub(super) const PUBLIC: &str = "public.example.com";
/// The HPKE suite of all configurations here.
pub(super) static SUITE: &dyn Hpke = DH_KEM_X25519_HKDF_SHA256_AES_128;

/// The keeper of one ECHConfig's private key.
pub(super) struct Keeper {
    suite: &'static dyn Hpke,
    config: Vec<u8>,
    key: HpkePrivateKey,
}

impl Keeper {
    /// The maximum length of names is for a client to pad to.
    pub(super) fn new(maximum_name_length: u8) -> Self {
        Self::with(SUITE, maximum_name_length, PUBLIC)
    }

    pub(super) fn with(
        suite: &'static dyn Hpke,
        maximum_name_length: u8,
        public_name: &str,
    ) -> Self {
        let (public, key) = suite.generate_key_pair().unwrap();
        let numbers = numbers(suite);
        Self {
            suite,
            config: ech_config(numbers, &public.0, maximum_name_length, public_name),
            key,
        }
    }

    /// What DNS has.
    pub(super) fn list(&self) -> EchConfigListBytes<'static> {
        vector(2, &self.config).into()
    }

    /// The ClientHellos in what a client has sent, opened: RFC 9849 §7.1.
    pub(super) fn open(&self, sent: &[u8]) -> Vec<Opened> {
        let mut opener = None;
        let hellos = client_hellos(sent).into_iter();
        hellos
            .map(|outer| self.open_one(outer, &mut opener))
            .collect()
    }

    pub(super) fn open_one(
        &self,
        outer: Hello,
        opener: &mut Option<Box<dyn HpkeOpener>>,
    ) -> Opened {
        let body = outer.extension(ENCRYPTED_CLIENT_HELLO).unwrap();
        assert_eq!(body[0], 0, "the type is outer");
        let [_, kdf, aead] = numbers(self.suite).map(u16::to_be_bytes);
        assert_eq!(body[1..6], [kdf[0], kdf[1], aead[0], aead[1], 1]);
        let (secret, rest) = split_vector(&body[6..], 2);
        let (payload, rest) = split_vector(rest, 2);
        assert!(rest.is_empty());
        let opener = opener.get_or_insert_with(|| {
            let info = [b"tls ech\0", &self.config[..]].concat();
            let secret = EncapsulatedSecret(secret.to_vec());
            self.suite.setup_opener(&secret, &info, &self.key).unwrap()
        });
        let additional = zeroed(&outer.body(), payload);
        let padded = opener.open(&additional, payload).unwrap();
        let (inner, padding) = Hello::split(&padded);
        assert!(padding.iter().all(|&byte| byte == 0), "nothing but zeros");
        Opened {
            padded: padded.len(),
            padding: padding.len(),
            secret: secret.to_vec(),
            inner,
            outer,
        }
    }
}

/// One ClientHello, and the one inside.
pub(super) struct Opened {
    pub(super) outer: Hello,
    pub(super) inner: Hello,
    /// The encapsulated secret, which only the first hello has.
    pub(super) secret: Vec<u8>,
    /// The length of the encoded inner hello with its padding.
    pub(super) padded: usize,
    pub(super) padding: usize,
}

impl Opened {
    /// The inner hello with what it takes from the outer (RFC 9849 §5.1).
    pub(super) fn expanded(&self) -> Hello {
        let mut extensions = Vec::new();
        for (kind, body) in &self.inner.extensions {
            match *kind {
                OUTER_EXTENSIONS => {
                    let (kinds, rest) = split_vector(body, 1);
                    assert!(rest.is_empty());
                    // In the order in which the outer hello has them.
                    let mut outer = self.outer.extensions.iter();
                    for kind in kinds.chunks(2) {
                        let kind = u16::try_from(number(kind)).unwrap();
                        let found = outer.find(|(other, _)| *other == kind).unwrap();
                        extensions.push(found.clone());
                    }
                }
                kind => extensions.push((kind, body.clone())),
            }
        }
        assert!(self.inner.session_id.is_empty());
        Hello {
            head: self.inner.head.clone(),
            session_id: self.outer.session_id.clone(),
            suites: self.inner.suites.clone(),
            extensions,
        }
    }
}

/// A ClientHello in parts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Hello {
    /// Version and random.
    head: Vec<u8>,
    session_id: Vec<u8>,
    suites: Vec<u8>,
    pub(super) extensions: Vec<(u16, Vec<u8>)>,
}

impl Hello {
    /// A body, and what is behind it.
    pub(super) fn split(data: &[u8]) -> (Self, &[u8]) {
        let (head, rest) = data.split_at(2 + 32);
        let (session_id, rest) = split_vector(rest, 1);
        let (suites, rest) = split_vector(rest, 2);
        let (compression, rest) = split_vector(rest, 1);
        assert_eq!(compression, [0]);
        let (mut block, rest) = split_vector(rest, 2);
        let mut extensions = Vec::new();
        while !block.is_empty() {
            let kind = u16::try_from(number(&block[..2])).unwrap();
            let (body, behind) = split_vector(&block[2..], 2);
            extensions.push((kind, body.to_vec()));
            block = behind;
        }
        let hello = Self {
            head: head.to_vec(),
            session_id: session_id.to_vec(),
            suites: suites.to_vec(),
            extensions,
        };
        (hello, rest)
    }

    pub(super) fn body(&self) -> Vec<u8> {
        let block: Vec<u8> = self
            .extensions
            .iter()
            .flat_map(|(kind, body)| dc_tests::message::extension(*kind, body))
            .collect();
        [
            self.head.clone(),
            vector(1, &self.session_id),
            vector(2, &self.suites),
            vector(1, &[0]),
            vector(2, &block),
        ]
        .concat()
    }

    pub(super) fn kinds(&self) -> Vec<u16> {
        self.extensions.iter().map(|(kind, _)| *kind).collect()
    }

    pub(super) fn extension(&self, kind: u16) -> Option<&[u8]> {
        let found = self.extensions.iter().find(|(other, _)| *other == kind);
        found.map(|(_, body)| body.as_slice())
    }
}

/// The ClientHellos in a client's stream.
pub(super) fn client_hellos(mut sent: &[u8]) -> Vec<Hello> {
    let mut plaintext = Vec::new();
    while let [kind, _, _, rest @ ..] = sent {
        let (payload, behind) = split_vector(rest, 2);
        if *kind == 22 {
            plaintext.extend_from_slice(payload);
        }
        sent = behind;
    }
    let mut hellos = Vec::new();
    let mut rest = plaintext.as_slice();
    while let [CLIENT_HELLO, body @ ..] = rest {
        let (body, behind) = split_vector(body, 3);
        let (hello, trailing) = Hello::split(body);
        assert!(trailing.is_empty());
        hellos.push(hello);
        rest = behind;
    }
    hellos
}

/// KEM, KDF and AEAD.
fn numbers(suite: &dyn Hpke) -> [u16; 3] {
    let HpkeSuite { kem, sym } = suite.suite();
    [kem.into(), sym.kdf_id.into(), sym.aead_id.into()]
}

/// ClientHelloOuterAAD (RFC 9849 §5.2).
fn zeroed(body: &[u8], payload: &[u8]) -> Vec<u8> {
    let at = body.windows(payload.len()).position(|w| w == payload);
    let at = at.unwrap();
    let mut additional = body.to_vec();
    additional[at..at + payload.len()].fill(0);
    additional
}

/// `encrypted_client_hello`.
pub(super) const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
/// `ech_outer_extensions`.
const OUTER_EXTENSIONS: u16 = 0xfd00;
