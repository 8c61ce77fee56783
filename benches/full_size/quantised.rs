//! Whether quantised linear layers would pay: candle's q8_0 product beside ours with f16 weights.
//!
//! They do not with candle 0.11 on two AVX-512 cores: at 8192 and 2048 tokens q8_0 takes 4.2 and 4.8 times as long as ours with
//! f16, saves half of the weights' memory (which f16 already halves), and its error is 2e-3 where f16 has none beside the
//! file. So GGUF models are not read.

use std::time::Instant;

use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{DType, Device, Module as _, Tensor};
use kinora::kernels::Linear;

/// Tokens, inputs, outputs: the feed-forward layers of Stable Diffusion 1.5 at 512×512, guided.
const SHAPES: [(usize, usize, usize); 3] = [(8192, 320, 2560), (2048, 640, 5120), (512, 1280, 10240)];

/// Seconds, bytes of the weights, and error of both.
pub fn measure() {
    println!(
        "tokens x inputs -> outputs: f16 s, q8_0 s, q8_0 / f16; MiB of weights; errors beside f32 weights"
    );
    for (tokens, inputs, outputs) in SHAPES {
        let (x, weight) =
            (sawtooth(tokens, inputs), (sawtooth(outputs, inputs) / (inputs as f64).sqrt()).unwrap());
        let exact = Linear::new(weight.clone(), None).forward(&x).unwrap();
        let half = Linear::new(weight.to_dtype(DType::F16).unwrap(), None);
        let quantised = QTensor::quantize(&weight, GgmlDType::Q8_0).unwrap();
        let bytes = quantised.storage_size_in_bytes();
        let quantised = QMatMul::from_qtensor(quantised).unwrap();
        let (mut seconds, mut errors) = ([f64::INFINITY; 2], [0.0; 2]);
        for _ in 0..3 {
            for (i, run) in [&half as &dyn candle_core::Module, &quantised].into_iter().enumerate() {
                let start = Instant::now();
                let out = run.forward(&x).unwrap();
                seconds[i] = seconds[i].min(start.elapsed().as_secs_f64());
                errors[i] = error(&out, &exact);
            }
        }
        println!(
            "{tokens}x{inputs} -> {outputs}: {:.3}, {:.3}, {:.2}; {:.1}, {:.1}; {:.1e}, {:.1e}",
            seconds[0],
            seconds[1],
            seconds[1] / seconds[0],
            (2 * inputs * outputs) as f64 / f64::from(1 << 20),
            bytes as f64 / f64::from(1 << 20),
            errors[0],
            errors[1]
        );
    }
}

fn sawtooth(rows: usize, columns: usize) -> Tensor {
    let values: Vec<f32> = (0..rows * columns).map(|i| (i * 7919 % 10007) as f32 / 5003.0 - 1.0).collect();
    Tensor::from_vec(values, (rows, columns), &Device::Cpu).unwrap()
}

/// Largest difference over the largest value.
fn error(a: &Tensor, b: &Tensor) -> f64 {
    let values = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let (a, b) = (values(a), values(b));
    let largest = b.iter().fold(0f32, |m, v| m.max(v.abs()));
    f64::from(a.iter().zip(&b).fold(0f32, |m, (a, b)| m.max((a - b).abs())) / largest)
}
