//! Every random number of the program: generators equal to PyTorch's, and noise pictures.

mod brownian;
mod generator;
mod normal;
mod perlin;
mod philox;
mod picture;
mod seed_sequence;
mod slerp;
mod torch;

pub use brownian::BrownianTree;
pub use generator::{Generator, NoiseKind};
pub use perlin::perlin;
pub use philox::philox_randn;
pub use picture::{NoiseOptions, Outside, add, add_with};
pub use slerp::{arc_weights, slerp, stream_seed};
pub use torch::TorchRng;
