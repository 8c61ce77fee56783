//! In-between frames, and a sequence at another frame rate.

mod between;
mod sample;

use std::collections::{BTreeSet, VecDeque};

pub use between::Between;

use crate::canvas::Canvas;
use crate::encode::Fps;
use crate::error::{Error, Result};
use crate::flow::FlowSettings;

/// What [`Interpolator::pop`] has to say.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Push another frame, or finish.
    NotYet,
    /// The next output frame.
    Frame(Canvas),
    /// All frames were given out.
    Done,
}

/// Brings a sequence from one frame rate to another.
///
/// A film of `n` frames lasts `n / from` seconds, so `round(n * to / from)` frames come out, at least one.
/// Output frame `j` shows the time `j / to`: when it falls on an input frame that frame comes out as it
/// is, between two of them a new one is made, unless the later begins a new scene: then the earlier is held,
/// as it is after the last. Frames are made when they are asked for: who pops until [`Output::NotYet`]
/// before pushing again has two input frames and their flows in memory, whatever the rates.
pub struct Interpolator {
    from: Fps,
    to: Fps,
    settings: FlowSettings,
    cuts: BTreeSet<u64>,
    /// The last input frame.
    last: Option<Canvas>,
    /// Input frames so far.
    pushed: u64,
    /// The last two input frames, while output frames between them are missing.
    pair: Option<Pair>,
    /// Made, but not yet asked for, or not yet known to be within the film's length.
    ready: VecDeque<Canvas>,
    /// Number of the next output frame that is to be made.
    next: u64,
    /// Output frames that were given out.
    given: u64,
    finished: bool,
}

/// Two input frames.
struct Pair {
    /// Number of the first.
    number: u64,
    first: Canvas,
    /// `None` where the first is held: before a cut, and when both are the same.
    between: Option<Between<'static>>,
}

impl Interpolator {
    /// `cuts` are the numbers of input frames that begin a new scene.
    ///
    /// # Errors
    /// [`Error::Usage`] for a rate that is not above 0 and up to 1000.
    pub fn new(
        from: Fps,
        to: Fps,
        cuts: impl IntoIterator<Item = u64>,
        settings: FlowSettings,
    ) -> Result<Self> {
        Ok(Self {
            from: from.checked()?,
            to: to.checked()?,
            settings,
            cuts: cuts.into_iter().collect(),
            last: None,
            pushed: 0,
            pair: None,
            ready: VecDeque::new(),
            next: 0,
            given: 0,
            finished: false,
        })
    }

    /// How many frames come out of `count` input frames.
    pub fn frames_out(&self, count: u64) -> u64 {
        let (num, den) = self.ratio();
        let frames = u128::from(count) * num;
        // Halves round up, as in `round`; nothing but nothing gives no frame.
        if count == 0 { 0 } else { (((2 * frames + den) / (2 * den)) as u64).max(1) }
    }

    /// Output frames for each input frame, as a fraction.
    fn ratio(&self) -> (u128, u128) {
        (
            u128::from(self.to.num) * u128::from(self.from.den),
            u128::from(self.to.den) * u128::from(self.from.num),
        )
    }

    /// Where output frame `j` lies among the input: frame number and share of the way to the next.
    fn place(&self, j: u64) -> (u64, f32) {
        let (num, den) = self.ratio();
        let at = u128::from(j) * den;
        ((at / num) as u64, ((at % num) as f64 / num as f64) as f32)
    }

    /// Takes the next input frame.
    ///
    /// # Errors
    /// [`Error::Render`] for a frame of another size than the one before, [`Error::Bug`] after the end.
    pub fn push(&mut self, frame: Canvas) -> Result<()> {
        if self.finished {
            return Err(Error::Bug("a frame was pushed after the end of the sequence".to_owned()));
        }
        // What was not asked for must not be lost with its pair.
        while let Some(made) = self.make() {
            self.ready.push_back(made);
        }
        if let Some(last) = self.last.take() {
            self.pair = Some(self.pair_up(last, &frame)?);
        }
        self.last = Some(frame);
        self.pushed += 1;
        Ok(())
    }

