//! How a network is told the timestep.

use candle_core::{Device, Result, Tensor};
use candle_nn::{Module as _, VarBuilder};

use super::layers::linear;
use crate::kernels::{Linear, silu};

/// Sinusoids of `values`, `[values.len(), width]` (diffusers' `get_timestep_embedding` with
/// max_period 10000): frequency i is 10000^(−i / (half − shift)) with half = width / 2. Cosines come
/// first if `cosine_first` (diffusers' `flip_sin_to_cos`), else sines; an odd width ends with a zero.
///
/// Values are in training timesteps, may be fractional, and may be any other scalar (sizes in pixels).
///
/// # Errors
/// When `width` is too small for `shift`.
pub fn sinusoid(
    values: &[f64],
    width: usize,
    cosine_first: bool,
    shift: f64,
    device: &Device,
) -> Result<Tensor> {
    let half = width / 2;
    if half as f64 <= shift {
        candle_core::bail!("timestep embedding: expected a width above {}, found {width}", 2.0 * shift);
    }
    // torch rounds the frequency and the product to f32; an exact product would differ by 5e-5 at t = 999.
    let frequency =
        |i: usize| libm::expf(-libm::log(10000.0) as f32 * i as f32 / (half as f32 - shift as f32));
    let mut rows = Vec::with_capacity(values.len() * width);
    for &value in values {
        let angles: Vec<f32> = (0..half).map(|i| value as f32 * frequency(i)).collect();
        let sines = angles.iter().map(|a| libm::sin(f64::from(*a)) as f32);
        let cosines = angles.iter().map(|a| libm::cos(f64::from(*a)) as f32);
        if cosine_first {
            rows.extend(cosines.chain(sines));
        } else {
            rows.extend(sines.chain(cosines));
        }
        rows.extend(std::iter::repeat_n(0.0, width % 2));
    }
    Tensor::from_vec(rows, (values.len(), width), device)
}

/// Two linear layers with a SiLU between (diffusers' `TimestepEmbedding`).
#[derive(Clone, Debug)]
pub struct TimestepEmbedding {
    linear_1: Linear,
    linear_2: Linear,
}

impl TimestepEmbedding {
    /// From `linear_1` `[outputs, inputs]` and `linear_2` `[outputs, outputs]`.
    ///
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn new(inputs: usize, outputs: usize, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            linear_1: linear(inputs, outputs, vb.pp("linear_1"))?,
            linear_2: linear(outputs, outputs, vb.pp("linear_2"))?,
        })
    }

    /// `[B, inputs]` → `[B, outputs]`.
    ///
    /// # Errors
    /// When the width is another.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.linear_2.forward(&silu(&self.linear_1.forward(x)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_frequency_is_one_and_the_last_with_shift_one_is_a_ten_thousandth() {
        let row: Vec<f32> =
            sinusoid(&[2.0], 8, true, 1.0, &Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        let expected = [2.0_f32.cos(), (2.0e-4_f32).cos(), 2.0_f32.sin(), (2.0e-4_f32).sin()];
        for (found, expected) in [row[0], row[3], row[4], row[7]].into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    #[test]
    fn an_odd_width_ends_with_zero_and_sines_can_come_first() {
        let row: Vec<f32> =
            sinusoid(&[0.0], 5, false, 0.0, &Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(row, [0.0, 0.0, 1.0, 1.0, 0.0]);
    }

    #[test]
    fn a_width_that_leaves_no_frequency_is_refused() {
        assert!(sinusoid(&[1.0], 2, true, 1.0, &Device::Cpu).is_err());
    }
}
