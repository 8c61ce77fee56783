//! The Fourier transform of real numbers, the same on every machine.

/// A transform of one length with its tables.
///
/// Radix-2, decimation in time, in doubles (Cooley and Tukey, «An algorithm for the machine calculation of
/// complex Fourier series», 1965); the real input is packed into half as many complex numbers. Libraries
/// that choose their code by the processor round differently from one to the next; this one cannot.
pub(super) struct Fft {
    size: usize,
    /// e^(-2πik/size) for k below half the size: cosine and sine.
    turns: Vec<(f64, f64)>,
    work: Vec<(f64, f64)>,
}

impl Fft {
    /// For `size` numbers, a power of two from 4 on.
    pub fn new(size: usize) -> Self {
        assert!(size.is_power_of_two() && size >= 4, "a power of two from 4 on");
        let angle = |k: usize| -std::f64::consts::TAU * k as f64 / size as f64;
        let turns = (0..size / 2).map(|k| (libm::cos(angle(k)), libm::sin(angle(k)))).collect();
        Self { size, turns, work: vec![(0.0, 0.0); size / 2] }
    }

    /// The absolute values of the transform of `input` at the frequencies 0 to half the sampling rate:
    /// `size / 2 + 1` numbers into `out`.
    pub fn magnitudes(&mut self, input: &[f64], out: &mut [f64]) {
        let half = self.size / 2;
        let bits = half.trailing_zeros();
        for (at, pair) in input.as_chunks::<2>().0.iter().enumerate() {
            let place = at.reverse_bits() >> (usize::BITS - bits);
            self.work[place] = (pair[0], pair[1]);
        }
        self.butterflies();
        for (k, magnitude) in out.iter_mut().enumerate().take(half + 1) {
            let (a, b) = (self.work[k % half], self.work[(half - k) % half]);
            // The packed transform taken apart: even samples and odd samples.
            let even = ((a.0 + b.0) / 2.0, (a.1 - b.1) / 2.0);
            let odd = ((a.1 + b.1) / 2.0, (b.0 - a.0) / 2.0);
            let turn = if k == half { (-1.0, 0.0) } else { self.turns[k] };
            let (re, im) = product(odd, turn);
            *magnitude = ((even.0 + re) * (even.0 + re) + (even.1 + im) * (even.1 + im)).sqrt();
        }
    }

    fn butterflies(&mut self) {
        let half = self.size / 2;
        let mut length = 2;
        while length <= half {
            let step = self.size / length;
            for block in self.work.chunks_exact_mut(length) {
                let (low, high) = block.split_at_mut(length / 2);
                for (k, (a, b)) in low.iter_mut().zip(high).enumerate() {
                    let (re, im) = product(*b, self.turns[k * step]);
                    (*a, *b) = ((a.0 + re, a.1 + im), (a.0 - re, a.1 - im));
                }
            }
            length *= 2;
        }
    }
}

fn product(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, term by term.
    fn by_definition(input: &[f64]) -> Vec<f64> {
        let n = input.len();
        (0..=n / 2)
            .map(|k| {
                let angle = |i: usize| std::f64::consts::TAU * ((i * k) % n) as f64 / n as f64;
                let re: f64 = input.iter().enumerate().map(|(i, x)| x * libm::cos(angle(i))).sum();
                let im: f64 = input.iter().enumerate().map(|(i, x)| x * libm::sin(angle(i))).sum();
                libm::hypot(re, im)
            })
            .collect()
    }

    proptest! {
        #[test]
        fn it_is_the_definition(power in 2u32..9, seed in prop::collection::vec(-1.0..1.0f64, 256)) {
            let input = &seed[..1 << power];
            let mut out = vec![0.0; input.len() / 2 + 1];
            Fft::new(input.len()).magnitudes(input, &mut out);
            for (found, wanted) in out.iter().zip(by_definition(input)) {
                // A few dozen roundings of numbers up to 256.
                prop_assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
            }
        }
    }
}
