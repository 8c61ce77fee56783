//! Sounds for the timeline, decoded by `encode`.

use std::path::Path;

use crate::encode::SoundReader;
use crate::error::Result;
use crate::run::clips::measure;
use crate::sound::Source;
use crate::timeline::Options;

/// A file that is being heard.
struct Played(SoundReader);

impl Source for Played {
    fn rate(&self) -> u32 {
        self.0.rate()
    }

    fn read(&mut self) -> Result<Option<Vec<f64>>> {
        self.0.read()
    }
}

/// Opens the sound in a file.
///
/// # Errors
/// [`crate::error::Error::Input`] when there is none that can be decoded.
pub fn open(path: &Path) -> Result<Box<dyn Source>> {
    Ok(Box::new(Played(SoundReader::open(path)?)))
}

/// `options` for a timeline that hears the sounds of its film and measures its videos.
pub fn hearing(options: Options) -> Options {
    Options { open_sound: Some(open), measure: Some(measure), ..options }
}
