//! Puts a sound to a finished video: the pictures are copied as they are, the sound becomes AAC unless it is that
//! already.

mod stereo;

use std::path::Path;

use ffmpeg_next as ff;
use ffmpeg_next::codec::encoder::audio::Encoder;
use ffmpeg_next::format::context::{Input, Output};
use ffmpeg_next::format::{Sample, sample::Type};
use ffmpeg_next::frame::Audio as Frame;

use self::stereo::{Stereo, Tail};
use super::SoundReader;
use super::ffmpeg::{self, failed, reason};
use super::video::Partial;
use crate::error::{Error, Result};

/// Bits per second of a sound that is encoded: beyond what is heard, small beside the pictures.
const BITS: usize = 192_000;

/// Rates that AAC has (ISO/IEC 14496-3), samples per second.
const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// Writes the pictures of `video` and the sound of `sound`, from `start` seconds of it on, into `out`. The sound ends
/// with the pictures, or before them when it is shorter. `out` appears under its name when it is whole.
///
/// `round` is the length in seconds of a film that goes round: what the sound has behind its end is then heard under its
/// beginning for a moment, so that the end leads into it.
///
/// # Errors
/// [`Error::Input`] when one of the files cannot be read or has no sound, [`Error::Video`] when the sound cannot be
/// encoded, [`Error::Output`] when the disk refuses.
pub fn add(video: &Path, sound: &Path, start: f64, round: Option<f64>, out: &Path) -> Result<()> {
    ffmpeg::start();
    let partial = Partial::beside(out)?;
    let mut pictures = open(video)?;
    let missing = || Error::input(video, "expected a video, found no picture stream in the file");
    let stream = pictures.streams().best(ff::media::Type::Video).ok_or_else(missing)?;
    let (index, base) = (stream.index(), stream.time_base());
    let cannot = |e: ff::Error| Error::output(out, format!("cannot write the sound: {}", reason(e)));
    let mut output = ff::format::output_as(&ffmpeg::url(partial.path())?, "mp4").map_err(cannot)?;
    copied(&mut output, stream.parameters()).map_err(cannot)?;
    let tail = match round {
        Some(length) => Tail::read(sound, start + length, length)?,
        None => None,
    };
    let mut track = Track::open(sound, start, tail, &mut output)?;
    output.set_metadata(pictures.metadata().to_owned());
    let options = [("movflags", "+faststart"), ("fflags", "+bitexact")].into_iter().collect();
    output.write_header_with(options).map_err(cannot)?;
    let bases = [0, 1].map(|n| output.stream(n).map(|stream| stream.time_base()));
    let [Some(to), Some(sound_base)] = bases else { return Err(Error::Bug("a stream is gone".to_owned())) };
    let mut end = 0.0;
    loop {
        let mut packet = ff::Packet::empty();
        match packet.read(&mut pictures) {
            Ok(()) if packet.stream() != index => continue,
            Ok(()) => {}
            Err(ff::Error::Eof) => break,
            Err(e) => return Err(Error::input(video, format!("cannot read it back: {}", reason(e)))),
        }
        let time = packet.pts().unwrap_or(0) + packet.duration();
        end = f64::max(end, time as f64 * f64::from(base));
        packet.rescale_ts(base, to);
        packet.set_position(-1);
        packet.set_stream(0);
        packet.write_interleaved(&mut output).map_err(cannot)?;
        // Never far ahead of the other: the muxer keeps in memory what waits.
        track.write_until(end, false, sound_base, &mut output)?;
    }
    track.finish(end, sound_base, &mut output)?;
    output.write_trailer().map_err(cannot)?;
    drop(output);
    partial.named(out)
}

fn open(path: &Path) -> Result<Input> {
    ff::format::input(&ffmpeg::url(path)?)
        .map_err(|e| Error::input(path, format!("cannot read it: {}", reason(e))))
}

/// A stream of packets that are copied.
fn copied(output: &mut Output, parameters: ff::codec::Parameters) -> std::result::Result<(), ff::Error> {
    let mut stream = output.add_stream(ff::encoder::find(ff::codec::Id::None))?;
    stream.set_parameters(parameters);
    // The tag of another container means nothing in this one.
    // SAFETY: the stream is alive, and its parameters are plain data.
    unsafe {
        (*stream.parameters().as_mut_ptr()).codec_tag = 0;
    }
    Ok(())
}

