//! A depth network of published size on one picture, in seconds.
//!
//! `benches/depth.py` makes the weights (random: time does not depend on them), times PyTorch in the same run,
//! taking turns, and calls this with the folder of the model in `KINORA_DEPTH_MODEL`. Without it nothing is measured.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::path::PathBuf;
use std::time::Instant;

use candle_core::{Device, Tensor};
use kinora::depth::DepthNetwork;
use kinora::models::ModelFolder;

fn main() {
    let Some(folder) = std::env::var_os("KINORA_DEPTH_MODEL") else { return };
    let side: usize = std::env::var("KINORA_DEPTH_SIDE").map_or(518, |side| side.parse().unwrap());
    let model = ModelFolder::open(&PathBuf::from(folder)).unwrap();
    let start = Instant::now();
    let network = DepthNetwork::load(&model, &Device::Cpu).unwrap();
    println!("load {:.3}", start.elapsed().as_secs_f64());
    let values: Vec<f32> = (0..3 * side * side).map(|i| (i % 251) as f32 / 125.0 - 1.0).collect();
    let pixels = Tensor::from_vec(values, (1, 3, side, side), &Device::Cpu).unwrap();
    // A line on stdin asks for one more pass, so that the peer can take turns.
    for _ in std::io::stdin().lines() {
        let start = Instant::now();
        let depth = network.forward(&pixels).unwrap();
        println!("pass {:.3} {:?}", start.elapsed().as_secs_f64(), depth.dims());
    }
}
