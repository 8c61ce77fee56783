//! `render`: a film becomes frames, frames become a video.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::canvas::Size;
use crate::error::{Error, Result};
use crate::progress::{Progress, StopFlag, say};
use crate::render::frame_loop::{self, Planned, Rules, StageTimes, Studio, independent, jumps};
use crate::render::journal::Expected;
use crate::render::store::{self, Store};
use crate::run::caption::Captions;
use crate::run::cast::Cast;
use crate::run::finish::Finish;
use crate::run::hashes::Hashes;
use crate::run::keys::{Composed, Zoom};
use crate::run::memory;
use crate::run::models::{DeviceChoice, ModelPainter, native_size};
use crate::run::project::Project;
use crate::run::report::Report;
use crate::run::sources::Files;
use crate::run::strip::{drifts, strip};
use crate::timeline::frame::{Camera, FrameParams, HybridMotion};

/// What the user asks of a render.
#[derive(Clone, Debug, Default)]
pub struct RenderOptions {
    /// The video; `None` leaves it to the film.
    pub out: Option<PathBuf>,
    /// Only these frames, and the list as it was typed.
    pub frames: Option<(BTreeSet<u32>, String)>,
    /// Half the size, half the steps, no in-between frames.
    pub draft: bool,
    /// Throw away what is there.
    pub fresh: bool,
    /// Where to compute.
    pub device: DeviceChoice,
}

/// Renders a film, going on where an earlier run stopped.
///
/// # Errors
/// See [`Error`]. Finished frames are kept whatever happens.
pub fn render(
    project: &Project,
    options: &RenderOptions,
    progress: &dyn Progress,
    stop: &StopFlag,
) -> Result<Report> {
    let device = options.device.open()?;
    let shown = wanted(project, options)?;
    let wanted = shown.iter().map(|frame| project.timeline.painted_at(*frame)).collect();
    let out = target(project, options);
    let mut painter = ModelPainter::new(device.clone(), project.folder());
    let size = size(project, options, &mut painter)?;
    let full = full_size(project, &mut painter)?;
    let finish = Finish::new(project, &out, (full, size), options.draft)?;
    // Six hours of rendering are a bad moment to learn that there is no H.264 encoder.
    finish.probe()?;

    let (expected, composed) = expected(project, options, size, &mut painter)?;
    let store = Store::open(&frames_folder(&out, options.draft))?;
    let _lock = store.lock()?;
    let mut plan = plan(expected, options, &store, &wanted)?;
    let found = plan.iter().filter(|p| p.done).count() as u32;
    if found < plan.len() as u32 {
        finish.forget(&store)?;
    }
    let mut report = Report::new(&out, store.folder(), plan.len() as u32, found);
    if found < plan.len() as u32 {
        let mut captions = Captions::new(&painter, project.folder());
        captions.describe(&mut plan, size)?;
        let mut zooms = Zoom::all(&composed, &plan, &store, options.fresh)?;
        zooms.iter_mut().try_for_each(|zoom| zoom.describe(&mut captions, size))?;
        report.times = paint((&plan, &zooms), &store, size, &mut painter, device, progress, stop)
            .inspect_err(|_| store.discard_if_empty())?;
    }
    if report.times.frames > 0 {
        report.drift = drift_strip(&plan, &store)?;
    }
    drop(painter);
    let frames: Vec<u32> = shown.into_iter().collect();
    let cuts = plan.iter().filter(|p| jumps(&p.params)).map(|p| p.params.frame);
    // Shown backward, a scene's first frame is the one that was painted last.
    let cuts: BTreeSet<u32> = cuts.chain(project.timeline.reversed_starts()).collect();
    finish.run(&store, &frames, &cuts, &mut report, progress, stop)?;
    Ok(report)
}

/// How the measures of the run's frames went.
fn drift_strip(plan: &[Planned], store: &Store) -> Result<String> {
    let mut measures = store.measures()?;
    let own: BTreeSet<u32> = plan.iter().map(|planned| planned.params.frame).collect();
    measures.retain(|frame, _| own.contains(frame));
    let cuts: Vec<u32> = plan.iter().filter(|p| p.params.cut).map(|p| p.params.frame).collect();
    Ok(strip(&drifts(&measures, &cuts)))
}