/// The sound on its way into the file.
enum Track {
    Copied(Box<Copied>),
    Encoded(Box<Encoded>),
}

impl Track {
    fn open(path: &Path, start: f64, tail: Option<Tail>, output: &mut Output) -> Result<Self> {
        // Says what is wrong with a file that has no sound.
        let reader = SoundReader::open(path)?;
        let input = open(path)?;
        let stream = input.streams().best(ff::media::Type::Audio);
        let as_it_is = |stream: &ff::Stream<'_>| stream.parameters().id() == ff::codec::Id::AAC;
        if let Some(stream) = stream.filter(as_it_is).filter(|_| tail.is_none()) {
            let (index, base) = (stream.index(), stream.time_base());
            copied(output, stream.parameters()).map_err(|e| failed("cannot copy the sound", e))?;
            return Ok(Self::Copied(Box::new(Copied {
                input,
                index,
                base,
                start,
                waiting: None,
                ended: false,
            })));
        }
        Ok(Self::Encoded(Box::new(Encoded::open(Stereo::new(reader, start), tail, output)?)))
    }

    /// Writes what is heard before `end` seconds; more comes unless that is the end.
    fn write_until(&mut self, end: f64, is_end: bool, base: ff::Rational, output: &mut Output) -> Result<()> {
        match self {
            Self::Copied(track) => track.write_until(end, base, output),
            Self::Encoded(track) => track.write_until(end, is_end, base, output),
        }
    }

    fn finish(&mut self, end: f64, base: ff::Rational, output: &mut Output) -> Result<()> {
        self.write_until(end, true, base, output)?;
        match self {
            Self::Copied(_) => Ok(()),
            Self::Encoded(track) => track.flush(base, output),
        }
    }
}

/// Sound that is AAC already.
struct Copied {
    input: Input,
    index: usize,
    base: ff::Rational,
    start: f64,
    /// A packet that was read and is not heard yet.
    waiting: Option<ff::Packet>,
    ended: bool,
}

impl Copied {
    fn write_until(&mut self, end: f64, base: ff::Rational, output: &mut Output) -> Result<()> {
        loop {
            let Some(mut packet) = self.next()? else { return Ok(()) };
            let skipped = (self.start / f64::from(self.base)).round() as i64;
            let pts = packet.pts().unwrap_or(0) - skipped;
            if pts < 0 {
                continue;
            }
            if pts as f64 * f64::from(self.base) >= end {
                self.waiting = Some(packet);
                return Ok(());
            }
            packet.set_pts(Some(pts));
            packet.set_dts(packet.dts().map(|dts| dts - skipped));
            packet.rescale_ts(self.base, base);
            packet.set_position(-1);
            packet.set_stream(1);
            packet.write_interleaved(output).map_err(|e| failed("cannot write the sound", e))?;
        }
    }

    fn next(&mut self) -> Result<Option<ff::Packet>> {
        if let Some(packet) = self.waiting.take() {
            return Ok(Some(packet));
        }
        while !self.ended {
            let mut packet = ff::Packet::empty();
            match packet.read(&mut self.input) {
                Ok(()) if packet.stream() == self.index => return Ok(Some(packet)),
                Ok(()) => {}
                Err(ff::Error::Eof) => self.ended = true,
                Err(e) => return Err(failed("cannot read the sound", e)),
            }
        }
        Ok(None)
    }
}

/// Sound that becomes AAC, of one or two channels.
struct Encoded {
    sound: Stereo,
    /// What is heard under its beginning.
    tail: Option<Tail>,
    encoder: Encoder,
    layout: ff::ChannelLayout,
    /// Samples that wait until a frame is full, a list a channel.
    waiting: Vec<Vec<f32>>,
    sent: u64,
    ended: bool,
}

