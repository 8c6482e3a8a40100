//! Signed notes (C2SP `signed-note`): text, an empty line, and signatures, each with the name that signs.

use std::fmt;
use std::str::FromStr;

use crate::signature::{BAD, BEGIN, MAX};
use crate::{Error, Signature, SigningKey, VerifyingKey};

/// A text with its signatures, which nobody has verified yet; shown and read as C2SP writes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

impl Note {
    /// The most signatures that are read: a log's, and those of its witnesses.
    pub const MAX_SIGNATURES: usize = MAX;

    /// Signs a text, which ends with a newline.
    ///
    /// Fails with [`Error::BadNote`] if it does not, or has other control characters.
    pub fn sign(text: &str, key: &SigningKey) -> Result<Self, Error> {
        Self::signed(text, key.sign(text))
    }

    /// A text with the signature that a [`CheckpointSigner`](crate::CheckpointSigner) has made of it.
    ///
    /// Fails with [`Error::BadNote`] if the text does not end with a newline, or has other control characters.
    pub fn signed(text: &str, signature: Signature) -> Result<Self, Error> {
        check_text(text)?;
        Ok(Self {
            text: text.to_owned(),
            signatures: vec![signature],
        })
    }

    /// Reads a file of notes, one behind the other, with or without empty lines between them.
    ///
    /// Fails as reading one does. The text of a note in it has no line that begins as a signature does.
    pub fn read_all(file: &str) -> Result<Vec<Self>, Error> {
        let mut notes = Vec::new();
        let mut note = String::new();
        let mut is_signed = false;
        for line in file.split_inclusive('\n') {
            let is_signature = line.starts_with(BEGIN);
            if is_signed && !is_signature {
                notes.push(std::mem::take(&mut note).parse()?);
            }
            is_signed = is_signature;
            if !note.is_empty() || line != "\n" {
                note.push_str(line);
            }
        }
        if !note.is_empty() {
            notes.push(note.parse()?);
        }
        Ok(notes)
    }

    /// Adds a signature that somebody else made, such as a token or a witness.
    ///
    /// Fails with [`Error::BadNote`] if there are [`Self::MAX_SIGNATURES`].
    pub fn add(&mut self, signature: Signature) -> Result<(), Error> {
        if self.signatures.len() >= Self::MAX_SIGNATURES {
            return Err(BAD);
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// The text, if this key has signed it. Signatures by other keys count for nothing.
    ///
    /// Fails with [`Error::NotSigned`], and with [`Error::WrongSignature`] if any that names this key is wrong.
    pub fn verify(&self, key: &VerifyingKey) -> Result<&str, Error> {
        let id = key.id();
        let by_it = |signature: &&Signature| signature.id() == id && signature.name() == key.name();
        let mut by_it = self.signatures.iter().filter(by_it).peekable();
        let name = || key.name().to_owned();
        if by_it.peek().is_none() {
            return Err(Error::NotSigned { name: name() });
        }
        match by_it.all(|signature| key.verifies(&self.text, signature.bytes())) {
            true => Ok(&self.text),
            false => Err(Error::WrongSignature { name: name() }),
        }
    }

    /// The text, whoever has signed it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Its signatures, in order.
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }
}

impl FromStr for Note {
    type Err = Error;

