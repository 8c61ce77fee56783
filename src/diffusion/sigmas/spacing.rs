//! Where between pure noise and the clean picture the steps of a run lie.

use super::{NoiseSchedule, beta_quantile};

/// A rule that places `n` noise levels. Names and formulas are sd-webui's (1.10) and k-diffusion's
/// (0.1.1) unless a paper is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spacing {
    /// Timesteps evenly from last to first (k-diffusion `get_sigmas`).
    Uniform,
    /// The same, through the range of sigmas (differs from uniform for none of the usual models).
    Normal,
    /// Even in sigma^(1/7) (eq. 5 of Karras et al. 2022, arXiv:2206.00364).
    Karras,
    /// Even in log sigma.
    Exponential,
    /// Even in log sigma to the power of 1, k-diffusion's default exponent: as exponential.
    Polyexponential,
    /// Timesteps evenly, the clean end left out (Stability's generative-models; `trailing`).
    SgmUniform,
    /// Every `train / n`-th trained level from the noisy end.
    Simple,
    /// Every `train / n`-th trained level from the clean end: DDIM's. Often one level more than asked for.
    DdimUniform,
    /// Even in arctan sigma; does not end in 0 (theorem 3.1 of Sabour et al. 2024, arXiv:2404.14507).
    KlOptimal,
    /// Align Your Steps: the published 10 levels, log-interpolated (arXiv:2404.14507); those of the model's family,
    /// see [`Spacing::for_family`].
    Ays,
    /// Align Your Steps for SD 1.5, whatever the model.
    AysSd15,
    /// Align Your Steps for SDXL, whatever the model.
    AysSdxl,
    /// Quantiles of a beta distribution with parameters 0.6, 0.6 (Lee et al. 2024, arXiv:2407.12173).
    Beta,
}

/// Exponent of [`Spacing::Karras`]: the paper's recommendation.
const RHO: f64 = 7.0;
/// Parameters of [`Spacing::Beta`]: sd-webui's defaults.
const BETA: (f64, f64) = (0.6, 0.6);
/// Published levels of Align Your Steps, noisy to clean.
const AYS_SD15: [f64; 11] = [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029];
const AYS_SDXL: [f64; 11] = [14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029];

impl Spacing {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Uniform,
        Self::Normal,
        Self::Karras,
        Self::Exponential,
        Self::Polyexponential,
        Self::SgmUniform,
        Self::Simple,
        Self::DdimUniform,
        Self::KlOptimal,
        Self::Ays,
        Self::AysSd15,
        Self::AysSdxl,
        Self::Beta,
    ];

    /// The spacing that this one stands for with a model: Align Your Steps has a table for SDXL of its own; on its
    /// own it is that of SD 1.5.
    #[must_use]
    pub fn for_family(self, is_xl: bool) -> Self {
        match (self, is_xl) {
            (Self::Ays, true) => Self::AysSdxl,
            (Self::Ays, false) => Self::AysSd15,
            (other, _) => other,
        }
    }

    /// The levels of a run of `n` steps, falling: `n + 1` of them, where the last is 0 (`KlOptimal`: the
    /// smallest trained level), except for `DdimUniform`, which may have more. `n` of 0 gives `[0]`.
    pub fn sigmas(self, n: usize, schedule: &NoiseSchedule) -> Vec<f64> {
        (0..=self.steps(n, schedule)).map(|i| self.level(i as f64, n, schedule)).collect()
    }

    /// How many steps a run of `n` really has.
    pub fn steps(self, n: usize, schedule: &NoiseSchedule) -> usize {
        match self {
            Self::DdimUniform if n > 0 => ddim_levels(n, schedule).len(),
            _ => n,
        }
    }

    /// The level at the fractional `position` of a run of `n` steps: 0 is the noisy end, a whole position
    /// is one of [`Spacing::sigmas`]. Spacings with a formula are evaluated between their levels, the
    /// others interpolated in log sigma; from the last level down to 0 the line is straight.
    pub fn level(self, position: f64, n: usize, schedule: &NoiseSchedule) -> f64 {
        let steps = self.steps(n, schedule);
        let position = position.clamp(0.0, steps as f64);
        if self == Self::KlOptimal && n > 0 {
            return kl_optimal(position / n as f64, schedule);
        }
        let last = steps.saturating_sub(1) as f64;
        if steps == 0 || position > last {
            let share = steps as f64 - position;
            return if share <= 0.0 { 0.0 } else { share * self.positive(last, n, schedule) };
        }
        self.positive(position, n, schedule)
    }

    /// The level at a position in 0..=`steps - 1`, all of which are above 0.
    fn positive(self, position: f64, n: usize, schedule: &NoiseSchedule) -> f64 {
        let (min, max) = (schedule.sigma_min(), schedule.sigma_max());
        // 0 at the first level, 1 at the last; a single level is the first.
        let ramp = position / (n.saturating_sub(1).max(1)) as f64;
        match self {
            Self::Uniform => schedule.t_to_sigma((1.0 - ramp) * schedule.last_timestep()),
            Self::Normal => {
                let (from, to) = (schedule.sigma_to_t(max), schedule.sigma_to_t(min));
                schedule.t_to_sigma(from + ramp * (to - from))
            }
            Self::SgmUniform => {
                let (from, to) = (schedule.sigma_to_t(max), schedule.sigma_to_t(min));
                schedule.t_to_sigma(from + position / n as f64 * (to - from))
            }
            Self::Karras => {
                let (min, max) = (libm::pow(min, 1.0 / RHO), libm::pow(max, 1.0 / RHO));
                libm::pow(max + ramp * (min - max), RHO)
            }
            Self::Exponential | Self::Polyexponential => {
                libm::exp(libm::log(max) + ramp * (libm::log(min) - libm::log(max)))
            }
            Self::Beta => min + beta_quantile(1.0 - ramp, BETA.0, BETA.1) * (max - min),
            // The published helper counts from the clean end, so that its single level is the last one.
            Self::Ays | Self::AysSd15 | Self::AysSdxl if n == 1 => AYS_SD15[10],
            Self::Ays | Self::AysSd15 => between(&AYS_SD15, ramp * 10.0),
            Self::AysSdxl => between(&AYS_SDXL, ramp * 10.0),
            Self::Simple => between(&simple_levels(n, schedule), position),
            Self::DdimUniform => between(&ddim_levels(n, schedule), position),
            Self::KlOptimal => kl_optimal(position / n as f64, schedule),
        }
    }
}

