//! Colour coherence, contrast and sharpness of 8-bit pictures.
//!
//! Everything here is integer or table arithmetic equal to what Deforum (sd-webui-deforum 32242685) gets from
//! OpenCV 4.8 and 5.0, NumPy and scikit-image 0.22, bit for bit unless the item says otherwise.

mod coherence;
pub mod compose;
mod contrast;
mod sharpen;
mod space;

pub use coherence::{Anchor, ChannelOrder};
pub use contrast::{Overflow, contrast, grey};
pub use sharpen::sharpen;
