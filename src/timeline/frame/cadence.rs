//! Which frames the model paints, what is shown between them, and how often a painted frame is painted.

/// Cadence and redo at one frame. The default paints every frame once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CadenceParams {
    /// Frames since the last one that was painted; 0 is painted itself.
    pub step: u32,
    /// Frames from that one to the next that is painted, or to the end of the scene; at least 1.
    pub length: u32,
    /// That frame was the scene's first.
    pub opens: bool,
    /// How the motion between two painted pictures is found, along which they are blended.
    pub flow: Option<FlowMethod>,
    /// Multiplier of that motion.
    pub flow_factor: f64,
    /// Times that a painted frame is painted and painted over before it counts.
    pub redo: u32,
    /// A painted frame is painted once more first, and what it moved by is moved again (Deforum's
    /// `optical_flow_redo_generation`).
    pub redo_flow: Option<FlowMethod>,
    /// Multiplier of that motion.
    pub redo_flow_factor: f64,
}

impl Default for CadenceParams {
    fn default() -> Self {
        Self {
            step: 0,
            length: 1,
            opens: false,
            flow: None,
            flow_factor: 1.0,
            redo: 0,
            redo_flow: None,
            redo_flow_factor: 1.0,
        }
    }
}

impl CadenceParams {
    /// Whether the model paints at this frame.
    pub fn is_painted(&self) -> bool {
        self.step == 0
    }

    /// Share of the newer picture in what is shown, above 0; 1 at the last frame before the next painted one.
    pub fn tween(&self) -> f64 {
        f64::from(self.step + 1) / f64::from(self.length.max(1))
    }

    /// How often the model paints at this frame: 0 between painted frames. `over` says whether there is a picture
    /// underneath of which something is kept: without one nothing is done again.
    pub fn paintings(&self, over: bool) -> u32 {
        match (self.is_painted(), over) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 1 + self.redo + u32::from(self.redo_flow.is_some()),
        }
    }
}

/// Ways to find the motion between two pictures, by Deforum's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowMethod {
    /// Dense inverse search on half the picture.
    DisMedium,
    /// Dense inverse search on the whole picture.
    DisFine,
    /// Polynomial expansion.
    Farneback,
}
