//! Every random number of the program: generators equal to PyTorch's, and noise pictures.

mod normal;
mod perlin;
mod philox;
mod picture;
mod slerp;
mod torch;

pub use perlin::perlin;
pub use philox::philox_randn;
pub use picture::{NoiseOptions, Outside, add, add_with};
pub use slerp::{arc_weights, slerp, stream_seed};
pub use torch::TorchRng;
