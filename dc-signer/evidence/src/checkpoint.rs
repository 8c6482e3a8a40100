//! Checkpoints (C2SP `tlog-checkpoint`): a log's name, its size and its root, as the text of a note that the log signs.

use std::fmt;

use crate::{CheckpointSigner, Error, Frontier, Growth, Hash, Note, SigningKey, VerifyingKey};

/// The state of a log at one moment, as whoever signs for it says it is.
///
/// ```
/// # use dc_evidence::SigningKey;
/// use dc_evidence::{Checkpoint, Error, Frontier, Hash};
///
/// # fn show(key: &SigningKey) -> Result<(), Error> {
/// let mut tree = Frontier::new();
/// tree.push(Hash::of_record(b"a record"));
/// let note = Checkpoint::of(&tree, key).sign(key)?.to_string();
/// let checkpoint = Checkpoint::open(&note, key.verifying_key())?;
/// assert_eq!((checkpoint.size(), *checkpoint.root()), (1, tree.root()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    extensions: Vec<String>,
}

impl Checkpoint {
    /// The state of this tree. The log has the name of the key.
    #[must_use]
    pub fn of(tree: &Frontier, key: &SigningKey) -> Self {
        Self::of_log(tree, key.verifying_key().name())
    }

    /// The state of this tree, of the log with this name.
    #[must_use]
    pub fn of_log(tree: &Frontier, name: &str) -> Self {
        Self::of_root(name, tree.size(), tree.root())
    }

    /// The state of a log with this name, of which the number of records and the root are known.
    #[must_use]
    pub fn of_root(name: &str, size: u64, root: Hash) -> Self {
        Self {
            origin: name.to_owned(),
            size,
            root,
            extensions: Vec::new(),
        }
    }

    /// Reads a note and verifies that this key has signed it for the log of its name.
    ///
    /// Fails with [`Error::BadNote`], [`Error::NotSigned`], [`Error::WrongSignature`], [`Error::BadCheckpoint`] and
    /// [`Error::WrongOrigin`].
    pub fn open(note: &str, key: &VerifyingKey) -> Result<Self, Error> {
        Self::verify(&note.parse()?, key)
    }

    /// The checkpoint that a note is, if this key has signed it for the log of its name.
    ///
    /// Fails as [`Self::open`] does.
    pub fn verify(note: &Note, key: &VerifyingKey) -> Result<Self, Error> {
        let checkpoint = Self::parse(note.verify(key)?)?;
        match checkpoint.origin == key.name() {
            true => Ok(checkpoint),
            false => Err(Error::WrongOrigin {
                expected: key.name().to_owned(),
                found: checkpoint.origin,
            }),
        }
    }

    fn parse(text: &str) -> Result<Self, Error> {
        let lines = text.strip_suffix('\n').ok_or(Error::BadCheckpoint)?;
        let mut lines = lines.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(Error::BadCheckpoint);
        };
        let size = parse_decimal(size).ok_or(Error::BadCheckpoint)?;
        let root = Hash::parse(root).ok_or(Error::BadCheckpoint)?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if origin.is_empty() || extensions.iter().any(String::is_empty) {
            return Err(Error::BadCheckpoint);
        }
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root,
            extensions,
        })
    }

    /// Signs it.
    ///
    /// Fails with [`Error::BadNote`] if the origin or a line has control characters.
    pub fn sign(&self, key: &SigningKey) -> Result<Note, Error> {
        Note::sign(&self.to_string(), key)
    }

    /// Has it signed by whoever has the log's key, which may take as long as a token or another process does.
    ///
    /// Fails with [`Error::SignerFailed`] and [`Error::SignerRefused`], with [`Error::BadNote`] as [`Self::sign`] does, and with [`Error::NotSigned`] or
    /// [`Error::WrongSignature`] if what comes back is no signature by that key.
    pub fn sign_by(
        &self,
        signer: &dyn CheckpointSigner,
        growth: Option<&Growth>,
    ) -> Result<Note, Error> {
        let text = self.to_string();
        let note = Note::signed(&text, signer.sign(&text, growth)?)?;
        note.verify(signer.verifying_key())?;
        Ok(note)
    }

    /// The log's name.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many records the log has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree over them.
    #[must_use]
    pub const fn root(&self) -> &Hash {
        &self.root
    }

    /// The lines behind the root.
    #[must_use]
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }
}

