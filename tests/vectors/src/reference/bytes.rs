//! Octets that are read from the front.

/// What is left to read. Every method gives `None` if that is too little, and then nothing may be read any more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    /// The next `count` octets.
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// An unsigned integer of `width` octets, the most significant first.
    pub(super) fn number(&mut self, width: usize) -> Option<u64> {
        let octets = self.take(width)?;
        Some(
            octets
                .iter()
                .fold(0, |value, octet| value << 8 | u64::from(*octet)),
        )
    }

    /// A `SignatureScheme`, or another integer of two octets.
    pub(super) fn u16(&mut self) -> Option<u16> {
        u16::try_from(self.number(2)?).ok()
    }

    /// A vector whose length comes first, in `width` octets.
    pub(super) fn vector(&mut self, width: usize) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number(width)?).ok()?;
        self.take(length)
    }

    /// True if everything has been read.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
