//! Group normalisation, alone and with the activation that mostly follows it.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::Module as _;
use rayon::prelude::*;

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

    /// Normalises by moments that were taken elsewhere, such as those of a whole picture for a part of it, then
    /// applies [`silu`](super::silu).
    ///
    /// # Errors
    /// When the channels are not those of the weight, or the moments belong to another number of groups.
    pub fn forward_silu_by(&self, x: &Tensor, moments: &Moments) -> Result<Tensor> {
        if moments.0.len() != self.groups {
            let (expected, found) = (self.groups, moments.0.len());
            candle_core::bail!("group norm: expected moments of {expected} groups, found {found}");
        }
        self.run_by(x, true, Some(moments))
    }

    /// Means and variances of each group, over all items of the batch together.
    ///
    /// # Errors
    /// When the channels are not those of the weight.
    pub fn moments(&self, x: &Tensor) -> Result<Moments> {
        let channels = self.weight.dims1()?;
        if x.rank() < 3 || x.dims()[1] != channels || x.elem_count() == 0 {
            candle_core::bail!("group norm: expected [batch, {channels}, …], found {:?}", x.dims());
        }
        let x = x.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
        let size = x.elem_count() / (x.dims()[0] * self.groups);
        with_values(&[&x], |values| {
            let each: Vec<(f32, f32)> = values[0].par_chunks(size).map(moments_of).collect();
            let items = (each.len() / self.groups) as f64;
            let group = |group: usize| {
                let own = each.iter().skip(group).step_by(self.groups);
                let (sum, squares) = own.fold((0.0, 0.0), |(sum, squares), (mean, variance)| {
                    let mean = f64::from(*mean);
                    (sum + mean, squares + f64::from(*variance) + mean * mean)
                });
                let mean = sum / items;
                (mean as f32, (squares / items - mean * mean).max(0.0) as f32)
            };
            Moments((0..self.groups).map(group).collect())
        })
    }

    fn run(&self, x: &Tensor, active: bool) -> Result<Tensor> {
        self.run_by(x, active, None)
    }

    fn run_by(&self, x: &Tensor, active: bool, moments: Option<&Moments>) -> Result<Tensor> {
        let channels = self.weight.dims1()?;
        if x.rank() < 3 || x.dims()[1] != channels {
            candle_core::bail!("group norm: expected [batch, {channels}, …], found {:?}", x.dims());
        }
        if !are_ours(&[x, &self.weight, &self.bias]) || x.elem_count() == 0 {
            return match moments {
                Some(moments) => self.composed_by(x, moments),
                None => self.composed(x, active),
            };
        }
        let given = moments.map(|moments| moments.0.as_slice());
        let plane = x.dims()[2..].iter().product();
        let mut out = vec![0.0; x.elem_count()];
        with_values(&[x, &self.weight, &self.bias], |values| {
            let affine = (values[1], values[2]);
            normalise::group_norm(
                values[0],
                affine,
                self.groups,
                self.eps as f32,
                active,
                given,
                plane,
                &mut out,
            );
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

    /// The same by given moments, with the activation.
    fn composed_by(&self, x: &Tensor, moments: &Moments) -> Result<Tensor> {
        let channels = self.weight.dims1()?;
        let shape: Vec<usize> = (0..x.rank()).map(|axis| if axis == 1 { channels } else { 1 }).collect();
        let width = channels / self.groups;
        let each = |of: fn(&(f32, f32), f64) -> f32| {
            let values = moments.0.iter().flat_map(|m| std::iter::repeat_n(of(m, self.eps), width));
            Tensor::from_vec(values.collect::<Vec<f32>>(), &shape[..], x.device())
        };
        let scale = each(|(_, variance), eps| (1.0 / (f64::from(*variance) + eps).sqrt()) as f32)?;
        let normed = x.broadcast_sub(&each(|(mean, _), _| *mean)?)?.broadcast_mul(&scale)?;
        let normed = normed.broadcast_mul(&self.weight.reshape(&shape[..])?)?;
        normed.broadcast_add(&self.bias.reshape(&shape[..])?)?.silu()
    }
}

/// Mean and variance of every group of a [`GroupNorm`].
#[derive(Clone, Debug, PartialEq)]
pub struct Moments(Vec<(f32, f32)>);

fn moments_of(x: &[f32]) -> (f32, f32) {
    let (mut mean, mut variance) = (0.0, 0.0);
    normalise::moments(x, &mut mean, &mut variance);
    (mean, variance)
}

#[cfg(test)]
mod tests {
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
    fn the_moments_of_all_items_normalise_them_as_one_picture() {
        let (norm, x) = (norm(6, 3), input(6, (8, 9), 0.3));
        // Two items one below the other are one picture.
        let (upper, lower) = (x.narrow(0, 0, 1).unwrap(), x.narrow(0, 1, 1).unwrap());
        let whole = norm.forward_silu(&Tensor::cat(&[&upper, &lower], 2).unwrap()).unwrap();
        let moments = norm.moments(&x).unwrap();
        for composed in [false, true] {
            let part = if composed {
                norm.composed_by(&lower, &moments).unwrap()
            } else {
                norm.forward_silu_by(&lower, &moments).unwrap()
            };
            // Sums in another order.
            assert!(relative_error(&part, &whole.narrow(2, 8, 8).unwrap()) < 1e-6);
        }
        assert!(norm.forward_silu_by(&x, &Moments(vec![(0.0, 1.0)])).is_err());
    }

    #[test]
    fn other_channels_are_refused() {
        assert!(norm(8, 4).forward(&input(6, (2, 2), 0.0)).is_err());
        let one = Tensor::from_vec(vec![1f32; 6], 6, &Device::Cpu).unwrap();
        assert!(GroupNorm::new(one.clone(), one.clone(), 4, 1e-5).is_err());
        assert!(GroupNorm::new(one.clone(), one, 0, 1e-5).is_err());
    }
}
