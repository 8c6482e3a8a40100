//! Numbers by chance that are always the same for one seed: SplitMix64.

use dc_schedule::Draw;

/// A sequence of numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn draw(&mut self) -> Draw {
        self.0 = self.0.wrapping_add(STEP);
        Draw(high(mixed(self.0)))
    }
}

/// A part of all devices, which are always the same ones of a seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    seed: u64,
    /// Out of 2^32.
    below: u64,
}

impl Part {
    /// From none, 0, to all, 1.
    pub(crate) fn new(share: f64, seed: u64, number: u64) -> Self {
        // At most 2^32.
        let below = (share.clamp(0.0, 1.0) * 4_294_967_296.0) as u64;
        let seed = mixed(seed ^ mixed(number.wrapping_add(STEP)));
        Self { seed, below }
    }

    pub(crate) fn has(self, device: u32) -> bool {
        u64::from(high(mixed(self.seed ^ u64::from(device)))) < self.below
    }
}

fn mixed(number: u64) -> u64 {
    let z = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn high(number: u64) -> u32 {
    u32::try_from(number >> 32).unwrap_or_default()
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_its_share_and_another_part_has_others() {
        let [one, other] = [1, 2].map(|number| Part::new(0.25, 7, number));
        let count = |has: &dyn Fn(u32) -> bool| (0..100_000).filter(|device| has(*device)).count();
        assert!(count(&|device| one.has(device)).abs_diff(25_000) < 600);
        let both = count(&|device| one.has(device) && other.has(device));
        assert!(both.abs_diff(6_250) < 400, "{both}");
        assert_eq!(count(&|device| Part::new(1.0, 7, 1).has(device)), 100_000);
        assert_eq!(count(&|device| Part::new(0.0, 7, 1).has(device)), 0);
    }
}
