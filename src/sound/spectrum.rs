//! Spectra over time, and how much each one rises over the one before.

use std::collections::VecDeque;

use super::RATE;
use super::fft::Fft;

/// Samples from one spectrum to the next: 10 ms.
pub(super) const HOP: usize = 441;
/// Spectra per second.
pub(super) const HOPS: f64 = RATE as f64 / HOP as f64;
/// Samples in a spectrum, 46 ms: bins 21.5 Hz apart (as in Böck and Widmer 2013).
const SIZE: usize = 2048;
/// Hz from bin to bin.
const WIDTH: f64 = RATE as f64 / SIZE as f64;
/// How far magnitudes are raised before their logarithm is taken: from about -40 dB of a full sine on, a
/// bin counts by its loudness in steps, no longer by its amplitude.
const GAIN: f64 = 100.0;
/// Above this many Hz bins count by their width on the mel scale, below by that in Hz (O'Shaughnessy,
/// «Speech communication», 1987): the hundreds of bins of a cymbal do not outvote the five of a bass drum.
const MEL_CORNER: f64 = 700.0;
/// A rise below this, summed over all bins, is silence with noise in it.
const FLOOR: f64 = 0.05;
/// A rise counts as a peak when none within this many hops on either side is larger.
const AROUND: usize = 3;

/// How much more energy, above the bass, must follow than came before for something to have begun. A tone
/// that is broken off leaves a click of its own, which adds less.
const LOUDER: f64 = 1.25;

/// A moment at which something may have begun.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    /// The spectrum that rose.
    pub hop: usize,
    /// The sample at which it began.
    pub sample: i64,
}

/// What is kept of the spectra of a sound: 16 bytes per hop, so that length costs next to nothing.
pub(super) struct Rhythm {
    /// The rise of every spectrum.
    pub flux: Vec<f64>,
    /// Peaks of the rise.
    pub candidates: Vec<Candidate>,
    /// The centre of gravity of every spectrum, in Hz; 0 for silence.
    pub centroid: Vec<f64>,
}

/// The sample in the middle of a spectrum.
pub(super) fn middle(hop: usize) -> i64 {
    ((hop + 1) * HOP) as i64 - (SIZE / 2) as i64
}

/// Makes spectra of a stream of samples.
pub(super) struct Spectra {
    fft: Fft,
    window: Vec<f64>,
    /// How much each bin counts.
    weights: Vec<f64>,
    /// Samples from number `base` on; negative numbers are the silence before the start.
    held: VecDeque<f64>,
    base: i64,
    pushed: i64,
    magnitudes: Vec<f64>,
    /// Logarithms of the magnitudes, of this spectrum and the one before.
    now: Vec<f64>,
    before: Vec<f64>,
    rhythm: Rhythm,
}

impl Spectra {
    pub fn new() -> Self {
        // Hann's window, scaled so that a full sine has the magnitude 1.
        let hann = |n: usize| 0.5 - 0.5 * libm::cos(std::f64::consts::TAU * n as f64 / SIZE as f64);
        let sum: f64 = (0..SIZE).map(hann).sum();
        let weight = |k: usize| MEL_CORNER / (MEL_CORNER + k as f64 * WIDTH);
        Self {
            weights: (0..=SIZE / 2).map(weight).collect(),
            fft: Fft::new(SIZE),
            window: (0..SIZE).map(|n| hann(n) * 2.0 / sum).collect(),
            held: std::iter::repeat_n(0.0, 2 * SIZE).collect(),
            base: -2 * SIZE as i64,
            pushed: 0,
            magnitudes: vec![0.0; SIZE / 2 + 1],
            now: vec![0.0; SIZE / 2 + 1],
            before: vec![0.0; SIZE / 2 + 1],
            rhythm: Rhythm { flux: Vec::new(), candidates: Vec::new(), centroid: Vec::new() },
        }
    }

    pub fn push(&mut self, sample: f64) {
        self.held.push_back(sample);
        self.pushed += 1;
        if self.pushed % HOP as i64 == 0 {
            self.spectrum();
            self.candidate();
            let spare = self.held.len().saturating_sub(2 * SIZE);
            self.held.drain(..spare);
            self.base += spare as i64;
        }
    }

    /// The end: silence follows until every sample has been in the middle of a spectrum.
    pub fn finish(mut self) -> Rhythm {
        if self.pushed > 0 {
            (0..SIZE / 2 + (AROUND + 1) * HOP).for_each(|_| self.push(0.0));
        }
        self.rhythm
    }

