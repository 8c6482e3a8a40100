//! Signed requests: JSON Web Signatures (RFC 7515) in the flattened form that RFC 8555 §6.2 asks for.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use ring::{digest, hmac};
use serde::{Deserialize, Serialize};

use crate::Result;

/// An account's key pair on P-256.
pub(crate) struct AccountKey(EcdsaKeyPair);

impl AccountKey {
    /// A fresh one.
    pub(crate) fn generate() -> Result<Self> {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .map_err(|_| "no key for an ACME account: the system has no randomness")?;
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random)
                .map_err(|error| format!("no key for an ACME account: {error}"))?;
        Ok(Self(pair))
    }

    /// The public key.
    pub(crate) fn jwk(&self) -> Jwk {
        let point = self.0.public_key().as_ref();
        // An uncompressed point: 4, x, y.
        let (x, y) = point.get(1..).unwrap_or_default().split_at(COORDINATE);
        Jwk {
            kty: "EC".to_owned(),
            crv: "P-256".to_owned(),
            x: encode(x),
            y: encode(y),
        }
    }

    /// What an account of this key answers to a challenge: RFC 8555 §8.1.
    pub(crate) fn key_authorization(&self, token: &str) -> String {
        self.jwk().key_authorization(token)
    }

    /// Signs a request; an empty payload is a POST-as-GET.
    pub(crate) fn sign(
        &self,
        who: Signer<'_>,
        nonce: &str,
        url: &str,
        payload: &[u8],
    ) -> Result<Jws> {
        let jwk;
        let (jwk, kid) = match who {
            Signer::Key => {
                jwk = self.jwk();
                (Some(jwk), None)
            }
            Signer::Account(kid) => (None, Some(kid.to_owned())),
        };
        let header = Header {
            alg: ES256.to_owned(),
            jwk,
            kid,
            nonce: Some(nonce.to_owned()),
            url: url.to_owned(),
        };
        let unsigned = Unsigned::new(&header, payload)?;
        let signature = self
            .0
            .sign(&SystemRandom::new(), unsigned.input().as_bytes())
            .map_err(|_| "the ACME account's key does not sign")?;
        Ok(unsigned.signed(signature.as_ref()))
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("AccountKey(..)")
    }
}

/// Who a request says it comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signer<'a> {
    /// A key that has no account yet.
    Key,
    /// The account at this URL.
    Account(&'a str),
}

/// A key that a server has given to somebody, to bind an account to what it knows of them: RFC 8555 §7.3.4.
#[derive(Clone)]
pub(crate) struct BindingKey {
    /// The name that the server gave to it.
    pub(crate) kid: String,
    pub(crate) secret: Vec<u8>,
}

impl BindingKey {
    /// Says that whoever has this key has that account key too.
    pub(crate) fn bind(&self, jwk: &Jwk, new_account: &str) -> Result<Jws> {
        let header = Header {
            alg: HS256.to_owned(),
            jwk: None,
            kid: Some(self.kid.clone()),
            nonce: None,
            url: new_account.to_owned(),
        };
        let unsigned = Unsigned::new(&header, &serde_json::to_vec(jwk)?)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.secret);
        let tag = hmac::sign(&key, unsigned.input().as_bytes());
        Ok(unsigned.signed(tag.as_ref()))
    }
}

impl fmt::Debug for BindingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kid, secret: _ } = self;
        write!(f, "BindingKey({kid}, ..)")
    }
}

/// A public key on P-256, the only kind here: RFC 7517. Its fields are in the order that RFC 7638 asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Jwk {
    crv: String,
    kty: String,
    x: String,
    y: String,
}

impl Jwk {
    /// The key's name: RFC 7638.
    pub(crate) fn thumbprint(&self) -> String {
        let Self { crv, kty, x, y } = self;
        let canonical = format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}","y":"{y}"}}"#);
        sha256(&canonical)
    }

    /// What an account of this key answers to a challenge: RFC 8555 §8.1.
    pub(crate) fn key_authorization(&self, token: &str) -> String {
        format!("{token}.{}", self.thumbprint())
    }

    /// The point, uncompressed. Fails for other curves, and for coordinates that are not 32 bytes long.
    fn point(&self) -> Result<Vec<u8>> {
        if (self.kty.as_str(), self.crv.as_str()) != ("EC", "P-256") {
            return Err(format!("{} {} is not a key on P-256", self.kty, self.crv).into());
        }
        let mut point = vec![4];
        for coordinate in [&self.x, &self.y] {
            let bytes = decode(coordinate)?;
            if bytes.len() != COORDINATE {
                return Err(format!("{coordinate} is not a coordinate of P-256").into());
            }
            point.extend(bytes);
        }
        Ok(point)
    }
}

/// What is signed beside the payload: RFC 8555 §6.2. Exactly one of `jwk` and `kid` is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) alg: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) jwk: Option<Jwk>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nonce: Option<String>,
    pub(crate) url: String,
}

/// A flattened JWS, as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Jws {
    protected: String,
    payload: String,
    signature: String,
}

impl Jws {
    /// What it says of itself; nobody has checked the signature.
    pub(crate) fn header(&self) -> Result<Header> {
        let header: Header = serde_json::from_slice(&decode(&self.protected)?)?;
        if header.jwk.is_some() == header.kid.is_some() {
            return Err("a JWS needs either `jwk` or `kid`".into());
        }
        Ok(header)
    }

