//! Colour coherence, contrast and sharpness of 8-bit pictures.
//!
//! Everything here is integer or table arithmetic equal to what Deforum (sd-webui-deforum 32242685) gets from
//! OpenCV 4.8 and 5.0, NumPy and scikit-image 0.22, bit for bit unless the item says otherwise.

//! The exceptions are what Deforum does not have: measures, what pulls them back, and linear transport.

mod coherence;
pub mod compose;
mod contrast;
mod hold;
mod measure;
mod sharpen;
mod space;
mod transport;

pub use coherence::{Anchor, ChannelOrder, part_way};
pub use contrast::{Overflow, contrast, grey};
pub use hold::Pull;
pub use measure::{COMPARED, Measures};
pub use sharpen::sharpen;
pub use transport::{Moments, Transport};
