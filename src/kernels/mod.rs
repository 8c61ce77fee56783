//! The CPU operations that decide speed. Nobody else knows how they work.
//!
//! Every operation takes and returns candle tensors. Tensors on another device than the CPU go
//! through candle's own operations, with the same result up to rounding. On the CPU each result is
//! computed by one thread in one order, so it does not depend on the number of threads.

mod activation;
mod attention;
mod conv;
mod norm;

pub use activation::{geglu, silu};
pub use attention::attention;
pub use conv::{Conv2d, Padding};
pub use norm::GroupNorm;
