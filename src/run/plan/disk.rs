//! What a film takes on the disk.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::canvas::Size;
use crate::render::frame_loop::stores_depth;
use crate::render::store::Store;
use crate::run::project::Project;
use crate::timeline::Encode;

/// Bytes that will be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// All frames of the film, as PNG.
    pub frames_bytes: u64,
    /// The video.
    pub video_bytes: u64,
    /// The frames' size is that of frames that are there already, no estimate by the number of pixels.
    pub measured: bool,
}

/// Bytes of a painted pixel in a PNG: kinora's painted frames take 1.3 to 2.
const PNG: f64 = 1.7;
/// The same of a depth map of 16 bits, whose noise is in the lower ones.
const DEPTH: f64 = 1.4;
/// Bits of a pixel in H.264 at crf 23; 6 less of crf are about twice the bits (x264's own rule of thumb).
const H264: f64 = 0.1;

/// What the frames and the video take.
pub(super) fn disk(project: &Project, size: Size, folder: &Path, done: &BTreeSet<u32>, fps: f64) -> Disk {
    let frames = project.timeline.frames();
    let store = Store::look(folder);
    let length = |path: PathBuf| std::fs::metadata(path).map(|file| file.len()).ok();
    let beside =
        |frame: u32| [store.depth_path(frame), store.painted_path(frame)].into_iter().filter_map(length);
    let there =
        done.iter().filter_map(|frame| Some(length(store.path(*frame))? + beside(*frame).sum::<u64>()));
    let (count, bytes) = there.fold((0_u64, 0_u64), |(n, sum), length| (n + 1, sum + length));
    let stored = |frame: &u32| project.timeline.at(*frame).is_ok_and(|params| stores_depth(&params));
    let each = if count > 0 {
        bytes as f64 / count as f64
    } else {
        let depths = (0..frames).filter(stored).count() as f64 / f64::from(frames.max(1));
        size.area() as f64 * (PNG + DEPTH * depths)
    };
    let Encode::H264 { crf, .. } = &project.timeline.post().encode;
    let bits = H264 * libm::exp2((23.0 - f64::from(*crf)) / 6.0);
    let shown = project.timeline.seconds(frames.into()) * fps;
    Disk {
        frames_bytes: (each * f64::from(frames)) as u64,
        video_bytes: (size.area() as f64 * shown * bits / 8.0) as u64,
        measured: count > 0,
    }
}
