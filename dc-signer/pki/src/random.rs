//! Random bytes from the system.

use ring::rand::{SecureRandom, SystemRandom};

use crate::error::Error;

/// Random bytes from the system, as many as are asked for.
///
/// Fails with [`Error::Randomness`].
pub fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Error::Randomness)?;
    Ok(bytes)
}
