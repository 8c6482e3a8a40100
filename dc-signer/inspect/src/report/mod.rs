//! The contents of files, and what a peer would refuse of them.
//!
//! All files that are named together are looked at together: a credential is checked under the
//! certificate that signed it, whichever file that is in, and a private key is matched with all of them.

mod part;
mod piece;
mod read;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dc_core::pem::StoredCredential;
use dc_core::{DelegatedCredential, DelegationCertificate, Role};
use pki_types::UnixTime;
use rustls::crypto::CryptoProvider;
use serde_json::{Value, json};

pub use part::Part;

use self::piece::{Key, NO_PASSPHRASES, Piece, Request, What, decoded};
use self::read::Argument;
use crate::ParsedCertificate;
use crate::check::Peer;
use crate::display;
use crate::error::Error;
use crate::parsed::ders;
use dc_pki::Warning;
use dc_pki::chain::misuse;
use dc_pki::delegation::{CHAIN, read_chain};
use dc_pki::extensions::DelegationUsage;
use dc_pki::keys::Unlock;

/// A file or folder, and what is in it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Inspected {
    /// Where it is.
    pub path: PathBuf,
    /// The kind of folder or file that it is.
    pub kind: &'static str,
    /// Its contents.
    pub parts: Vec<Part>,
}

impl Inspected {
    /// True if a peer would refuse any of it.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.parts.iter().any(Part::is_refused)
    }

    /// `{path, kind, refused, parts}`.
    #[must_use]
    pub fn to_json(&self, now: UnixTime) -> Value {
        json!({
            "path": self.path.display().to_string(),
            "kind": self.kind,
            "refused": self.is_refused(),
            "parts": self.parts.iter().map(|part| part.to_json(now)).collect::<Vec<_>>(),
        })
    }
}

/// Looks into files and folders; one result for each, in their order. Keys that are encrypted are opened with what `unlock` has; what
/// is said of them without it is that they are.
///
/// Each fails with what reading it fails with, and with [`Error::UnknownFile`] or
/// [`Error::UnknownFolder`] if there is nothing in it that this knows.
pub fn inspect(
    paths: &[PathBuf],
    unlock: &Unlock,
    provider: &Arc<CryptoProvider>,
    now: UnixTime,
) -> Vec<Result<Inspected, Error>> {
    let read: Vec<_> = paths
        .iter()
        .map(|path| read::argument(path, unlock))
        .collect();
    let inspector = Inspector {
        peer: Peer {
            provider: Arc::clone(provider),
            role: Role::Server,
            wanted: None,
            roots: None,
            now,
        },
        known: read
            .iter()
            .flatten()
            .flat_map(|argument| argument.pieces.clone())
            .collect(),
    };
    read.into_iter()
        .map(|argument| argument.map(|argument| inspector.inspect(argument)))
        .collect()
}

struct Inspector {
    peer: Peer,
    /// Everything that was named, in whichever file.
    known: Vec<Piece>,
}

impl Inspector {
    fn inspect(&self, argument: Argument) -> Inspected {
        let Argument { path, kind, pieces } = argument;
        let parts = pieces.iter().map(|piece| self.part(piece, &pieces));
        Inspected {
            parts: parts.collect(),
            path,
            kind,
        }
    }

    fn part(&self, piece: &Piece, own: &[Piece]) -> Part {
        let place = Place::new(piece, own);
        match &piece.what {
            What::Certificate(certificate) => self.certificate(place, certificate, own),
            What::Credential(stored) => self.credential(place, stored, own),
            What::Request(request) => self.request(place, request),
            What::PublicKey(spki) => Part::public_key(place, spki),
            What::PrivateKey(key) => self.private_key(place, key, own),
        }
    }

    fn certificate(&self, place: Place, parsed: &ParsedCertificate, own: &[Piece]) -> Part {
        let certificate = match parsed.shown() {
            Ok(certificate) => certificate.clone(),
            Err(error) => return Part::unreadable(place, "certificate", error),
        };
        // What a server or a client presents, and what credentials would be issued under.
        if place.is_first() && is_served(&place.file, own) {
            let chain = chain_of(&place.file, own);
            let beside = self.role_beside(parsed, own);
            let peer = Peer {
                role: beside.unwrap_or_else(|| role_of(&chain)),
                ..self.peer.clone()
            };
            let verdict = peer.check_delegation(&chain);
            let excluded = names_excluded(&place.file, &chain);
            return Part::certificate(place, certificate, &verdict, self.peer.now)
                .presented(roles(&chain), excluded);
        }
        let verdict = match certificate.extensions.is_ca {
            true => self.peer.check_ca(parsed),
            false => self.peer.check_chain(std::slice::from_ref(parsed)),
        };
        Part::certificate(place, certificate, &verdict, self.peer.now)
    }

