//! A proof that stands alone (C2SP `tlog-proof`): an index, the hashes, and a checkpoint.

use std::fmt;
use std::str::FromStr;

use crate::base64;
use crate::checkpoint::parse_decimal;
use crate::{Checkpoint, Error, Hash, Note, VerifyingKey, verify_inclusion};

/// A record of a log, shown to be in it to anybody with the log's key; shown and read as C2SP writes it.
///
/// ```text
/// c2sp.org/tlog-proof@v1
/// extra YSByZWNvcmQ=
/// index 73894
/// gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
///
/// example.com/log
/// 109482
/// sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=
///
/// — example.com/log hI2DJw...
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Proven {
    /// Data that the proof does not cover by itself, such as the record; nothing is not written.
    pub extra: Vec<u8>,
    /// The record's index, from 0.
    pub index: u64,
    /// The proof that it is in the tree, at most 63 hashes.
    pub hashes: Vec<Hash>,
    /// The log's checkpoint.
    pub checkpoint: Note,
}

impl Proven {
    /// Checks that this record is in the log whose key this is; returns the checkpoint.
    ///
    /// Fails as [`Checkpoint::open`] and [`verify_inclusion`] do.
    pub fn verify(&self, record: &[u8], key: &VerifyingKey) -> Result<Checkpoint, Error> {
        let checkpoint = Checkpoint::verify(&self.checkpoint, key)?;
        let record = Hash::of_record(record);
        let (size, root) = (checkpoint.size(), checkpoint.root());
        verify_inclusion(record, self.index, size, root, &self.hashes)?;
        Ok(checkpoint)
    }
}

impl FromStr for Proven {
    type Err = Error;

    /// Fails with [`Error::BadProof`], and as reading a [`Note`] does.
    fn from_str(text: &str) -> Result<Self, Error> {
        // Neither the proof's lines are empty, nor the first line of a checkpoint.
        let (proof, checkpoint) = text.split_once("\n\n").ok_or(Error::BadProof)?;
        let mut lines = proof.split('\n').peekable();
        if lines.next() != Some(VERSION) {
            return Err(Error::BadProof);
        }
        let mut extra = Vec::new();
        if let Some(line) = lines.next_if(|line| line.starts_with(EXTRA)) {
            let encoded = line.strip_prefix(EXTRA).unwrap_or_default();
            extra = base64::decode(encoded).ok_or(Error::BadProof)?;
            if extra.is_empty() {
                return Err(Error::BadProof);
            }
        }
        let index = lines.next().and_then(|line| line.strip_prefix(INDEX));
        let index = index.and_then(parse_decimal).ok_or(Error::BadProof)?;
        let hashes: Option<Vec<Hash>> = lines.take(MAX_HASHES + 1).map(Hash::parse).collect();
        let hashes = hashes.ok_or(Error::BadProof)?;
        if hashes.len() > MAX_HASHES {
            return Err(Error::BadProof);
        }
        Ok(Self {
            extra,
            index,
            hashes,
            checkpoint: checkpoint.parse()?,
        })
    }
}

impl fmt::Display for Proven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{VERSION}")?;
        if !self.extra.is_empty() {
            writeln!(f, "{EXTRA}{}", base64::encode(&self.extra))?;
        }
        writeln!(f, "{INDEX}{}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

const VERSION: &str = "c2sp.org/tlog-proof@v1";
const EXTRA: &str = "extra ";
const INDEX: &str = "index ";
const MAX_HASHES: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::signing_key;
    use crate::{Frontier, inclusion_ranges};

    fn proven(index: u8, size: u8) -> Proven {
        let tree = |range: std::ops::Range<u64>| {
            let mut tree = Frontier::new();
            range.for_each(|number| tree.push(Hash::of_record(&number.to_be_bytes()[7..])));
            tree
        };
        let key = signing_key("log");
        let ranges = inclusion_ranges(index.into(), size.into()).unwrap();
        Proven {
            extra: vec![index],
            index: index.into(),
            hashes: ranges.into_iter().map(|range| tree(range).root()).collect(),
            checkpoint: Checkpoint::of(&tree(0..size.into()), &key)
                .sign(&key)
                .unwrap(),
        }
    }

    #[test]
    fn a_proof_of_another_form_is_refused() {
        let text = proven(2, 5).to_string();
        let bad = [
            text.replace("@v1", "@v2"),
            text.replace("extra ", "extra"),
            text.replace("extra Ag==", "extra "),
            text.replace("extra Ag==", "extra Ah=="),
            text.replace("index 2", "index 02"),
            text.replace("index 2\n", ""),
            text.replace("index 2", "index 2\nAAAA"),
            text.replace(
                "index 2",
                &format!("index 2{}", format!("\n{}", Hash::of_nothing()).repeat(63)),
            ),
            String::new(),
        ];
        for (number, bad) in bad.into_iter().enumerate() {
            assert_ne!(bad, text);
            assert_eq!(bad.parse::<Proven>(), Err(Error::BadProof), "{number}");
        }
        let cut = text.trim_end().parse::<Proven>();
        assert!(matches!(cut, Err(Error::BadNote { .. })));
    }

    proptest! {
        #[test]
        fn what_is_proven_is_read_and_verified((index, size) in (1u8..50).prop_flat_map(|size| (0..size, Just(size)))) {
            let proven = proven(index, size);
            let read: Proven = proven.to_string().parse().unwrap();
            let key = signing_key("log");
            let checkpoint = read.verify(&[index], key.verifying_key()).unwrap();
            prop_assert_eq!(checkpoint.size(), u64::from(size));
            let (index, size) = (u64::from(index), u64::from(size));
            let other = read.verify(b"another", key.verifying_key());
            prop_assert_eq!(other, Err(Error::NotIncluded { index, size }));
            let other = read.verify(&read.extra, signing_key("other").verifying_key());
            prop_assert!(matches!(other, Err(Error::NotSigned { .. })), "{:?}", other);
            prop_assert_eq!(read, proven);
        }
    }
}
