//! Scaled dot-product attention.

use candle_core::{Result, Tensor};

/// softmax(q kᵀ / √d) v for every head (Vaswani et al. 2017), d = C / heads.
///
/// `q` is `[B, T, C]`, `k` and `v` are `[B, S, C]`, the result is `[B, T, C]`; head h owns the
/// channels h·d .. (h + 1)·d of each.
///
/// # Errors
/// When the shapes do not belong together or `heads` does not divide the channels.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, _, channels) = q.dims3()?;
    let (_, keys, _) = k.dims3()?;
    if heads == 0 || channels % heads != 0 {
        candle_core::bail!("attention: expected a number of heads that divides {channels}, found {heads}");
    }
    for (name, tensor) in [("keys", k), ("values", v)] {
        if tensor.dims() != [batch, keys, channels] {
            let found = tensor.dims();
            candle_core::bail!("attention: expected {name} [{batch}, {keys}, {channels}], found {found:?}");
        }
    }
    composed(q, k, v, heads)
}

/// The same from candle's operations.
fn composed(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, queries, channels) = q.dims3()?;
    let split = |x: &Tensor| x.reshape((batch, (), heads, channels / heads))?.transpose(1, 2)?.contiguous();
    let scale = 1.0 / ((channels / heads) as f64).sqrt();
    let scores = (split(q)?.matmul(&split(k)?.t()?)? * scale)?;
    let weights = candle_nn::ops::softmax_last_dim(&scores)?;
    weights.matmul(&split(v)?)?.transpose(1, 2)?.reshape((batch, queries, channels))
}
