//! Requests and answers, and how they are written.

use dc_core::Role;

use super::malformed::{Malformed, VERSION};
use super::pause::{Pause, PauseCause};
use super::reader::Reader;
use super::writer::Writer;
use crate::process_fault::Refusal;
use crate::sha256::Sha256;
use crate::time::from_seconds;

/// The most certificates of a chain.
pub const MAX_CHAIN: usize = 10;
/// The most hashes of a proof of consistency (RFC 9162 §2.1.4).
pub const MAX_PROOF: usize = 64;

/// A request: never a message to be signed, but what one is to say.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Ask {
    /// One credential.
    Issue {
        /// SHA-256 of the delegation certificate.
        certificate: Sha256,
        /// The end of connections that it authenticates.
        role: Role,
        /// The unique name, and with it the named form; RFC 9345's form without one.
        name: Option<String>,
        /// Its lifetime in seconds; the process's own if it is left out.
        lifetime: Option<u32>,
        /// The device's key: a DER SubjectPublicKeyInfo.
        spki: Vec<u8>,
    },
    /// That a certificate's key signs for a role, shown by a credential that nobody gets.
    Try {
        /// SHA-256 of the delegation certificate.
        certificate: Sha256,
        /// The end of connections.
        role: Role,
        /// The lifetime in seconds that credentials are to have, which has to be below the ceiling; any if it is left out.
        lifetime: Option<u32>,
        /// The caller's clock, in seconds since 1970, which must not be another one; older callers leave it out.
        now: Option<u64>,
    },
    /// That a credential would be issued for a key that nobody has, shown by one that nobody gets: all that [`Ask::Issue`] may be
    /// refused for but how many there have been.
    TryIssue {
        /// SHA-256 of the delegation certificate.
        certificate: Sha256,
        /// The end of connections.
        role: Role,
        /// The unique name, and with it the named form; RFC 9345's form without one.
        name: Option<String>,
        /// The lifetime in seconds; any if it is left out.
        lifetime: Option<u32>,
    },
    /// Its counts.
    Status,
    /// A signed checkpoint of the audit log.
    Checkpoint {
        /// The records of the log.
        size: u64,
        /// The root of the tree over them.
        root: [u8; 32],
        /// The size of the tree that the proof begins with, which is the last one signed for.
        old: u64,
        /// The proof that the tree begins with that one (RFC 9162 §2.1.4.1); none if it is not known.
        proof: Option<Vec<[u8; 32]>>,
    },
    /// A new key for a zone's next delegation certificate, and the request for one.
    NewKey {
        /// The zone.
        zone: String,
        /// The certificate is to be for clients as well.
        for_clients: bool,
    },
    /// The certificate that came back, with its chain, in DER.
    Install {
        /// The delegation certificate first; at most [`MAX_CHAIN`].
        chain: Vec<Vec<u8>>,
    },
    /// That nothing is to be signed under a certificate any more.
    End {
        /// SHA-256 of the delegation certificate.
        certificate: Sha256,
        /// The reason, for its log; none if a service asks, whose own log has it.
        reason: Option<String>,
    },
    /// That a key is removed that was made for a certificate and is not needed: one that waits for its certificate, or whose
    /// certificate was never used or has ended.
    Forget {
        /// SHA-256 of the key's SubjectPublicKeyInfo, or of its certificate.
        sha256: Sha256,
    },
}

/// An answer.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// A credential, as its extension carries it.
    Credential(Vec<u8>),
    /// The certificate's key signs.
    Works,
    /// It signs, and its zone is issued nothing in for a while.
    Pauses(Pause),
    /// Counts, in JSON.
    Status(String),
    /// A checkpoint, as a signed note.
    Note(String),
    /// A request for a certificate, PKCS#10 in PEM.
    Request(String),
    /// The certificate is held from now on.
    Installed(Sha256),
    /// Nothing is signed under the certificate any more.
    Ended,
    /// The key is removed.
    Forgotten,
    /// It is not done.
    Refused {
        /// The kind of reason.
        reason: Refusal,
        /// The reason in words.
        detail: String,
    },
}

