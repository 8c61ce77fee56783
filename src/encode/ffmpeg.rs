//! What writer and reader share of FFmpeg: start-up, error texts, file names, colour conversion.

use std::path::Path;
use std::sync::Once;

use ffmpeg_next as ff;
use ffmpeg_next::ffi;
use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video as Frame;
use ffmpeg_next::software::scaling;

use crate::canvas::{Canvas, Size};
use crate::error::{Error, Result};

/// Loads FFmpeg's error texts and silences its log: it writes to the terminal behind our progress bar,
/// and what matters comes back as an error.
pub(super) fn start() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // It only fails for devices, which are not compiled in.
        let _ = ff::init();
        ff::log::set_level(ff::log::Level::Quiet);
    });
}

/// The name under which FFmpeg opens a local file. The prefix keeps it from reading `a:b.mp4` as a protocol.
pub(super) fn url(path: &Path) -> Result<String> {
    match path.to_str() {
        Some(text) if !text.contains('\0') => Ok(format!("file:{text}")),
        _ => Err(Error::input(path, "the name of a video must be valid UTF-8").with_hint("rename it")),
    }
}

/// FFmpeg's reason, the disk's own ones in plain words.
pub(super) fn reason(error: ff::Error) -> String {
    match error {
        ff::Error::Other { errno: ff::error::ENOSPC } => "no space is left on the disk".to_owned(),
        ff::Error::Other { errno: ff::error::EACCES | ff::error::EPERM } => {
            "writing there is not permitted".to_owned()
        }
        other => other.to_string().to_lowercase(),
    }
}

/// An [`Error::Video`] that says what failed and why.
pub(super) fn failed(what: &str, error: ff::Error) -> Error {
    Error::video(format!("{what}: {}", reason(error)))
}

/// The matrix between RGB and YUV, and whether Y spans 0–255 (full) or 16–235.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coding {
    /// FFmpeg's number of the matrix (`SWS_CS_*`): ITU-R BT.709 is 1.
    pub matrix: i32,
    /// Full range.
    pub full: bool,
}

impl Coding {
    /// What we write: BT.709, 16–235.
    pub const BT709: Self = Self { matrix: ffi::SWS_CS_ITU709, full: false };
    /// RGB: the matrix is not used, the range is full.
    const RGB: Self = Self { matrix: ffi::SWS_CS_ITU709, full: true };
}

/// Converts pictures between RGB24 and a YUV format of one size with explicit matrix and range.
pub(super) struct Converter {
    context: scaling::Context,
}

// SAFETY: a scaling context has no tie to the thread that made it, and it is never shared: every use
// takes `&mut`.
unsafe impl Send for Converter {}

impl Converter {
    /// From RGB24 to `format`.
    pub(super) fn to_yuv(size: Size, format: Pixel, coding: Coding) -> Result<Self> {
        Self::new(size, (Pixel::RGB24, Coding::RGB), (format, coding))
    }

    /// From `format` to RGB24.
    pub(super) fn to_rgb(size: Size, format: Pixel, coding: Coding) -> Result<Self> {
        Self::new(size, (format, coding), (Pixel::RGB24, Coding::RGB))
    }

    fn new(size: Size, from: (Pixel, Coding), to: (Pixel, Coding)) -> Result<Self> {
        let (width, height) = (size.width as u32, size.height as u32);
        // Full chroma in and out and accurate rounding: without them reds bleed and flat colours
        // are a level or two off. Bit-exact: the same bytes whatever the processor offers.
        let flags = scaling::Flags::BICUBIC
            | scaling::Flags::FULL_CHR_H_INT
            | scaling::Flags::FULL_CHR_H_INP
            | scaling::Flags::ACCURATE_RND
            | scaling::Flags::BITEXACT;
        let mut context = scaling::Context::get(from.0, width, height, to.0, width, height, flags)
            .map_err(|e| failed(&format!("cannot convert {:?} to {:?}", from.0, to.0), e))?;
        // SAFETY: the context is alive; FFmpeg's coefficient tables are static arrays of four numbers.
        // A refusal (-1) only says that one side has no matrix to set, which is so for RGB to RGB.
        unsafe {
            ffi::sws_setColorspaceDetails(
                context.as_mut_ptr(),
                ffi::sws_getCoefficients(from.1.matrix),
                i32::from(from.1.full),
                ffi::sws_getCoefficients(to.1.matrix),
                i32::from(to.1.full),
                0,
                1 << 16,
                1 << 16,
            );
        }
        Ok(Self { context })
    }

    /// Converts one picture.
    pub(super) fn run(&mut self, from: &Frame, to: &mut Frame) -> Result<()> {
        self.context.run(from, to).map_err(|e| failed("cannot convert the colours of a frame", e))
    }
}

/// An empty picture of FFmpeg's.
pub(super) fn frame(format: Pixel, size: Size) -> Result<Frame> {
    let frame = Frame::new(format, size.width as u32, size.height as u32);
    // `planes` counts the lines that were allocated: none when memory ran out.
    if frame.planes() == 0 {
        return Err(Error::video(format!("not enough memory for a frame of {size}")));
    }
    Ok(frame)
}

/// Fills an RGB24 frame; where it is larger than the canvas, the last column and row are repeated.
pub(super) fn fill(frame: &mut Frame, canvas: &Canvas) {
    let stride = frame.stride(0);
    let row_bytes = canvas.width() * 3;
    let used = frame.width() as usize * 3;
    let height = frame.height() as usize;
    let rows = frame.data_mut(0).chunks_mut(stride);
    for (y, row) in rows.take(height).enumerate() {
        let from = &canvas.as_rgb8()[y.min(canvas.height() - 1) * row_bytes..][..row_bytes];
        row[..row_bytes].copy_from_slice(from);
        for x in (row_bytes..used).step_by(3) {
            row[x..x + 3].copy_from_slice(&from[row_bytes - 3..]);
        }
    }
}

/// Takes the picture out of an RGB24 frame.
pub(super) fn take(frame: &Frame) -> Canvas {
    let size = Size::new(frame.width() as usize, frame.height() as usize);
    let rows = frame.data(0).chunks(frame.stride(0)).take(size.height);
    let rgb = rows.flat_map(|row| &row[..size.width * 3]).copied().collect();
    Canvas::from_rgb8(size, rgb)
}