    /// The rise of the logarithm of each bin over the loudest of itself and its two neighbours one hop
    /// before, summed over the bins that rose. The neighbours keep a trembling tone from counting (Böck and
    /// Widmer, «Maximum filter vibrato suppression for onset detection», DAFx 2013).
    fn spectrum(&mut self) {
        let from = self.held.len() - SIZE;
        let input: Vec<f64> = self.held.range(from..).zip(&self.window).map(|(x, w)| x * w).collect();
        self.fft.magnitudes(&input, &mut self.magnitudes);
        std::mem::swap(&mut self.now, &mut self.before);
        for (now, magnitude) in self.now.iter_mut().zip(&self.magnitudes) {
            *now = libm::log1p(GAIN * magnitude);
        }
        let last = self.before.len() - 1;
        let nearby = |k: usize| {
            let range = &self.before[k.saturating_sub(1)..=(k + 1).min(last)];
            range.iter().fold(0.0f64, |most, x| most.max(*x))
        };
        let rises = self.now.iter().enumerate().map(|(k, now)| (now - nearby(k)).max(0.0));
        let flux = rises.zip(&self.weights).map(|(rise, weight)| rise * weight).sum();
        self.rhythm.flux.push(flux);
        self.rhythm.centroid.push(self.centroid());
    }

    fn centroid(&self) -> f64 {
        let weight: f64 = self.magnitudes.iter().sum();
        let moment: f64 = self.magnitudes.iter().enumerate().map(|(k, m)| k as f64 * WIDTH * m).sum();
        // -120 dB of a full sine: what is left is rounding.
        if weight > 1e-6 { moment / weight } else { 0.0 }
    }

    /// Looks whether the spectrum `AROUND` hops ago was a peak, now that both its sides are known.
    fn candidate(&mut self) {
        let flux = &self.rhythm.flux;
        let Some(hop) = (flux.len() - 1).checked_sub(AROUND) else { return };
        let here = flux[hop];
        let left = &flux[hop.saturating_sub(AROUND)..hop];
        let right = &flux[hop + 1..=hop + AROUND];
        let is_peak = left.iter().all(|x| *x < here) && right.iter().all(|x| *x <= here);
        if here > FLOOR
            && is_peak
            && let Some(sample) = self.beginning(hop)
        {
            self.rhythm.candidates.push(Candidate { hop, sample });
        }
    }

    /// Where in the last 30 ms of a spectrum the sound begins: the sample behind which 10 ms hold the most
    /// energy over the 10 ms before it; of nearly equal ones the latest. `None` when nothing gets louder,
    /// which is how the end of a tone looks. The energy is that of the differences from sample to sample,
    /// so that a loud bass does not hide a soft cymbal.
    fn beginning(&self, hop: usize) -> Option<i64> {
        let end = ((hop + 1) * HOP) as i64;
        let start = (end - 3 * HOP as i64).max(0);
        let index = |sample: i64| (sample - self.base) as usize;
        let energy = |sample: i64| {
            let step = self.held[index(sample)] - self.held[index(sample) - 1];
            step * step
        };
        let first = start - HOP as i64;
        let mut sums = vec![0.0];
        for sample in first..end + HOP as i64 {
            sums.push(sums[sums.len() - 1] + energy(sample));
        }
        let between = |from: i64, to: i64| sums[(to - first) as usize] - sums[(from - first) as usize];
        let sides = |at: i64| (between(at - HOP as i64, at), between(at, at + HOP as i64));
        let gain = |at: i64| sides(at).1 - sides(at).0;
        let most = (start..end).map(gain).fold(0.0, f64::max);
        let at = (start..end).rev().find(|at| gain(*at) >= 0.9 * most)?;
        let (before, after) = sides(at);
        (after > LOUDER * before && most > 0.0).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rhythm(samples: impl Iterator<Item = f64>) -> Rhythm {
        let mut spectra = Spectra::new();
        samples.for_each(|sample| spectra.push(sample));
        spectra.finish()
    }

    #[test]
    fn a_click_is_found_at_its_sample() {
        for at in [0, 1, 440, 441, 442, 10_000, 20_001] {
            let clicks = (0..22_050).map(|n| f64::from(n == at));
            let found: Vec<i64> = rhythm(clicks).candidates.iter().map(|found| found.sample).collect();
            assert_eq!(found, [i64::from(at)]);
        }
    }

    #[test]
    fn the_end_of_a_tone_is_no_beginning() {
        let step = std::f64::consts::TAU * 1000.0 / f64::from(RATE);
        let tone = (0..44_100)
            .map(|n| if (10_000..30_000).contains(&n) { libm::sin(step * f64::from(n)) } else { 0.0 });
        let found = rhythm(tone).candidates;
        assert_eq!(found.len(), 1, "{found:?}");
        assert!((found[0].sample - 10_000).abs() < 60, "{found:?}");
    }

    #[test]
    fn the_centre_of_a_sine_is_its_frequency() {
        for frequency in [500.0, 4000.0] {
            let step = std::f64::consts::TAU * frequency / f64::from(RATE);
            let found = rhythm((0..44_100).map(|n| 0.3 * libm::sin(step * f64::from(n)))).centroid;
            // Hann's side lobes, which fall off fast but never end, pull a little.
            assert!((found[50] - frequency).abs() < 5.0, "{} for {frequency}", found[50]);
        }
        assert!(rhythm(std::iter::repeat_n(0.0, 5000)).centroid.iter().all(|x| *x == 0.0));
    }
}