    /// The last frame and the new one; flows are only estimated when a frame lies between them.
    fn pair_up(&self, first: Canvas, second: &Canvas) -> Result<Pair> {
        if second.size() != first.size() {
            return Err(Error::Render {
                frame: self.pushed as u32,
                message: format!("the picture is {}, the one before {}", second.size(), first.size()),
                hint: Some("all frames of a sequence have one size".to_owned()),
            });
        }
        let number = self.pushed - 1;
        let mut j = self.next;
        if self.place(j) == (number, 0.0) {
            j += 1;
        }
        let wanted = self.place(j).0 == number && !self.cuts.contains(&self.pushed) && first != *second;
        let between = wanted.then(|| Between::owning(first.clone(), second.clone(), &self.settings));
        Ok(Pair { number, first, between })
    }

    /// The next output frame before the last input frame.
    fn make(&mut self) -> Option<Canvas> {
        let (number, t) = self.place(self.next);
        let pair = self.pair.as_ref().filter(|pair| pair.number == number)?;
        self.next += 1;
        match &pair.between {
            Some(between) if t > 0.0 => Some(between.at(t)),
            _ => Some(pair.first.clone()),
        }
    }

    /// The next output frame, when there is one.
    pub fn pop(&mut self) -> Output {
        // A frame at the very end of the input may be beyond the film's rounded length; only more input
        // tells. So no more come out than the film as known so far has.
        if self.given < self.frames_out(self.pushed) {
            let made = self.ready.pop_front().or_else(|| self.make());
            let held = || self.last.clone().filter(|_| self.finished);
            if let Some(frame) = made.or_else(held) {
                self.given += 1;
                return Output::Frame(frame);
            }
        }
        if self.finished { Output::Done } else { Output::NotYet }
    }

    /// Says that no frame follows: what is left of the film's length is filled with the last one.
    pub fn finish(&mut self) {
        self.finished = true;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::canvas::Size;

    fn run(from: Fps, to: Fps, cuts: &[u64], frames: &[Canvas]) -> Vec<Canvas> {
        let mut interpolator =
            Interpolator::new(from, to, cuts.iter().copied(), FlowSettings::default()).unwrap();
        let mut out = Vec::new();
        for frame in frames {
            interpolator.push(frame.clone()).unwrap();
            while let Output::Frame(frame) = interpolator.pop() {
                out.push(frame);
            }
            assert_eq!(interpolator.pop(), Output::NotYet);
        }
        interpolator.finish();
        while let Output::Frame(frame) = interpolator.pop() {
            out.push(frame);
        }
        assert_eq!(interpolator.pop(), Output::Done);
        out
    }

    fn greys(values: impl IntoIterator<Item = u8>) -> Vec<Canvas> {
        values.into_iter().map(|v| Canvas::filled(Size::new(3, 2), [v; 3])).collect()
    }

    #[test]
    fn equal_rates_pass_through() {
        let frames = greys(0..11);
        assert_eq!(run(Fps::new(24, 1), Fps::new(48, 2), &[], &frames), frames);
    }

    #[test]
    fn a_cut_is_held_and_not_crossed() {
        let frames = greys([0, 100, 200]);
        let levels = |cuts: &[u64]| -> Vec<u8> {
            run(Fps::new(10, 1), Fps::new(20, 1), cuts, &frames).iter().map(|f| f.pixel(0, 0)[0]).collect()
        };
        assert_eq!(levels(&[]), [0, 50, 100, 150, 200, 200]);
        assert_eq!(levels(&[2]), [0, 50, 100, 100, 200, 200]);
    }

    proptest! {
        #[test]
        fn the_film_keeps_its_length(count in 0usize..25, a in 1u32..70, b in 1u32..1100, c in 1u32..70, d in 1u32..1100) {
            let (from, to) = (Fps::new(a * 1000, b), Fps::new(c * 1000, d));
            prop_assume!(from.checked().is_ok() && to.checked().is_ok());
            prop_assume!(to.as_f64() / from.as_f64() < 50.0);
            let frames = greys((0..count).map(|i| i as u8 * 10));
            let out = run(from, to, &[], &frames);
            let exact = count as f64 * to.as_f64() / from.as_f64();
            let expected = if count == 0 { 0.0 } else { exact.round().max(1.0) };
            // An exact half may be a hair below in floating point.
            prop_assert!((out.len() as f64 - expected).abs() < 1e-9 || (exact.fract() - 0.5).abs() < 1e-9);
            let levels: Vec<u8> = out.iter().map(|f| f.pixel(1, 1)[2]).collect();
            prop_assert!(levels.is_sorted(), "{levels:?}");
        }
    }
}
