//! A credential that is signed with a checksum, changed or not, and verified: it is accepted exactly
//! when a few plain sentences say so.
#![no_main]

use std::time::Duration;

use dc_core::{
    Credential, DelegatedCredential, DelegationCertificate, Form, MAX_VALIDITY, Offer, Role,
    SchemeList, SignatureScheme, UniqueName, Verifier, find_role, signed_bytes,
};
use dc_fuzz::Checksum;
use libfuzzer_sys::fuzz_target;
use pki_types::{ServerName, SignatureVerificationAlgorithm, UnixTime};

/// `certificates/good` of docs/vectors/credentials.json.
const CERTIFICATE: &[u8] = include_bytes!("../seeds/certificate/good");
/// The Ed25519 SubjectPublicKeyInfo in front of its 32 bytes of key.
const SPKI_HEAD: &[u8] = &[
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
const ZONE: &str = ".cpe.example.com";

/// The fuzzer's choice.
struct Choice<'a> {
    valid_time: u32,
    now: u64,
    role: Role,
    signed_role: Role,
    scheme: SignatureScheme,
    algorithm: SignatureScheme,
    offered: bool,
    flip: Option<usize>,
    label: Option<&'a str>,
    wanted: Option<&'a str>,
}

impl<'a> Choice<'a> {
    fn read(input: &'a [u8]) -> Option<Self> {
        let (head, rest) = input.split_first_chunk::<12>()?;
        let [a, b, c, d, e, f, g, h, flags, schemes, flip, label_len] = *head;
        let (label, wanted) = rest.split_at_checked(label_len.into())?;
        let text = |bytes: &'a [u8]| std::str::from_utf8(bytes).ok();
        let role = |bit| {
            if flags & bit == 0 {
                Role::Server
            } else {
                Role::Client
            }
        };
        let scheme =
            |index: u8| SignatureScheme([0x0807, 0x0403, 0x0804, 0x0904][usize::from(index & 3)]);
        Some(Self {
            valid_time: u32::from_be_bytes([a, b, c, d]),
            now: 1_764_633_600 + u64::from(u32::from_be_bytes([e, f, g, h])),
            role: role(1),
            signed_role: role(2),
            scheme: scheme(schemes),
            algorithm: scheme(schemes >> 2),
            offered: flags & 4 == 0,
            flip: (flags & 8 != 0).then_some(flip.into()),
            label: if flags & 16 == 0 {
                None
            } else {
                Some(text(label)?)
            },
            wanted: if flags & 32 == 0 {
                None
            } else {
                Some(text(wanted)?)
            },
        })
    }
}

impl Choice<'_> {
    /// The credential, signed, and changed if the fuzzer wants that.
    fn signed(
        &self,
        certificate: &DelegationCertificate<'_>,
        name: Option<UniqueName<'_>>,
    ) -> Vec<u8> {
        let device = device();
        let claim = Credential::new(self.valid_time, self.scheme, &device, name);
        let mut bytes = Vec::new();
        claim.encode(&mut bytes).expect("a small key");
        let message = signed_bytes(
            self.signed_role,
            claim.form(),
            CERTIFICATE,
            &bytes,
            self.algorithm,
        );
        let key = &certificate.spki()[SPKI_HEAD.len()..];
        bytes.extend(self.algorithm.0.to_be_bytes());
        bytes.extend([0, 8]);
        bytes.extend(Checksum::sign(key, &message));
        if let Some(flip) = self.flip {
            let at = flip % bytes.len();
            bytes[at] ^= 1;
        }
        bytes
    }

    fn offer(&self, form: Form) -> Offer {
        let list = || {
            SchemeList::new([0x0807, 0x0403, 0x0804, 0x0904].map(SignatureScheme)).expect("four")
        };
        let offer = Offer::new(list());
        if self.offered {
            offer.with(form, list())
        } else {
            offer
        }
    }

    /// True if a client has to accept: the plain sentences.
    fn is_right(
        &self,
        expiry: u64,
        name: Option<&UniqueName<'_>>,
        wanted: Option<&ServerName<'_>>,
    ) -> bool {
        let timely = self.now <= expiry && expiry - self.now <= MAX_VALIDITY.as_secs();
        let named_right = match (name, wanted, self.role) {
            (None, ..) | (Some(_), None, Role::Client) => true,
            (Some(_), None, Role::Server) => false,
            (Some(name), Some(ServerName::DnsName(dns)), _) => {
                let dns = dns.as_ref().to_ascii_lowercase();
                // One label under the zone is what the wildcard covers.
                name.as_str() == dns.strip_suffix('.').unwrap_or(&dns)
            }
            _ => false,
        };
        let covered = self.label.is_none_or(|label| !label.contains('.'));
        let schemes_right = self.scheme.0 == 0x0807 && self.algorithm.0 == 0x0807;
        let untouched = self.flip.is_none() && self.role == self.signed_role;
        self.offered && timely && named_right && covered && schemes_right && untouched
    }
}

/// The SubjectPublicKeyInfo of the credential's key.
fn device() -> Vec<u8> {
    [SPKI_HEAD, &[7; 32]].concat()
}

fuzz_target!(|input: &[u8]| {
    if let Some(choice) = Choice::read(input) {
        run(&choice);
    }
});

fn run(choice: &Choice<'_>) {
    let certificate = DelegationCertificate::parse(CERTIFICATE.into()).expect("a good one");
    let name = choice.label.map(|label| format!("{label}{ZONE}"));
    let Ok(name) = name.as_deref().map(UniqueName::try_from).transpose() else {
        return;
    };
    let Ok(wanted) = choice.wanted.map(ServerName::try_from).transpose() else {
        return;
    };
    let form = if name.is_some() {
        Form::Named
    } else {
        Form::Rfc9345
    };
    let bytes = choice.signed(&certificate, name.clone());
    let Ok(credential) = DelegatedCredential::decode(form, &bytes) else {
        assert!(choice.flip.is_some());
        return;
    };
    let offer = choice.offer(form);
    let algorithms: [&'static dyn SignatureVerificationAlgorithm; 1] = [&Checksum];
    let now = UnixTime::since_unix_epoch(Duration::from_secs(choice.now));
    let verified = Verifier::new(choice.role, &offer, &algorithms).verify(
        &credential,
        &certificate,
        wanted.as_ref(),
        now,
    );

    let expiry = certificate.not_before().as_secs() + u64::from(choice.valid_time);
    let right = choice.is_right(expiry, name.as_ref(), wanted.as_ref());
    assert_eq!(verified.is_ok(), right, "{verified:?}");
    let role = find_role(&credential, &certificate, &algorithms);
    let signed = choice.flip.is_none() && choice.algorithm.0 == 0x0807;
    assert_eq!(role.ok(), signed.then_some(choice.signed_role));
    if let Ok(verified) = verified {
        assert_eq!(verified.expiry().as_secs(), expiry);
        assert_eq!(verified.spki(), device());
        assert_eq!(verified.unique_name().is_some(), form == Form::Named);
    }
}
