//! Grey films, and where colours are matched.

/// The default matches before and after painting, in colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToneParams {
    /// The film is grey.
    pub grayscale: bool,
    /// Colours are matched before a frame is painted over and not afterwards (Deforum's `legacy_colormatch`).
    pub legacy_match: bool,
    /// The painted picture becomes the one that colours are matched to: Deforum's rule for frames of no strength
    /// with `legacy_match`. kinora's own films never ask for it.
    pub renews_reference: bool,
}
