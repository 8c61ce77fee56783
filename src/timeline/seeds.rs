//! The seeds of successive diffused frames, as sd-webui-deforum 32242685 counts them on.

/// How the seed changes from one diffused frame to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeedBehaviour {
    /// One more every so many frames. With 3 the sequence is S, S+1, S+1, S+1, S+2...: the first seed is
    /// used once, because the peer counts before it compares.
    Iter(u32),
    /// Always the same.
    Fixed,
    /// Two up, one down, in turn.
    Ladder,
    /// One up, one down, in turn.
    Alternate,
    /// After the first frame drawn from 0 to 2³² - 1. The peer draws from an unseeded generator; here the
    /// draw is a hash of start seed and frame, so that a run can be repeated.
    Random,
    /// Given by a schedule; see [`SeedSequence::scheduled`].
    Schedule,
}

impl SeedBehaviour {
    /// The behaviour Deforum calls `name`; `iter_n` belongs to `iter` and counts at least 1.
    pub fn from_deforum(name: &str, iter_n: u32) -> Option<Self> {
        Some(match name {
            "iter" => Self::Iter(iter_n.max(1)),
            "fixed" => Self::Fixed,
            "ladder" => Self::Ladder,
            "alternate" => Self::Alternate,
            "random" => Self::Random,
            "schedule" => Self::Schedule,
            _ => return None,
        })
    }
}

/// Gives the seed of any diffused frame, counted from 0 without the frames that cadence fills in.
#[derive(Clone, Copy, Debug)]
pub struct SeedSequence {
    start: i64,
    behaviour: SeedBehaviour,
}

impl SeedSequence {
    /// Seeds from `start` on (not -1: a random start must have been drawn before).
    pub fn new(start: i64, behaviour: SeedBehaviour) -> Self {
        Self { start, behaviour }
    }

    /// The seed of diffused frame `index`. Seeds are not reduced modulo 2³²: the generator does that.
    /// [`SeedBehaviour::Schedule`] gives the start seed.
    pub fn seed(&self, index: u64) -> i64 {
        let n = index.cast_signed();
        let change = match self.behaviour {
            SeedBehaviour::Iter(every) => index.div_ceil(u64::from(every.max(1))).cast_signed(),
            SeedBehaviour::Fixed | SeedBehaviour::Schedule => 0,
            SeedBehaviour::Ladder => n / 2 + 2 * (n % 2),
            SeedBehaviour::Alternate => n % 2,
            SeedBehaviour::Random if index == 0 => 0,
            SeedBehaviour::Random => return i64::from(draw(self.start, index)),
        };
        self.start.wrapping_add(change)
    }

    /// The seed that a seed schedule's `value` means at diffused frame `index`: truncated; -1 draws one.
    pub fn scheduled(&self, value: f64, index: u64) -> i64 {
        match value.trunc() as i64 {
            -1 => i64::from(draw(self.start, index)),
            seed => seed,
        }
    }
}

/// 32 bits from start seed and frame, by the finaliser of SplitMix64 (Steele, Lea and Flood, *Fast
/// splittable pseudorandom number generators*, 2014).
fn draw(start: i64, index: u64) -> u32 {
    let step = index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut z = start.cast_unsigned().wrapping_add(step);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(behaviour: SeedBehaviour) -> Vec<i64> {
        (0..6).map(|i| SeedSequence::new(10, behaviour).seed(i)).collect()
    }

    #[test]
    fn sequences_are_the_peers() {
        assert_eq!(first(SeedBehaviour::Iter(1)), [10, 11, 12, 13, 14, 15]);
        assert_eq!(first(SeedBehaviour::Iter(3)), [10, 11, 11, 11, 12, 12]);
        assert_eq!(first(SeedBehaviour::Ladder), [10, 12, 11, 13, 12, 14]);
        assert_eq!(first(SeedBehaviour::Alternate), [10, 11, 10, 11, 10, 11]);
        assert_eq!(first(SeedBehaviour::Fixed), [10; 6]);
    }

    #[test]
    fn random_seeds_begin_with_the_start_and_do_not_repeat_at_once() {
        let seeds = first(SeedBehaviour::Random);
        assert_eq!(seeds[0], 10);
        assert!(seeds.windows(2).all(|w| w[0] != w[1]));
        assert!(seeds.iter().all(|s| (0..1 << 32).contains(s)));
        assert_eq!(seeds, first(SeedBehaviour::Random));
        let other: Vec<i64> = (0..6).map(|i| SeedSequence::new(11, SeedBehaviour::Random).seed(i)).collect();
        assert_ne!(seeds[1..], other[1..]);
    }

    #[test]
    fn a_scheduled_minus_one_draws() {
        let seeds = SeedSequence::new(10, SeedBehaviour::Schedule);
        assert_eq!(seeds.scheduled(7.9, 3), 7);
        assert_ne!(seeds.scheduled(-1.0, 3), -1);
        assert_ne!(seeds.scheduled(-1.0, 3), seeds.scheduled(-1.0, 4));
    }
}