impl Ask {
    /// The message; it fits a frame if its parts are as long as they may be.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        match self {
            Self::Issue { .. } | Self::Try { .. } | Self::TryIssue { .. } => {
                self.encode_issuing(&mut out);
            }
            Self::Status => {
                out.u8(3);
            }
            Self::Checkpoint {
                size,
                root,
                old,
                proof,
            } => {
                out.u8(4).raw(&size.to_be_bytes()).raw(root);
                out.raw(&old.to_be_bytes()).proof(proof.as_deref());
            }
            Self::NewKey { zone, for_clients } => {
                out.u8(5).octets(zone.as_bytes()).u8((*for_clients).into());
            }
            Self::Install { chain } => {
                out.u8(6).chain(chain);
            }
            Self::End {
                certificate,
                reason,
            } => match reason {
                None => {
                    out.u8(7).raw(certificate.as_bytes());
                }
                Some(reason) => {
                    out.u8(8).raw(certificate.as_bytes());
                    out.octets(reason.as_bytes());
                }
            },
            Self::Forget { sha256 } => {
                out.u8(9).raw(sha256.as_bytes());
            }
        }
        out.0
    }

    fn encode_issuing(&self, out: &mut Writer) {
        match self {
            Self::Issue {
                certificate,
                role,
                name,
                lifetime,
                spki,
            } => {
                out.u8(1).raw(certificate.as_bytes()).u8(role_code(*role));
                out.octets(name.as_deref().unwrap_or_default().as_bytes());
                out.u32(lifetime.unwrap_or(0)).octets(spki);
            }
            Self::Try {
                certificate,
                role,
                lifetime,
                now,
            } => {
                out.u8(if now.is_some() { 11 } else { 2 });
                out.raw(certificate.as_bytes()).u8(role_code(*role));
                out.u32(lifetime.unwrap_or(0));
                if let Some(now) = now {
                    out.raw(&now.to_be_bytes());
                }
            }
            Self::TryIssue {
                certificate,
                role,
                name,
                lifetime,
            } => {
                out.u8(10).raw(certificate.as_bytes()).u8(role_code(*role));
                out.octets(name.as_deref().unwrap_or_default().as_bytes());
                out.u32(lifetime.unwrap_or(0));
            }
            _ => {}
        }
    }

    /// Reads a message.
    ///
    /// Fails with [`Malformed`].
    pub fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let mut rest = Reader(message);
        if rest.u8()? != VERSION {
            return Err(Malformed);
        }
        let ask = match rest.u8()? {
            1 => Self::Issue {
                certificate: Sha256::from_bytes(rest.array()?),
                role: role_of(rest.u8()?)?,
                name: Some(rest.text()?.to_owned()).filter(|name| !name.is_empty()),
                lifetime: Some(rest.u32()?).filter(|lifetime| *lifetime != 0),
                spki: rest.octets()?.to_vec(),
            },
            code @ (2 | 11) => Self::Try {
                certificate: Sha256::from_bytes(rest.array()?),
                role: role_of(rest.u8()?)?,
                lifetime: Some(rest.u32()?).filter(|lifetime| *lifetime != 0),
                now: (code == 11).then(|| rest.u64()).transpose()?,
            },
            3 => Self::Status,
            4 => Self::Checkpoint {
                size: rest.u64()?,
                root: rest.array()?,
                old: rest.u64()?,
                proof: proof(&mut rest)?,
            },
            5 => Self::NewKey {
                zone: rest.text()?.to_owned(),
                for_clients: match rest.u8()? {
                    0 => false,
                    1 => true,
                    _ => return Err(Malformed),
                },
            },
            6 => Self::Install {
                chain: chain(&mut rest)?,
            },
            7 => Self::End {
                certificate: Sha256::from_bytes(rest.array()?),
                reason: None,
            },
            8 => Self::End {
                certificate: Sha256::from_bytes(rest.array()?),
                reason: Some(rest.text()?.to_owned()),
            },
            9 => Self::Forget {
                sha256: Sha256::from_bytes(rest.array()?),
            },
            10 => Self::TryIssue {
                certificate: Sha256::from_bytes(rest.array()?),
                role: role_of(rest.u8()?)?,
                name: Some(rest.text()?.to_owned()).filter(|name| !name.is_empty()),
                lifetime: Some(rest.u32()?).filter(|lifetime| *lifetime != 0),
            },
            _ => return Err(Malformed),
        };
        rest.expect_empty()?;
        Ok(ask)
    }
}

fn proof(rest: &mut Reader<'_>) -> Result<Option<Vec<[u8; 32]>>, Malformed> {
    let Some(count) = usize::from(rest.u8()?).checked_sub(1) else {
        return Ok(None);
    };
    if count > MAX_PROOF {
        return Err(Malformed);
    }
    let hashes = (0..count).map(|_| rest.array());
    hashes.collect::<Result<_, _>>().map(Some)
}

