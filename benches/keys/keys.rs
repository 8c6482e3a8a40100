//! One ECDSA P-256 key in each of its places, and what each of them is held against.

use std::fs::{self, Permissions};
use std::hint::black_box;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use apparatus::SoftHsm;
use cryptoki::context::Pkcs11;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use dc_core::Signer as _;
use dc_pki::keys::{KeyLocation, KeyType, OpenKey, Unlock, generate_in_file, generate_in_token};
use dc_pki::secret::SecretSource;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};

use crate::load::Make;

/// As long as what is signed for a credential: its bytes with the certificate's before them.
const MESSAGE: [u8; 700] = [7; 700];

pub(crate) struct Keys {
    pairs: Vec<(&'static str, Make, Make)>,
}

impl Keys {
    /// Makes the keys in a folder that has a SoftHSM.
    pub(crate) fn prepare(folder: &Path) -> Self {
        let secret = folder.join("pin");
        fs::write(&secret, "pin-of-hsm").unwrap();
        fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
        let unlock = Unlock::with(SecretSource::File(secret));

        let plain = folder.join("plain.pem");
        let pair = rcgen::KeyPair::generate().unwrap();
        fs::write(&plain, pair.serialize_pem()).unwrap();
        let encrypted = folder.join("encrypted.pem");
        generate_in_file(&encrypted, KeyType::P256, &unlock).unwrap();

        let module = SoftHsm::module();
        let uri = format!(
            "pkcs11:token=hsm;object=bench?module-path={}",
            module.display()
        );
        let uri = uri.parse().unwrap();
        generate_in_token(&uri, KeyType::P256, &unlock).unwrap();

        let ring = || ring_alone(pair.serialize_der());
        let key = |location: KeyLocation| through_us(OpenKey::open(location, &unlock).unwrap());
        Self {
            pairs: vec![
                ("PEM", key(plain.into()), ring()),
                ("encrypted PEM", key(encrypted.into()), ring()),
                (
                    "SoftHSM",
                    key(KeyLocation::Token(Box::new(uri))),
                    module_alone(&module),
                ),
            ],
        }
    }

    /// Each key's name, the key, and what it is held against.
    pub(crate) fn pairs(&self) -> &[(&'static str, Make, Make)] {
        &self.pairs
    }
}

/// As the signer signs.
fn through_us(key: OpenKey) -> Make {
    let key = Arc::new(key);
    Box::new(move || {
        let key = key.clone();
        Box::new(move || {
            black_box(key.sign(&MESSAGE).unwrap());
        })
    })
}

fn ring_alone(pkcs8: Vec<u8>) -> Make {
    let random = SystemRandom::new();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8, &random);
    let pair = Arc::new(pair.unwrap());
    Box::new(move || {
        let (pair, random) = (pair.clone(), random.clone());
        Box::new(move || {
            black_box(pair.sign(&random, &MESSAGE).unwrap());
        })
    })
}

/// The module with a session for each thread, and nothing around it.
fn module_alone(module: &Path) -> Make {
    // It was begun by the signer's code already.
    let pkcs11 = Pkcs11::new(module).unwrap();
    let slots = pkcs11.get_slots_with_token().unwrap();
    let is_ours = |slot: &&_| pkcs11.get_token_info(**slot).unwrap().label() == "hsm";
    let slot = *slots.iter().find(is_ours).unwrap();
    Box::new(move || {
        let session = pkcs11.open_ro_session(slot).unwrap();
        // Whoever was first has logged all in.
        let _ = session.login(UserType::User, Some(&AuthPin::new("pin-of-hsm".into())));
        let wanted = [
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::Label(b"bench".to_vec()),
        ];
        let key = session.find_objects(&wanted).unwrap()[0];
        Box::new(move || {
            let hash = digest(&SHA256, &MESSAGE);
            black_box(session.sign(&Mechanism::Ecdsa, key, hash.as_ref()).unwrap());
        })
    })
}
