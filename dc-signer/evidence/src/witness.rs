//! Requests of a log to a witness (C2SP `tlog-witness`): to cosign a checkpoint that goes on from the one it has seen.

use std::fmt;
use std::str::FromStr;

use crate::checkpoint::parse_decimal;
use crate::{Checkpoint, Error, Hash, Note, VerifyingKey, verify_consistency};

/// The body of an `add-checkpoint` request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WitnessRequest {
    /// The size of the checkpoint that the witness has cosigned last, 0 if none.
    pub old: u64,
    /// The proof that the log of the new checkpoint begins with it.
    pub proof: Vec<Hash>,
    /// The new checkpoint, signed by the log.
    pub checkpoint: Note,
}

impl WitnessRequest {
    /// The checkpoint, if it is by this log and goes on from the old one with this root.
    ///
    /// Fails as [`Checkpoint::verify`] and [`verify_consistency`] do.
    pub fn verify(&self, log: &VerifyingKey, old_root: &Hash) -> Result<Checkpoint, Error> {
        let new = Checkpoint::verify(&self.checkpoint, log)?;
        let both = ((self.old, old_root), (new.size(), new.root()));
        verify_consistency(both.0, both.1, &self.proof)?;
        Ok(new)
    }
}

impl FromStr for WitnessRequest {
    type Err = Error;

    /// Fails with [`Error::BadWitnessRequest`], and as reading a note does.
    fn from_str(text: &str) -> Result<Self, Error> {
        let (head, checkpoint) = text.split_once("\n\n").ok_or(BAD)?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix(OLD));
        let old = old.and_then(parse_decimal).ok_or(BAD)?;
        let proof: Option<Vec<Hash>> = lines.take(MAX_HASHES + 1).map(Hash::parse).collect();
        let proof = proof.filter(|proof| proof.len() <= MAX_HASHES).ok_or(BAD)?;
        Ok(Self {
            old,
            proof,
            checkpoint: checkpoint.parse()?,
        })
    }
}

impl fmt::Display for WitnessRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{OLD}{}", self.old)?;
        for hash in &self.proof {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

const OLD: &str = "old ";
const MAX_HASHES: usize = 63;
const BAD: Error = Error::BadWitnessRequest { max: MAX_HASHES };

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::signing_key;
    use crate::{Frontier, consistency_ranges};

    fn tree(range: std::ops::Range<u64>) -> Frontier {
        let mut tree = Frontier::new();
        range.for_each(|number| tree.push(Hash::of_record(&number.to_be_bytes())));
        tree
    }

    fn request(old: u64, new: u64) -> WitnessRequest {
        let key = signing_key("log");
        let ranges = consistency_ranges(old, new).unwrap();
        WitnessRequest {
            old,
            proof: ranges.into_iter().map(|range| tree(range).root()).collect(),
            checkpoint: Checkpoint::of(&tree(0..new), &key).sign(&key).unwrap(),
        }
    }

    #[test]
    fn a_request_of_another_form_is_refused() {
        let text = request(2, 5).to_string();
        let hash = format!("old 2\n{}", Hash::of_nothing());
        let bad = [
            text.replace("old 2", "old 02"),
            text.replace("old 2", "new 2"),
            text.replace("old 2\n", ""),
            text.replace("old 2", "old 2\nAAAA"),
            text.replace(
                "old 2",
                &format!("{hash}{}", format!("\n{}", Hash::of_nothing()).repeat(63)),
            ),
            String::new(),
        ];
        for (number, bad) in bad.into_iter().enumerate() {
            assert_ne!(bad, text);
            assert_eq!(bad.parse::<WitnessRequest>(), Err(BAD), "{number}");
        }
    }

    proptest! {
        #[test]
        fn what_is_asked_is_read_and_verified((old, new) in (1u64..60).prop_flat_map(|new| (0..=new, Just(new)))) {
            let asked = request(old, new);
            let read: WitnessRequest = asked.to_string().parse().unwrap();
            let key = signing_key("log");
            let verified = read.verify(key.verifying_key(), &tree(0..old).root()).unwrap();
            prop_assert_eq!(verified.size(), new);
            if old > 0 {
                let other = read.verify(key.verifying_key(), &Hash::of_record(b"another"));
                prop_assert_eq!(other, Err(Error::Rewritten { old, new }));
            }
            prop_assert_eq!(read, asked);
        }

        #[test]
        fn no_text_panics(text in "(old )?[0-9A-Za-z+/=\n\u{2014} ]{0,80}") {
            let _ = text.parse::<WitnessRequest>();
        }
    }
}
