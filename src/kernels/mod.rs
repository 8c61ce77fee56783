//! The CPU operations that decide speed. Nobody else knows how they work.
//!
//! Every operation takes and returns candle tensors. What is not f32 on the CPU goes through candle's own
//! operations, with the same result up to rounding. On the CPU each number is computed by one
//! thread in one order, whatever the number of threads, so the result does not depend on it.

mod activation;
mod added;
mod attention;
mod conv;
mod dense;
mod direct;
mod flash;
mod linear;
mod norm;
mod normalise;
mod points;
mod scattered;
mod simd;
mod stored;
mod tile;
mod winograd;

pub use activation::{geglu, gelu, silu};
pub use attention::attention;
pub use conv::{Conv2d, Padding};
pub use linear::{Linear, joined};
pub use norm::{GroupNorm, Moments};

use candle_core::{CpuStorage, DType, Result, Storage, Tensor};

use stored::Stored;

/// Whether all of these are f32 tensors on the CPU, so that the kernels of this room apply.
fn are_ours(tensors: &[&Tensor]) -> bool {
    tensors.iter().all(|x| x.device().is_cpu() && x.dtype() == DType::F32)
}

/// Gives `work` the values of CPU tensors, each in row-major order (copied where it is not).
fn with_values<R>(tensors: &[&Tensor], work: impl FnOnce(&[&[f32]]) -> R) -> Result<R> {
    let tensors: Vec<Tensor> = tensors.iter().map(|x| x.contiguous()).collect::<Result<_>>()?;
    let storages: Vec<_> = tensors.iter().map(Tensor::storage_and_layout).collect();
    let mut slices = Vec::with_capacity(storages.len());
    for (storage, layout) in &storages {
        let (Storage::Cpu(values), Some((from, to))) = (&**storage, layout.contiguous_offsets()) else {
            candle_core::bail!("kernel: expected a contiguous tensor on the CPU");
        };
        slices.push(&values.as_slice::<f32>()?[from..to]);
    }
    Ok(work(&slices))
}

/// Gives `work` the numbers of a CPU tensor of type `f32`, `f16` or `bf16` in row-major order.
fn with_stored<R>(tensor: &Tensor, work: impl FnOnce(Stored) -> R) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    let (Storage::Cpu(values), Some((from, to))) = (&*storage, layout.contiguous_offsets()) else {
        candle_core::bail!("kernel: expected a contiguous tensor on the CPU");
    };
    let all = match values {
        CpuStorage::F32(values) => Stored::F32(values),
        CpuStorage::F16(values) => Stored::F16(values),
        CpuStorage::BF16(values) => Stored::Bf16(values),
        _ => {
            let found = tensor.dtype();
            candle_core::bail!("kernel: expected weights of type f32, f16 or bf16, found {found:?}")
        }
    };
    Ok(work(all.part(from, to - from)))
}

/// Random values for the tests of this room: Weyl sequence, about −1..1.
#[cfg(test)]
fn test_values(count: usize, seed: u64) -> Vec<f32> {
    let step = 0x9e37_79b9_7f4a_7c15_u64;
    let value = |i: u64| {
        let mut x = (i + 1).wrapping_mul(step) ^ seed.wrapping_mul(0x2545_f491_4f6c_dd1d);
        x = (x ^ (x >> 31)).wrapping_mul(step);
        ((x >> 40) as f32 / (1u64 << 23) as f32) - 1.0
    };
    (0..count as u64).map(value).collect()
}

/// Largest absolute difference over the largest absolute value of `b`.
#[cfg(test)]
fn relative_error(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.dims(), b.dims());
    let values = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let (a, b) = (values(a), values(b));
    let largest = b.iter().fold(0f32, |m, x| m.max(x.abs()));
    let worst = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
    assert!(a.iter().all(|x| x.is_finite()));
    f64::from(worst) / f64::from(largest).max(1e-30)
}

/// Runs `work` in a pool of that many threads.
#[cfg(test)]
fn with_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}
