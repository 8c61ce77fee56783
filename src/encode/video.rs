//! Writes an H.264 MP4: BT.709 matrix and tags, exact rational rate, index at the front, and under its
//! final name only when it is complete.

use std::path::{Path, PathBuf};

use ffmpeg_next as ff;
use ffmpeg_next::codec::encoder::video::Encoder;
use ffmpeg_next::format::Pixel;
use ffmpeg_next::format::context::Output;

use super::ffmpeg::{self, Coding, Converter, failed};
use super::{Fps, FrameSink, VideoCodec, VideoReader, VideoSettings};
use crate::canvas::{Canvas, Size};
use crate::error::{Error, Result};

/// x264 gives the same bytes for the same number of threads, so the number is fixed and not the machine's.
const THREADS: &str = "4";

/// Instructions that x264 may use, in its own words; `None` leaves it to x264.
///
/// The AVX-512 code of x264 164 reads memory that nobody wrote when pictures are small (seen at 64x64 in
/// its macroblock tree), so that the same frames give other bytes on every run. Its AVX2 code does not.
fn instructions() -> Option<&'static str> {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx512f") {
        return Some("asm=avx2");
    }
    None
}

/// Writes frames of one size into a video file.
///
/// The file is written beside its final place under a hidden name (`.film.mp4.part`), read back, and only
/// then renamed: whoever sees it under its name sees a finished file. Dropping the writer without
/// [`VideoWriter::finish`] removes what was written. The same frames and settings give the same bytes on
/// every run of the same FFmpeg and x264, whatever the number of cores.
///
/// H.264 with 4:2:0 chroma needs even sides: of a picture with an odd side the last column or row is
/// repeated once, so the video is one pixel larger ([`VideoWriter::coded_size`]).
pub struct VideoWriter {
    path: PathBuf,
    partial: Partial,
    size: Size,
    fps: Fps,
    /// `None` once the file is closed.
    open: Option<Open>,
    frames: u64,
}

/// The parts of a file that is being written.
struct Open {
    output: Output,
    encoder: Encoder,
    converter: Converter,
    encoder_base: ff::Rational,
    stream_base: ff::Rational,
}

/// The hidden file; removed when dropped, unless it was renamed.
pub(super) struct Partial {
    path: PathBuf,
    /// The file has its final name: what now lies under the hidden one is somebody else's.
    renamed: bool,
    /// Keeps a second kinora from writing to the same file. FFmpeg opens the file by its own: the lock is
    /// advisory and does not hinder it.
    _lock: std::fs::File,
}

impl Partial {
    /// The hidden file for the video `path`, ours alone. What an earlier run left there is written over.
    pub(super) fn beside(path: &Path) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let partial = path.with_file_name(format!(".{name}.part"));
        let cannot = |e: std::io::Error| {
            place_error(path, e.raw_os_error().map_or(ff::Error::Unknown, |errno| ff::Error::Other { errno }))
        };
        let lock = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&partial)
            .map_err(cannot)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: partial, renamed: false, _lock: lock }),
            Err(std::fs::TryLockError::WouldBlock) => {
                Err(Error::output(path, "another kinora is writing this video")
                    .with_hint("wait for it, or choose another place with `-o`"))
            }
            Err(std::fs::TryLockError::Error(e)) => Err(cannot(e)),
        }
    }
}

