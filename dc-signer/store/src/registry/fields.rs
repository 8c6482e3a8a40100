//! Fields as hashes commit to them.

use super::Sha256;

/// Fields one behind the other, none of which can be taken for a part of another.
pub(super) struct Fields(pub(super) Vec<u8>);

impl Fields {
    /// SHA-256 of a kind and fields.
    pub(super) fn hash(kind: &str, fields: &[&[u8]]) -> Sha256 {
        let mut all = Self(Vec::new());
        all.field(kind.as_bytes());
        fields.iter().for_each(|field| all.field(field));
        Sha256::of(&all.0)
    }

    pub(super) fn field(&mut self, bytes: &[u8]) {
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.0.extend(len.to_be_bytes());
        self.0.extend(bytes);
    }

    /// Nothing and an empty field differ.
    pub(super) fn option(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => {
                self.0.push(1);
                self.field(bytes);
            }
            None => self.0.push(0),
        }
    }
}
