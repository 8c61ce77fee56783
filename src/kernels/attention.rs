//! Scaled dot-product attention.

use candle_core::{Result, Tensor};

use super::{are_ours, flash, with_values};

/// softmax(q kᵀ / √d) v for every head (Vaswani et al. 2017), d = C / heads.
///
/// `q` is `[B, T, C]`, `k` and `v` are `[B, S, C]`, the result is `[B, T, C]`; head h owns the
/// channels h·d .. (h + 1)·d of each.
///
/// # Errors
/// When the shapes do not belong together or `heads` does not divide the channels.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, queries, channels) = q.dims3()?;
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
    if keys == 0 || channels == 0 {
        candle_core::bail!("attention: expected keys, found [{batch}, {keys}, {channels}]");
    }
    if !are_ours(&[q, k, v]) {
        return composed(q, k, v, heads);
    }
    let shape = flash::Shape { batch, queries, keys, heads, width: channels / heads };
    let mut out = vec![0.0; q.elem_count()];
    with_values(&[q, k, v], |values| flash::attend(values[0], values[1], values[2], &shape, &mut out))?;
    Tensor::from_vec(out, q.shape(), q.device())
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

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::kernels::{relative_error, test_values, with_threads};

    fn tensor(batch: usize, tokens: usize, channels: usize, seed: u64) -> Tensor {
        let values = test_values(batch * tokens * channels, seed);
        // Scores of some 10: a softmax that is neither flat nor one single key.
        (Tensor::from_vec(values, (batch, tokens, channels), &Device::Cpu).unwrap() * 4.0).unwrap()
    }

    #[test]
    fn it_is_candles_for_sizes_around_the_blocks() {
        for (batch, queries, keys, heads, width) in [
            (2, 64, 77, 2, 8),
            (1, 65, 513, 3, 5),
            (1, 1, 1, 1, 4),
            (2, 3, 1030, 1, 40),
            (1, 200, 512, 2, 16),
        ] {
            let channels = heads * width;
            let (q, k) = (tensor(batch, queries, channels, 1), tensor(batch, keys, channels, 2));
            let v = tensor(batch, keys, channels, 3);
            let error =
                relative_error(&attention(&q, &k, &v, heads).unwrap(), &composed(&q, &k, &v, heads).unwrap());
            // Other order of sums in f32, over up to 1030 keys.
            assert!(error < 5e-6, "{queries}x{keys}, {heads} heads of {width}: {error:.2e}");
        }
    }

    #[test]
    fn huge_scores_do_not_overflow() {
        let q = (tensor(1, 5, 8, 1) * 1000.0).unwrap();
        let k = tensor(1, 600, 8, 2);
        let v = tensor(1, 600, 8, 3);
        assert!(relative_error(&attention(&q, &k, &v, 1).unwrap(), &composed(&q, &k, &v, 1).unwrap()) < 1e-4);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let (q, k, v) = (tensor(2, 150, 24, 1), tensor(2, 700, 24, 2), tensor(2, 700, 24, 3));
        let run = |threads| {
            let out = with_threads(threads, || attention(&q, &k, &v, 3).unwrap());
            out.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        assert_eq!(run(1), run(3));
    }

    #[test]
    fn shapes_that_do_not_belong_together_are_refused() {
        let (q, k) = (tensor(1, 4, 6, 1), tensor(1, 5, 6, 2));
        assert!(attention(&q, &k, &q, 2).is_err());
        assert!(attention(&q, &k, &k, 4).is_err());
        assert!(attention(&q, &k, &k, 0).is_err());
    }
}
