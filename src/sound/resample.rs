//! From the rate of a file to the rate of the analysis.

use super::RATE;

/// Zero crossings of the filter's kernel on each side at the lower of the two rates.
const CROSSINGS: f64 = 24.0;
/// Where the filter cuts, as a share of the lower Nyquist frequency.
const CUTOFF: f64 = 0.93;
/// Shape of the Kaiser window: side lobes near -90 dB (Kaiser, «Nonrecursive digital filter design using
/// the I0-sinh window function», 1974).
const BETA: f64 = 8.96;

/// A stream of samples at any rate becomes one at [`RATE`]; samples at that rate pass untouched.
///
/// Polyphase windowed sinc in doubles (Smith, «Digital audio resampling»). FFmpeg's resampler is not used:
/// it picks its code by the processor.
pub(super) struct Resampler {
    /// Input samples per output sample are `down / up`.
    up: u64,
    down: u64,
    /// Taps on each side of the place between two samples.
    reach: usize,
    /// One row of `2 * reach` taps for each of the `up` places.
    taps: Vec<f64>,
    /// Input from `base` on; `reach` zeros stand before the first sample.
    held: Vec<f64>,
    base: u64,
    /// The next output sample.
    next: u64,
}

impl Resampler {
    pub fn new(rate: u32) -> Self {
        let common = gcd(rate, RATE);
        let (up, down) = (u64::from(RATE / common), u64::from(rate / common));
        let narrow = (f64::from(RATE) / f64::from(rate)).min(1.0);
        let reach = (CROSSINGS / narrow).ceil() as usize;
        let rows = if up == down { 0 } else { up };
        let taps = (0..rows).flat_map(|phase| row(phase as f64 / up as f64, reach, narrow)).collect();
        Self { up, down, reach, taps, held: vec![0.0; reach], base: 0, next: 0 }
    }

    /// Adds samples and appends to `out` what can be computed.
    pub fn push(&mut self, samples: &[f64], out: &mut Vec<f64>) {
        if self.up == self.down {
            out.extend_from_slice(samples);
            return;
        }
        self.held.extend_from_slice(samples);
        loop {
            // Place `at` in the input is number `at + reach` in `held`, counted from `base`.
            let at = self.next * self.down / self.up;
            let phase = (self.next * self.down % self.up) as usize;
            let start = (at + 1 - self.base) as usize;
            let width = 2 * self.reach;
            let Some(near) = self.held.get(start..start + width) else { break };
            let row = &self.taps[phase * width..][..width];
            out.push(row.iter().zip(near).map(|(tap, sample)| tap * sample).sum());
            self.next += 1;
        }
        let done = ((self.next * self.down / self.up + 1 - self.base) as usize).min(self.held.len());
        if done > 1 << 14 {
            self.held.drain(..done - 1);
            self.base += done as u64 - 1;
        }
    }

    /// The end: what is still missing, as if silence followed. `count` samples were pushed in all.
    pub fn finish(&mut self, count: u64, out: &mut Vec<f64>) {
        if self.up == self.down {
            return;
        }
        let wanted = (count * self.up).div_ceil(self.down);
        let silence = vec![0.0; 2 * self.reach + 2];
        let before = out.len();
        let missing = wanted.saturating_sub(self.next) as usize;
        while out.len() - before < missing {
            self.push(&silence, out);
        }
        out.truncate(before + missing);
    }
}

/// The taps for a place `part` of the way from one sample to the next; they sum to 1.
fn row(part: f64, reach: usize, narrow: f64) -> Vec<f64> {
    let cut = narrow * CUTOFF;
    let tap = |k: usize| {
        let distance = k as f64 + 1.0 - reach as f64 - part;
        let x = std::f64::consts::PI * distance * cut;
        let sinc = if x == 0.0 { 1.0 } else { libm::sin(x) / x };
        let side = distance / reach as f64;
        sinc * bessel(BETA * (1.0 - side * side).max(0.0).sqrt())
    };
    let taps: Vec<f64> = (0..2 * reach).map(tap).collect();
    let sum: f64 = taps.iter().sum();
    taps.into_iter().map(|tap| tap / sum).collect()
}

/// The modified Bessel function of the first kind of order 0, by its series.
fn bessel(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..60 {
        term *= quarter / f64::from(k * k);
        sum += term;
    }
    sum
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(rate: u32, frequency: f64, count: usize) -> Vec<f64> {
        let step = std::f64::consts::TAU * frequency / f64::from(rate);
        (0..count).map(|n| libm::sin(step * n as f64)).collect()
    }

    fn whole(rate: u32, samples: &[f64], chunk: usize) -> Vec<f64> {
        let (mut resampler, mut out) = (Resampler::new(rate), Vec::new());
        samples.chunks(chunk).for_each(|part| resampler.push(part, &mut out));
        resampler.finish(samples.len() as u64, &mut out);
        out
    }

    #[test]
    fn a_sine_is_the_same_sine_at_the_other_rate() {
        for rate in [8_000, 22_050, 32_000, 48_000, 96_000, 44_101] {
            for frequency in [0.0, 50.0, 997.0, 3_000.0] {
                let found = whole(rate, &sine(rate, frequency, rate as usize / 2), 1000);
                assert_eq!(found.len(), 22_050, "half a second from {rate}");
                let wanted = sine(RATE, frequency, found.len());
                // The ends, where the kernel reaches over them, are left out. -90 dB is 3e-5.
                let middle = 2000..20_000;
                let error = middle.map(|n| (found[n] - wanted[n]).abs()).fold(0.0, f64::max);
                assert!(error < 1e-4, "{frequency} Hz from {rate}: {error}");
            }
        }
    }

    #[test]
    fn what_the_new_rate_cannot_hold_is_gone() {
        let found = whole(96_000, &sine(96_000, 30_000.0, 48_000), 4096);
        let loudest = found[2000..20_000].iter().fold(0.0f64, |most, x| most.max(x.abs()));
        assert!(loudest < 1e-4, "30 kHz leaves {loudest} at 44.1 kHz");
    }

    #[test]
    fn the_size_of_the_pieces_does_not_matter() {
        let samples = sine(48_000, 440.0, 40_000);
        let at_once = whole(48_000, &samples, samples.len());
        assert_eq!(at_once, whole(48_000, &samples, 7));
        assert_eq!(at_once, whole(48_000, &samples, 20_000));
        assert_eq!(whole(RATE, &samples, 13), samples);
    }
}
