//! Activation functions.

use candle_core::{D, Result, Tensor};

/// x · sigmoid(x), element by element (Elfwing et al. 2017; `torch.nn.SiLU`).
///
/// # Errors
/// When the device refuses.
pub fn silu(x: &Tensor) -> Result<Tensor> {
    x.silu()
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
    let values = x.narrow(D::Minus1, 0, width / 2)?;
    let gates = x.narrow(D::Minus1, width / 2, width / 2)?;
    values * gates.gelu_erf()?
}
