//! Every random number of the program: generators equal to PyTorch's, and noise pictures.

mod normal;
mod philox;
mod slerp;
mod torch;

pub use philox::philox_randn;
pub use slerp::{slerp, stream_seed};
pub use torch::TorchRng;
