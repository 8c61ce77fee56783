//! A change of a LoRA's weight: merged into the weights once, or a side branch in every step.
//!
//! The layers are those of one transformer block of Stable Diffusion 1.5 at each of its four widths, with the tokens
//! of a 512x512 picture and its negative; rank 32. The whole UNet has 5, 5, 5 and 1 of them. A merge is done once for
//! a frame, a side branch is run in each of its steps.

#![allow(missing_docs, reason = "criterion's macros")]
#![allow(clippy::unwrap_used, reason = "a bench may panic")]
#![allow(clippy::disallowed_types, reason = "candle's builder takes a HashMap; its order says nothing here")]

use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use criterion::{Criterion, criterion_group, criterion_main};
use kinora::diffusion::lora::{Lora, LoraFile, Networks, PatchedWeights, patch_unet};

const RANK: usize = 32;
/// Channels and tokens of a picture at each width.
const WIDTHS: [(usize, usize); 4] = [(320, 4096), (640, 1024), (1280, 256), (1280, 64)];

/// Layers of a transformer block: name, inputs, outputs, and whether it looks at the text.
fn layers(channels: usize) -> Vec<(String, usize, usize, bool)> {
    let mut layers = Vec::new();
    for attention in ["attn1", "attn2"] {
        for part in ["to_q", "to_k", "to_v", "to_out.0"] {
            let reads = attention == "attn2" && matches!(part, "to_k" | "to_v");
            layers.push((format!("{attention}.{part}"), if reads { 768 } else { channels }, channels, reads));
        }
    }
    layers.push(("ff.net.0.proj".to_owned(), channels, 8 * channels, false));
    layers.push(("ff.net.2".to_owned(), 4 * channels, channels, false));
    layers
}

fn random(shape: &[usize]) -> Tensor {
    let count = shape.iter().product::<usize>();
    let wave =
        (0..count).map(|i| ((i as u32).wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32 - 0.5);
    Tensor::from_vec(wave.collect::<Vec<f32>>(), shape, &Device::Cpu).unwrap()
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("lora");
    group.sample_size(10).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(300));
    let block = "down_blocks.0.attentions.0.transformer_blocks.0";
    for (channels, tokens) in WIDTHS {
        let (mut base, mut file) = (HashMap::new(), Vec::new());
        for (name, inputs, outputs, _) in layers(channels) {
            base.insert(
                format!("{block}.{name}.weight"),
                random(&[outputs, inputs]).to_dtype(DType::F16).unwrap(),
            );
            file.push((format!("unet.{block}.{name}.lora_A.weight"), random(&[RANK, inputs])));
            file.push((format!("unet.{block}.{name}.lora_B.weight"), random(&[outputs, RANK])));
        }
        let names: Vec<String> = base.keys().cloned().collect();
        let bytes = safetensors::serialize(file.clone(), None).unwrap();
        let weights = PatchedWeights::new(VarBuilder::from_tensors(base, DType::F32, &Device::Cpu));
        let read =
            || names.iter().map(|name| weights.builder().get_unchecked(name).unwrap()).collect::<Vec<_>>();
        read();
        let file = Arc::new(LoraFile::from_bytes(bytes, Path::new("bench")).unwrap());
        let lora = Lora::new(file, &Networks::new(&weights, &[])).unwrap();
        patch_unet(&weights, &[(&lora, 0.7)]);
        let label = format!("{channels} x {tokens}");
        group.bench_function(format!("merge, once a frame: {label}"), |b| b.iter(|| black_box(read())));

        let branches: Vec<(Tensor, Tensor, Tensor)> = layers(channels)
            .into_iter()
            .map(|(_, inputs, outputs, reads)| {
                let rows = if reads { 77 } else { tokens };
                (random(&[2 * rows, inputs]), random(&[inputs, RANK]), random(&[RANK, outputs]))
            })
            .collect();
        let outputs: Vec<Tensor> =
            branches.iter().map(|(x, _, up)| random(&[x.dims()[0], up.dims()[1]])).collect();
        group.bench_function(format!("side branch, every step: {label}"), |b| {
            b.iter(|| {
                for ((x, down, up), y) in branches.iter().zip(&outputs) {
                    black_box((y + x.matmul(down).unwrap().matmul(up).unwrap()).unwrap());
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
