//! How long the diffusion model takes: a few real steps at the film's size, and a sum.

use std::time::Instant;

use serde::Serialize;

use crate::canvas::{Canvas, Size};
use crate::error::{Error, Result};
use crate::render::frame_loop::rebuilding;
use crate::render::seams::{PaintRequest, Painter as _};
use crate::run::cast::Cast;
use crate::run::models::ModelPainter;
use crate::timeline::frame::{FrameParams, FrameSource};

/// Steps that are measured; the first one warms everything up and does not count.
const MEASURED: u32 = 3;

/// What was measured, and what follows from it. Seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Time {
    /// One step of the sampler with guidance and controls.
    pub step: f64,
    /// What a frame takes besides: text, encoding and decoding.
    pub besides: f64,
    /// All frames that are to be painted: `steps * step + frames * besides`.
    pub painting: f64,
}

/// Steps that a frame of `size` runs: its share of the schedule, or all of it when it comes from text; where the camera
/// uncovers something to be rebuilt, the mean of the frames that do so and those between.
pub(super) fn steps(params: &FrameParams, size: Size, painter: &ModelPainter) -> Result<u64> {
    let steps = match params.sampling.steps {
        Some(steps) => steps,
        None => painter.defaults(&Cast::of(params))?.steps,
    };
    let from_text = match params.source {
        FrameSource::Previous => params.cut,
        ref other => *other == FrameSource::Text,
    };
    let times = paintings(params);
    if times == 0 {
        return Ok(0);
    }
    let share = if from_text { 1.0 } else { 1.0 - params.sampling.strength };
    let rebuilt = params.fill.map_or(share, |fill| share.max(1.0 - fill.strength));
    let share = share + (rebuilt - share) * rebuilding(params, size);
    // A start between two levels costs a step, as in `diffusion::img2img`; 1e-6 is its tolerance.
    let each = (share.clamp(0.0, 1.0) * f64::from(steps) - 1e-6).ceil().max(0.0) as u64;
    Ok(each * u64::from(times))
}

/// How often the model paints at a frame.
pub(super) fn paintings(params: &FrameParams) -> u32 {
    params.cadence.paintings(!params.cut && params.sampling.strength > 0.0)
}

/// Paints a grey picture over for a few steps with the settings of the frame `first`.
pub(super) fn time(
    painter: &mut ModelPainter,
    first: &FrameParams,
    size: Size,
    todo: &[&FrameParams],
    steps: u64,
) -> Result<Time> {
    painter.engine(&Cast::of(first))?;
    let grey = Canvas::filled(size, [128; 3]);
    let mut params = first.clone();
    params.sampling.steps = Some(MEASURED);
    params.sampling.strength = 0.0;
    let hints = params.controls.iter().map(|_| Some(grey.clone())).collect();
    let request = PaintRequest { params: &params, size, init: Some(&grey), hints, mask: None, anew: None };
    let start = Instant::now();
    let mut ends = Vec::new();
    painter.paint(&request, &mut |_, _| {
        ends.push(start.elapsed().as_secs_f64());
        true
    })?;
    let whole = start.elapsed().as_secs_f64();
    let (Some(warm), Some(last)) = (ends.first(), ends.last()) else {
        return Err(Error::Bug("a measured frame ran no steps".to_owned()));
    };
    let counted = ends.len().saturating_sub(1).max(1) as f64;
    let step = if ends.len() > 1 { (last - warm) / counted } else { *last };
    let besides = (whole - step * ends.len() as f64).max(0.0);
    let painting =
        step * steps as f64 + besides * todo.iter().map(|params| f64::from(paintings(params))).sum::<f64>();
    Ok(Time { step, besides, painting })
}
