//! Reads the frames of a video file as pictures.

use std::path::{Path, PathBuf};

use ffmpeg_next as ff;
use ffmpeg_next::codec::packet::side_data;
use ffmpeg_next::codec::threading;
use ffmpeg_next::ffi;
use ffmpeg_next::format::Pixel;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::frame::Video as Frame;

use super::Fps;
use super::ffmpeg::{self, Coding, Converter, reason};
use crate::canvas::{Canvas, Size};
use crate::error::{Error, Result};

/// The frames of a video's first (best) picture stream, in order of display, as an iterator.
///
/// Matrix and range come from the file's tags; untagged files are taken as BT.709 from 1280 columns or
/// more than 576 rows on and as BT.601 below, 16–235, as players do. A display rotation by quarter turns
/// is applied. Frames come one for one: a variable rate is not resampled.
pub struct VideoReader {
    path: PathBuf,
    input: Input,
    decoder: ff::decoder::Video,
    stream: usize,
    size: Size,
    fps: Fps,
    /// Quarter turns clockwise, 0–3.
    turns: u32,
    converter: Option<((Pixel, Coding), Converter)>,
    drained: bool,
    done: bool,
    read: u64,
}

impl VideoReader {
    /// Opens a video.
    ///
    /// # Errors
    /// [`Error::Input`] when the file cannot be read, holds no pictures, or this FFmpeg has no decoder for it.
    pub fn open(path: &Path) -> Result<Self> {
        let input = open_input(path)?;
        let stream = input.streams().best(ff::media::Type::Video).ok_or_else(|| no_pictures(path))?;
        let (index, fps, turns) = (stream.index(), rate(&stream), quarter_turns(&stream));
        let decoder = decoder(&stream).map_err(|e| {
            Error::input(path, format!("cannot decode the video: {}", reason(e)))
                .with_hint("convert it to H.264 with another program first")
        })?;
        let size = Size::new(decoder.width() as usize, decoder.height() as usize);
        if size.area() == 0 {
            return Err(no_pictures(path));
        }
        let size = if turns % 2 == 1 { Size::new(size.height, size.width) } else { size };
        Ok(Self {
            path: path.to_owned(),
            input,
            decoder,
            stream: index,
            size,
            fps,
            turns,
            converter: None,
            drained: false,
            done: false,
            read: 0,
        })
    }

    /// Width and height as displayed.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Average frames a second; 25 when the file does not say.
    pub fn fps(&self) -> Fps {
        self.fps
    }

    /// Whether the file has sound beside its pictures.
    pub fn has_sound(&self) -> bool {
        open_input(&self.path).is_ok_and(|input| input.streams().best(ff::media::Type::Audio).is_some())
    }

    /// Counts the frames by reading the whole file once, without decoding it. The reader's own place is kept.
    ///
    /// # Errors
    /// [`Error::Input`] when the file ends early or cannot be read.
    pub fn count_frames(&mut self) -> Result<u64> {
        let mut input = open_input(&self.path)?;
        let mut count = 0;
        loop {
            let mut packet = ff::Packet::empty();
            match packet.read(&mut input) {
                Ok(()) if packet.stream() == self.stream && !is_discarded(&packet) => count += 1,
                Ok(()) => {}
                Err(ff::Error::Eof) => return Ok(count),
                Err(e) => return Err(self.broken(e)),
            }
        }
    }

    /// Passes over the next frame: it is decoded, since others build on it, but made no picture of. `false` after
    /// the last.
    ///
    /// # Errors
    /// [`Error::Input`] when the file is damaged.
    pub fn pass_over(&mut self) -> Result<bool> {
        if self.done {
            return Ok(false);
        }
        let passed = self.receive().map(|frame| frame.is_some());
        self.read += u64::from(matches!(passed, Ok(true)));
        self.done = !matches!(passed, Ok(true));
        passed
    }

    /// The next frame, `None` after the last.
    fn advance(&mut self) -> Result<Option<Canvas>> {
        match self.receive()? {
            Some(frame) => self.convert(&frame).map(Some),
            None => Ok(None),
        }
    }

