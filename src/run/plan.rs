//! `plan`: what rendering a film will take, before anything is rendered.

mod disk;
mod loads;
mod measure;
mod report;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;

pub use disk::Disk;
pub use loads::ModelLoad;
pub use measure::Time;
pub use report::{json, text};

use crate::canvas::Size;
use crate::error::Result;
use crate::render::frame_loop::{independent, waits};
use crate::render::store::Store;
use crate::render::zoom::{Chain, Key};
use crate::run::cast::Cast;
use crate::run::finish::refuse_other_formats;
use crate::run::memory;
use crate::run::models::{DeviceChoice, ModelPainter};
use crate::run::project::Project;
use crate::run::render::{KeysThere, RenderOptions, frames_folder, survey, target};
use crate::timeline::Interpolate;
use crate::timeline::explain::KeyPlace;
use crate::timeline::frame::FrameParams;

/// Pixels of the largest frame that the embedded model is measured on unasked: a few seconds.
const CHEAP: usize = 512 * 512;

/// What is planned.
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    /// The video; `None` leaves it to the film.
    pub out: Option<PathBuf>,
    /// Load the model and measure a step, whatever model it is.
    pub measure: bool,
}

/// A stretch of the film that depends on nothing outside it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Segment {
    /// The scene's name; empty for a film without scenes.
    pub scene: String,
    /// Its first frame.
    pub start: u32,
    /// Its frames.
    pub frames: u32,
    /// Where it begins.
    pub start_seconds: f64,
    /// Its length.
    pub seconds: f64,
    /// Frames of it that are still to be painted.
    pub to_paint: u32,
    /// Its frames do not even depend on each other.
    pub independent_frames: bool,
    /// The pictures that its frames are composed of; `to_paint` counts those then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_pictures: Option<KeyPictures>,
}

/// The key pictures of a scene that is composed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeyPictures {
    /// How much wider each is than the one before.
    pub ratio: f64,
    /// The frame that each fills, in the order in which they are painted.
    pub frames: Vec<u32>,
}

/// A control that begins with a scene's second frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Its name.
    pub control: String,
    /// The scene's first frame.
    pub frame: u32,
}

/// When a key lands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeyTime {
    /// The parameter.
    pub parameter: String,
    /// Frame, seconds and place.
    #[serde(flatten)]
    pub key: KeyPlace,
}

/// What rendering a film will take.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// The video.
    pub video: PathBuf,
    /// The folder of the frames.
    pub frames_folder: PathBuf,
    /// Frames of the film.
    pub frames: u32,
    /// Frames per second.
    pub fps: f64,
    /// Length.
    pub seconds: f64,
    /// Width and height of the frames.
    pub size: (usize, usize),
    /// Frames of the video per second, in-betweens included.
    pub video_fps: f64,
    /// Frames that are there already.
    pub found: u32,
    /// Frames that are still to be painted.
    pub to_paint: u32,
    /// Frames that are still to be blended of painted ones.
    #[serde(skip_serializing_if = "is_none")]
    pub to_blend: u32,
    /// Steps of the diffusion model for them.
    pub steps: u64,
    /// The scenes in order.
    pub segments: Vec<Segment>,
    /// What is loaded, in order.
    pub models: Vec<ModelLoad>,
    /// Most bytes of weights that are in memory at once.
    pub memory_bytes: u64,
    /// Controls that have nothing to show at a scene's first frame.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Waiting>,
    /// Most bytes that a picture in work takes beside them, about.
    pub work_bytes: u64,
    /// What to know where the machine has less memory free than that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_warning: Option<String>,
    /// What is written.
    pub disk: Disk,
    /// How long it takes; `None` when no step was measured.
    pub time: Option<Time>,
    /// Every key of the film, by time.
    pub keys: Vec<KeyTime>,
}

