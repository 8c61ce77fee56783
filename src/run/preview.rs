//! `preview`: the film's motion over a grid or its own first picture, without a model.

use std::path::{Path, PathBuf};

use candle_core::Device;

use crate::canvas::{Canvas, Size};
use crate::encode::{FrameSink, VideoWriter};
use crate::error::{Error, Result};
use crate::progress::{Progress, Stop, StopFlag};
use crate::render::frame_loop::{LoopState, Rules, StageTimes, Studio};
use crate::render::seams::{PaintRequest, Painter};
use crate::run::backward::Backward;
use crate::run::finish::{encoding, refuse_other_formats};
use crate::run::preview_keys::PreviewedZooms;
use crate::run::project::Project;
use crate::run::report::Report;
use crate::run::sources::Files;
use crate::timeline::frame::{Camera, Coherence, DepthSource, FrameParams, HoldParams};

/// The size of a preview when the film leaves it to the model.
const SIZE: Size = Size::new(512, 512);

/// Writes the preview's video.
///
/// # Errors
/// When a file the film names cannot be read, or the video cannot be written.
pub fn preview(
    project: &Project,
    out: Option<&Path>,
    progress: &dyn Progress,
    stop: &StopFlag,
) -> Result<Report> {
    let out = out.map_or_else(|| default_out(project), Path::to_owned);
    refuse_other_formats(&out)?;
    let size = project.timeline.size().map_or(SIZE, |(w, h)| Size::new(w as usize, h as usize));
    let frames = project.timeline.frames();
    let fps = project.fps();
    let mut writer = VideoWriter::open(&out, size, fps, &encoding(project)?)?;
    let mut painter = Unpainted;
    let mut sources = Files::new(Device::Cpu, project.folder());
    let mut studio = Studio {
        painter: &mut painter,
        sources: &mut sources,
        size,
        rules: Rules { measured: false, ..Rules::NATIVE },
        times: StageTimes::default(),
    };
    let mut state = LoopState::default();
    let bared = (0..frames).map(|frame| Ok(bare(project.timeline.at(frame)?))).collect::<Result<Vec<_>>>()?;
    let mut zooms = PreviewedZooms::of(&bared, size)?;
    let mut shown = Backward::beside(&out, &project.timeline);
    progress.begin("preview", u64::from(frames), 0);
    for params in &bared {
        if stop.get() != Stop::No {
            return Err(Error::Interrupted);
        }
        let canvas = match zooms.frame(params, &mut studio)? {
            Some(composed) => Some(composed),
            None => studio.frame(params, &mut state, &mut |_, _| true)?.map(|made| made.canvas),
        };
        if let Some(canvas) = canvas {
            shown.take(params.frame, canvas, &mut |_, canvas| Ok(writer.push(&canvas)?))?;
        }
        progress.frame();
    }
    Box::new(writer).finish()?;
    progress.end();
    let mut report = Report::new(&out, &out, frames, 0);
    report.written = frames;
    report.fps = fps.as_f64();
    Ok(report)
}

/// `film.preview.mp4` beside the film.
fn default_out(project: &Project) -> PathBuf {
    let base = project.video_path();
    let stem = base.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    base.with_file_name(format!("{stem}.preview.mp4"))
}

/// The frame's motion without what belongs to painting. Depth that a network would see in painted
/// pictures is not there yet: a grid has none, so the relief is flat.
fn bare(mut params: FrameParams) -> FrameParams {
    params.colour.coherence = Coherence::None;
    params.colour.contrast = 1.0;
    params.colour.sharpen.amount = 0.0;
    params.noise.amount = 0.0;
    params.hold = HoldParams::default();
    params.controls.clear();
    params.relief.save = false;
    if matches!(params.camera, Camera::Deep(_)) && matches!(params.depth, DepthSource::Network(_)) {
        params.depth = DepthSource::Flat;
    }
    params
}

/// Leaves what is underneath as it is; a first frame without anything becomes a grid.
struct Unpainted;

impl Painter for Unpainted {
    fn paint(
        &mut self,
        request: &PaintRequest<'_>,
        _watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Option<Canvas>> {
        Ok(Some(request.init.cloned().unwrap_or_else(|| grid(request.size))))
    }
}

/// Squares of an eighth of the shorter side, coloured by their place so that motion can be followed,
/// with a box in the middle.
fn grid(size: Size) -> Canvas {
    let cell = (size.width.min(size.height) / 8).max(4);
    let mut canvas = Canvas::filled(size, [0; 3]);
    let (width, height) = (size.width, size.height);
    let boxed = |x: usize, y: usize| {
        let dx = (2 * x).abs_diff(width) / cell;
        let dy = (2 * y).abs_diff(height) / cell;
        dx.max(dy) == 2
    };
    for (i, pixel) in canvas.as_rgb8_mut().chunks_exact_mut(3).enumerate() {
        let (x, y) = (i % width, i / width);
        let line = x % cell < 1 + cell / 24 || y % cell < 1 + cell / 24;
        let even = (x / cell + y / cell).is_multiple_of(2);
        let colour = match (line, boxed(x, y), even) {
            (true, ..) => [235, 235, 235],
            (_, true, _) => [200, 120, 40],
            (_, _, true) => [(60 + 120 * x / width) as u8, 70, (60 + 120 * y / height) as u8],
            _ => [(30 + 120 * x / width) as u8, 40, (30 + 120 * y / height) as u8],
        };
        pixel.copy_from_slice(&colour);
    }
    canvas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_has_lines_boxes_and_fields_at_any_size() {
        for size in [Size::new(64, 64), Size::new(512, 256), Size::new(3, 5)] {
            assert_eq!(grid(size).size(), size);
        }
        let canvas = grid(Size::new(512, 512));
        let colours: std::collections::BTreeSet<&[u8]> = canvas.as_rgb8().chunks(3).collect();
        assert!(colours.contains(&[235, 235, 235][..]) && colours.contains(&[200, 120, 40][..]));
    }
}