    /// The next frame as the decoder gives it, `None` after the last.
    fn receive(&mut self) -> Result<Option<Frame>> {
        let mut frame = Frame::empty();
        loop {
            match self.decoder.receive_frame(&mut frame) {
                Ok(()) => return Ok(Some(frame)),
                Err(ff::Error::Eof) => return Ok(None),
                Err(ff::Error::Other { errno: ff::error::EAGAIN }) => self.feed()?,
                Err(e) => return Err(self.broken(e)),
            }
        }
    }

    /// Gives the decoder one more packet of our stream, or the end.
    fn feed(&mut self) -> Result<()> {
        if self.drained {
            // A decoder that asks for more after the end would never stop.
            return Err(self.broken(ff::Error::InvalidData));
        }
        loop {
            let mut packet = ff::Packet::empty();
            match packet.read(&mut self.input) {
                Ok(()) if packet.stream() != self.stream => {}
                Ok(()) => return self.decoder.send_packet(&packet).map_err(|e| self.broken(e)),
                Err(ff::Error::Eof) => {
                    self.drained = true;
                    return self.decoder.send_eof().map_err(|e| self.broken(e));
                }
                Err(e) => return Err(self.broken(e)),
            }
        }
    }

    fn convert(&mut self, frame: &Frame) -> Result<Canvas> {
        let size = Size::new(frame.width() as usize, frame.height() as usize);
        let shown = if self.turns % 2 == 1 { Size::new(size.height, size.width) } else { size };
        if shown != self.size {
            let message = format!("frame {} is {shown}, the first one {}", self.read, self.size);
            return Err(Error::input(&self.path, message).with_hint("scale the video to one size first"));
        }
        let key = (frame.format(), coding(frame));
        if self.converter.as_ref().is_none_or(|(made_for, _)| *made_for != key) {
            self.converter = Some((key, Converter::to_rgb(size, key.0, key.1)?));
        }
        let mut rgb = ffmpeg::frame(Pixel::RGB24, size)?;
        if let Some((_, converter)) = &mut self.converter {
            converter.run(frame, &mut rgb)?;
        }
        self.read += 1;
        Ok(turned(ffmpeg::take(&rgb), self.turns))
    }

    fn broken(&self, error: ff::Error) -> Error {
        let message = format!("the video is damaged at frame {}: {}", self.read, reason(error));
        Error::input(&self.path, message).with_hint("make the file again, or cut it before that frame")
    }
}

impl Iterator for VideoReader {
    type Item = Result<Canvas>;

