//! Files with credentials: PEM, strictly (RFC 7468 §3).

use super::Reference;
use super::certificate::Certificate;
use super::rule::Rule;
use crate::fault::Fault;
use crate::format::{Form, Role};

/// A credential of a file, with the role that its signature says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Found {
    pub(super) form: Form,
    pub(super) role: Role,
    pub(super) octets: Vec<u8>,
}

impl Reference<'_> {
    /// All credentials of a file, in their order.
    pub(super) fn file(&self, text: &str, certificate: &[u8]) -> Result<Vec<Found>, Fault> {
        let certificate = Certificate::read(certificate).ok_or(Fault::Malformed)?;
        let mut found = Vec::new();
        for (label, body) in self.blocks(text)? {
            let Some((form, said)) = self.meaning(label)? else {
                if !self.keeps(Rule::OtherBlocksAreNotDecoded) {
                    self.base64(&body).ok_or(Fault::MalformedFile)?;
                }
                continue;
            };
            if body.is_empty() && !self.keeps(Rule::BlockIsNotEmpty) {
                continue;
            }
            let octets = self.base64(&body).ok_or(Fault::MalformedFile)?;
            let role = self.role(form, &octets, &certificate)?;
            if said.is_some_and(|said| said != role) && self.keeps(Rule::LabelsRoleIsTheSignatures)
            {
                return Err(Fault::WrongRole);
            }
            found.push(Found { form, role, octets });
            if !self.keeps(Rule::FileMayHaveSeveral) {
                break;
            }
        }
        match found.is_empty() && self.keeps(Rule::FileHasACredential) {
            true => Err(Fault::NoCredential),
            false => Ok(found),
        }
    }

    /// The blocks: label, and lines.
    fn blocks<'a>(&self, text: &'a str) -> Result<Vec<(&'a str, Vec<&'a str>)>, Fault> {
        let mut blocks: Vec<(&str, Vec<&str>)> = Vec::new();
        let mut open = false;
        for line in self.lines(text) {
            if let Some(label) = boundary(line, "-----BEGIN ") {
                if open && self.keeps(Rule::NextBeginDoesNotEndABlock) {
                    return Err(Fault::MalformedFile);
                }
                blocks.push((label, Vec::new()));
                open = true;
            } else if let Some(label) = boundary(line, "-----END ") {
                let own = blocks.last().filter(|_| open).map(|(label, _)| *label);
                let known = open || !self.keeps(Rule::BlockBegins);
                if !known
                    || own.is_some_and(|own| own != label) && self.keeps(Rule::BothLabelsAreTheSame)
                {
                    return Err(Fault::MalformedFile);
                }
                open = false;
            } else if ["-----BEGIN", "-----END"]
                .iter()
                .any(|start| line.starts_with(start))
                && self.keeps(Rule::DamagedBoundariesAreRefused)
            {
                return Err(Fault::MalformedFile);
            } else if open {
                if let Some((_, lines)) = blocks.last_mut() {
                    lines.push(line);
                }
            } else if !line.is_empty() && !self.keeps(Rule::TextAroundBlocksIsIgnored) {
                return Err(Fault::MalformedFile);
            }
        }
        match open && self.keeps(Rule::BlockEnds) {
            true => Err(Fault::MalformedFile),
            false => Ok(blocks),
        }
    }

    /// The lines without the space around them.
    fn lines<'a>(&self, text: &'a str) -> impl Iterator<Item = &'a str> {
        let ends: &[char] = match self.keeps(Rule::CrEndsALine) {
            true => &['\n', '\r'],
            false => &['\n'],
        };
        let trims = self.keeps(Rule::SpaceAroundLinesIsIgnored);
        let marks = self.keeps(Rule::ByteOrderMarkIsIgnored);
        let lines = text.split(ends).map(move |line| match trims {
            true => line.trim_ascii(),
            false => line.trim_end_matches('\r'),
        });
        lines.map(move |line| match line.strip_prefix(BYTE_ORDER_MARK) {
            Some(line) if marks => line.trim_ascii_start(),
            _ => line,
        })
    }

    /// The form that a label says, and the role if it says one; none of another known kind of block.
    fn meaning(&self, label: &str) -> Result<Option<(Form, Option<Role>)>, Fault> {
        let meaning = match label {
            "NAMED DELEGATED CREDENTIAL" => match self.keeps(Rule::LabelSaysTheForm) {
                true => (Form::Named, None),
                false => (Form::Rfc9345, None),
            },
            "DELEGATED CREDENTIAL" => (Form::Rfc9345, None),
            "SERVER DELEGATED CREDENTIAL" if self.keeps(Rule::LabelMaySayServer) => {
                (Form::Rfc9345, Some(Role::Server))
            }
            "CLIENT DELEGATED CREDENTIAL" if self.keeps(Rule::LabelMaySayClient) => {
                (Form::Rfc9345, Some(Role::Client))
            }
            other if self.is_known(other) => match self.keeps(Rule::OtherBlocksAreIgnored) {
                true => return Ok(None),
                false => (Form::Named, None),
            },
            _ if self.keeps(Rule::UnknownBlocksAreRefused) => return Err(Fault::MalformedFile),
            _ => return Ok(None),
        };
        Ok(Some(meaning))
    }

    /// True if a label is of another kind of block that may be in a file of credentials.
    fn is_known(&self, label: &str) -> bool {
        let ends = |end: &str| match self.keeps(Rule::LabelsHaveWholeWords) {
            true => label.ends_with(end),
            false => label.ends_with(end.trim_start()),
        };
        OTHERS.contains(&label)
            || ends(" PRIVATE KEY") && self.keeps(Rule::AnyPrivateKeysAreIgnored)
            || ends(" PARAMETERS") && self.keeps(Rule::ParametersAreIgnored)
    }

    /// The role whose context string the certificate's key signed.
    fn role(
        &self,
        form: Form,
        octets: &[u8],
        certificate: &Certificate<'_>,
    ) -> Result<Role, Fault> {
        let credential = self.decode(form, octets)?;
        let signed = |role: &Role| self.signature_of(*role, &credential, certificate).is_ok();
        let roles = match self.keeps(Rule::BothRolesAreTried) {
            true => [Role::Server, Role::Client],
            false => [Role::Server; 2],
        };
        match roles.into_iter().find(signed) {
            Some(role) => Ok(role),
            None if self.keeps(Rule::SomeRoleSigned) => Err(Fault::BadSignature),
            None => Ok(Role::Server),
        }
    }

    /// Base64, in lines of any length.
    fn base64(&self, lines: &[&str]) -> Option<Vec<u8>> {
        let headers = lines.iter().take_while(|line| is_header(line)).count();
        let lines = match self.keeps(Rule::HeadersAreIgnored) {
            true => lines.get(headers..)?,
            false => lines,
        };
        let long = lines.iter().any(|line| line.len() > COLUMNS);
        let empty = lines.iter().any(|line| line.is_empty());
        if long && !self.keeps(Rule::LinesOfBase64HaveAnyLength)
            || empty && !self.keeps(Rule::EmptyLinesAreIgnored)
        {
            return None;
        }
        let mut characters = lines.concat().into_bytes();
        if self.keeps(Rule::SpaceInBase64IsIgnored) {
            characters.retain(|character| !character.is_ascii_whitespace());
        }
        if !self.keeps(Rule::OtherCharactersAreRefused) {
            characters.retain(|character| *character == b'=' || digit(*character).is_some());
        }
        let missing = (4 - characters.len() % 4) % 4;
        if missing > 0 && self.keeps(Rule::Base64HasItsPadding) {
            return None;
        }
        characters.resize(characters.len() + missing, b'=');
        let (quads, _) = characters.as_chunks::<4>();
        let mut octets = Vec::new();
        for (at, quad) in quads.iter().enumerate() {
            let is_last = at + 1 == quads.len();
            octets.extend(self.quad(quad, is_last)?);
        }
        (!octets.is_empty()).then_some(octets)
    }

    /// Four characters, of which the last may be padding at the end.
    fn quad(&self, quad: &[u8; 4], is_last: bool) -> Option<Vec<u8>> {
        let padding = quad.iter().rev().take_while(|c| **c == b'=').count();
        if padding > 2 || padding > 0 && !is_last {
            return None;
        }
        let digits = quad.iter().take(4 - padding);
        let bits = digits
            .map(|c| digit(*c))
            .try_fold(0, |bits, digit| Some(bits << 6 | digit?))?;
        let bits: u32 = bits << (6 * padding);
        let octets = bits.to_be_bytes();
        let (kept, dropped) = octets.get(1..)?.split_at(3 - padding);
        let clean = dropped.iter().all(|octet| *octet == 0);
        clean.then(|| kept.to_vec())
    }
}

/// Labels that have something else behind them, beside private keys and parameters of every kind.
const OTHERS: [&str; 8] = [
    "CERTIFICATE",
    "X509 CERTIFICATE",
    "CERTIFICATE REQUEST",
    "NEW CERTIFICATE REQUEST",
    "PUBLIC KEY",
    "RSA PUBLIC KEY",
    "X509 CRL",
    "PRIVATE KEY",
];
/// The length of a line that RFC 7468 has writers write.
const COLUMNS: usize = 64;

/// U+FEFF.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A word, a colon and a space, as older files have before the base64 (RFC 1421), or nothing.
fn is_header(line: &str) -> bool {
    let is_word = |char: char| char.is_ascii_alphanumeric() || char == '-';
    let word = line.split_once(':');
    line.is_empty()
        || word.is_some_and(|(word, text)| {
            !word.is_empty() && word.chars().all(is_word) && text.starts_with([' ', '\t'])
        })
}

fn boundary<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    line.strip_prefix(start)?.strip_suffix("-----")
}

fn digit(character: u8) -> Option<u32> {
    Some(u32::from(match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}