/// Plans a render of the whole film. Nothing is written.
///
/// A step is measured when that is asked for, or when it is cheap: the film's model is the embedded one, which
/// is loaded in an instant, and its frames are at most 512 by 512 pixels large.
///
/// # Errors
/// When a model or file that the film names cannot be used.
pub fn plan(project: &Project, options: &PlanOptions) -> Result<Plan> {
    let render = RenderOptions { out: options.out.clone(), ..RenderOptions::default() };
    let video = target(project, &render);
    refuse_other_formats(&video)?;
    let folder = frames_folder(&video, false);
    let mut painter = ModelPainter::new(DeviceChoice::Cpu.open()?, project.folder());
    let timeline = &project.timeline;
    let frames = timeline.frames();
    let params = (0..frames).map(|frame| timeline.at(frame)).collect::<Result<Vec<FrameParams>>>()?;
    let size = match timeline.size() {
        Some((width, height)) => Size::new(width as usize, height as usize),
        None => painter.defaults(&Cast::of(&params[0]))?.size,
    };
    let (done, keys_there) = found(project, &render, size, &mut painter, &folder)?;
    let chains = Chain::all(&params, size)?;
    let looped = params.iter().filter(|params| params.making.compose.is_none());
    let looped: Vec<&FrameParams> = looped.filter(|params| !done.contains(&params.frame)).collect();
    let keys = missing_keys(&chains, &params, &done, &keys_there);
    let paintings: Vec<FrameParams> = keys.iter().flat_map(|(_, key)| key.paintings()).collect();
    let todo: Vec<&FrameParams> = looped.iter().copied().chain(&paintings).collect();
    let steps = todo.iter().map(|params| measure::steps(params, size, &painter)).sum::<Result<u64>>()?;
    let (models, memory_bytes) = loads::models(&todo, &painter)?;
    let work_bytes = memory::work(todo.iter().copied(), size, &painter)?;
    let time = match todo.first() {
        Some(first) if options.measure || (Cast::of(first).is_embedded() && size.area() <= CHEAP) => {
            Some(measure::time(&mut painter, first, size, &todo, steps)?)
        }
        _ => None,
    };
    let rate = project.fps().as_f64();
    let video_fps = match timeline.post().interpolate {
        Interpolate::None => rate,
        Interpolate::Flow { rate } => rate.as_f64(),
    };
    Ok(Plan {
        video,
        frames,
        fps: rate,
        seconds: timeline.seconds(frames.into()),
        size: (size.width, size.height),
        video_fps,
        found: done.len() as u32,
        to_paint: (looped.iter().filter(|params| params.cadence.is_painted()).count() + keys.len()) as u32,
        to_blend: looped.iter().filter(|params| !params.cadence.is_painted()).count() as u32,
        steps,
        segments: segments(project, &params, &done, &chains, &keys),
        models,
        memory_bytes,
        waiting: params.iter().flat_map(waiting).collect(),
        work_bytes,
        memory_warning: memory::warning(memory_bytes.saturating_add(work_bytes)),
        disk: disk::disk(project, size, &folder, &done, video_fps),
        frames_folder: folder,
        time,
        keys: timeline.keys().into_iter().map(|(parameter, key)| KeyTime { parameter, key }).collect(),
    })
}

/// Whether a count is left out of the data.
fn is_none(count: &u32) -> bool {
    *count == 0
}

/// The frames that are there and right. Without a folder nothing is looked at, least of all models' hashes.
fn found(
    project: &Project,
    options: &RenderOptions,
    size: Size,
    painter: &mut ModelPainter,
    folder: &std::path::Path,
) -> Result<(BTreeSet<u32>, KeysThere)> {
    if !folder.is_dir() {
        return Ok((BTreeSet::new(), BTreeSet::new()));
    }
    let (planned, keys) = survey(project, options, size, painter, &Store::look(folder))?;
    let done = planned.iter().filter(|planned| planned.done).map(|planned| planned.params.frame).collect();
    Ok((done, keys))
}

/// The key pictures, with the number of their scene, that frames still need and that are not there.
fn missing_keys<'a>(
    chains: &'a [Chain],
    params: &[FrameParams],
    done: &BTreeSet<u32>,
    there: &KeysThere,
) -> Vec<(usize, &'a Key)> {
    let missing = || params.iter().map(|params| params.frame).filter(|frame| !done.contains(frame));
    let of_chain = |chain: &'a Chain| {
        let needed = chain.keys.iter().enumerate().take(chain.needed(missing()));
        let needed = needed.filter(|(number, _)| !there.contains(&(chain.scene, *number)));
        needed.map(|(_, key)| (chain.scene, key)).collect::<Vec<_>>()
    };
    chains.iter().flat_map(of_chain).collect()
}

fn segments(
    project: &Project,
    params: &[FrameParams],
    done: &BTreeSet<u32>,
    chains: &[Chain],
    keys: &[(usize, &Key)],
) -> Vec<Segment> {
    let timeline = &project.timeline;
    let segment = |(scene, (name, start, frames)): (usize, (&str, u32, u32))| {
        let chain = chains.iter().find(|chain| chain.scene == scene);
        let missing_keys = keys.iter().filter(|(of, _)| *of == scene).count();
        let own = &params[start as usize..(start + frames) as usize];
        Segment {
            scene: name.to_owned(),
            start,
            frames,
            start_seconds: timeline.seconds(start.into()),
            seconds: timeline.seconds(frames.into()),
            to_paint: match chain {
                Some(_) => missing_keys as u32,
                None => {
                    let missing = own.iter().filter(|params| !done.contains(&params.frame));
                    missing.filter(|params| params.cadence.is_painted()).count() as u32
                }
            },
            independent_frames: chain.is_none() && own.iter().all(independent),
            key_pictures: chain.map(|chain| KeyPictures {
                ratio: chain.compose.ratio,
                frames: chain.keys.iter().map(|key| key.params.frame).collect(),
            }),
        }
    };
    timeline.scenes().enumerate().map(segment).collect()
}

/// The controls that have nothing to show at a frame.
fn waiting(params: &FrameParams) -> impl Iterator<Item = Waiting> {
    let idle = params.controls.iter().filter(|control| waits(params, control));
    idle.map(|control| Waiting { control: control.name.clone(), frame: params.frame })
}