fn chain(rest: &mut Reader<'_>) -> Result<Vec<Vec<u8>>, Malformed> {
    let count = usize::from(rest.u8()?);
    if !(1..=MAX_CHAIN).contains(&count) {
        return Err(Malformed);
    }
    (0..count)
        .map(|_| rest.octets().map(<[u8]>::to_vec))
        .collect()
}

impl Answer {
    /// The message; the detail of a refusal is cut at 1024 bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        match self {
            Self::Credential(bytes) => out.u8(1).octets(bytes),
            Self::Works => out.u8(2),
            Self::Status(json) => out.u8(3).octets(json.as_bytes()),
            Self::Note(note) => out.u8(4).octets(note.as_bytes()),
            Self::Request(pem) => out.u8(5).octets(pem.as_bytes()),
            Self::Installed(sha256) => out.u8(6).raw(sha256.as_bytes()),
            Self::Refused { reason, detail } => {
                out.u8(7).u8(reason.code()).octets(cut(detail).as_bytes())
            }
            Self::Ended => out.u8(8),
            Self::Forgotten => out.u8(9),
            Self::Pauses(Pause {
                cause,
                since,
                until,
            }) => out
                .u8(10)
                .u8(cause.code())
                .raw(&since.as_secs().to_be_bytes())
                .raw(&until.as_secs().to_be_bytes()),
        };
        out.0
    }

    /// Reads a message.
    ///
    /// Fails with [`Malformed`].
    pub fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let mut rest = Reader(message);
        if rest.u8()? != VERSION {
            return Err(Malformed);
        }
        let answer = match rest.u8()? {
            1 => Self::Credential(rest.octets()?.to_vec()),
            2 => Self::Works,
            3 => Self::Status(rest.text()?.to_owned()),
            4 => Self::Note(rest.text()?.to_owned()),
            5 => Self::Request(rest.text()?.to_owned()),
            6 => Self::Installed(Sha256::from_bytes(rest.array()?)),
            7 => Self::Refused {
                reason: Refusal::of_code(rest.u8()?),
                detail: rest.text()?.to_owned(),
            },
            8 => Self::Ended,
            9 => Self::Forgotten,
            10 => Self::Pauses(Pause {
                cause: PauseCause::of_code(rest.u8()?),
                since: from_seconds(rest.u64()?),
                until: from_seconds(rest.u64()?),
            }),
            _ => return Err(Malformed),
        };
        rest.expect_empty()?;
        Ok(answer)
    }
}

fn cut(detail: &str) -> &str {
    let mut ends = (0..=MAX_DETAIL.min(detail.len())).rev();
    ends.find_map(|end| detail.get(..end)).unwrap_or_default()
}

const fn role_code(role: Role) -> u8 {
    match role {
        Role::Server => 0,
        Role::Client => 1,
    }
}

fn role_of(code: u8) -> Result<Role, Malformed> {
    match code {
        0 => Ok(Role::Server),
        1 => Ok(Role::Client),
        _ => Err(Malformed),
    }
}

