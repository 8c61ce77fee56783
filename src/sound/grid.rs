//! Which samples belong to which frame of the film.

use super::RATE;

/// The frames of a film as a sound sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Frames per second are `num / den`.
    pub num: u32,
    /// See `num`.
    pub den: u32,
    /// The film's sample, at [`RATE`], at which the sound begins; negative when its start is skipped.
    pub offset: i64,
}

impl Grid {
    /// The frame in which a sample of the film lies.
    pub fn frame_of(&self, sample: i64) -> i64 {
        let (num, den) = (i128::from(self.num), i128::from(self.den));
        (i128::from(sample) * num).div_euclid(i128::from(RATE) * den) as i64
    }

    /// The first sample of the film that lies in a frame.
    pub fn first_sample(&self, frame: i64) -> i64 {
        let (num, den) = (i128::from(self.num), i128::from(self.den));
        -(-i128::from(frame) * i128::from(RATE) * den).div_euclid(num) as i64
    }
}

/// A number for each frame of the film from `first` on.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// The film's frame of the first value.
    pub first: i64,
    /// One a frame.
    pub values: Vec<f64>,
    /// The value before and after: that of silence.
    pub outside: f64,
}

/// Gathers samples into frames.
pub(super) struct Frames {
    grid: Grid,
    fold: Fold,
    first: i64,
    /// The frame that is being filled, the film's next sample, and the first one behind the frame.
    frame: i64,
    sample: i64,
    end: i64,
    held: f64,
    values: Vec<f64>,
}

/// What a frame keeps of its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fold {
    /// The largest.
    Most,
    /// The root of the mean of their squares; samples before the start and after the end count as silence.
    Rms,
}

impl Frames {
    pub fn new(grid: Grid, fold: Fold) -> Self {
        let first = grid.frame_of(grid.offset);
        let end = grid.first_sample(first + 1);
        Self { grid, fold, first, frame: first, sample: grid.offset, end, held: 0.0, values: Vec::new() }
    }

    pub fn add(&mut self, value: f64) {
        while self.sample >= self.end {
            self.close();
        }
        self.held = match self.fold {
            Fold::Most => self.held.max(value),
            Fold::Rms => self.held + value * value,
        };
        self.sample += 1;
    }

    fn close(&mut self) {
        let length = (self.end - self.grid.first_sample(self.frame)).max(1) as f64;
        self.values.push(match self.fold {
            Fold::Most => self.held,
            Fold::Rms => (self.held / length).sqrt(),
        });
        self.held = 0.0;
        self.frame += 1;
        self.end = self.grid.first_sample(self.frame + 1);
    }

    pub fn finish(mut self) -> Curve {
        if self.sample > self.grid.first_sample(self.frame).max(self.grid.offset) {
            self.close();
        }
        Curve { first: self.first, values: self.values, outside: 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_sample_lies_in_one_frame(num in 1u32..120_000, den in 1u32..1002, frame in -10_000i64..10_000) {
            let grid = Grid { num, den, offset: 0 };
            let first = grid.first_sample(frame);
            prop_assert!(grid.frame_of(first) >= frame && grid.frame_of(first - 1) < frame);
        }
    }

    #[test]
    fn frames_have_the_length_of_a_frame() {
        // 44100 / 24 is 1837.5: frames of 1838 and 1837 samples in turn.
        let grid = Grid { num: 24, den: 1, offset: 0 };
        let starts: Vec<i64> = (0..4).map(|frame| grid.first_sample(frame)).collect();
        assert_eq!(starts, [0, 1838, 3675, 5513]);
        let mut frames = Frames::new(grid, Fold::Rms);
        (0..3675).for_each(|_| frames.add(0.5));
        assert_eq!(frames.finish(), Curve { first: 0, values: vec![0.5, 0.5], outside: 0.0 });
    }

    #[test]
    fn an_offset_moves_the_curve() {
        let grid = Grid { num: 10, den: 1, offset: -4410 };
        let mut frames = Frames::new(grid, Fold::Most);
        (0..8820).for_each(|n| frames.add(f64::from(n)));
        assert_eq!(frames.finish(), Curve { first: -1, values: vec![4409.0, 8819.0], outside: 0.0 });
    }
}
