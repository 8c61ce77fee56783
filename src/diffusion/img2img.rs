//! Where in the schedule a run over an existing picture begins.

use super::sampler::Sampler;
use super::sigmas::{NoiseSchedule, Spacing};

/// Fractional positions closer than this to a level are the level: below it, (1 - d)·n is rounding noise.
const SNAP: f64 = 1e-6;

/// The levels of a run over an existing picture with CONTINUOUS strength.
///
/// `denoise` 0..=1 says how much of the schedule of `n` steps is run. It begins at position
/// `(1 - denoise) · n` of the schedule, which may lie between two levels: the first sigma is the spacing's
/// own value there ([`Spacing::level`]), the rest are the levels that follow. So every change of `denoise`
/// changes the amount of noise, with any number of steps; peers round to the nearest of `n` steps. Where
/// the position is whole, the result is the plain tail of the schedule. 1 is the whole schedule, 0 is empty.
pub fn continuous_tail(
    sampler: Sampler,
    spacing: Spacing,
    n: usize,
    denoise: f64,
    schedule: &NoiseSchedule,
) -> Vec<f64> {
    let levels = sampler.sigmas(n, spacing, schedule);
    let steps = levels.len() - 1;
    let position = (1.0 - denoise.clamp(0.0, 1.0)) * steps as f64;
    let nearest = position.round();
    if (position - nearest).abs() < SNAP {
        let tail = levels[nearest as usize..].to_vec();
        return if tail.len() < 2 { Vec::new() } else { tail };
    }
    let start = if sampler.drops_a_level() {
        // Behind the last level but one, the way to 0 is as long as two levels of the full schedule.
        let before = (steps - 1) as f64;
        let full = if position <= before { position } else { before + 2.0 * (position - before) };
        spacing.level(full, n + 1, schedule)
    } else {
        spacing.level(position, n, schedule)
    };
    let rest = levels[position.ceil() as usize..].iter().copied();
    std::iter::once(start).chain(rest).collect()
}

/// sd-webui's rule (`setup_img2img_steps`, 1.10): for `n` requested steps, the length of the schedule and
/// how many of its steps are run. With `fix_steps` («do exactly the amount of steps the slider specifies»)
/// the schedule is stretched instead.
pub fn webui_steps(n: usize, denoise: f64, fix_steps: bool) -> (usize, usize) {
    let denoise = denoise.min(0.999);
    if !fix_steps {
        return (n, (denoise.max(0.0) * n as f64) as usize + 1);
    }
    if denoise <= 0.0 {
        return (0, 0);
    }
    ((n as f64 / denoise) as usize, n)
}

/// The levels that sd-webui runs, by [`webui_steps`].
pub fn webui_tail(levels: &[f64], run: usize) -> &[f64] {
    &levels[levels.len().saturating_sub(run + 1)..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn schedule() -> NoiseSchedule {
        let config = r#"{"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}"#;
        NoiseSchedule::new(&serde_json::from_str(config).unwrap()).unwrap()
    }

    const SAMPLERS: [Sampler; 2] = [Sampler::Euler, Sampler::Dpm2A];

    #[test]
    fn neighbouring_strengths_differ_even_with_four_steps() {
        for sampler in SAMPLERS {
            let a = continuous_tail(sampler, Spacing::Karras, 4, 0.834, &schedule());
            let b = continuous_tail(sampler, Spacing::Karras, 4, 0.84, &schedule());
            assert_eq!(a.len(), b.len());
            assert!(a[0] < b[0] && a[1..] == b[1..], "{a:?} {b:?}");
        }
    }

    #[test]
    fn whole_positions_are_plain_tails_and_the_ends_are_the_ends() {
        let schedule = schedule();
        for sampler in SAMPLERS {
            for spacing in Spacing::ALL {
                let levels = sampler.sigmas(10, spacing, &schedule);
                let steps = levels.len() - 1;
                for start in 0..steps {
                    let denoise = 1.0 - start as f64 / steps as f64;
                    assert_eq!(continuous_tail(sampler, spacing, 10, denoise, &schedule), levels[start..]);
                }
                assert_eq!(continuous_tail(sampler, spacing, 10, 1.0, &schedule), levels);
                assert!(continuous_tail(sampler, spacing, 10, 0.0, &schedule).is_empty());
            }
        }
    }

    #[test]
    fn the_webui_rounds_down_and_stretches() {
        assert_eq!(webui_steps(10, 0.3, false), (10, 4));
        assert_eq!(webui_steps(10, 1.0, false), (10, 10));
        assert_eq!(webui_steps(6, 0.4, true), (15, 6));
        assert_eq!(webui_steps(6, 0.0, true), (0, 0));
        assert_eq!(webui_tail(&[5.0, 4.0, 3.0, 2.0, 0.0], 2), [3.0, 2.0, 0.0]);
    }

    proptest! {
        #[test]
        fn more_denoising_begins_noisier(
            a in 0.001f64..1.0, b in 0.001f64..1.0, n in 1usize..30, spacing in 0usize..13, dropped: bool,
        ) {
            let (a, b) = (a.min(b), a.max(b));
            prop_assume!(b - a > 1e-4);
            let (spacing, sampler) = (Spacing::ALL[spacing], SAMPLERS[usize::from(dropped)]);
            let (less, more) = (
                continuous_tail(sampler, spacing, n, a, &schedule()),
                continuous_tail(sampler, spacing, n, b, &schedule()),
            );
            prop_assert!(less[0] < more[0], "{:?} {:?}", less, more);
            prop_assert!(more.windows(2).all(|w| w[0] > w[1]));
            prop_assert!(less.len() <= more.len());
        }
    }
}
