//! What ControlNets add to a UNet, and how it is weighted.

use candle_core::{Result, Tensor};

/// One tensor per skip of the UNet (first convolution first) and one for its middle.
#[derive(Clone, Debug)]
pub struct ControlResiduals {
    /// Added to the skips, highest resolution first.
    pub down: Vec<Tensor>,
    /// Added to the middle's result.
    pub mid: Tensor,
}

impl ControlResiduals {
    /// All times `weight` (A1111's "balanced").
    ///
    /// # Errors
    /// When the device refuses.
    pub fn scale(&self, weight: f64) -> Result<Self> {
        self.weighted(|_| weight)
    }

    /// Residual i (the middle is the last) times `weight` · 0.825^(12 − i): the deep ones keep their weight, the
    /// fine ones fade (sd-webui-controlnet's "my prompt is more important"). The exponent counts from
    /// 12 whatever the number of residuals.
    ///
    /// # Errors
    /// When the device refuses.
    pub fn scale_soft(&self, weight: f64) -> Result<Self> {
        self.weighted(|i| weight * libm::pow(0.825, 12.0 - i as f64))
    }

    /// Each batch item times its factor: 0 switches the ControlNet off for that item ("ControlNet is more
    /// important" does so for the unconditional one).
    ///
    /// # Errors
    /// When there is not one factor per item.
    pub fn scale_rows(&self, factors: &[f64]) -> Result<Self> {
        let batch = self.mid.dim(0)?;
        if factors.len() != batch {
            candle_core::bail!("control residuals: expected {batch} factors, found {}", factors.len());
        }
        let factors: Vec<f32> = factors.iter().map(|f| *f as f32).collect();
        let factors = Tensor::from_vec(factors, (batch, 1, 1, 1), self.mid.device())?;
        let scale = |x: &Tensor| x.broadcast_mul(&factors);
        Ok(Self { down: self.down.iter().map(scale).collect::<Result<_>>()?, mid: scale(&self.mid)? })
    }

    /// The mean of each over the picture, `[B, C, 1, 1]`.
    ///
    /// # Errors
    /// When the device refuses.
    pub fn pooled(&self) -> Result<Self> {
        let mean = |x: &Tensor| x.mean_keepdim((2, 3));
        Ok(Self { down: self.down.iter().map(mean).collect::<Result<_>>()?, mid: mean(&self.mid)? })
    }

    /// The sum with another ControlNet's.
    ///
    /// # Errors
    /// When their numbers or shapes differ.
    pub fn sum(&self, other: &Self) -> Result<Self> {
        self.check_count(other.down.len())?;
        let down = self.down.iter().zip(&other.down).map(|(a, b)| a.broadcast_add(b));
        Ok(Self { down: down.collect::<Result<_>>()?, mid: self.mid.broadcast_add(&other.mid)? })
    }

    /// Adds to the middle's result, which is returned, and to the skips.
    ///
    /// # Errors
    /// When the number or the shapes are not those of the skips.
    pub(crate) fn add_to(&self, mid: Tensor, skips: &mut [Tensor]) -> Result<Tensor> {
        self.check_count(skips.len())?;
        for (skip, residual) in skips.iter_mut().zip(&self.down) {
            *skip = skip.broadcast_add(residual)?;
        }
        mid.broadcast_add(&self.mid)
    }

    fn check_count(&self, expected: usize) -> Result<()> {
        let found = self.down.len();
        if found != expected {
            candle_core::bail!(
                "control residuals: expected {expected} and one for the middle, found {found} and one"
            );
        }
        Ok(())
    }

    /// Residual i times `weight(i)`, the middle being the last.
    fn weighted(&self, weight: impl Fn(usize) -> f64) -> Result<Self> {
        let down = self.down.iter().enumerate().map(|(i, x)| x.affine(weight(i), 0.0));
        Ok(Self { down: down.collect::<Result<_>>()?, mid: self.mid.affine(weight(self.down.len()), 0.0)? })
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    fn ones(count: usize, batch: usize) -> ControlResiduals {
        let one = Tensor::ones((batch, 1, 1, 1), DType::F32, &Device::Cpu).unwrap();
        ControlResiduals { down: vec![one.clone(); count], mid: one }
    }

    fn first(x: &Tensor) -> f32 {
        x.flatten_all().unwrap().to_vec1().unwrap()[0]
    }

    #[test]
    fn soft_weights_fade_towards_the_fine_skips_and_count_from_twelve() {
        let soft = ones(9, 1).scale_soft(2.0).unwrap();
        assert!((first(&soft.mid) - 2.0 * 0.825_f32.powi(3)).abs() < 1e-6);
        assert!((first(&soft.down[0]) - 2.0 * 0.825_f32.powi(12)).abs() < 1e-6);
        assert!((first(&ones(12, 1).scale_soft(1.0).unwrap().mid) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn rows_are_switched_off_one_by_one() {
        let rows: Vec<f32> =
            ones(1, 2).scale_rows(&[1.0, 0.0]).unwrap().mid.flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(rows, [1.0, 0.0]);
        assert!(ones(1, 2).scale_rows(&[1.0]).is_err());
    }

    #[test]
    fn pooled_residuals_are_means_and_add_up_with_others() {
        let x = Tensor::arange(0f32, 8.0, &Device::Cpu).unwrap().reshape((1, 2, 2, 2)).unwrap();
        let plain = ControlResiduals { down: vec![x.clone()], mid: x };
        let pooled = plain.pooled().unwrap();
        assert_eq!(pooled.mid.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [1.5, 5.5]);
        let both = [pooled.sum(&plain).unwrap(), plain.sum(&pooled).unwrap()];
        assert!(both.iter().all(|sum| sum.mid.dims() == [1, 2, 2, 2] && first(&sum.mid) == 1.5));
    }

    #[test]
    fn another_number_of_skips_is_an_error_with_both_numbers() {
        let one = ones(2, 1);
        let error = one.add_to(one.mid.clone(), &mut one.down[..1].to_vec()).unwrap_err().to_string();
        assert!(error.contains("expected 1") && error.contains("found 2"), "{error}");
        assert!(one.sum(&ones(3, 1)).is_err());
    }
}
