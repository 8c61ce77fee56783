//! The kernels beside candle's own operations, at the shapes of Stable Diffusion 1.5 (batch 1, 512×512) and of the
//! embedded model (batch 2, 256×256).
//!
//! `cargo bench --bench kernels`; a word after `--` selects benches. Both sides run in the same process
//! on the same threads, so their ratio means something on a busy machine too.

use std::hint::black_box;
use std::time::Duration;

use candle_core::{Device, Result, Tensor};
use candle_nn::Module as _;
use criterion::{Criterion, criterion_group, criterion_main};
use kinora::kernels::{Conv2d, GroupNorm, Padding, attention, geglu, silu};

fn tensor(shape: &[usize]) -> Tensor {
    let count: usize = shape.iter().product();
    // A sawtooth without short period: neither constant nor denormal.
    let values: Vec<f32> = (0..count).map(|i| (i * 7919 % 10007) as f32 / 5003.0 - 1.0).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).expect("the shape holds the values")
}

/// Benches ours and candle's side by side.
fn pair(
    c: &mut Criterion,
    name: &str,
    ours: impl Fn() -> Result<Tensor>,
    candles: impl Fn() -> Result<Tensor>,
) {
    let mut group = c.benchmark_group(name);
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    group.bench_function("ours", |b| b.iter(|| black_box(ours().expect("shapes fit"))));
    group.bench_function("candle", |b| b.iter(|| black_box(candles().expect("shapes fit"))));
    group.finish();
}

fn convolution(c: &mut Criterion) {
    for (batch, inputs, outputs, side, stride) in [
        (1, 320, 320, 64, 1),
        (1, 640, 640, 32, 1),
        (1, 1280, 1280, 16, 1),
        (1, 1280, 1280, 8, 1),
        (1, 960, 320, 64, 1),
        (1, 320, 320, 64, 2),
        (1, 512, 512, 128, 1),
        (1, 128, 128, 512, 1),
        (2, 48, 48, 32, 1),
        (2, 96, 96, 16, 1),
        (2, 192, 192, 8, 1),
        (1, 32, 32, 256, 1),
    ] {
        let (x, weight) = (tensor(&[batch, inputs, side, side]), tensor(&[outputs, inputs, 3, 3]));
        let bias = tensor(&[outputs]);
        let conv =
            Conv2d::new(weight.clone(), Some(bias.clone()), stride, Padding::Even(1)).expect("it fits");
        let bias = bias.reshape((1, outputs, 1, 1)).expect("it fits");
        pair(
            c,
            &format!("conv3x3/{batch}x{inputs}-{outputs}@{side}s{stride}"),
            || conv.forward(&x),
            || x.conv2d(&weight, 1, stride, 1, 1)?.broadcast_add(&bias),
        );
    }
}

fn attentions(c: &mut Criterion) {
    for (batch, queries, keys, heads, width) in [
        (1, 4096, 4096, 8, 40),
        (1, 1024, 1024, 8, 80),
        (1, 256, 256, 8, 160),
        (1, 4096, 77, 8, 40),
        (2, 256, 256, 3, 32),
        (2, 256, 77, 3, 32),
    ] {
        let channels = heads * width;
        let (q, k) = (tensor(&[batch, queries, channels]), tensor(&[batch, keys, channels]));
        pair(
            c,
            &format!("attention/{batch}x{queries}x{keys}, {heads}x{width}"),
            || attention(&q, &k, &k, heads),
            || {
                let split = |x: &Tensor| x.reshape((batch, (), heads, width))?.transpose(1, 2)?.contiguous();
                let scores = (split(&q)?.matmul(&split(&k)?.t()?)? / (width as f64).sqrt())?;
                let weights = candle_nn::ops::softmax_last_dim(&scores)?;
                weights.matmul(&split(&k)?)?.transpose(1, 2)?.reshape((batch, queries, channels))
            },
        );
    }
}

fn norms(c: &mut Criterion) {
    for (batch, channels, side, groups) in
        [(1, 320, 64, 32), (1, 960, 64, 32), (1, 128, 512, 32), (2, 48, 32, 16), (2, 192, 8, 16)]
    {
        let (x, weight) = (tensor(&[batch, channels, side, side]), tensor(&[channels]));
        let ours = GroupNorm::new(weight.clone(), weight.clone(), groups, 1e-5).expect("it fits");
        let candles =
            candle_nn::GroupNorm::new(weight.clone(), weight, channels, groups, 1e-5).expect("it fits");
        pair(
            c,
            &format!("norm+silu/{batch}x{channels}@{side}"),
            || ours.forward_silu(&x),
            || candles.forward(&x)?.silu(),
        );
    }
}

fn activations(c: &mut Criterion) {
    let x = tensor(&[1, 320, 64, 64]);
    pair(c, "silu/320@64", || silu(&x), || x.silu());
    let x = tensor(&[1, 4096, 2560]);
    let candles = || x.narrow(2, 0, 1280)? * x.narrow(2, 1280, 1280)?.gelu_erf()?;
    pair(c, "geglu/4096x2560", || geglu(&x), candles);
}

criterion_group!(benches, convolution, attentions, norms, activations);
criterion_main!(benches);