    /// The payload, if this key signed it with ES256.
    pub(crate) fn verify(&self, jwk: &Jwk) -> Result<Vec<u8>> {
        self.expect_algorithm(ES256)?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, jwk.point()?)
            .verify(self.input().as_bytes(), &decode(&self.signature)?)
            .map_err(|_| "the signature of the JWS is wrong")?;
        decode(&self.payload)
    }

    /// The payload, if whoever has this key signed it with HS256.
    pub(crate) fn verify_binding(&self, key: &BindingKey) -> Result<Vec<u8>> {
        self.expect_algorithm(HS256)?;
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &key.secret);
        hmac::verify(&secret, self.input().as_bytes(), &decode(&self.signature)?)
            .map_err(|_| "the signature of the external account binding is wrong")?;
        decode(&self.payload)
    }

    fn expect_algorithm(&self, wanted: &str) -> Result<()> {
        match self.header()?.alg {
            alg if alg == wanted => Ok(()),
            alg => Err(format!("the JWS is signed with {alg} instead of {wanted}").into()),
        }
    }

    fn input(&self) -> String {
        format!("{}.{}", self.protected, self.payload)
    }
}

struct Unsigned {
    protected: String,
    payload: String,
}

impl Unsigned {
    fn new(header: &Header, payload: &[u8]) -> Result<Self> {
        Ok(Self {
            protected: encode(&serde_json::to_vec(header)?),
            payload: encode(payload),
        })
    }

    fn input(&self) -> String {
        format!("{}.{}", self.protected, self.payload)
    }

    fn signed(self, signature: &[u8]) -> Jws {
        Jws {
            protected: self.protected,
            payload: self.payload,
            signature: encode(signature),
        }
    }
}

/// Base64 as ACME has it everywhere.
pub(crate) fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// The bytes of such a text.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(text)
        .map_err(|_| format!("{text:?} is not base64url without padding").into())
}

/// The SHA-256 of a text, encoded: what a TXT record of dns-01 holds (RFC 8555 §8.4).
pub(crate) fn sha256(text: &str) -> String {
    encode(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

const COORDINATE: usize = 32;
const ES256: &str = "ES256";
const HS256: &str = "HS256";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn returns_the_payload_to_whoever_knows_the_key() {
        let key = AccountKey::generate().unwrap();
        let jws = key
            .sign(Signer::Key, "n", "http://ca/order", b"{}")
            .unwrap();
        assert_eq!(jws.verify(&key.jwk()).unwrap(), b"{}");
        assert_eq!(jws.header().unwrap().jwk, Some(key.jwk()));
    }

    #[test]
    fn refuses_another_key_and_another_payload() {
        let key = AccountKey::generate().unwrap();
        let other = AccountKey::generate().unwrap();
        let jws = key.sign(Signer::Account("a"), "n", "u", b"{}").unwrap();
        jws.verify(&other.jwk()).unwrap_err();
        let changed = Jws {
            payload: encode(b"[]"),
            ..jws
        };
        changed.verify(&key.jwk()).unwrap_err();
    }

    #[test]
    fn refuses_a_binding_by_another_secret() {
        let jwk = AccountKey::generate().unwrap().jwk();
        let binding = |secret: &[u8]| BindingKey {
            kid: "device-1".to_owned(),
            secret: secret.to_vec(),
        };
        let jws = binding(b"one").bind(&jwk, "u").unwrap();
        assert_eq!(
            jws.verify_binding(&binding(b"one")).unwrap(),
            serde_json::to_vec(&jwk).unwrap()
        );
        jws.verify_binding(&binding(b"two")).unwrap_err();
    }

    /// A MAC that is keyed with a public key must never pass for its signature.
    #[test]
    fn refuses_a_mac_where_a_signature_belongs() {
        let key = AccountKey::generate().unwrap();
        let forger = BindingKey {
            kid: "x".to_owned(),
            secret: key.jwk().point().unwrap(),
        };
        let forged = forger.bind(&key.jwk(), "u").unwrap();
        forged.verify(&key.jwk()).unwrap_err();
    }

    /// The example of RFC 7638 is an RSA key; this one was computed with `openssl dgst`.
    #[test]
    fn thumbprint_is_that_of_the_canonical_form() {
        let jwk: Jwk =
            serde_json::from_str(r#"{"kty":"EC","y":"BQ","x":"BA","crv":"P-256","use":"sig"}"#)
                .unwrap();
        let canonical = r#"{"crv":"P-256","kty":"EC","x":"BA","y":"BQ"}"#;
        assert_eq!(jwk.thumbprint(), sha256(canonical));
        jwk.point().unwrap_err();
    }

    proptest! {
        #[test]
        fn reads_any_text_as_a_jws_without_panic(text in ".*") {
            let _ = serde_json::from_str::<Jws>(&text);
        }

        #[test]
        fn verifies_any_fields_without_panic(
            protected in any::<Vec<u8>>(),
            payload in any::<Vec<u8>>(),
            signature in any::<Vec<u8>>(),
        ) {
            let jws = Jws {
                protected: encode(&protected),
                payload: encode(&payload),
                signature: encode(&signature),
            };
            let jwk = AccountKey::generate().unwrap().jwk();
            prop_assert!(jws.verify(&jwk).is_err());
        }

        #[test]
        fn takes_any_coordinates_without_panic(x in "[A-Za-z0-9_=-]{0,50}", y in ".{0,50}") {
            let jwk = Jwk { kty: "EC".into(), crv: "P-256".into(), x, y };
            let key = AccountKey::generate().unwrap();
            let jws = key.sign(Signer::Key, "n", "u", b"").unwrap();
            prop_assert!(jws.verify(&jwk).is_err());
        }
    }
}