impl Partial {
    /// Its hidden name.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file, which is written to its end, its name.
    pub(super) fn named(mut self, path: &Path) -> Result<()> {
        sync(&self.path)
            .and_then(|()| std::fs::rename(&self.path, path))
            .map_err(|e| Error::output(path, format!("cannot give the finished video its name: {e}")))?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.renamed {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl VideoWriter {
    /// Opens the encoder and the hidden file. `size` is that of the frames, `path` the file's final name.
    ///
    /// # Errors
    /// [`Error::Usage`] for settings, rates and sizes that cannot be; [`Error::Video`] when this FFmpeg has
    /// no such encoder or it refuses; [`Error::Output`] when the folder cannot be written to.
    pub fn open(path: &Path, size: Size, fps: Fps, settings: &VideoSettings) -> Result<Self> {
        ffmpeg::start();
        settings.check(size)?;
        let fps = fps.checked()?;
        check_place(path)?;
        let partial = Partial::beside(path)?;
        let open = Open::new(path, &partial.path, even(size), fps, settings)?;
        Ok(Self { path: path.to_owned(), partial, size, fps, open: Some(open), frames: 0 })
    }

    /// Size of the frames that are pushed.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Size of the frames in the file: both sides even.
    pub fn coded_size(&self) -> Size {
        even(self.size)
    }

    /// Encodes the next frame.
    ///
    /// # Errors
    /// [`Error::Video`] for a frame of another size or when the encoder fails, [`Error::Output`] when the
    /// disk does. The writer is then of no more use.
    pub fn push(&mut self, frame: &Canvas) -> Result<()> {
        if frame.size() != self.size {
            let message = format!(
                "frame {} is {}, but the video was opened for {}",
                self.frames,
                frame.size(),
                self.size
            );
            return Err(Error::video(message).with_hint("all frames of a video have one size"));
        }
        let open = self.open.as_mut().ok_or_else(closed)?;
        let sent = open.encode(frame, even(self.size), self.frames);
        sent.map_err(|e| self.at_place(e))?;
        self.frames += 1;
        Ok(())
    }

    /// Ends the file, reads it back, and gives it its name.
    ///
    /// # Errors
    /// [`Error::Video`] without a single frame or when what was written does not read back,
    /// [`Error::Output`] when the disk fails.
    pub fn finish(mut self) -> Result<()> {
        self.close()
    }

    fn close(&mut self) -> Result<()> {
        if self.frames == 0 {
            return Err(Error::video("a video needs at least one frame"));
        }
        let open = self.open.take().ok_or_else(closed)?;
        open.end().map_err(|e| self.at_place(e))?;
        self.verify()?;
        sync(&self.partial.path).and_then(|()| std::fs::rename(&self.partial.path, &self.path)).map_err(
            |e| Error::output(&self.path, format!("cannot give the finished video its name: {e}")),
        )?;
        self.partial.renamed = true;
        Ok(())
    }

    /// Reads the hidden file back: size, rate and number of frames must be those that were written.
    fn verify(&self) -> Result<()> {
        let mut reader = VideoReader::open(&self.partial.path)?;
        let found = (reader.size(), reader.fps(), reader.count_frames()?);
        let written = (self.coded_size(), self.fps, self.frames);
        if found == written {
            return Ok(());
        }
        let message = format!(
            "the file does not read back as written: {} at {} fps with {} frames, expected {} at {} with {}",
            found.0, found.1, found.2, written.0, written.1, written.2
        );
        Err(Error::output(&self.path, message).with_hint("check the disk, then encode again"))
    }

    /// Errors of the disk name the file; the hidden name would only puzzle.
    fn at_place(&self, error: ff::Error) -> Error {
        place_error(&self.path, error)
    }
}

impl FrameSink for VideoWriter {
    fn push(&mut self, frame: &Canvas) -> Result<()> {
        Self::push(self, frame)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Self::finish(*self)
    }
}

/// Encodes two frames into a temporary file beside `out` and removes it, so that everything that can go
/// wrong with the video `out` goes wrong before the first frame is sampled.
///
/// # Errors
/// As [`VideoWriter::open`], [`VideoWriter::push`] and [`VideoWriter::finish`].
pub fn probe(settings: &VideoSettings, size: Size, fps: Fps, out: &Path) -> Result<()> {
    check_place(out)?;
    let trial = out.with_file_name(format!(".kinora-probe-{}.mp4", std::process::id()));
    let run = || -> Result<()> {
        let mut writer = VideoWriter::open(&trial, size, fps, settings)?;
        for grey in [64, 192] {
            writer.push(&Canvas::filled(size, [grey; 3]))?;
        }
        writer.finish()?;
        std::fs::remove_file(&trial)
            .map_err(|e| Error::output(out, format!("cannot remove the encoder's trial file: {e}")))
    };
    run().map_err(|error| match error {
        Error::Output { message, hint, .. } => Error::Output { path: out.to_owned(), message, hint },
        other => other,
    })
}

impl Open {
    /// Opens `file` for the video `path`, whose name errors bear: the hidden one would only puzzle.
    fn new(path: &Path, file: &Path, size: Size, fps: Fps, settings: &VideoSettings) -> Result<Self> {
        let mut encoder = encoder(settings.codec, size, fps)?;
        let mut output =
            ff::format::output_as(&ffmpeg::url(file)?, "mp4").map_err(|e| place_error(path, e))?;
        if output.format().flags().contains(ff::format::Flags::GLOBAL_HEADER) {
            encoder.set_flags(ff::codec::Flags::GLOBAL_HEADER | ff::codec::Flags::BITEXACT);
        }
        let crf = settings.crf.to_string();
        let mut options = vec![("preset", settings.preset.name()), ("crf", &crf), ("threads", THREADS)];
        options.extend(instructions().map(|names| ("x264-params", names)));
        let encoder = encoder
            .open_with(options.into_iter().collect())
            .map_err(|e| failed(&format!("the {} encoder refuses {size} at {fps} fps", settings.codec), e))?;
        let encoder_base = ff::Rational(fps.den as i32, fps.num as i32);
        let stream_base = header(&mut output, &encoder, fps, settings).map_err(|e| place_error(path, e))?;
        let converter = Converter::to_yuv(size, Pixel::YUV420P, Coding::BT709)?;
        Ok(Self { output, encoder, converter, encoder_base, stream_base })
    }

    /// Sends one frame; its time is its number.
    fn encode(&mut self, canvas: &Canvas, size: Size, number: u64) -> Result<(), ff::Error> {
        let bug = |_| ff::Error::Bug;
        let mut rgb = ffmpeg::frame(Pixel::RGB24, size).map_err(bug)?;
        ffmpeg::fill(&mut rgb, canvas);
        // A fresh one every time: the encoder keeps those that it was given.
        let mut yuv = ffmpeg::frame(Pixel::YUV420P, size).map_err(bug)?;
        self.converter.run(&rgb, &mut yuv).map_err(bug)?;
        yuv.set_pts(Some(number as i64));
        self.encoder.send_frame(&yuv)?;
        self.drain()
    }

    /// Writes the packets that are ready.
    fn drain(&mut self) -> Result<(), ff::Error> {
        loop {
            let mut packet = ff::Packet::empty();
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => {}
                Err(ff::Error::Eof | ff::Error::Other { errno: ff::error::EAGAIN }) => return Ok(()),
                Err(e) => return Err(e),
            }
            packet.set_stream(0);
            // x264 leaves it empty, and the last frame would then last as long as the muxer guesses.
            packet.set_duration(1);
            packet.rescale_ts(self.encoder_base, self.stream_base);
            packet.write_interleaved(&mut self.output)?;
        }
    }

    /// Flushes the encoder, writes the index, closes the file.
    fn end(mut self) -> Result<(), ff::Error> {
        self.encoder.send_eof()?;
        self.drain()?;
        self.output.write_trailer()?;
        // SAFETY: the output and its file are open until the end of this function.
        let latched = unsafe {
            let file = (*self.output.as_mut_ptr()).pb;
            ff::ffi::avio_flush(file);
            (*file).error
        };
        if latched < 0 { Err(latched.into()) } else { Ok(()) }
    }
}

/// The encoder with format, rate and colour tags set, not yet opened.
fn encoder(codec: VideoCodec, size: Size, fps: Fps) -> Result<ff::codec::encoder::video::Video> {
    let name = match codec {
        VideoCodec::H264 => "libx264",
    };
    let found = ff::encoder::find_by_name(name).ok_or_else(|| {
        Error::video(format!("this FFmpeg has no encoder `{name}`"))
            .with_hint("install an FFmpeg that was built with it, or keep the frames as PNG pictures")
    })?;
    let context = ff::codec::Context::new_with_codec(found);
    let mut video = context.encoder().video().map_err(|e| failed("cannot set up the encoder", e))?;
    video.set_width(size.width as u32);
    video.set_height(size.height as u32);
    video.set_format(Pixel::YUV420P);
    video.set_time_base(ff::Rational(fps.den as i32, fps.num as i32));
    video.set_frame_rate(Some(ff::Rational(fps.num as i32, fps.den as i32)));
    video.set_aspect_ratio(ff::Rational(1, 1));
    // An untagged file is guessed to be BT.601 by some players, which shifts reds and greens.
    video.set_colorspace(ff::color::Space::BT709);
    video.set_color_primaries(ff::color::Primaries::BT709);
    video.set_color_transfer_characteristic(ff::color::TransferCharacteristic::BT709);
    video.set_color_range(ff::color::Range::MPEG);
    Ok(video)
}

/// Adds the stream and writes the header; the answer is the time base that the muxer chose.
fn header(
    output: &mut Output,
    encoder: &Encoder,
    fps: Fps,
    settings: &VideoSettings,
) -> Result<ff::Rational, ff::Error> {
    let rate = ff::Rational(fps.num as i32, fps.den as i32);
    let mut stream = output.add_stream_with(encoder)?;
    stream.set_time_base(ff::Rational(fps.den as i32, fps.num as i32));
    stream.set_rate(rate);
    stream.set_avg_frame_rate(rate);
    if let Some(comment) = &settings.comment {
        let comment = comment.replace('\0', " ");
        output.set_metadata([("comment", comment.as_str())].into_iter().collect());
    }
    // Bit-exact: no date and no version of the muxer. Faststart: the index comes first, so that a
    // player can begin before the whole file has arrived.
    let options = [("movflags", "+faststart"), ("fflags", "+bitexact")].into_iter().collect();
    output.write_header_with(options)?;
    output.stream(0).map(|s| s.time_base()).ok_or(ff::Error::StreamNotFound)
}

/// Both sides rounded up to even numbers.
fn even(size: Size) -> Size {
    Size::new(size.width.next_multiple_of(2), size.height.next_multiple_of(2))
}

/// The folder must exist and the name must not be a folder's.
fn check_place(path: &Path) -> Result<()> {
    if path.file_name().is_none() || path.is_dir() {
        return Err(Error::output(path, "expected the name of a video file, found a folder")
            .with_hint("add a file name such as film.mp4"));
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(Error::output(path, format!("there is no folder {}", folder.display()))
            .with_hint("make the folder first, or choose another place"));
    }
    Ok(())
}

/// An error of the disk names the place and what to do; any other is the encoder's.
fn place_error(path: &Path, error: ff::Error) -> Error {
    match error {
        ff::Error::Other { errno } if errno != ff::error::EINVAL && errno != ff::error::ENOMEM => {
            Error::output(path, format!("cannot write the video: {}", ffmpeg::reason(error)))
                .with_hint("check the folder's permissions and the free space, or choose another folder")
        }
        other => failed("the encoder failed", other),
    }
}

fn closed() -> Error {
    Error::Bug("a video was used after it was closed".to_owned())
}

/// Makes sure that the bytes are on the disk before the name says so.
fn sync(path: &Path) -> std::io::Result<()> {
    std::fs::File::open(path)?.sync_all()
}
