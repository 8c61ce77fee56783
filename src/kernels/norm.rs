//! Group normalisation, alone and with the activation that mostly follows it.

use candle_core::{Result, Tensor};
use candle_nn::Module as _;

use super::{are_ours, normalise, with_values};

/// Group normalisation (Wu & He 2018) of `[B, C, …]` with a weight and a bias per channel.
#[derive(Clone, Debug)]
pub struct GroupNorm {
    weight: Tensor,
    bias: Tensor,
    groups: usize,
    eps: f64,
}

impl GroupNorm {
    /// Weight and bias are `[C]`; `eps` is added to the variance.
    ///
    /// # Errors
    /// When `groups` does not divide the channels.
    pub fn new(weight: Tensor, bias: Tensor, groups: usize, eps: f64) -> Result<Self> {
        let channels = weight.dims1()?;
        if groups == 0 || channels % groups != 0 || bias.dims1()? != channels {
            candle_core::bail!("group norm: expected groups that divide {channels} channels, found {groups}");
        }
        Ok(Self { weight, bias, groups, eps })
    }

    /// Normalises `[B, C, …]`.
    ///
    /// # Errors
    /// When the channels are not those of the weight.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, false)
    }

    /// Normalises `[B, C, …]`, then applies [`silu`](super::silu).
    ///
    /// # Errors
    /// When the channels are not those of the weight.
    pub fn forward_silu(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, true)
    }

    fn run(&self, x: &Tensor, active: bool) -> Result<Tensor> {
        let channels = self.weight.dims1()?;
        if x.rank() < 3 || x.dims()[1] != channels {
            candle_core::bail!("group norm: expected [batch, {channels}, …], found {:?}", x.dims());
        }
        if !are_ours(&[x, &self.weight, &self.bias]) || x.elem_count() == 0 {
            return self.composed(x, active);
        }
        let plane = x.dims()[2..].iter().product();
        let mut out = vec![0.0; x.elem_count()];
        with_values(&[x, &self.weight, &self.bias], |values| {
            let affine = (values[1], values[2]);
            normalise::group_norm(values[0], affine, self.groups, self.eps as f32, active, plane, &mut out);
        })?;
        Tensor::from_vec(out, x.shape(), x.device())
    }

    /// The same from candle's operations.
    fn composed(&self, x: &Tensor, active: bool) -> Result<Tensor> {
        let (weight, bias) = (self.weight.clone(), self.bias.clone());
        let channels = weight.dims1()?;
        let normed = candle_nn::GroupNorm::new(weight, bias, channels, self.groups, self.eps)?.forward(x)?;
        if active { normed.silu() } else { Ok(normed) }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::kernels::{relative_error, test_values, with_threads};

    fn norm(channels: usize, groups: usize) -> GroupNorm {
        let vector = |seed| Tensor::from_vec(test_values(channels, seed), channels, &Device::Cpu).unwrap();
        GroupNorm::new(vector(1), vector(2), groups, 1e-5).unwrap()
    }

    fn input(channels: usize, size: (usize, usize), offset: f64) -> Tensor {
        let values = test_values(2 * channels * size.0 * size.1, 3);
        (Tensor::from_vec(values, (2, channels, size.0, size.1), &Device::Cpu).unwrap() + offset).unwrap()
    }

    #[test]
    fn it_is_candles_with_and_without_the_activation() {
        for (channels, groups, size) in [(8, 4, (5, 7)), (6, 6, (1, 1)), (12, 1, (40, 33)), (16, 8, (16, 16))]
        {
            let (norm, x) = (norm(channels, groups), input(channels, size, 0.7));
            for active in [false, true] {
                let error =
                    relative_error(&norm.run(&x, active).unwrap(), &norm.composed(&x, active).unwrap());
                // candle adds the squares one after the other in f32.
                assert!(error < 2e-5, "{channels} channels, {groups} groups, {size:?}: {error:.2e}");
            }
        }
    }

    #[test]
    fn a_large_mean_does_not_drown_the_variance() {
        let (norm, x) = (norm(4, 2), input(4, (32, 32), 0.0));
        let shifted = (&x + 512.0).unwrap();
        // The values themselves lose 13 of 24 bits by the shift: 512 / 2²⁴ = 3e-5 of the deviation.
        assert!(relative_error(&norm.forward(&shifted).unwrap(), &norm.forward(&x).unwrap()) < 2e-4);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let (norm, x) = (norm(12, 3), input(12, (31, 17), 0.1));
        let run = |threads| {
            let out = with_threads(threads, || norm.forward_silu(&x).unwrap());
            out.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        assert_eq!(run(1), run(3));
    }

    #[test]
    fn other_channels_are_refused() {
        assert!(norm(8, 4).forward(&input(6, (2, 2), 0.0)).is_err());
        let one = Tensor::from_vec(vec![1f32; 6], 6, &Device::Cpu).unwrap();
        assert!(GroupNorm::new(one.clone(), one.clone(), 4, 1e-5).is_err());
        assert!(GroupNorm::new(one.clone(), one, 0, 1e-5).is_err());
    }
}
