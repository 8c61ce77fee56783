//! The pictures of videos and of folders of numbered pictures, read when they are asked for.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

use crate::canvas::Canvas;
use crate::encode::{VideoReader, stills};
use crate::error::{Error, Result};
use crate::schedule::units::Rate;
use crate::timeline::Measured;
use crate::timeline::frame::Clip;

/// Pictures of a file that are kept: motion is looked for between neighbours, and several users ask for one frame.
const KEPT: usize = 4;

/// Videos and folders that are open. Each clip of a video has a reader of its own: two that are read at different places
/// would send one reader back to the start at every frame.
#[derive(Default)]
pub(crate) struct Clips {
    open: BTreeMap<Clip, Open>,
}

impl Clips {
    /// Picture `number` of a clip at its own size; behind the end its last one.
    ///
    /// # Errors
    /// [`Error::Input`] when it cannot be read or has no picture in its range.
    pub(crate) fn picture(&mut self, clip: &Clip, number: u32) -> Result<Canvas> {
        let open = self.open(clip)?;
        loop {
            let frame = clip.frame(number, open.frames).ok_or_else(|| empty(clip, open.frames))?;
            if let Some(canvas) = open.frame(frame)? {
                return Ok(canvas);
            }
        }
    }

    /// The file that picture `number` comes from: the video itself, or one of the pictures.
    ///
    /// # Errors
    /// As [`Clips::picture`].
    pub(crate) fn file(&mut self, clip: &Clip, number: u32) -> Result<PathBuf> {
        let open = self.open(clip)?;
        let frame = clip.frame(number, open.frames).ok_or_else(|| empty(clip, open.frames))?;
        Ok(match &open.kind {
            Kind::Folder(files) => files[frame as usize].clone(),
            Kind::Video(..) => clip.path.clone(),
        })
    }

    fn open(&mut self, clip: &Clip) -> Result<&mut Open> {
        if !self.open.contains_key(clip) {
            self.open.insert(clip.clone(), Open::new(&clip.path)?);
        }
        self.open.get_mut(clip).ok_or_else(|| Error::Bug("a video was opened and is gone".to_owned()))
    }
}

fn empty(clip: &Clip, frames: u64) -> Error {
    Error::input(&clip.path, format!("no frame is in the range: there are {frames}"))
        .with_hint("frames are counted from 0: `from` and `to` lie inside the video")
}

/// A file or folder that is open.
struct Open {
    path: PathBuf,
    frames: u64,
    kind: Kind,
    /// Pictures that were read last, by their number.
    kept: VecDeque<(u64, Canvas)>,
}

enum Kind {
    Folder(Vec<PathBuf>),
    /// The reader, and the number of the frame that it gives next.
    Video(Box<VideoReader>, u64),
}

impl Open {
    fn new(path: &Path) -> Result<Self> {
        let (kind, frames) = if path.is_dir() {
            let files = stills::list(path)?;
            let frames = files.len() as u64;
            (Kind::Folder(files), frames)
        } else {
            let mut reader = Box::new(video(path)?);
            let frames = reader.count_frames()?;
            (Kind::Video(reader, 0), frames)
        };
        Ok(Self { path: path.to_owned(), frames, kind, kept: VecDeque::new() })
    }

    /// The file's frame `frame`. `None` when the file turns out to end before it, and [`Open::frames`] was corrected.
    fn frame(&mut self, frame: u64) -> Result<Option<Canvas>> {
        if let Some((_, canvas)) = self.kept.iter().find(|(number, _)| *number == frame) {
            return Ok(Some(canvas.clone()));
        }
        let canvas = match &mut self.kind {
            Kind::Folder(files) => Canvas::open_upright(&files[frame as usize])?,
            Kind::Video(reader, next) => {
                // Going back means beginning again; going on is one frame after the other.
                if *next > frame {
                    **reader = video(&self.path)?;
                    *next = 0;
                }
                let mut ended = false;
                while *next < frame && !ended {
                    ended = !reader.pass_over()?;
                    *next += u64::from(!ended);
                }
                let Some(canvas) = reader.next().filter(|_| !ended).transpose()? else {
                    self.frames = *next;
                    return Ok(None);
                };
                *next += 1;
                canvas
            }
        };
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((frame, canvas.clone()));
        Ok(Some(canvas))
    }
}

/// Opens a video file.
fn video(path: &Path) -> Result<VideoReader> {
    if cfg!(feature = "ffmpeg") {
        return VideoReader::open(path);
    }
    Err(Error::input(path, "this kinora was built without FFmpeg and cannot read videos").with_hint(
        "make a folder of numbered pictures of it and name that, or build with the cargo feature `ffmpeg`",
    ))
}

/// How many frames a video or folder has, and how fast they are.
///
/// # Errors
/// [`Error::Input`] when it cannot be read.
pub(crate) fn measure(path: &Path) -> Result<Measured> {
    if path.is_dir() {
        return Ok(Measured { frames: stills::list(path)?.len() as u64, rate: None });
    }
    let mut reader = video(path)?;
    let fps = reader.fps();
    Ok(Measured { frames: reader.count_frames()?, rate: Rate::new(u64::from(fps.num), u64::from(fps.den)) })
}