/// Paints what is missing.
fn paint(
    (plan, zooms): (&[Planned], &[Zoom<'_>]),
    store: &Store,
    size: Size,
    painter: &mut ModelPainter,
    device: candle_core::Device,
    progress: &dyn Progress,
    stop: &StopFlag,
) -> Result<StageTimes> {
    let (looped, composed): (Vec<&Planned>, Vec<&Planned>) =
        plan.iter().partition(|planned| planned.params.making.compose.is_none());
    let paintings: Vec<FrameParams> = zooms.iter().flat_map(Zoom::paintings).collect();
    let missing = || looped.iter().filter(|p| !p.done).map(|p| &p.params).chain(&paintings);
    if let Some(warning) = memory::warning(memory::most(missing(), size, painter)?) {
        say(&format!("warning: {warning}"));
    }
    // A model that cannot be loaded is better known before the bar appears.
    if let Some(first) = paintings.first().or(missing().next()) {
        painter.engine(&Cast::of(first))?;
        painter.rehearse(missing())?.iter().for_each(|warning| say(&format!("warning: {warning}")));
    }
    let mut sources = Files::new(device, painter.films());
    let mut studio =
        Studio { painter, sources: &mut sources, size, rules: Rules::NATIVE, times: StageTimes::default() };
    // Scenes that are composed know nothing of the others, and one that follows them may begin with their last frame:
    // they come first, and are on the disk when the loop starts.
    if composed.iter().any(|planned| !planned.done) {
        let composed: Vec<Planned> = composed.into_iter().cloned().collect();
        zooms.iter().try_for_each(|zoom| zoom.run(&composed, store, &mut studio, progress, stop))?;
    }
    let looped: Vec<Planned> = looped.into_iter().cloned().collect();
    let done = looped.iter().filter(|p| p.done).count();
    if done == looped.len() {
        return Ok(studio.times);
    }
    progress.begin("diffusion", looped.len() as u64, done as u64);
    let result =
        store.while_storing(|shelf| frame_loop::run(&looped, store, shelf, &mut studio, progress, stop));
    progress.end();
    result.map(|()| studio.times)
}

/// The frames the user wants, or all.
fn wanted(project: &Project, options: &RenderOptions) -> Result<BTreeSet<u32>> {
    let count = project.timeline.frames();
    let Some((frames, text)) = &options.frames else { return Ok((0..count).collect()) };
    if let Some(beyond) = frames.iter().find(|frame| **frame >= count) {
        return Err(Error::Usage {
            message: format!("--frames {text} names frame {beyond}, the film has frames 0 to {}", count - 1),
            hint: None,
        });
    }
    Ok(frames.clone())
}

/// Where the video goes.
pub(crate) fn target(project: &Project, options: &RenderOptions) -> PathBuf {
    if let Some(out) = &options.out {
        return out.clone();
    }
    let base = project.video_path();
    let mut marks = String::new();
    if options.draft {
        marks.push_str(".draft");
    }
    if let Some((_, text)) = &options.frames {
        // File names have a limit; a list can be longer.
        let hash = store::hash(text.as_bytes());
        marks.push_str(&format!(".{}", if text.len() > 40 { &hash[..8] } else { text.as_str() }));
    }
    let stem = base.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let extension = base.extension().unwrap_or_default().to_string_lossy().into_owned();
    base.with_file_name(format!("{stem}{marks}.{extension}"))
}

/// The folder of a video's frames: `film.frames` beside `film.mp4`. A draft's frames never take the
/// place of the film's.
pub(crate) fn frames_folder(out: &Path, draft: bool) -> PathBuf {
    let drafted = out.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(".draft"));
    out.with_extension(if draft && !drafted { "draft.frames" } else { "frames" })
}

/// The size of the film's frames.
fn full_size(project: &Project, painter: &mut ModelPainter) -> Result<Size> {
    match project.timeline.size() {
        Some((width, height)) => Ok(Size::new(width as usize, height as usize)),
        None => native_size(painter, &project.timeline.at(0)?),
    }
}

/// The size of the frames that are painted.
fn size(project: &Project, options: &RenderOptions, painter: &mut ModelPainter) -> Result<Size> {
    let size = full_size(project, painter)?;
    // Autoencoders work on blocks of 8 pixels; below 64 no model paints anything.
    let half = |side: usize| (side / 2).next_multiple_of(8).max(64.min(side));
    Ok(if options.draft { Size::new(half(size.width), half(size.height)) } else { size })
}

/// A frame's numbers, and what its journal entry must say.
type FrameAndExpected = (FrameParams, Expected);

/// What every frame needs. Models and pictures are looked at: what cannot be used is better known before
/// the first frame than when its scene comes.
fn expected(
    project: &Project,
    options: &RenderOptions,
    size: Size,
    painter: &mut ModelPainter,
) -> Result<(Vec<FrameAndExpected>, Vec<Composed>)> {
    let mut frames = (0..project.timeline.frames())
        .map(|frame| project.timeline.at(frame))
        .collect::<Result<Vec<FrameParams>>>()?;
    if options.draft {
        let full = full_size(project, painter)?;
        for params in &mut frames {
            halve_steps(params, painter)?;
            shrink(params, full, size);
        }
    }
    let mut hashes = Hashes::new(painter, project.folder(), options.device)?;
    let composed = Composed::all(&frames, size, &mut hashes)?;
    let frames = frames.into_iter().map(|params| {
        let expected = match composed.iter().find(|composed| composed.chain.has(params.frame)) {
            Some(composed) => composed.expected(params.frame),
            None => hashes.expected(&params, size)?,
        };
        Ok((params, expected))
    });
    Ok((frames.collect::<Result<_>>()?, composed))
}

/// Scene and number of each key picture that is there.
pub(crate) type KeysThere = BTreeSet<(usize, usize)>;

/// Every frame of the film as a render would find it in `store`, and by scene and number the key pictures that are
/// there for the missing ones.
pub(crate) fn survey(
    project: &Project,
    options: &RenderOptions,
    size: Size,
    painter: &mut ModelPainter,
    store: &Store,
) -> Result<(Vec<Planned>, KeysThere)> {
    let wanted = (0..project.timeline.frames()).collect();
    let (frames, composed) = expected(project, options, size, painter)?;
    let plan = plan(frames, options, store, &wanted)?;
    let keys = Zoom::all(&composed, &plan, store, options.fresh)?.iter().flat_map(Zoom::there).collect();
    Ok((plan, keys))
}

/// Which frames must be there for the wanted ones, and which are there already.
fn plan(
    frames: Vec<(FrameParams, Expected)>,
    options: &RenderOptions,
    store: &Store,
    wanted: &BTreeSet<u32>,
) -> Result<Vec<Planned>> {
    let expected: Vec<Expected> = frames.iter().map(|(_, expected)| expected.clone()).collect();
    // Nothing is thrown away before it is replaced: `--fresh` only stops trusting what is there.
    let valid = if options.fresh { vec![false; expected.len()] } else { store.valid(&expected)? };
    let planned: Vec<Planned> = frames
        .into_iter()
        .zip(valid)
        .map(|((params, expected), done)| Planned { params, expected, text: String::new(), done })
        .collect();
    let needed = needed(&planned, wanted);
    Ok(planned.into_iter().zip(needed).filter_map(|(planned, needed)| needed.then_some(planned)).collect())
}

/// What a frame measures in pixels, for a draft: the motion is the film's, seen smaller.
fn shrink(params: &mut FrameParams, full: Size, draft: Size) {
    let (across, down) = (draft.width as f64 / full.width as f64, draft.height as f64 / full.height as f64);
    let ahead = params.closing.iter_mut().flat_map(|closing| &mut closing.ahead);
    for camera in ahead.chain([&mut params.camera]) {
        if let Camera::Flat(camera) = camera {
            camera.translation_x *= across;
            camera.translation_y *= down;
        }
    }
    if let Some(mask) = &mut params.mask {
        mask.blur *= across;
        mask.region = mask.region.map(|padding| (f64::from(padding) * across).round() as u32);
    }
    if let Some(fill) = &mut params.fill {
        fill.feather *= across;
        fill.margin = fill.margin.map(|margin| (f64::from(margin) * across).ceil() as u32);
    }
    let motion = params.hybrid.as_mut().map(|hybrid| &mut hybrid.motion);
    if let Some(HybridMotion::Flow { consistency: Some(blur), .. }) = motion {
        *blur *= across;
    }
    let sharpen = &mut params.colour.sharpen;
    sharpen.sigma *= across;
    // An odd number of pixels, at least the one in the middle.
    sharpen.kernel = (f64::from(sharpen.kernel / 2) * across).round() as u32 * 2 + 1;
}

/// Half the steps of a frame, at least three: fewer give no picture at all.
fn halve_steps(params: &mut FrameParams, painter: &mut ModelPainter) -> Result<()> {
    let steps = match params.sampling.steps {
        Some(steps) => steps,
        None => painter.usual_steps(&Cast::of(params))?,
    };
    params.sampling.steps = Some(steps.div_ceil(2).max(3.min(steps)));
    Ok(())
}

/// Which frames must be made for the wanted ones: each with those of its scene before it, unless it
/// stands alone.
fn needed(planned: &[Planned], wanted: &BTreeSet<u32>) -> Vec<bool> {
    let mut needed = vec![false; planned.len()];
    let mut wanting = false;
    for (i, planned) in planned.iter().enumerate().rev() {
        wanting |= wanted.contains(&planned.params.frame);
        needed[i] = wanting;
        if independent(&planned.params) {
            wanting = false;
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule;
    use crate::timeline::{Options, Timeline};

    #[test]
    fn a_draft_moves_as_the_film_does_seen_smaller() {
        let text = "kinora 1\nframes = 2\nprompt = \"a\"\ntranslation_x = 40\ntranslation_y = -8\n\
                    sharpen.amount = 1\nsharpen.kernel = 9\nsharpen.sigma = 2\n";
        let (film, _) = schedule::read("film.kin", text).unwrap();
        let mut params = Timeline::new(&film, &Options::default()).unwrap().at(1).unwrap();
        shrink(&mut params, Size::new(256, 128), Size::new(128, 64));
        let Camera::Flat(camera) = params.camera else { panic!("the film is flat") };
        assert_eq!((camera.translation_x, camera.translation_y), (20.0, -4.0));
        assert_eq!((params.colour.sharpen.kernel, params.colour.sharpen.sigma), (5, 1.0));
    }
}
