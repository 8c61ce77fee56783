//! How what the camera uncovered is painted.

/// How what the camera uncovered is painted: by a strength of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FillParams {
    /// Share that is kept of what the border put there, 0 to 1; 0 makes it all new.
    pub strength: f64,
    /// Pixels beyond the uncovered place over which its strength passes into the frame's, 0 or more.
    pub feather: f64,
    /// `border = outpaint`: what is uncovered is the picture's continuation, painted before it comes into sight.
    pub outpaint: bool,
    /// Pixels that are painted ahead beyond an edge that the flat camera uncovers, with `outpaint`; `None` is a
    /// quarter of the longer side in a scroll that keeps what is known (`strength = 1`), else an eighth.
    pub margin: Option<u32>,
}

/// Pixels over which strengths pass into each other: two latent pixels of Stable Diffusion.
pub const FEATHER: f64 = 16.0;

/// Share that `border = outpaint` keeps of the colours around what it paints. Out of pure noise comes land of a kind of its
/// own beside what is known, with a line where they meet; a quarter is enough for its light and colours to go on, and too
/// little to be seen as a blur.
pub const OUTPAINTED: f64 = 0.25;
