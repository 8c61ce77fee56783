//! Pictures one after another: videos, and folders of numbered pictures.

use std::path::PathBuf;

/// A video file, or a folder of pictures in the natural order of their names; of it every n-th frame of a range.
///
/// Frames are counted from the start of the file, as sd-webui-deforum 32242685 does: `every = 3` from frame 4 on
/// begins with frame 6.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clip {
    /// The file or folder.
    pub path: PathBuf,
    /// Every so many frames, at least 1.
    pub every: u32,
    /// First frame that may be used, from 0.
    pub from: u32,
    /// Last frame that may be used; `None` is the file's last one.
    pub to: Option<u32>,
}

impl Clip {
    /// All of a file or folder.
    pub fn whole(path: PathBuf) -> Self {
        Self { path, every: 1, from: 0, to: None }
    }

    /// How many pictures it has of a file with `frames` frames.
    pub fn pictures(&self, frames: u64) -> u64 {
        let end = self.to.map_or(frames, |to| frames.min(u64::from(to) + 1));
        end.div_ceil(u64::from(self.every.max(1))).saturating_sub(self.skipped())
    }

    /// The file's frame that is picture `number`; behind the end it is the last picture. `None` when the clip has no
    /// picture at all.
    pub fn frame(&self, number: u32, frames: u64) -> Option<u64> {
        let last = self.pictures(frames).checked_sub(1)?;
        Some((self.skipped() + u64::from(number).min(last)) * u64::from(self.every.max(1)))
    }

    /// Frames that would be taken before the range begins.
    fn skipped(&self) -> u64 {
        u64::from(self.from).div_ceil(u64::from(self.every.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frames_are_counted_from_the_start_of_the_file() {
        let clip = Clip { every: 3, from: 4, to: Some(12), ..Clip::whole(PathBuf::new()) };
        assert_eq!(clip.pictures(100), 3);
        let frames: Vec<_> = (0..5).map(|number| clip.frame(number, 100)).collect();
        assert_eq!(frames, [Some(6), Some(9), Some(12), Some(12), Some(12)]);
        assert_eq!(clip.pictures(8), 1);
        assert_eq!(clip.frame(0, 5), None);
    }

    proptest! {
        #[test]
        fn it_is_the_list_of_every_nth_frame_in_the_range(
            every in 1_u32..9, from in 0_u32..40, to in prop::option::of(0_u32..60), frames in 0_u64..50
        ) {
            let clip = Clip { every, from, to, ..Clip::whole(PathBuf::new()) };
            let last = to.map_or(u64::MAX, u64::from);
            let list: Vec<u64> = (0..frames)
                .filter(|n| n % u64::from(every) == 0 && *n >= u64::from(from) && *n <= last)
                .collect();
            prop_assert_eq!(clip.pictures(frames), list.len() as u64);
            for (number, frame) in list.iter().enumerate() {
                prop_assert_eq!(clip.frame(number as u32, frames), Some(*frame));
            }
        }
    }
}