    fn next(&mut self) -> Option<Result<Canvas>> {
        if self.done {
            return None;
        }
        let next = self.advance().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

fn open_input(path: &Path) -> Result<Input> {
    ffmpeg::start();
    // FFmpeg's message for a folder or a missing file does not say which it was.
    std::fs::File::open(path).map_err(|e| Error::input(path, format!("cannot open the video: {e}")))?;
    ff::format::input(&ffmpeg::url(path)?).map_err(|e| {
        Error::input(path, format!("cannot read it as a video: {}", reason(e)))
            .with_hint("is it a video file, and complete?")
    })
}

fn no_pictures(path: &Path) -> Error {
    Error::input(path, "expected a video, found no picture stream in the file")
}

/// The stream's decoder, on as many threads as there are cores: decoding is exact, so that changes no byte.
fn decoder(stream: &ff::Stream<'_>) -> Result<ff::decoder::Video, ff::Error> {
    let mut context = ff::codec::Context::from_parameters(stream.parameters())?;
    context.set_threading(threading::Config::kind(threading::Type::Frame));
    context.decoder().video()
}

/// The average rate, else the nominal one, else 25; huge fractions are rounded to parts below a million.
fn rate(stream: &ff::Stream<'_>) -> Fps {
    let known = [stream.avg_frame_rate(), stream.rate()].into_iter().find(|r| r.0 > 0 && r.1 > 0);
    let found = known.map(|r| match r.reduce_with_limit(1_000_000) {
        Ok(r) | Err(r) => Fps::new(r.0 as u32, r.1 as u32),
    });
    found.and_then(|fps| fps.checked().ok()).unwrap_or(Fps::new(25, 1))
}

/// How often the picture must be turned by 90 degrees clockwise to be shown, from the display matrix.
fn quarter_turns(stream: &ff::Stream<'_>) -> u32 {
    let matrix = stream.side_data().find(|data| data.kind() == side_data::Type::DisplayMatrix);
    let Some(matrix) = matrix else { return 0 };
    let numbers: Vec<i32> =
        matrix.data().as_chunks::<4>().0.iter().map(|bytes| i32::from_ne_bytes(*bytes)).collect();
    if numbers.len() != 9 {
        return 0;
    }
    // SAFETY: the pointer is to the nine numbers that the function reads.
    let counter_clockwise = unsafe { ffi::av_display_rotation_get(numbers.as_ptr()) };
    if counter_clockwise.is_nan() {
        return 0;
    }
    ((-counter_clockwise / 90.0).round() as i32).rem_euclid(4) as u32
}

/// `canvas` turned clockwise by `turns` quarter turns.
fn turned(canvas: Canvas, turns: u32) -> Canvas {
    let Size { width, height } = canvas.size();
    let size = if turns % 2 == 1 { Size::new(height, width) } else { canvas.size() };
    let source = |x: usize, y: usize| match turns {
        1 => (y, height - 1 - x),
        2 => (width - 1 - x, height - 1 - y),
        _ => (width - 1 - y, x),
    };
    if turns == 0 {
        return canvas;
    }
    let places = (0..size.height).flat_map(|y| (0..size.width).map(move |x| (x, y)));
    let rgb = places.map(|(x, y)| source(x, y)).flat_map(|(x, y)| canvas.pixel(x, y)).collect();
    Canvas::from_rgb8(size, rgb)
}

/// Packets before the start of an edit list are decoded but not shown.
fn is_discarded(packet: &ff::Packet) -> bool {
    const DISCARD: i32 = ffi::AV_PKT_FLAG_DISCARD;
    use ff::packet::Ref as _;
    // SAFETY: the packet is alive and its flags are plain data.
    unsafe { (*packet.as_ptr()).flags & DISCARD != 0 }
}

/// Matrix and range of a frame by its tags, else by its format and size.
fn coding(frame: &Frame) -> Coding {
    use ff::color::{Range, Space};
    let large = frame.width() >= 1280 || frame.height() > 576;
    let matrix = match frame.color_space() {
        Space::FCC => ffi::SWS_CS_FCC,
        Space::BT470BG | Space::SMPTE170M => ffi::SWS_CS_ITU601,
        Space::SMPTE240M => ffi::SWS_CS_SMPTE240M,
        Space::BT2020NCL | Space::BT2020CL => ffi::SWS_CS_BT2020,
        Space::Unspecified if !large => ffi::SWS_CS_ITU601,
        _ => ffi::SWS_CS_ITU709,
    };
    let name = frame.format().descriptor().map_or("", |d| d.name());
    let full = match frame.color_range() {
        Range::JPEG => true,
        Range::MPEG => false,
        Range::Unspecified => name.starts_with("yuvj") || name.starts_with("gray"),
    };
    Coding { matrix, full: full || name.starts_with("yuvj") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turning_four_times_is_nothing_and_once_is_clockwise() {
        let canvas = Canvas::from_rgb8(Size::new(3, 2), (0..18).collect());
        let once = turned(canvas.clone(), 1);
        assert_eq!(once.size(), Size::new(2, 3));
        // The bottom-left corner comes to the top-left.
        assert_eq!(once.pixel(0, 0), canvas.pixel(0, 1));
        assert_eq!(turned(once.clone(), 1), turned(canvas.clone(), 2));
        assert_eq!(turned(once, 3), canvas);
    }
}
