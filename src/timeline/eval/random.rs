//! Random numbers as a function of what they are for: no state, so any of them can be asked for alone.

/// The finaliser of SplitMix64 (Steele, Lea, Flood: «Fast splittable pseudorandom number generators», 2014),
/// with its increment: every bit of the input moves half of the output's.
fn mixed(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A stream of random numbers, told apart by the film's seed and one of its own.
#[derive(Clone, Copy, Debug)]
pub(in crate::timeline) struct Stream(u64);

impl Stream {
    /// The stream of these seeds. `purpose` keeps different uses of the same seeds apart.
    pub fn new(film: i64, seed: f64, purpose: u64) -> Self {
        // Adding 0 makes -0 and 0 the same seed.
        Self(mixed(mixed(mixed(purpose) ^ film as u64) ^ (seed + 0.0).to_bits()))
    }

    /// Number `index`, from 0 up to but not including 1, in steps of 2^-53.
    pub fn uniform(self, index: i64) -> f64 {
        (mixed(self.0 ^ mixed(index as u64)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Smooth noise from 0 up to but not including 1 at the place `x`: random values at whole numbers, and between them
    /// Perlin's fade `6 x^5 - 15 x^4 + 10 x^3` («Improving noise», 2002), whose first two derivatives vanish there.
    pub fn smooth(self, x: f64) -> f64 {
        let cell = x.floor();
        let f = x - cell;
        let fade = f * f * f * (f * (f * 6.0 - 15.0) + 10.0);
        let (a, b) = (self.uniform(cell as i64), self.uniform((cell as i64).wrapping_add(1)));
        a + (b - a) * fade
    }

    /// [`smooth`](Self::smooth) noise in layers, each twice as fast and half as strong; the sum of their weights is 1.
    pub fn layered(self, x: f64, layers: u32) -> f64 {
        let (mut sum, mut weight, mut whole) = (0.0, 1.0, 0.0);
        for layer in 0..layers {
            let stream = Self(self.0.wrapping_add(u64::from(layer)));
            sum += weight * stream.smooth(x * f64::from(1_u32 << layer.min(30)));
            whole += weight;
            weight *= 0.5;
        }
        sum / whole
    }
}