/// The text that is signed.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            origin,
            size,
            root,
            extensions,
        } = self;
        write!(f, "{origin}\n{size}\n{root}\n")?;
        extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Reads the one decimal spelling of a number.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let number = text.parse::<u64>().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::signing_key;

    const ROOT: &str = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";

    fn open(text: &str, name: &str) -> Result<Checkpoint, Error> {
        let key = signing_key(name);
        let note = Note::sign(text, &key).unwrap().to_string();
        Checkpoint::open(&note, key.verifying_key())
    }

    #[test]
    fn the_checkpoint_of_the_specification_is_read() {
        let text = format!("example.com/behind-the-sofa\n20852163\n{ROOT}\n");
        let read = open(&text, "example.com/behind-the-sofa").unwrap();
        assert_eq!(read.origin(), "example.com/behind-the-sofa");
        assert_eq!(
            (read.size(), read.root().to_string()),
            (20_852_163, ROOT.to_owned())
        );
        assert_eq!(read.to_string(), text);
        let more = open(&format!("log\n0\n{ROOT}\nmore\nand more\n"), "log").unwrap();
        assert_eq!(more.extensions(), ["more", "and more"]);
    }

    #[test]
    fn a_checkpoint_of_another_form_is_refused() {
        let short = &ROOT[4..];
        let bad = [
            "\n".to_owned(),
            "log\n".to_owned(),
            "log\n5\n".to_owned(),
            format!("\n5\n{ROOT}\n"),
            format!("log\n05\n{ROOT}\n"),
            format!("log\n+5\n{ROOT}\n"),
            format!("log\n-5\n{ROOT}\n"),
            format!("log\n5 \n{ROOT}\n"),
            format!("log\n18446744073709551616\n{ROOT}\n"),
            format!("log\n5\n{short}\n"),
            format!("log\n5\n{ROOT}=\n"),
            format!("log\n5\n{}J=\n", &ROOT[..42]),
            format!("log\n5\n{ROOT}\n\n"),
            format!("log\n5\n{ROOT}\n\nmore\n"),
        ];
        for text in bad {
            assert_eq!(open(&text, "log"), Err(Error::BadCheckpoint), "{text:?}");
        }
    }

    #[test]
    fn a_checkpoint_of_another_log_is_refused() {
        let refused = open(&format!("other\n5\n{ROOT}\n"), "log").unwrap_err();
        let (expected, found) = ("log".to_owned(), "other".to_owned());
        assert_eq!(refused, Error::WrongOrigin { expected, found });
        let note = Note::sign(&format!("log\n5\n{ROOT}\n"), &signing_key("log")).unwrap();
        let other = signing_key("other");
        let refused = Checkpoint::verify(&note, other.verifying_key()).unwrap_err();
        let name = "other".to_owned();
        assert_eq!(refused, Error::NotSigned { name });
    }

    proptest! {
        #[test]
        fn what_is_signed_is_opened(count in 0u8..40, name in "[a-z./]{1,9}") {
            let key = signing_key(&name);
            let mut tree = Frontier::new();
            (0..count).for_each(|number| tree.push(Hash::of_record(&[number])));
            let checkpoint = Checkpoint::of(&tree, &key);
            let note = checkpoint.sign(&key).unwrap().to_string();
            prop_assert_eq!(Checkpoint::open(&note, key.verifying_key()), Ok(checkpoint));
        }

        #[test]
        fn what_is_opened_is_written_alike(size in "[0-9+]{1,3}", more in "[a-z\n]{0,5}") {
            let text = format!("log\n{size}\n{ROOT}\n{more}\n");
            if let Ok(opened) = open(&text, "log") {
                prop_assert_eq!(opened.to_string(), text);
            }
        }
    }
}
