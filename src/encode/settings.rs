//! How a video is to be encoded: plain data, the same with and without FFmpeg.

use std::fmt;
use std::str::FromStr;

use crate::canvas::Size;
use crate::error::{Error, Result};

/// Frames a second as an exact fraction: 24/1, 30000/1001.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fps {
    /// Frames in `den` seconds.
    pub num: u32,
    /// Seconds that `num` frames last.
    pub den: u32,
}

impl Fps {
    /// The largest numerator and denominator: FFmpeg keeps both in 32 signed bits and multiplies them.
    const LARGEST: u32 = 1_000_000;
    /// The fastest rate that is taken, in frames a second.
    const FASTEST: u32 = 1000;

    /// `num / den` frames a second, unreduced and unchecked: [`Fps::checked`] judges it.
    pub const fn new(num: u32, den: u32) -> Self {
        Self { num, den }
    }

    /// The rate in lowest terms.
    ///
    /// # Errors
    /// [`Error::Usage`] when it is zero, has a zero denominator, is above 1000 or has a part above a million.
    pub fn checked(self) -> Result<Self> {
        let fits = |v| (1..=Self::LARGEST).contains(&v);
        if !fits(self.num) || !fits(self.den) || self.num > Self::FASTEST * self.den {
            let message = format!("a frame rate above 0 and up to {}, got {self}", Self::FASTEST);
            let hint = "write the rate as a whole number or a fraction such as 30000/1001".to_owned();
            return Err(Error::Usage { message: format!("expected {message}"), hint: Some(hint) });
        }
        let divisor = gcd(self.num, self.den);
        Ok(Self { num: self.num / divisor, den: self.den / divisor })
    }

    /// Frames a second.
    pub fn as_f64(self) -> f64 {
        f64::from(self.num) / f64::from(self.den)
    }
}

impl fmt::Display for Fps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.den {
            1 => write!(f, "{}", self.num),
            den => write!(f, "{}/{den}", self.num),
        }
    }
}

/// The greatest common divisor (Euclid); `b` is not zero.
fn gcd(a: u32, b: u32) -> u32 {
    match a % b {
        0 => b,
        rest => gcd(b, rest),
    }
}

/// Which encoder makes the video.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum VideoCodec {
    /// H.264 by libx264: 8-bit 4:2:0 in MP4, plays everywhere.
    #[default]
    H264,
}

impl VideoCodec {
    /// Every codec, in the order of the documentation.
    pub const ALL: [Self; 1] = [Self::H264];

    /// How it is written in a film or on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::H264 => "h264",
        }
    }
}

impl fmt::Display for VideoCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for VideoCodec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|codec| codec.name() == text);
        found.ok_or_else(|| unknown("video codec", text, &Self::ALL.map(Self::name)))
    }
}

/// How much time x264 takes to make the file smaller at the same quality.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// Fastest, largest file.
    Ultrafast,
    /// Very fast.
    Superfast,
    /// Good for previews.
    Veryfast,
    /// Between `Veryfast` and `Fast`.
    Faster,
    /// A little faster than the default.
    Fast,
    /// x264's own default.
    #[default]
    Medium,
    /// About 1.6 times the time of `Medium`.
    Slow,
    /// Slower still.
    Slower,
    /// The slowest that makes sense.
    Veryslow,
}

impl Preset {
    /// Every preset, fastest first.
    pub const ALL: [Self; 9] = [
        Self::Ultrafast,
        Self::Superfast,
        Self::Veryfast,
        Self::Faster,
        Self::Fast,
        Self::Medium,
        Self::Slow,
        Self::Slower,
        Self::Veryslow,
    ];

    /// x264's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ultrafast => "ultrafast",
            Self::Superfast => "superfast",
            Self::Veryfast => "veryfast",
            Self::Faster => "faster",
            Self::Fast => "fast",
            Self::Medium => "medium",
            Self::Slow => "slow",
            Self::Slower => "slower",
            Self::Veryslow => "veryslow",
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|preset| preset.name() == text);
        found.ok_or_else(|| unknown("encoder preset", text, &Self::ALL.map(Self::name)))
    }
}

/// A usage error for a name that is none of `names`.
fn unknown(what: &str, text: &str, names: &[&str]) -> Error {
    Error::Usage {
        message: format!("unknown {what} `{text}`"),
        hint: Some(format!("one of: {}", names.join(", "))),
    }
}

/// Codec and quality of a video file.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoSettings {
    /// Which encoder.
    pub codec: VideoCodec,
    /// Constant rate factor, 0 (lossless but for the chroma) to 51 (worst); 16–20 is right for sharing.
    pub crf: f32,
    /// Time against file size.
    pub preset: Preset,
    /// Stored as the file's comment: seed, prompt, hash of the film.
    pub comment: Option<String>,
}

impl Default for VideoSettings {
    fn default() -> Self {
        Self { codec: VideoCodec::H264, crf: 17.0, preset: Preset::Medium, comment: None }
    }
}

impl VideoSettings {
    /// The longest side in pixels: x264's limit for its frames.
    const LONGEST: usize = 16_384;

    /// Checks everything that can be known without an encoder.
    ///
    /// # Errors
    /// [`Error::Usage`] for a rate factor outside 0–51 or a picture that H.264 cannot hold.
    pub fn check(&self, size: Size) -> Result<()> {
        let usage = |message, hint: &str| Err(Error::Usage { message, hint: Some(hint.to_owned()) });
        if !(0.0..=51.0).contains(&self.crf) {
            let message = format!("expected a crf from 0 to 51, got {}", self.crf);
            return usage(message, "17 is hardly told from the original, 23 is small");
        }
        let (short, long) = (size.width.min(size.height), size.width.max(size.height));
        if short == 0 || long > Self::LONGEST {
            let message = format!("a video has sides of 1 to {} pixels, got {size}", Self::LONGEST);
            return usage(message, "scale the pictures first");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_reduced_and_nonsense_is_refused() {
        assert_eq!(Fps::new(48, 2).checked().unwrap(), Fps::new(24, 1));
        assert_eq!(Fps::new(30_000, 1001).checked().unwrap().to_string(), "30000/1001");
        for bad in [Fps::new(0, 1), Fps::new(1, 0), Fps::new(1001, 1), Fps::new(u32::MAX, u32::MAX)] {
            assert!(bad.checked().is_err(), "{bad}");
        }
    }

    #[test]
    fn names_read_back_and_others_list_the_choices() {
        for preset in Preset::ALL {
            assert_eq!(preset.name().parse::<Preset>().unwrap(), preset);
        }
        let error = "h265".parse::<VideoCodec>().unwrap_err();
        assert_eq!(error.to_string(), "unknown video codec `h265`");
        assert_eq!(error.hint(), Some("one of: h264"));
    }

    #[test]
    fn a_rate_factor_must_be_a_number_in_range() {
        for crf in [-1.0, 51.5, f32::NAN] {
            let settings = VideoSettings { crf, ..VideoSettings::default() };
            assert!(settings.check(Size::new(8, 8)).is_err(), "{crf}");
        }
    }
}
