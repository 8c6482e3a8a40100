//! Bounded reading and writing of big-endian numbers and vectors.

/// Reads from the front of a slice, never past its end.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// The next `len` bytes, or `None` if fewer are left.
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    /// The next byte, or `None` at the end.
    pub(super) fn u8(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    /// The next two bytes as a number, or `None` if fewer are left.
    pub(super) fn u16(&mut self) -> Option<u16> {
        let (&bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u16::from_be_bytes(bytes))
    }

    /// A length of `width` bytes, at most three, or `None` if fewer are left.
    pub(super) fn length(&mut self, width: usize) -> Option<usize> {
        debug_assert!(width <= 3);
        Some(
            self.take(width)?
                .iter()
                .fold(0, |length, &byte| push_byte(length, byte)),
        )
    }

    /// A vector with a length prefix of `width` bytes, or `None` if it is cut.
    pub(super) fn vector(&mut self, width: usize) -> Option<&'a [u8]> {
        let len = self.length(width)?;
        self.take(len)
    }

    /// Everything that is left, without taking it.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

/// Appends one byte to a big-endian number of which the low three bytes are kept.
pub(super) fn push_byte(number: usize, byte: u8) -> usize {
    (number << 8 | usize::from(byte)) & 0xff_ffff
}

/// Appends `body` behind a length prefix of `width` bytes, or `None` if the prefix cannot hold it.
pub(super) fn put_vector(out: &mut Vec<u8>, width: usize, body: &[u8]) -> Option<()> {
    put_length(out, width, body.len())?;
    out.extend_from_slice(body);
    Some(())
}

/// Appends `length` as a number of `width` bytes, or `None` if it does not fit.
pub(super) fn put_length(out: &mut Vec<u8>, width: usize, length: usize) -> Option<()> {
    let number = u32::try_from(length).ok()?.to_be_bytes();
    let (high, low) = number.split_at_checked(number.len().checked_sub(width)?)?;
    if high.iter().any(|&byte| byte != 0) {
        return None;
    }
    out.extend_from_slice(low);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vector_ends_where_its_length_says() {
        let mut cursor = Cursor::new(&[0, 0, 2, 7, 8, 9]);
        assert_eq!(cursor.vector(3), Some([7, 8].as_slice()));
        assert_eq!(cursor.rest(), [9]);
    }

    #[test]
    fn cut_vector_is_none() {
        assert_eq!(Cursor::new(&[0, 3, 1, 2]).vector(2), None);
        assert_eq!(Cursor::new(&[0]).vector(2), None);
        assert_eq!(Cursor::new(&[0]).u16(), None);
    }

    #[test]
    fn prefix_that_is_too_narrow_is_none() {
        assert_eq!(put_vector(&mut Vec::new(), 1, &[0; 255]), Some(()));
        assert_eq!(put_vector(&mut Vec::new(), 1, &[0; 256]), None);
        assert_eq!(put_length(&mut Vec::new(), 2, 0x1_0000), None);
        assert_eq!(put_length(&mut Vec::new(), 3, 0x100_0000), None);
    }
}