const MAX_DETAIL: usize = 1024;

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::super::frame::MAX_FRAME;
    use super::*;

    fn role() -> impl Strategy<Value = Role> {
        prop_oneof![Just(Role::Server), Just(Role::Client)]
    }

    fn sha256() -> impl Strategy<Value = Sha256> {
        any::<[u8; 32]>().prop_map(Sha256::from_bytes)
    }

    fn ask() -> impl Strategy<Value = Ask> {
        let issue = (
            sha256(),
            role(),
            option::of("[a-z.]{1,253}"),
            option::of(1..u32::MAX),
            vec(any::<u8>(), 0..600),
        );
        let checkpoint = (
            any::<u64>(),
            any::<[u8; 32]>(),
            any::<u64>(),
            option::of(vec(any::<[u8; 32]>(), 0..=MAX_PROOF)),
        );
        prop_oneof![
            issue.prop_map(|(certificate, role, name, lifetime, spki)| Ask::Issue {
                certificate,
                role,
                name,
                lifetime,
                spki
            }),
            (
                sha256(),
                role(),
                option::of(1..u32::MAX),
                option::of(any::<u64>())
            )
                .prop_map(|(certificate, role, lifetime, now)| Ask::Try {
                    certificate,
                    role,
                    lifetime,
                    now
                }),
            (
                sha256(),
                role(),
                option::of("[a-z.]{1,253}"),
                option::of(1..u32::MAX)
            )
                .prop_map(|(certificate, role, name, lifetime)| Ask::TryIssue {
                    certificate,
                    role,
                    name,
                    lifetime
                }),
            Just(Ask::Status),
            checkpoint.prop_map(|(size, root, old, proof)| Ask::Checkpoint {
                size,
                root,
                old,
                proof
            }),
            ("[a-z.]{0,99}", any::<bool>())
                .prop_map(|(zone, for_clients)| Ask::NewKey { zone, for_clients }),
            vec(vec(any::<u8>(), 0..2000), 1..=MAX_CHAIN).prop_map(|chain| Ask::Install { chain }),
            (sha256(), option::of("\\PC{0,99}")).prop_map(|(certificate, reason)| Ask::End {
                certificate,
                reason
            }),
            sha256().prop_map(|sha256| Ask::Forget { sha256 }),
        ]
    }

    fn answer() -> impl Strategy<Value = Answer> {
        prop_oneof![
            vec(any::<u8>(), 0..999).prop_map(Answer::Credential),
            Just(Answer::Works),
            "\\PC{0,99}".prop_map(Answer::Status),
            "\\PC{0,99}".prop_map(Answer::Note),
            "\\PC{0,99}".prop_map(Answer::Request),
            sha256().prop_map(Answer::Installed),
            Just(Answer::Ended),
            Just(Answer::Forgotten),
            (any::<u8>(), any::<u64>(), any::<u64>()).prop_map(|(code, since, until)| {
                Answer::Pauses(Pause {
                    cause: PauseCause::of_code(code),
                    since: from_seconds(since),
                    until: from_seconds(until),
                })
            }),
            (any::<u8>(), "\\PC{0,99}").prop_map(|(code, detail)| Answer::Refused {
                reason: Refusal::of_code(code),
                detail
            }),
        ]
    }

    proptest! {
        #[test]
        fn requests_are_read_as_they_were_written(ask in ask()) {
            let message = ask.encode();
            prop_assert!(message.len() <= MAX_FRAME);
            prop_assert_eq!(Ask::decode(&message), Ok(ask));
            // Neither shorter nor longer.
            prop_assert_eq!(Ask::decode(&message[..message.len() - 1]), Err(Malformed));
            prop_assert_eq!(Ask::decode(&[&message[..], &[0]].concat()), Err(Malformed));
        }

        #[test]
        fn answers_are_read_as_they_were_written(answer in answer()) {
            let message = answer.encode();
            prop_assert_eq!(Answer::decode(&message), Ok(answer));
            prop_assert_eq!(Answer::decode(&message[..message.len() - 1]), Err(Malformed));
        }

        #[test]
        fn what_is_read_is_written_alike(kind in 0..11_u8, rest in vec(any::<u8>(), 0..200)) {
            let message = [&[VERSION, kind], &rest[..]].concat();
            if let Ok(ask) = Ask::decode(&message) {
                prop_assert_eq!(ask.encode(), &message[..]);
            }
            if let Ok(answer) = Answer::decode(&message) {
                prop_assert_eq!(answer.encode(), message);
            }
        }
    }

    #[test]
    fn another_version_is_refused() {
        assert_eq!(Ask::decode(&[VERSION, 3]), Ok(Ask::Status));
        for message in [&[][..], &[2, 3], &[0, 3], &[VERSION], &[VERSION, 99]] {
            assert_eq!(Ask::decode(message), Err(Malformed), "{message:?}");
            assert_eq!(Answer::decode(message), Err(Malformed), "{message:?}");
        }
    }

    #[test]
    fn what_is_too_long_fits_no_frame_and_a_detail_is_cut() {
        let spki = vec![0; 0x1_0000];
        let (certificate, role) = (Sha256::ZERO, Role::Server);
        let (name, lifetime) = (None, None);
        let ask = Ask::Issue {
            certificate,
            role,
            name,
            lifetime,
            spki,
        };
        assert!(ask.encode().len() > MAX_FRAME);
        let detail = "é".repeat(1000);
        let reason = Refusal::Rule;
        let message = Answer::Refused { reason, detail }.encode();
        let Ok(Answer::Refused { detail, .. }) = Answer::decode(&message) else {
            panic!("{message:?}");
        };
        assert_eq!(detail.len(), 1024);
    }

    #[test]
    fn every_reason_has_an_octet_of_its_own() {
        for code in 0..=u8::MAX {
            assert_eq!(Refusal::of_code(code).code(), code);
        }
        for known in Refusal::ALL {
            assert_eq!(Refusal::of_code(known.code()), known);
        }
    }
}
