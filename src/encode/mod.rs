//! Pictures become a video file, and a video file or a folder of pictures becomes frames; a sound file
//! becomes samples.
//!
//! [`VideoWriter`], [`VideoReader`] and [`SoundReader`] link FFmpeg in process and exist in every build: without the
//! cargo feature `ffmpeg` opening one is an error that says so, and everything else still works.

mod settings;
mod sink;
pub mod stills;

#[cfg(feature = "ffmpeg")]
mod decode;
#[cfg(feature = "ffmpeg")]
mod ffmpeg;
#[cfg(not(feature = "ffmpeg"))]
mod no_video;
#[cfg(feature = "ffmpeg")]
mod sound;
#[cfg(feature = "ffmpeg")]
pub mod soundtrack;
#[cfg(feature = "ffmpeg")]
mod video;

#[cfg(feature = "ffmpeg")]
pub use decode::VideoReader;
#[cfg(not(feature = "ffmpeg"))]
pub use no_video::soundtrack;
#[cfg(not(feature = "ffmpeg"))]
pub use no_video::{SoundReader, VideoReader, VideoWriter, probe};
pub use settings::{Fps, Preset, VideoCodec, VideoSettings};
pub use sink::{FrameSink, MemorySink};
#[cfg(feature = "ffmpeg")]
pub use sound::SoundReader;
#[cfg(feature = "ffmpeg")]
pub use video::{VideoWriter, probe};