/// The value at a fractional index, log-linear between the entries.
fn between(levels: &[f64], position: f64) -> f64 {
    let low = (position.floor() as usize).min(levels.len() - 1);
    let high = (low + 1).min(levels.len() - 1);
    let share = position - low as f64;
    if share == 0.0 {
        return levels[low];
    }
    libm::exp((1.0 - share) * libm::log(levels[low]) + share * libm::log(levels[high]))
}

fn simple_levels(n: usize, schedule: &NoiseSchedule) -> Vec<f64> {
    let sigmas = schedule.sigmas();
    let gap = sigmas.len() as f64 / n as f64;
    (0..n).map(|i| sigmas[sigmas.len() - 1 - ((i as f64 * gap) as usize).min(sigmas.len() - 1)]).collect()
}

fn ddim_levels(n: usize, schedule: &NoiseSchedule) -> Vec<f64> {
    let sigmas = schedule.sigmas();
    let mut levels: Vec<f64> = sigmas.iter().skip(1).step_by((sigmas.len() / n).max(1)).copied().collect();
    levels.reverse();
    levels
}

fn kl_optimal(share: f64, schedule: &NoiseSchedule) -> f64 {
    let (min, max) = (libm::atan(schedule.sigma_min()), libm::atan(schedule.sigma_max()));
    libm::tan(share * min + (1.0 - share) * max)
}

#[cfg(test)]
mod tests {
    use super::super::tests::stable_diffusion;
    use super::*;

    #[test]
    fn levels_fall_and_whole_positions_are_the_levels() {
        let schedule = stable_diffusion();
        for spacing in Spacing::ALL {
            for n in [1, 2, 4, 7, 20, 33] {
                let sigmas = spacing.sigmas(n, &schedule);
                assert_eq!(sigmas.len(), spacing.steps(n, &schedule) + 1);
                assert!(sigmas.windows(2).all(|w| w[0] > w[1]), "{spacing:?} {n} {sigmas:?}");
                for (i, sigma) in sigmas.iter().enumerate() {
                    assert_eq!(spacing.level(i as f64, n, &schedule), *sigma);
                }
            }
            assert_eq!(spacing.sigmas(0, &schedule), [0.0]);
        }
    }

    #[test]
    fn fractional_positions_fall_strictly_and_without_jumps() {
        let schedule = stable_diffusion();
        for spacing in Spacing::ALL {
            let n = 6;
            let steps = spacing.steps(n, &schedule);
            let fine: Vec<f64> =
                (0..=steps * 100).map(|i| spacing.level(i as f64 / 100.0, n, &schedule)).collect();
            assert!(fine.windows(2).all(|w| w[0] > w[1]), "{spacing:?}");
            let widest = fine.windows(2).map(|w| w[0] - w[1]).fold(0.0, f64::max);
            // A jump would be as high as a whole step, several units of sigma.
            assert!(widest < 1.0, "{spacing:?} {widest}");
        }
    }
}
