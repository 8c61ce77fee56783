//! Small sums that Deforum does around a run.

/// Where a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The older of the two pictures that cadence mixes.
    pub previous: u32,
    /// The newer one.
    pub next: u32,
    /// The first frame to be rendered.
    pub start: u32,
}

/// Where a run of `frames_on_disk` pictures (without depth maps) goes on; `None` with fewer frames than
/// the cadence, where nothing can be resumed.
pub fn resume(frames_on_disk: u32, cadence: u32) -> Option<Resume> {
    let cadence = cadence.max(1);
    let start = frames_on_disk - frames_on_disk % cadence;
    Some(Resume { previous: start.checked_sub(cadence)?, next: start.checked_sub(1)?, start })
}

/// Pictures that FILM puts into each gap of a film of `frames` that shall have `times` as many: halves go
/// to the even number, as Python rounds.
pub fn film_pictures_per_gap(frames: u32, times: u32) -> u32 {
    if frames < 2 {
        return 0;
    }
    let more = f64::from(frames) * f64::from(times) - f64::from(frames);
    libm::rint(more / (f64::from(frames) - 1.0)).max(0.0) as u32
}

/// Frames per second after interpolation; slow motion divides.
pub fn interpolated_fps(fps: f64, times: u32, slow_motion: Option<u32>) -> f64 {
    fps * f64::from(times) / f64::from(slow_motion.unwrap_or(1).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resuming_starts_at_a_multiple_of_the_cadence() {
        assert_eq!(resume(11, 2), Some(Resume { previous: 8, next: 9, start: 10 }));
        assert_eq!(resume(1, 2), None);
        assert_eq!(resume(0, 1), None);
    }

    #[test]
    fn gaps_are_rounded_from_the_whole_film() {
        assert_eq!(film_pictures_per_gap(10, 10), 10);
        assert_eq!(film_pictures_per_gap(60, 10), 9);
        assert_eq!(film_pictures_per_gap(1, 10), 0);
    }
}
