//! Sound becomes numbers: loudness, bands, envelopes, onsets and tempo, a value for each frame of a film.
//!
//! A sound is heard once, from its start to its end, whatever is asked of it; memory grows by a few bytes
//! per hundredth of a second. All sums are doubles in a fixed order, sines and logarithms come from `libm`,
//! so the same samples give the same values on every machine.

mod band;
mod fft;
mod grid;
mod resample;
mod rhythm;
mod spectrum;

use std::path::Path;

use crate::error::Result;
pub use band::Band;
use band::{Section, audible};
pub use grid::{Curve, Grid};
use grid::{Fold, Frames};
use resample::Resampler;
use spectrum::{Rhythm, Spectra, middle};

/// Samples per second of the analysis. Files at another rate are resampled to it.
pub const RATE: u32 = 44_100;
/// Lowest and highest sampling rate of a file.
pub const RATES: (u32, u32) = (4_000, 384_000);

/// A sound being played from its start: mono, full scale is -1 to 1.
pub trait Source {
    /// Samples per second, within [`RATES`].
    fn rate(&self) -> u32;

    /// The next samples, `None` after the last.
    ///
    /// # Errors
    /// [`crate::error::Error::Input`] when the file is damaged.
    fn read(&mut self) -> Result<Option<Vec<f64>>>;
}

/// Opens the sound in a file.
pub type Open = fn(&Path) -> Result<Box<dyn Source>>;

/// Time constants of an envelope, in seconds: after a jump it has come 63% of the way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    /// Upwards.
    pub attack: f64,
    /// Downwards.
    pub release: f64,
}

impl Times {
    /// What is left of the way after a step of `1 / rate` seconds, up and down.
    fn left(self, rate: f64) -> (f64, f64) {
        let left = |time: f64| if time > 0.0 { libm::exp(-1.0 / (time * rate)) } else { 0.0 };
        (left(self.attack), left(self.release))
    }
}

/// What is measured of a sound or a band of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// Root of the mean square over the frame, as a share of that of a full sine, at most 1.
    Level,
    /// Root of the mean square over the frame.
    Rms,
    /// The largest value in the frame of an envelope of the absolute value: the branching peak follower of
    /// Giannoulis, Massberg and Reiss, «Digital dynamic range compressor design» (JAES 60, 2012).
    Envelope(Times),
    /// The centre of gravity of the spectrum in Hz, the mean over the frame; 0 in silence.
    Centroid,
    /// 1 in the frame in which something begins, else 0. The threshold is a share of the strongest onset.
    Onset(f64),
    /// 1 in the frame in which a beat falls, else 0.
    Beat,
    /// One number for the whole sound: beats per minute.
    Tempo,
}

/// What is done to a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum After {
    /// The least value of the whole sound becomes the first number, the largest the second; a curve that
    /// never changes becomes the first.
    Norm(f64, f64),
    /// An envelope from frame to frame.
    Envelope(Times),
}

/// One value or curve that is asked of a sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Filters, one after the other; none is the whole sound.
    pub bands: Vec<Band>,
    /// What is measured.
    pub measure: Measure,
    /// What is done to it then, in order.
    pub after: Vec<After>,
    /// The frames of the film.
    pub grid: Grid,
}

/// What a sound gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A value per frame.
    Curve(Curve),
    /// One number for the whole sound.
    Number(f64),
    /// The tempo of a sound that has none: silence, noise, or less than two beats.
    NoTempo,
}

/// Hears `source` to its end and answers every request, in order.
///
/// # Errors
/// Those of the source.
pub fn analyse(source: &mut dyn Source, requests: &[Request]) -> Result<Vec<Answer>> {
    let mut channels = channels(requests);
    let mut resampler = Resampler::new(source.rate());
    let (mut count, mut samples) = (0, Vec::new());
    while let Some(read) = source.read()? {
        count += read.len() as u64;
        samples.clear();
        resampler.push(&read, &mut samples);
        channels.iter_mut().for_each(|channel| channel.hear(&samples));
    }
    samples.clear();
    resampler.finish(count, &mut samples);
    channels.iter_mut().for_each(|channel| channel.hear(&samples));
    let mut answers = vec![Answer::NoTempo; requests.len()];
    channels.into_iter().for_each(|channel| channel.answer(requests, &mut answers));
    Ok(answers)
}

/// Requests of the same bands share a channel: one filter, one series of spectra.
fn channels(requests: &[Request]) -> Vec<Channel> {
    let mut channels: Vec<Channel> = Vec::new();
    for (index, request) in requests.iter().enumerate() {
        let at = channels.iter().position(|channel| channel.bands == request.bands);
        let at = at.unwrap_or_else(|| {
            channels.push(Channel::new(&request.bands));
            channels.len() - 1
        });
        channels[at].add(index, request);
    }
    channels
}

/// A filtered sound and what listens to it.
struct Channel {
    bands: Vec<Band>,
    sections: Vec<Section>,
    heard: i64,
    meters: Vec<(usize, Meter)>,
    spectra: Option<Spectra>,
    /// Requests that the spectra answer.
    spectral: Vec<usize>,
}

/// Turns samples into a curve.
struct Meter {
    frames: Frames,
    /// What is left of the way after a sample, up and down; the value so far.
    follower: Option<((f64, f64), f64)>,
}

impl Channel {
    fn new(bands: &[Band]) -> Self {
        Self {
            bands: bands.to_vec(),
            sections: bands.iter().flat_map(|band| band.sections()).collect(),
            heard: 0,
            meters: Vec::new(),
            spectra: None,
            spectral: Vec::new(),
        }
    }

