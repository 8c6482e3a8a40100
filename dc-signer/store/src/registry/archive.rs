//! A part of the audit log whose issuances are in a file alone.

use dc_evidence::Frontier;

use super::fields::Fields;
use super::{Head, Sha256};

/// A part of the audit log, from one record to another, whose issuances are in a file and may be removed from the database.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Archive {
    /// Its first record.
    pub first: u64,
    /// Its last record.
    pub end: Head,
    /// The right edge of the Merkle tree over the whole log up to there.
    pub tree: Frontier,
    /// How many issuances are in the file alone.
    pub removed: u64,
    /// How many records are in the database still.
    pub kept: u64,
    /// SHA-256 over the hashes of those, one behind the other.
    pub kept_sha256: Sha256,
    /// The record that says all this; 0 if there is none yet.
    pub record: u64,
}

impl Archive {
    /// SHA-256 of all of it but the record's number, which its `tidy` record has: the text `dc-archive-v1`; the first and the last
    /// record's number; the last one's hash; the root of the Merkle tree up to there; how many records were removed and how many
    /// were kept; and the hash over those. Numbers have 8 bytes; each has its length in 8 bytes in front.
    #[must_use]
    pub fn commitment(&self) -> Sha256 {
        let numbers = [self.first, self.end.seq, self.removed, self.kept];
        let [first, last, removed, kept] = numbers.map(u64::to_be_bytes);
        let root = self.tree.root();
        let fields: [&[u8]; 7] = [
            &first,
            &last,
            self.end.hash.as_bytes(),
            root.as_bytes(),
            &removed,
            &kept,
            self.kept_sha256.as_bytes(),
        ];
        Fields::hash("dc-archive-v1", &fields)
    }
}