    fn credential(&self, place: Place, stored: &StoredCredential, own: &[Piece]) -> Part {
        let credential = match decoded(stored) {
            Ok(credential) => credential,
            Err(error) => return Part::unreadable(place, "credential", &error),
        };
        let beside = read_beside(&place.file, own);
        let found = self.find_certificate(&credential, own, &beside);
        let found = own_chain(&place.file, own, found);
        let certificate = found
            .as_ref()
            .and_then(|(_, certificate)| certificate.delegation().ok());
        let role = certificate.and_then(|certificate| self.find_role(&credential, certificate));
        let peer = Peer {
            role: role.or(stored.role).unwrap_or(Role::Server),
            ..self.peer.clone()
        };
        let verdict = found.as_ref().map(|(file, certificate)| {
            match file.file_name() == Some(CHAIN.as_ref()) {
                // As a server will send it, which presents the first certificate whichever signed.
                true => peer.check(&self.whole_chain(file, own, &beside), Ok(&credential)),
                false => peer.check(std::slice::from_ref(certificate), Ok(&credential)),
            }
        });
        let credential = display::Credential::of(&credential, certificate).with_role(role);
        let under = found.map(|(file, _)| file);
        Part::credential(place, credential, under, verdict.as_ref())
    }

    fn find_role(
        &self,
        credential: &DelegatedCredential<'_>,
        certificate: &DelegationCertificate<'_>,
    ) -> Option<Role> {
        let algorithms = self.peer.provider.signature_verification_algorithms.all;
        dc_core::find_role(credential, certificate, algorithms).ok()
    }

    /// Whom a certificate is to authenticate: a client if there is a client's credential with it, and no server's; none if
    /// there is no credential that says.
    fn role_beside(&self, certificate: &ParsedCertificate, own: &[Piece]) -> Option<Role> {
        let certificate = certificate.delegation().ok();
        let role = |stored: &StoredCredential| {
            let proven = certificate.and_then(|certificate| {
                let credential = decoded(stored).ok()?;
                self.find_role(&credential, certificate)
            });
            proven.or(stored.role)
        };
        let mut roles = own.iter().filter_map(|piece| match &piece.what {
            What::Credential(stored) => role(stored),
            _ => None,
        });
        let first = roles.next()?;
        Some(match roles.all(|role| role == Role::Client) {
            true => first,
            false => Role::Server,
        })
    }

    /// The certificate that signed a credential, else one that might have, and the file it is in.
    fn find_certificate(
        &self,
        credential: &DelegatedCredential<'_>,
        own: &[Piece],
        beside: &[Piece],
    ) -> Option<(PathBuf, ParsedCertificate)> {
        let candidates = || {
            let all = own.iter().chain(&self.known).chain(beside);
            all.filter_map(|piece| Some((&piece.file, piece.certificate()?)))
        };
        let signed = candidates().find(|(_, certificate)| {
            let certificate = certificate.delegation();
            certificate.is_ok_and(|certificate| self.find_role(credential, certificate).is_some())
        });
        let ordinary = || {
            candidates().find(|(_, certificate)| {
                let shown = certificate.shown();
                shown.is_ok_and(|shown| !shown.extensions.is_ca)
            })
        };
        let (file, certificate) = signed.or_else(ordinary)?;
        Some((file.clone(), certificate.clone()))
    }

    /// All certificates of a file that one was found in.
    fn whole_chain(&self, file: &Path, own: &[Piece], beside: &[Piece]) -> Vec<ParsedCertificate> {
        [own, &self.known[..], beside]
            .into_iter()
            .map(|pieces| chain_of(file, pieces))
            .find(|chain| !chain.is_empty())
            .unwrap_or_default()
    }

    fn request(&self, place: Place, request: &Request) -> Part {
        let algorithms = self.peer.provider.signature_verification_algorithms.all;
        let checked = dc_pki::DeviceKey::from_csr_der(&place.file, &request.der, algorithms);
        match &request.shown {
            Ok(shown) => Part::request(place, shown.clone(), checked.err()),
            Err(error) => Part::unreadable(place, "request", error),
        }
    }

    fn private_key(&self, place: Place, key: &Key, own: &[Piece]) -> Part {
        let of_device = |piece: &Piece| matches!(piece.what, What::Credential(_));
        let stops = own.iter().any(of_device) && key.encrypted;
        let Some(spki) = &key.spki else {
            return match stops {
                true => Part::opaque_key(place, key).with_faults([NO_PASSPHRASES]),
                false => Part::opaque_key(place, key),
            };
        };
        let has_key = |piece: &&Piece| piece.has_key(spki);
        // In one folder a key belongs to the credential; a vendor's, to the certificate.
        let owners = ["credential", "certificate", "request"];
        let owner = owners.into_iter().find_map(|name| {
            let all = own.iter().filter(|piece| piece.what.name() == name);
            let all: Vec<&Piece> = all.collect();
            (!all.is_empty()).then_some((name, all.into_iter().any(|piece| has_key(&piece))))
        });
        let elsewhere = || {
            let found = self.known.iter().find(has_key)?;
            Some(format!(
                "the {} in {}",
                found.what.name(),
                found.file.display()
            ))
        };
        let part = match owner {
            Some((name, true)) => Part::private_key(place, key, Some(format!("the {name} here"))),
            Some((name, false)) => Part::wrong_key(place, key, name),
            None => Part::private_key(place, key, elsewhere()),
        };
        part.with_faults(stops.then_some(NO_PASSPHRASES))
    }
}

