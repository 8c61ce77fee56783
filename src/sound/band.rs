//! Band-pass filters.

use super::RATE;

/// Qualities of the two sections of a Butterworth filter of order 4: 1 / (2 cos(π/8)), 1 / (2 cos(3π/8)).
const BUTTERWORTH: [f64; 2] = [0.541_196_100_146_197, 1.306_562_964_876_376_6];

/// Frequencies from `low` to `high`, in Hz.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// Below it, 24 dB less per octave; 0 keeps everything below.
    pub low: f64,
    /// Above it, 24 dB less per octave; half of [`RATE`] keeps everything above.
    pub high: f64,
}

impl Band {
    /// The band as sections of order 2, to be run one after the other: a Butterworth high-pass and a
    /// low-pass of order 4 each, 3 dB down at the edges.
    pub(super) fn sections(self) -> Vec<Section> {
        let nyquist = f64::from(RATE) / 2.0;
        let high_pass = BUTTERWORTH.iter().map(|q| Section::high_pass(self.low, *q));
        let low_pass = BUTTERWORTH.iter().map(|q| Section::low_pass(self.high, *q));
        let high_pass = high_pass.filter(|_| self.low > 0.0);
        high_pass.chain(low_pass.filter(|_| self.high < nyquist)).collect()
    }
}

/// A recursive filter of order 2, direct form II transposed. Coefficients from Bristow-Johnson,
/// «Cookbook formulae for audio EQ biquad filter coefficients» (W3C note, 2021).
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    b: [f64; 3],
    a: [f64; 2],
    held: [f64; 2],
}

impl Section {
    fn low_pass(frequency: f64, q: f64) -> Self {
        Self::new(frequency, q, |cos| [(1.0 - cos) / 2.0, 1.0 - cos, (1.0 - cos) / 2.0])
    }

    fn high_pass(frequency: f64, q: f64) -> Self {
        Self::new(frequency, q, |cos| [(1.0 + cos) / 2.0, -1.0 - cos, (1.0 + cos) / 2.0])
    }

    fn new(frequency: f64, q: f64, b: impl Fn(f64) -> [f64; 3]) -> Self {
        let angle = std::f64::consts::TAU * frequency / f64::from(RATE);
        let (sin, cos) = (libm::sin(angle), libm::cos(angle));
        let alpha = sin / (2.0 * q);
        let scale = 1.0 + alpha;
        let a = [-2.0 * cos / scale, (1.0 - alpha) / scale];
        Self { b: b(cos).map(|b| b / scale), a, held: [0.0; 2] }
    }

    pub fn run(&mut self, x: f64) -> f64 {
        let y = self.b[0] * x + self.held[0];
        self.held[0] = audible(self.b[1] * x - self.a[0] * y + self.held[1]);
        self.held[1] = audible(self.b[2] * x - self.a[1] * y);
        y
    }
}

/// What fades away ends at 0 before it reaches the smallest doubles, which are a hundred times slower.
pub(super) fn audible(x: f64) -> f64 {
    if x.abs() < 1e-30 { 0.0 } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How loud a sine is behind the filter, in dB of its own loudness.
    fn response(band: Band, frequency: f64) -> f64 {
        let mut sections = band.sections();
        let step = std::f64::consts::TAU * frequency / f64::from(RATE);
        let squares: f64 = (0..2 * RATE)
            .map(|n| {
                let x = libm::sin(step * f64::from(n));
                (n, sections.iter_mut().fold(x, |x, section| section.run(x)))
            })
            .filter(|(n, _)| *n >= RATE)
            .map(|(_, y)| y * y)
            .sum();
        10.0 * libm::log10(squares / f64::from(RATE) * 2.0)
    }

    #[test]
    fn edges_are_3_db_down_and_fall_by_24_db_an_octave() {
        let band = Band { low: 200.0, high: 2000.0 };
        assert!(response(band, 632.0).abs() < 0.01, "{}", response(band, 632.0));
        for edge in [200.0, 2000.0] {
            assert!((response(band, edge) + 3.01).abs() < 0.02, "{edge}: {}", response(band, edge));
        }
        // An octave out, |H|² of order 4 is 1 / (1 + 2^8): -24.1 dB; the bilinear transform bends it a little.
        for (far, wanted) in [(100.0, -24.1), (50.0, -48.2), (4000.0, -24.1)] {
            assert!((response(band, far) - wanted).abs() < 1.0, "{far}: {}", response(band, far));
        }
    }

    #[test]
    fn an_open_side_keeps_everything() {
        assert!(Band { low: 0.0, high: f64::from(RATE) / 2.0 }.sections().is_empty());
        assert!(response(Band { low: 0.0, high: 1000.0 }, 20.0).abs() < 0.01);
    }
}
