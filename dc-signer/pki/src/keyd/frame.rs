//! Frames: a length and as many octets, with a limit.

use std::io::{self, ErrorKind, Read, Write};

use super::malformed::Malformed;

/// The octets of a frame's length.
pub const HEAD: usize = 4;
/// The most octets behind it: a chain of ten certificates fits.
pub const MAX_FRAME: usize = 0x1_0000;

/// The length that a frame's first octets say.
///
/// Fails with [`Malformed`] if it is none or above [`MAX_FRAME`].
pub fn length(head: [u8; HEAD]) -> Result<usize, Malformed> {
    let length = usize::try_from(u32::from_be_bytes(head)).map_err(|_| Malformed)?;
    match (1..=MAX_FRAME).contains(&length) {
        true => Ok(length),
        false => Err(Malformed),
    }
}

/// Writes one frame, in one call.
///
/// Fails with [`ErrorKind::InvalidInput`] above [`MAX_FRAME`], and as writing does.
pub fn write(out: &mut impl Write, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).ok();
    let length = length.filter(|_| message.len() <= MAX_FRAME);
    let length = length.ok_or(ErrorKind::InvalidInput)?;
    let frame = [&length.to_be_bytes(), message].concat();
    out.write_all(&frame)?;
    out.flush()
}

/// Reads one frame.
///
/// Fails with [`ErrorKind::InvalidData`] if its length is not allowed, and as reading does.
pub fn read(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = [0; HEAD];
    input.read_exact(&mut head)?;
    let length = length(head).map_err(|Malformed| ErrorKind::InvalidData)?;
    let mut message = vec![0; length];
    input.read_exact(&mut message)?;
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_longer() {
        for length in [1, 2, MAX_FRAME] {
            let message = vec![7; length];
            let mut out = Vec::new();
            write(&mut out, &message).unwrap();
            assert_eq!(read(&mut &out[..]).unwrap(), message);
            // A frame that ends early is no frame.
            assert!(read(&mut &out[..out.len() - 1]).is_err());
        }
        assert!(write(&mut Vec::new(), &vec![0; MAX_FRAME + 1]).is_err());
        for head in [[0; 4], [0xff; 4], 0x1_0001_u32.to_be_bytes()] {
            assert_eq!(length(head), Err(Malformed), "{head:?}");
        }
    }
}