    /// Fails with [`Error::BadNote`] and [`Error::BadKeyName`].
    fn from_str(note: &str) -> Result<Self, Error> {
        // The text may have empty lines, signatures have none.
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(BAD)?;
        let text = format!("{text}\n");
        check_text(&text)?;
        let lines = signatures.strip_suffix('\n').ok_or(BAD)?.split('\n');
        let signatures: Vec<_> = lines
            .take(Self::MAX_SIGNATURES + 1)
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        match signatures.len() <= Self::MAX_SIGNATURES {
            true => Ok(Self { text, signatures }),
            false => Err(BAD),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for signature in &self.signatures {
            writeln!(f, "{signature}")?;
        }
        Ok(())
    }
}

fn check_text(text: &str) -> Result<(), Error> {
    let is_bad = |c: char| c < ' ' && c != '\n';
    match text.ends_with('\n') && !text.contains(is_bad) {
        true => Ok(()),
        false => Err(BAD),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use data_encoding::BASE64;

    use crate::testing::{pkcs8, signing_key};

    // The note of Go's `golang.org/x/mod/sumdb/note`, and the key that made it.
    const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                        then you don't know what your problem is.\n";
    const LINE: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2p\
                        ZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    #[test]
    fn a_note_that_go_signed_is_verified() {
        let note: Note = format!("{TEXT}\n{LINE}").parse().unwrap();
        assert_eq!(note.verify(&KEY.parse().unwrap()), Ok(TEXT));
        assert_eq!(note.to_string(), format!("{TEXT}\n{LINE}"));
        assert_eq!(note.signatures()[0].name(), "PeterNeumann");
        assert_eq!(note.signatures()[0].id(), [0xc7, 0x4f, 0x20, 0xa3]);
    }

    #[test]
    fn a_note_is_signed_as_go_signs_it() {
        // Go writes the seed behind the byte of the algorithm.
        let written = BASE64
            .decode(b"AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")
            .unwrap();
        let key = SigningKey::from_pkcs8("PeterNeumann", &pkcs8(&written[1..])).unwrap();
        assert_eq!(key.verifying_key().to_string(), KEY);
        let note = Note::sign(TEXT, &key).unwrap();
        assert_eq!(note.to_string(), format!("{TEXT}\n{LINE}"));
    }

    #[test]
    fn a_changed_note_is_refused() {
        let key: VerifyingKey = KEY.parse().unwrap();
        let name = || "PeterNeumann".to_owned();
        let changed: Note = format!("{TEXT}more\n\n{LINE}").parse().unwrap();
        assert_eq!(
            changed.verify(&key),
            Err(Error::WrongSignature { name: name() })
        );
        // Also when another signature with its name is right.
        let mut note: Note = format!("{TEXT}\n{LINE}").parse().unwrap();
        note.add(Signature::new(key.name(), key.id(), &[0; 64]))
            .unwrap();
        assert_eq!(
            note.verify(&key),
            Err(Error::WrongSignature { name: name() })
        );
        let other = signing_key("PeterNeumann");
        let note = Note::sign(TEXT, &other).unwrap();
        assert_eq!(note.verify(&key), Err(Error::NotSigned { name: name() }));
    }

    #[test]
    fn signatures_by_others_count_for_nothing() {
        let (one, two) = (signing_key("one"), signing_key("two"));
        let mut note = Note::sign(TEXT, &one).unwrap();
        note.add(two.sign("something else\n")).unwrap();
        assert_eq!(note.verify(one.verifying_key()), Ok(TEXT));
        assert!(note.verify(two.verifying_key()).is_err());
        let line: Signature = two.sign(TEXT).to_string().parse().unwrap();
        for _ in 2..Note::MAX_SIGNATURES {
            note.add(line.clone()).unwrap();
        }
        assert_eq!(note.add(line.clone()), Err(BAD));
        assert_eq!(note.to_string().parse(), Ok(note.clone()));
        assert_eq!(format!("{note}{line}\n").parse::<Note>(), Err(BAD));
    }

    #[test]
    fn a_note_of_another_form_is_refused() {
        let line = LINE.trim_end();
        let bad = [
            String::new(),
            TEXT.to_owned(),
            format!("{TEXT}\n"),
            format!("{TEXT}\n{line}"),
            format!("{TEXT}{LINE}"),
            format!("{TEXT}\n{LINE}\n"),
            format!("{TEXT}\n{LINE}more\n"),
            format!("{TEXT}\t\n\n{LINE}"),
            format!("{TEXT}\r\n\n{LINE}"),
            format!("{TEXT}\n— PeterNeumann x08goA\n"),
            format!("{TEXT}\n— PeterNeumann x08gow==\n"),
            format!("{TEXT}\n— x08goww=\n"),
            format!("{TEXT}\n- PeterNeumann x08goww=\n"),
        ];
        for note in bad {
            assert_eq!(note.parse::<Note>(), Err(BAD), "{note:?}");
        }
        let note = format!("{TEXT}\n— Peter+Neumann x08goww=\n");
        assert_eq!(note.parse::<Note>(), Err(Error::BadKeyName));
        for text in ["", "no newline", "a\u{1b}\n"] {
            assert_eq!(Note::sign(text, &signing_key("log")), Err(BAD));
        }
    }

    #[test]
    fn a_file_of_notes_is_read_in_order() {
        let (one, two) = (signing_key("one"), signing_key("two"));
        let mut first = Note::sign("a\n\nb\n", &one).unwrap();
        first.add(two.sign("a\n\nb\n")).unwrap();
        let second = Note::sign(TEXT, &two).unwrap();
        for between in ["", "\n", "\n\n"] {
            let file = format!("{between}{first}{between}{second}{between}");
            assert_eq!(
                Note::read_all(&file),
                Ok(vec![first.clone(), second.clone()])
            );
        }
        assert_eq!(Note::read_all(""), Ok(vec![]));
        // A note that was not written to its end is noticed.
        let file = format!("{first}{second}");
        for end in first.to_string().len() + 1..file.len() - 1 {
            if file.is_char_boundary(end) {
                assert!(Note::read_all(&file[..end]).is_err(), "{end}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_signed_is_read_and_verified(lines in "([ -~äß—]{0,20}\n){1,6}", name in "[a-z./]{1,9}") {
            let key = signing_key(&name);
            let note = Note::sign(&lines, &key).unwrap();
            let read: Note = note.to_string().parse().unwrap();
            prop_assert_eq!(read.verify(key.verifying_key()), Ok(&lines[..]));
            prop_assert_eq!(read, note);
        }

        #[test]
        fn what_is_read_is_written_alike(note in "([a-z \n]{0,9}\n)?\n(— [a-z]{1,3} [A-Za-z0-9+/]{8}\n){1,3}") {
            if let Ok(read) = note.parse::<Note>() {
                prop_assert_eq!(read.to_string(), note);
            }
        }
    }
}
