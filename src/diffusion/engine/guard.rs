//! Broken pictures: found before they are shown, tried once more where that can help.

use crate::canvas::Canvas;
use crate::error::Result;

/// In which numbers networks compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    /// f16 or bf16. Sums that leave its range become infinite, and pictures black.
    #[allow(dead_code, reason = "no device computes in it yet: weights are stored in half, sums are f32")]
    Half,
    /// f32.
    Single,
}

/// What is wrong with a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The latent has NaN or infinities.
    Latent,
    /// The decoded picture has.
    Decoded,
    /// Black throughout.
    Black,
    /// All pixels have one colour.
    Flat,
    /// The picture that was painted over, byte by byte.
    Frozen,
}

/// Less than this share of a picture repainted may well change no byte.
const SURELY_SEEN: f64 = 0.1;

impl Flaw {
    /// The flaw of a picture that was painted over `init`, if it has one. What was there before, such as a black
    /// picture under a black one, is none.
    pub fn of(painted: &Canvas, init: Option<&Canvas>, denoise: f64) -> Option<Self> {
        if is_flat(painted) && !init.is_some_and(is_flat) {
            let black = painted.as_rgb8().iter().all(|v| *v == 0);
            return Some(if black { Self::Black } else { Self::Flat });
        }
        let frozen = denoise >= SURELY_SEEN && init.is_some_and(|init| init == painted && !is_flat(init));
        frozen.then_some(Self::Frozen)
    }

    /// What the model gave instead of a picture.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Latent => "numbers that are not finite (NaN)",
            Self::Decoded => "numbers that are not finite (NaN) when its latent was decoded",
            Self::Black => "one that is black throughout",
            Self::Flat => "one of a single colour",
            Self::Frozen => "the very one that was to be painted over",
        }
    }

    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Latent => "lower guidance, or try another sampler or spacing; the weights may be damaged",
            Self::Decoded | Self::Black => {
                "lower guidance, or take a model with another autoencoder; its weights may be damaged"
            }
            Self::Flat | Self::Frozen => {
                "try another sampler or spacing, or more steps; the weights may be damaged"
            }
        }
    }
}

fn is_flat(canvas: &Canvas) -> bool {
    let mut pixels = canvas.as_rgb8().as_chunks::<3>().0.iter();
    pixels.next().is_none_or(|first| pixels.all(|pixel| pixel == first))
}

/// Makes a picture, and once more in single precision with everything else the same when the first one, in half
/// precision, has a flaw. A flaw in single precision stays one: the same numbers would come again.
pub(super) fn guarded<T>(
    precision: Precision,
    mut attempt: impl FnMut(Precision) -> Result<std::result::Result<T, Flaw>>,
) -> Result<std::result::Result<T, Flaw>> {
    match (attempt(precision)?, precision) {
        (Err(_), Precision::Half) => attempt(Precision::Single),
        (made, _) => Ok(made),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::Size;
    use crate::error::Error;

    fn ramp(offset: u8) -> Canvas {
        Canvas::from_rgb8(Size::new(4, 1), (0..12).map(|i| i * 9 + offset).collect())
    }

    #[test]
    fn flaws_are_told_from_pictures() {
        let (black, grey) =
            (Canvas::filled(Size::new(4, 1), [0; 3]), Canvas::filled(Size::new(4, 1), [7; 3]));
        let picture = ramp(0);
        assert_eq!(Flaw::of(&picture, None, 1.0), None);
        assert_eq!(Flaw::of(&black, None, 1.0), Some(Flaw::Black));
        assert_eq!(Flaw::of(&black, Some(&picture), 0.5), Some(Flaw::Black));
        assert_eq!(Flaw::of(&black, Some(&black), 0.5), None);
        assert_eq!(Flaw::of(&grey, Some(&picture), 0.5), Some(Flaw::Flat));
        assert_eq!(Flaw::of(&grey, Some(&black), 0.5), None);
        assert_eq!(Flaw::of(&picture, Some(&picture), 0.5), Some(Flaw::Frozen));
        assert_eq!(Flaw::of(&picture, Some(&picture), 0.05), None);
        assert_eq!(Flaw::of(&picture, Some(&ramp(1)), 0.5), None);
    }

    #[test]
    fn half_precision_gets_a_second_chance_and_single_precision_none() {
        // A network whose sums overflow in half precision.
        let mut tried = Vec::new();
        let made = guarded(Precision::Half, |precision| {
            tried.push(precision);
            Ok(if precision == Precision::Half { Err(Flaw::Latent) } else { Ok(7) })
        });
        assert!(matches!(made, Ok(Ok(7))));
        assert_eq!(tried, [Precision::Half, Precision::Single]);
        // One that is broken for good.
        for (precision, times) in [(Precision::Half, 2), (Precision::Single, 1)] {
            let mut count = 0;
            let made = guarded::<u8>(precision, |_| {
                count += 1;
                Ok(Err(Flaw::Black))
            });
            assert!(matches!(made, Ok(Err(Flaw::Black))) && count == times);
        }
        // What cannot be done at all, or was stopped, is not tried again.
        let mut count = 0;
        let stopped = guarded::<u8>(Precision::Half, |_| {
            count += 1;
            Err(Error::Interrupted)
        });
        assert!(matches!(stopped, Err(Error::Interrupted)) && count == 1);
    }
}