impl Encoded {
    fn open(sound: Stereo, tail: Option<Tail>, output: &mut Output) -> Result<Self> {
        let rate = sound.rate();
        if !RATES.contains(&rate) {
            return Err(Error::video(format!(
                "a sound of {rate} samples per second cannot be put to a video"
            ))
            .with_hint("convert it to 48000 with another program first"));
        }
        let codec = ff::encoder::find(ff::codec::Id::AAC).ok_or_else(|| {
            Error::video("this FFmpeg has no encoder for AAC").with_hint("give the sound as an .m4a file")
        })?;
        let channels = sound.channels();
        let layout = if channels == 1 { ff::ChannelLayout::MONO } else { ff::ChannelLayout::STEREO };
        let cannot = |e: ff::Error| failed("cannot set up the sound's encoder", e);
        let mut audio = ff::codec::Context::new_with_codec(codec).encoder().audio().map_err(cannot)?;
        audio.set_rate(rate as i32);
        audio.set_channel_layout(layout);
        audio.set_format(Sample::F32(Type::Planar));
        audio.set_bit_rate(BITS);
        audio.set_time_base((1, rate as i32));
        audio.set_flags(ff::codec::Flags::GLOBAL_HEADER | ff::codec::Flags::BITEXACT);
        let encoder = audio.open_as(codec).map_err(cannot)?;
        let mut stream = output.add_stream(codec).map_err(cannot)?;
        stream.set_time_base((1, rate as i32));
        stream.set_parameters(&encoder);
        let waiting = vec![Vec::new(); channels];
        Ok(Self { sound, tail, encoder, layout, waiting, sent: 0, ended: false })
    }

    fn write_until(&mut self, end: f64, is_end: bool, base: ff::Rational, output: &mut Output) -> Result<()> {
        let rate = f64::from(self.sound.rate());
        let last = (end * rate) as u64;
        let size = (self.encoder.frame_size() as usize).max(1);
        loop {
            let free = last.saturating_sub(self.sent) as usize;
            while free > 0 && !self.ended && self.waiting[0].len() < size {
                self.fill()?;
            }
            // A frame that is not full is the last one that the encoder takes.
            if self.waiting[0].is_empty() || free == 0 || (free < size && !is_end) {
                return Ok(());
            }
            let count = size.min(self.waiting[0].len()).min(free);
            self.send(count)?;
            self.drain(base, output)?;
        }
    }

    /// Reads on.
    fn fill(&mut self) -> Result<()> {
        match self.sound.next()? {
            Some(more) => self.waiting.iter_mut().zip(more).for_each(|(waiting, more)| waiting.extend(more)),
            None => self.ended = true,
        }
        Ok(())
    }

    /// Gives the encoder the next samples.
    fn send(&mut self, count: usize) -> Result<()> {
        let mut frame = Frame::new(Sample::F32(Type::Planar), count, self.layout);
        if frame.planes() < self.waiting.len() {
            return Err(Error::video("not enough memory for the sound"));
        }
        frame.set_rate(self.sound.rate());
        frame.set_pts(Some(self.sent as i64));
        for (channel, waiting) in self.waiting.iter_mut().enumerate() {
            let mut samples: Vec<f32> = waiting.drain(..count).collect();
            if let Some(tail) = &self.tail {
                tail.mix(channel, self.sent, &mut samples);
            }
            frame.plane_mut::<f32>(channel)[..count].copy_from_slice(&samples);
        }
        self.sent += count as u64;
        self.encoder.send_frame(&frame).map_err(|e| failed("cannot encode the sound", e))
    }

    fn drain(&mut self, base: ff::Rational, output: &mut Output) -> Result<()> {
        loop {
            let mut packet = ff::Packet::empty();
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => {}
                Err(ff::Error::Eof | ff::Error::Other { errno: ff::error::EAGAIN }) => return Ok(()),
                Err(e) => return Err(failed("cannot encode the sound", e)),
            }
            packet.set_stream(1);
            packet.rescale_ts(ff::Rational(1, self.sound.rate() as i32), base);
            packet.write_interleaved(output).map_err(|e| failed("cannot write the sound", e))?;
        }
    }

    /// The rest that waits, and the end.
    fn flush(&mut self, base: ff::Rational, output: &mut Output) -> Result<()> {
        self.encoder.send_eof().map_err(|e| failed("cannot encode the sound", e))?;
        self.drain(base, output)
    }
}
