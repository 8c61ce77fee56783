//! `preview`: the film's motion over a grid or its own first picture, without a model. Boxes are drawn anew now and
//! then and ride on the picture, so that motion is seen however long it lasts.

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use candle_core::Device;

use crate::camera::Manner;
use crate::canvas::{Canvas, Size};
use crate::encode::{FrameSink, VideoSettings, VideoWriter};
use crate::error::{Error, Result};
use crate::progress::{Progress, Stop, StopFlag};
use crate::render::frame_loop::{LoopState, Rules, StageTimes, Studio};
use crate::render::seams::{PaintRequest, Painter};
use crate::run::backward::Backward;
use crate::run::finish::{encoding, refuse_other_formats};
use crate::run::preview_keys::PreviewedZooms;
use crate::run::project::Project;
use crate::run::report::Report;
use crate::run::sheet::Sheet;
use crate::run::sources::Files;
use crate::timeline::frame::{Camera, Coherence, DepthSource, FrameParams, HoldParams};

/// The size of a preview when the film leaves it to the model.
const SIZE: Size = Size::new(512, 512);

/// Frames between two boxes that begin to ride on the picture.
const BOXES: u32 = 12;
/// Frames that wait for the encoder, at most.
const AHEAD: usize = 8;

/// Writes the preview: a video, or a contact sheet when that is asked for or `out` is a PNG.
///
/// # Errors
/// When a file the film names cannot be read, or the video or the sheet cannot be written.
pub fn preview(
    project: &Project,
    out: Option<&Path>,
    sheet: bool,
    progress: &dyn Progress,
    stop: &StopFlag,
) -> Result<Report> {
    let is_png = |out: &Path| out.extension().is_some_and(|e| e.eq_ignore_ascii_case("png"));
    let sheet = sheet || out.is_some_and(is_png);
    let out = out.map_or_else(|| default_out(project, sheet), Path::to_owned);
    let size = project.timeline.size().map_or(SIZE, |(w, h)| Size::new(w as usize, h as usize));
    let frames = project.timeline.frames();
    if sheet {
        if !is_png(&out) {
            return Err(Error::Usage {
                message: format!(
                    "expected a name that ends in .png for a contact sheet, found {}",
                    out.display()
                ),
                hint: None,
            });
        }
        let mut paper = Sheet::new(&project.timeline, size);
        ride(project, &out, size, progress, stop, &mut |frame, canvas| {
            paper.take(frame, &canvas);
            Ok(())
        })?;
        paper.save(&out)?;
    } else {
        refuse_other_formats(&out)?;
        film(project, &out, size, progress, stop)?;
    }
    let mut report = Report::new(&out, &out, frames, 0);
    report.written = frames;
    report.fps = project.fps().as_f64();
    Ok(report)
}

/// The video: one thread moves pictures, one encodes them.
fn film(project: &Project, out: &Path, size: Size, progress: &dyn Progress, stop: &StopFlag) -> Result<()> {
    // A look at motion need not be small.
    let settings = VideoSettings { preset: "ultrafast".parse()?, ..encoding(project)? };
    let (give, take) = sync_channel::<Canvas>(AHEAD);
    std::thread::scope(|scope| {
        let encoder = scope.spawn(move || -> Result<VideoWriter> {
            let mut writer = VideoWriter::open(out, size, project.fps(), &settings)?;
            for canvas in take {
                writer.push(&canvas)?;
            }
            Ok(writer)
        });
        // The encoder hangs up only when it has failed, and says itself why.
        let ridden = ride(project, out, size, progress, stop, &mut |_, canvas| {
            give.send(canvas).map_err(|_| Error::Interrupted)
        });
        drop(give);
        let writer = encoder.join().map_err(|_| Error::Bug("the encoder panicked".to_owned()))??;
        ridden?;
        Box::new(writer).finish()
    })
}

/// Hands over every frame in the order in which they are shown; some wait `beside` what they become.
fn ride(
    project: &Project,
    beside: &Path,
    size: Size,
    progress: &dyn Progress,
    stop: &StopFlag,
    give: &mut dyn FnMut(u32, Canvas) -> Result<()>,
) -> Result<()> {
    let mut painter = Unpainted;
    let mut sources = Files::new(Device::Cpu, project.folder());
    let mut studio = Studio {
        painter: &mut painter,
        sources: &mut sources,
        size,
        rules: Rules { measured: false, manner: Manner::Quick, ..Rules::NATIVE },
        times: StageTimes::default(),
    };
    let mut state = LoopState::default();
    let frames = project.timeline.frames();
    let bared = (0..frames).map(|frame| Ok(bare(project.timeline.at(frame)?))).collect::<Result<Vec<_>>>()?;
    let mut zooms = PreviewedZooms::of(&bared, size)?;
    let mut shown = Backward::beside(beside, &project.timeline);
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
            shown.take(params.frame, canvas, give)?;
        }
        progress.frame();
    }
    progress.end();
    Ok(())
}

/// `film.preview.mp4` or `film.preview.png` beside the film.
fn default_out(project: &Project, sheet: bool) -> PathBuf {
    let base = project.video_path();
    let stem = base.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    base.with_file_name(format!("{stem}.preview.{}", if sheet { "png" } else { "mp4" }))
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
    params.closing = None;
    if matches!(params.camera, Camera::Deep(_)) && matches!(params.depth, DepthSource::Network(_)) {
        params.depth = DepthSource::Flat;
    }
    params
}

/// Leaves what is underneath as it is, but for the boxes; a first frame without anything becomes a grid.
struct Unpainted;

impl Painter for Unpainted {
    fn paint(
        &mut self,
        request: &PaintRequest<'_>,
        _watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Option<Canvas>> {
        let mut seen = request.init.cloned().unwrap_or_else(|| grid(request.size));
        let since = request.params.frame - request.params.frame % BOXES;
        if since == request.params.frame {
            frame_box(&mut seen, since / BOXES);
        }
        Ok(Some(seen))
    }
}

/// The outline of a box of half the picture's sides about its middle, which the motion then takes along. Colours take
/// turns, so that one box can be told from the next.
fn frame_box(canvas: &mut Canvas, number: u32) {
    let colour = [[255, 255, 255], [255, 200, 60], [90, 220, 255]][number as usize % 3];
    let (width, height) = (canvas.width(), canvas.height());
    let thick = (width.min(height) / 128).max(1);
    let (left, top) = (width / 4, height / 4);
    let (right, bottom) = (width - left, height - top);
    for (x, y) in (top..bottom).flat_map(|y| (left..right).map(move |x| (x, y))) {
        let from_edge = (x - left).min(right - 1 - x).min(y - top).min(bottom - 1 - y);
        if from_edge < thick {
            let at = (y * width + x) * 3;
            canvas.as_rgb8_mut()[at..at + 3].copy_from_slice(&colour);
        }
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
