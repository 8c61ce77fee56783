//! Activation functions.

use candle_core::{D, Result, Tensor};
use rayon::prelude::*;

use super::simd::{gelu as gelu_of, silu as silu_of, vectorised};
use super::{are_ours, with_values};

/// Values that one task takes.
const CHUNK: usize = 1 << 14;

/// x · sigmoid(x), element by element (Elfwing et al. 2017; `torch.nn.SiLU`).
///
/// # Errors
/// When the device refuses.
pub fn silu(x: &Tensor) -> Result<Tensor> {
    if !are_ours(&[x]) {
        return x.silu();
    }
    let mut out = vec![0.0; x.elem_count()];
    with_values(&[x], |values| {
        out.par_chunks_mut(CHUNK).zip(values[0].par_chunks(CHUNK)).for_each(|(out, x)| silu_all(x, out));
    })?;
    Tensor::from_vec(out, x.shape(), x.device())
}

/// x · Φ(x), the exact (erf) GELU (Hendrycks & Gimpel 2016; `torch.nn.GELU`), element by element.
///
/// # Errors
/// When the device refuses.
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    if !are_ours(&[x]) {
        return x.gelu_erf();
    }
    let mut out = vec![0.0; x.elem_count()];
    with_values(&[x], |values| {
        out.par_chunks_mut(CHUNK).zip(values[0].par_chunks(CHUNK)).for_each(|(out, x)| gelu_all(x, out));
    })?;
    Tensor::from_vec(out, x.shape(), x.device())
}

/// The gated unit of the feed-forward layers: the last axis holds values, then gates;
/// result = values · gelu(gates) with the exact (erf) GELU (diffusers' `GEGLU`).
///
/// `[…, 2n]` → `[…, n]`.
///
/// # Errors
/// When the last axis is odd.
pub fn geglu(x: &Tensor) -> Result<Tensor> {
    let width = x.dim(D::Minus1)?;
    if !width.is_multiple_of(2) {
        candle_core::bail!("geglu: expected an even last axis, found {width}");
    }
    let half = width / 2;
    if !are_ours(&[x]) || half == 0 {
        return geglu_composed(x, half);
    }
    let mut out = vec![0.0; x.elem_count() / 2];
    with_values(&[x], |values| {
        out.par_chunks_mut(half).zip(values[0].par_chunks(width)).for_each(|(out, x)| gate(x, out));
    })?;
    let mut shape = x.dims().to_vec();
    shape[x.rank() - 1] = half;
    Tensor::from_vec(out, shape, x.device())
}

/// The same from candle's operations.
fn geglu_composed(x: &Tensor, half: usize) -> Result<Tensor> {
    let values = x.narrow(D::Minus1, 0, half)?;
    values * x.narrow(D::Minus1, half, half)?.gelu_erf()?
}

vectorised! {
    fn silu_all(x: &[f32], out: &mut [f32]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out = silu_of(*x);
        }
    }
}

vectorised! {
    fn gelu_all(x: &[f32], out: &mut [f32]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out = gelu_of(*x);
        }
    }
}

vectorised! {
    /// One row: values, then gates.
    fn gate(row: &[f32], out: &mut [f32]) {
        let (values, gates) = row.split_at(out.len());
        for ((out, value), gate) in out.iter_mut().zip(values).zip(gates) {
            *out = value * gelu_of(*gate);
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::kernels::{relative_error, test_values};

    // 1e-6: a few units in the last place on either side.

    #[test]
    fn silu_is_candles() {
        let x = Tensor::from_vec(test_values(35_000, 1), (5, 7000), &Device::Cpu).unwrap();
        let x = (x * 9.0).unwrap();
        assert!(relative_error(&silu(&x).unwrap(), &x.silu().unwrap()) < 1e-6);
        let turned = x.t().unwrap();
        assert!(
            relative_error(&silu(&turned).unwrap(), &turned.contiguous().unwrap().silu().unwrap()) < 1e-6
        );
    }

    #[test]
    fn gelu_is_candles() {
        let x = Tensor::from_vec(test_values(35_000, 3), (5, 7000), &Device::Cpu).unwrap();
        let x = (x * 7.0).unwrap();
        assert!(relative_error(&gelu(&x).unwrap(), &x.gelu_erf().unwrap()) < 1e-6);
    }

    #[test]
    fn geglu_is_candles_and_wants_an_even_axis() {
        let x = Tensor::from_vec(test_values(3 * 5 * 34, 2), (3, 5, 34), &Device::Cpu).unwrap();
        let x = (x * 6.0).unwrap();
        assert!(relative_error(&geglu(&x).unwrap(), &geglu_composed(&x, 17).unwrap()) < 1e-6);
        assert!(geglu(&x.narrow(2, 0, 33).unwrap()).is_err());
    }
}