/// The end that credentials under a certificate are for, where none lies with it: a client if it is for clients alone.
fn role_of(chain: &[ParsedCertificate]) -> Role {
    let is_not_server_s = misuse(&ders(chain), Role::Server).is_some_and(|misuse| misuse.at == 1);
    match is_not_server_s && roles(chain) == [Role::Client] {
        true => Role::Client,
        false => Role::Server,
    }
}

/// The ends of connections that a chain has the purposes of.
fn roles(chain: &[ParsedCertificate]) -> Vec<Role> {
    let chain = &ders(chain);
    let ends = [Role::Server, Role::Client].into_iter();
    ends.filter(|role| misuse(chain, *role).is_none()).collect()
}

/// The names that a delegation certificate covers in vain.
fn names_excluded(file: &Path, chain: &[ParsedCertificate]) -> Option<Warning> {
    let (first, issuers) = chain.split_first()?;
    let certificate = first.delegation().ok()?;
    let excluded = dc_core::excluded_subtrees(&ders(issuers)).ok()?;
    Warning::names_excluded(file, certificate.dns_names(), &excluded)
}

/// The chain that lies beside a credential, if there is one that was not read with it.
fn read_beside(file: &Path, own: &[Piece]) -> Vec<Piece> {
    let file = file.with_file_name(CHAIN);
    if own.iter().any(|piece| piece.file == file) {
        return Vec::new();
    }
    let chain = read_chain(&file).unwrap_or_default();
    chain
        .into_iter()
        .map(|certificate| Piece {
            file: file.clone(),
            what: What::Certificate(ParsedCertificate::new(certificate)),
        })
        .collect()
}

/// The chain that a server takes of a folder with one: that chain, although another file may have the certificate that
/// signed.
fn own_chain(
    file: &Path,
    own: &[Piece],
    found: Option<(PathBuf, ParsedCertificate)>,
) -> Option<(PathBuf, ParsedCertificate)> {
    let chain = file.with_file_name(CHAIN);
    let first = chain_of(&chain, own).into_iter().next();
    match (found, first) {
        (Some((file, _)), Some(first)) if file != chain => Some((chain, first)),
        (found, _) => found,
    }
}

/// The certificates of a file, in their order.
fn chain_of(file: &Path, pieces: &[Piece]) -> Vec<ParsedCertificate> {
    pieces
        .iter()
        .filter(|piece| piece.file == file)
        .filter_map(|piece| piece.certificate().cloned())
        .collect()
}

/// True if a server is to send the certificates of a file: it has more than CAs' certificates in it, or one that may delegate, or
/// the name and the company of such a file.
fn is_served(file: &Path, own: &[Piece]) -> bool {
    let is_chain = file.file_name() == Some(CHAIN.as_ref());
    let has_company = own.iter().any(|piece| piece.file != file);
    let is_ca = |certificate: &ParsedCertificate| {
        certificate.shown().is_ok_and(|shown| {
            let extensions = &shown.extensions;
            extensions.is_ca && extensions.delegation_usage == DelegationUsage::Absent
        })
    };
    is_chain && has_company || !chain_of(file, own).iter().all(is_ca)
}

/// Where a part was found: its file, and which of its kind it is there, if there are several.
#[derive(Debug)]
pub(crate) struct Place {
    file: PathBuf,
    number: Option<usize>,
}

impl Place {
    fn new(piece: &Piece, own: &[Piece]) -> Self {
        let same =
            |other: &&Piece| other.file == piece.file && other.what.name() == piece.what.name();
        let count = own.iter().filter(same).count();
        let before = own
            .iter()
            .filter(same)
            .take_while(|other| !std::ptr::eq(*other, piece));
        Self {
            file: piece.file.clone(),
            number: (count > 1).then_some(before.count() + 1),
        }
    }

    /// True if nothing of its kind comes before it in its file.
    fn is_first(&self) -> bool {
        self.number.is_none_or(|number| number == 1)
    }

    fn title(&self, name: &str) -> String {
        let file = self.file.display();
        match self.number {
            Some(number) => format!("{name} {number} in {file}"),
            None => format!("{name} in {file}"),
        }
    }
}
