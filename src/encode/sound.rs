//! Reads the sound of a file as one channel of numbers.

use std::path::{Path, PathBuf};

use ffmpeg_next as ff;
use ffmpeg_next::codec::threading;
use ffmpeg_next::ffi;
use ffmpeg_next::format::Sample;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::frame::Audio as Frame;

use super::ffmpeg::{self, reason};
use crate::error::{Error, Result};

/// The first (best) sound stream of a file, mixed to one channel: the mean of all channels, -1 to 1 at full
/// scale, at the file's own rate.
///
/// Formats without loss (WAV, FLAC, ALAC, AIFF ...) give the same numbers on every machine. Of MP3, AAC,
/// Vorbis and Opus the decoder's last bits depend on the processor, about 1e-7 of full scale.
pub struct SoundReader {
    path: PathBuf,
    input: Input,
    decoder: ff::decoder::Audio,
    stream: usize,
    rate: u32,
    drained: bool,
    read: u64,
}

impl SoundReader {
    /// Opens a sound, or the sound of a video.
    ///
    /// # Errors
    /// [`Error::Input`] when the file cannot be read, holds no sound, or this FFmpeg has no decoder for it.
    pub fn open(path: &Path) -> Result<Self> {
        ffmpeg::start();
        // FFmpeg's message for a folder or a missing file does not say which it was.
        std::fs::File::open(path).map_err(|e| Error::input(path, format!("cannot open the sound: {e}")))?;
        let input = ff::format::input(&ffmpeg::url(path)?).map_err(|e| {
            Error::input(path, format!("cannot read it as a sound: {}", reason(e)))
                .with_hint("is it a sound file, and complete?")
        })?;
        let silent = || {
            Error::input(path, "expected a sound, found no sound stream in the file")
                .with_hint("is it the right file?")
        };
        let stream = input.streams().best(ff::media::Type::Audio).ok_or_else(silent)?;
        let index = stream.index();
        let decoder = decoder(&stream).map_err(|e| {
            Error::input(path, format!("cannot decode the sound: {}", reason(e)))
                .with_hint("convert it to FLAC with another program first")
        })?;
        let rate = decoder.rate();
        if rate == 0 {
            return Err(silent());
        }
        Ok(Self { path: path.to_owned(), input, decoder, stream: index, rate, drained: false, read: 0 })
    }

    /// Samples per second.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// The next samples, `None` after the last.
    ///
    /// # Errors
    /// [`Error::Input`] when the file is damaged, or its rate changes on the way.
    pub fn read(&mut self) -> Result<Option<Vec<f64>>> {
        match self.receive()? {
            Some(frame) => self.mix(&frame).map(Some),
            None => Ok(None),
        }
    }

    /// The next samples as the decoder gives them, `None` after the last.
    fn receive(&mut self) -> Result<Option<Frame>> {
        let mut frame = Frame::empty();
        loop {
            match self.decoder.receive_frame(&mut frame) {
                Ok(()) => return Ok(Some(frame)),
                Err(ff::Error::Eof) => return Ok(None),
                Err(ff::Error::Other { errno: ff::error::EAGAIN }) => self.feed()?,
                Err(e) => return Err(self.broken(&reason(e))),
            }
        }
    }

    /// How many channels it has, at least 1.
    pub fn channels(&self) -> usize {
        usize::from(self.decoder.channels()).max(1)
    }

    /// As [`SoundReader::read`], not mixed: a list of samples for each channel, all of one length, at least one list.
    ///
    /// # Errors
    /// As [`SoundReader::read`].
    pub fn read_channels(&mut self) -> Result<Option<Vec<Vec<f64>>>> {
        Ok(match self.receive()? {
            Some(frame) => {
                let channels = self.split(&frame)?;
                self.read += channels[0].len() as u64;
                Some(channels)
            }
            None => None,
        })
    }

    /// Gives the decoder one more packet of our stream, or the end.
    fn feed(&mut self) -> Result<()> {
        if self.drained {
            // A decoder that asks for more after the end would never stop.
            return Err(self.broken("the decoder does not end"));
        }
        loop {
            let mut packet = ff::Packet::empty();
            match packet.read(&mut self.input) {
                Ok(()) if packet.stream() != self.stream => {}
                Ok(()) => return self.decoder.send_packet(&packet).map_err(|e| self.broken(&reason(e))),
                Err(ff::Error::Eof) => {
                    self.drained = true;
                    return self.decoder.send_eof().map_err(|e| self.broken(&reason(e)));
                }
                Err(e) => return Err(self.broken(&reason(e))),
            }
        }
    }

