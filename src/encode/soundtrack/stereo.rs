//! A sound from a moment on, in one or two channels; and what it leads back with when its film goes round.

use std::path::Path;

use crate::encode::SoundReader;
use crate::error::Result;

/// Seconds over which the sound behind the end of a film that goes round fades out under its beginning: long enough not
/// to be heard as a cut, short enough not to be heard as two sounds.
const FADE: f64 = 0.5;
/// The most of a film that such a fade takes.
const MOST: f64 = 0.25;

/// Samples of a file, 1 or 2 channels of it.
pub(super) struct Stereo {
    reader: SoundReader,
    /// Samples that are still to be passed over.
    skip: u64,
}

impl Stereo {
    /// From `start` seconds on.
    pub fn new(reader: SoundReader, start: f64) -> Self {
        let skip = (start * f64::from(reader.rate())).round().max(0.0) as u64;
        Self { reader, skip }
    }

    /// Samples per second.
    pub fn rate(&self) -> u32 {
        self.reader.rate()
    }

    /// How many channels it gives.
    pub fn channels(&self) -> usize {
        self.reader.channels().min(2)
    }

    /// The next samples, a list a channel; `None` after the last.
    pub fn next(&mut self) -> Result<Option<Vec<Vec<f32>>>> {
        let Some(channels) = self.reader.read_channels()? else { return Ok(None) };
        let count = channels.first().map_or(0, Vec::len);
        let skipped = self.skip.min(count as u64);
        self.skip -= skipped;
        let value = |at: usize, n: usize| {
            if channels.len() > 2 {
                // No left and right that could be trusted.
                channels.iter().map(|channel| channel[n]).sum::<f64>() / channels.len() as f64
            } else {
                channels[at.min(channels.len() - 1)][n]
            }
        };
        let of = |at: usize| (skipped as usize..count).map(|n| value(at, n) as f32).collect();
        Ok(Some((0..self.channels()).map(of).collect()))
    }
}

/// What a sound goes on with behind the end of a film that goes round, a list a channel. It is heard under the film's
/// beginning and fades out there while the beginning fades in, so that the last sample leads into the first.
pub(super) struct Tail(Vec<Vec<f32>>);

impl Tail {
    /// What `path` has behind `end` seconds, for a film of `length` seconds; `None` when the sound is over there.
    pub fn read(path: &Path, end: f64, length: f64) -> Result<Option<Self>> {
        let mut sound = Stereo::new(SoundReader::open(path)?, end);
        let wanted = (FADE.min(MOST * length) * f64::from(sound.rate())) as usize;
        let mut tail = vec![Vec::new(); sound.channels()];
        while tail[0].len() < wanted {
            let Some(more) = sound.next()? else { break };
            tail.iter_mut().zip(more).for_each(|(tail, more)| tail.extend(more));
        }
        tail.iter_mut().for_each(|channel| channel.truncate(wanted));
        Ok((!tail[0].is_empty()).then_some(Self(tail)))
    }

    /// Mixes it under the samples of a channel that begin at sample `first` of the film. The sum of both powers is
    /// constant: two unlike sounds are as loud in the middle as at both ends.
    pub fn mix(&self, channel: usize, first: u64, samples: &mut [f32]) {
        let tail = &self.0[channel.min(self.0.len() - 1)];
        let behind = tail.iter().enumerate().skip(usize::try_from(first).unwrap_or(usize::MAX));
        for (sample, (n, old)) in samples.iter_mut().zip(behind) {
            let (rising, falling) = libm::sincos(n as f64 / tail.len() as f64 * std::f64::consts::FRAC_PI_2);
            *sample = (f64::from(*sample) * rising + f64::from(*old) * falling) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_leads_into_the_beginning() {
        // A film of 1000 samples out of a slow wave that does not fit into it.
        let wave = |n: usize| libm::sinf(n as f32 * 0.01);
        let tail = Tail(vec![(1000..1200).map(wave).collect()]);
        let mut film: Vec<f32> = (0..1000).map(wave).collect();
        // In two parts, as frames of a codec come.
        let (first, second) = film.split_at_mut(64);
        tail.mix(0, 0, first);
        tail.mix(0, 64, second);
        assert!((film[0] - wave(1000)).abs() < 1e-6);
        let step = |a: f32, b: f32| (a - b).abs();
        let largest = film.windows(2).map(|w| step(w[0], w[1])).fold(0.0, f32::max);
        assert!(step(film[999], film[0]) <= 0.0101 && largest < 0.02, "{largest}");
        assert_eq!(film[200..], (200..1000).map(wave).collect::<Vec<_>>());
    }
}