    fn add(&mut self, index: usize, request: &Request) {
        let (fold, follower) = match request.measure {
            Measure::Level | Measure::Rms => (Fold::Rms, None),
            Measure::Envelope(times) => (Fold::Most, Some((times.left(f64::from(RATE)), 0.0))),
            Measure::Centroid | Measure::Onset(_) | Measure::Beat | Measure::Tempo => {
                self.spectra.get_or_insert_with(Spectra::new);
                self.spectral.push(index);
                return;
            }
        };
        self.meters.push((index, Meter { frames: Frames::new(request.grid, fold), follower }));
    }

    fn hear(&mut self, samples: &[f64]) {
        self.heard += samples.len() as i64;
        for sample in samples {
            let sample = self.sections.iter_mut().fold(*sample, |x, section| section.run(x));
            for (_, meter) in &mut self.meters {
                meter.hear(sample);
            }
            if let Some(spectra) = &mut self.spectra {
                spectra.push(sample);
            }
        }
    }

    fn answer(self, requests: &[Request], answers: &mut [Answer]) {
        for (index, meter) in self.meters {
            let mut curve = meter.frames.finish();
            if requests[index].measure == Measure::Level {
                // A full sine has the mean square 1/2.
                let level = |rms: f64| (rms * std::f64::consts::SQRT_2).min(1.0);
                curve.values.iter_mut().for_each(|value| *value = level(*value));
            }
            answers[index] = Answer::Curve(changed(curve, &requests[index]));
        }
        let Some(rhythm) = self.spectra.map(Spectra::finish) else { return };
        for index in self.spectral {
            answers[index] = spectral(&rhythm, self.heard, &requests[index]);
        }
    }
}

impl Meter {
    fn hear(&mut self, sample: f64) {
        let Some((left, value)) = &mut self.follower else { return self.frames.add(sample) };
        *value = follow(*left, *value, sample.abs());
        self.frames.add(*value);
    }
}

/// One step of an envelope from `value` towards `target`.
fn follow((up, down): (f64, f64), value: f64, target: f64) -> f64 {
    let left = if target > value { up } else { down };
    audible(target + (value - target) * left)
}

/// The answer to a request that takes spectra.
fn spectral(rhythm: &Rhythm, heard: i64, request: &Request) -> Answer {
    let curve = match request.measure {
        Measure::Tempo => return rhythm::tempo(&rhythm.flux).map_or(Answer::NoTempo, Answer::Number),
        Measure::Centroid => centroids(rhythm, heard, request.grid),
        Measure::Beat => pulses(&rhythm::beats(rhythm), heard, request.grid),
        Measure::Onset(threshold) => pulses(&rhythm::onsets(rhythm, threshold), heard, request.grid),
        Measure::Level | Measure::Rms | Measure::Envelope(_) => unreachable!("these have meters"),
    };
    Answer::Curve(changed(curve, request))
}

/// A curve of zeros over the frames of a sound of `heard` samples.
fn blank(heard: i64, grid: Grid) -> Curve {
    let first = grid.frame_of(grid.offset);
    let last = grid.frame_of(grid.offset + heard.max(1) - 1);
    let length = if heard > 0 { (last - first + 1) as usize } else { 0 };
    Curve { first, values: vec![0.0; length], outside: 0.0 }
}

/// 1 in each frame in which one of the moments falls.
fn pulses(moments: &[i64], heard: i64, grid: Grid) -> Curve {
    let mut curve = blank(heard, grid);
    for moment in moments {
        let frame = grid.frame_of(rhythm::counted(*moment) + grid.offset) - curve.first;
        if let Some(value) = usize::try_from(frame).ok().and_then(|frame| curve.values.get_mut(frame)) {
            *value = 1.0;
        }
    }
    curve
}

/// The mean of the spectra whose middle lies in the frame; a frame without one repeats the frame before.
fn centroids(rhythm: &Rhythm, heard: i64, grid: Grid) -> Curve {
    let mut curve = blank(heard, grid);
    let mut counts = vec![0.0; curve.values.len()];
    for (hop, centroid) in rhythm.centroid.iter().enumerate() {
        let frame = grid.frame_of(middle(hop) + grid.offset) - curve.first;
        if let Some(frame) = usize::try_from(frame).ok().filter(|frame| *frame < counts.len()) {
            curve.values[frame] += centroid;
            counts[frame] += 1.0;
        }
    }
    let mut before = 0.0;
    for (value, count) in curve.values.iter_mut().zip(counts) {
        *value = if count > 0.0 { *value / count } else { before };
        before = *value;
    }
    curve
}

/// The curve with everything done to it that the request asks for.
fn changed(mut curve: Curve, request: &Request) -> Curve {
    for after in &request.after {
        match *after {
            After::Norm(low, high) => normalise(&mut curve, low, high),
            After::Envelope(times) => {
                let left = times.left(f64::from(request.grid.num) / f64::from(request.grid.den));
                let mut value = curve.outside;
                for target in &mut curve.values {
                    value = follow(left, value, *target);
                    *target = value;
                }
            }
        }
    }
    curve
}

fn normalise(curve: &mut Curve, low: f64, high: f64) {
    let least = curve.values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = curve.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let share =
        |value: f64| if most > least { ((value - least) / (most - least)).clamp(0.0, 1.0) } else { 0.0 };
    let place = |value: f64| low * (1.0 - share(value)) + high * share(value);
    curve.values.iter_mut().for_each(|value| *value = place(*value));
    curve.outside = place(curve.outside);
}

#[cfg(test)]
mod tests;