    /// The mean of the channels of a frame.
    fn mix(&mut self, frame: &Frame) -> Result<Vec<f64>> {
        let channels = self.split(frame)?;
        let mean = |n: usize| channels.iter().map(|c| c[n]).sum::<f64>() / channels.len() as f64;
        let mixed: Vec<f64> = (0..channels[0].len()).map(mean).collect();
        if let Some(at) = mixed.iter().position(|sample| !sample.is_finite()) {
            self.read += at as u64;
            return Err(self.broken("a sample is not a number"));
        }
        self.read += mixed.len() as u64;
        Ok(mixed)
    }

    /// The samples of each channel of a frame, at least one channel.
    fn split(&self, frame: &Frame) -> Result<Vec<Vec<f64>>> {
        if frame.rate() != self.rate {
            let message = format!("the rate changes from {} to {} Hz", self.rate, frame.rate());
            return Err(self.broken(&message));
        }
        let (count, channels) = (frame.samples(), usize::from(frame.channels()));
        let Some(decode) = Decode::of(frame.format()) else {
            return Err(self.broken("the decoder gives samples of an unknown kind"));
        };
        let needed = count * decode.bytes * if frame.is_packed() { channels } else { 1 };
        let silent = channels == 0 || frame.planes() == 0;
        if silent || (0..frame.planes()).any(|plane| frame.data(plane).len() < needed) {
            return Err(self.broken("the decoder gives fewer samples than it says"));
        }
        let planes: Vec<&[u8]> = (0..frame.planes()).map(|plane| frame.data(plane)).collect();
        let sample = |n: usize, channel: usize| match planes.as_slice() {
            [packed] if frame.is_packed() => decode.at(packed, n * channels + channel),
            planes => decode.at(planes[channel], n),
        };
        Ok((0..channels).map(|channel| (0..count).map(|n| sample(n, channel)).collect()).collect())
    }

    fn broken(&self, why: &str) -> Error {
        let seconds = self.read as f64 / f64::from(self.rate);
        Error::input(&self.path, format!("the sound is damaged at {seconds:.2} s: {why}"))
            .with_hint("make the file again, or cut it before that moment")
    }
}

/// The stream's decoder. One thread: sound is quick to decode, and nothing then depends on the machine.
fn decoder(stream: &ff::Stream<'_>) -> Result<ff::decoder::Audio, ff::Error> {
    let mut context = ff::codec::Context::from_parameters(stream.parameters())?;
    context.set_threading(threading::Config::count(1));
    // SAFETY: the context is alive and not opened yet; its flags are plain data.
    unsafe {
        (*context.as_mut_ptr()).flags |= ffi::AV_CODEC_FLAG_BITEXACT as i32;
    }
    context.decoder().audio()
}

/// How the bytes of a kind of sample become a number from -1 to 1.
#[derive(Clone, Copy)]
struct Decode {
    bytes: usize,
    number: fn(&[u8]) -> f64,
}

impl Decode {
    fn of(format: Sample) -> Option<Self> {
        let (bytes, number): (usize, fn(&[u8]) -> f64) = match format {
            Sample::None => return None,
            Sample::U8(_) => (1, |b| (f64::from(b[0]) - 128.0) / 128.0),
            Sample::I16(_) => (2, |b| f64::from(i16::from_ne_bytes(array(b))) / 32_768.0),
            Sample::I32(_) => (4, |b| f64::from(i32::from_ne_bytes(array(b))) / 2_147_483_648.0),
            Sample::I64(_) => (8, |b| i64::from_ne_bytes(array(b)) as f64 / 9_223_372_036_854_775_808.0),
            Sample::F32(_) => (4, |b| f64::from(f32::from_ne_bytes(array(b)))),
            Sample::F64(_) => (8, |b| f64::from_ne_bytes(array(b))),
        };
        Some(Self { bytes, number })
    }

    fn at(self, plane: &[u8], index: usize) -> f64 {
        (self.number)(&plane[index * self.bytes..][..self.bytes])
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}
