//! Whole training timesteps that a run visits, for samplers that step from timestep to timestep.

/// diffusers' ways of picking `n` whole timesteps out of the trained ones (0.42.1; table 2 of Lin et al.
/// 2023, arXiv:2305.08891), and sd-webui's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestepSpacing {
    /// Multiples of `train / n`, plus the offset (1 for Stable Diffusion).
    Leading {
        /// `steps_offset` of the config file.
        offset: usize,
    },
    /// Evenly from the last timestep to 0, rounded.
    Linspace,
    /// From the last timestep down by `train / n`, rounded: the last timestep itself is visited.
    Trailing,
    /// sd-webui's DDIM and PLMS: every `train / n`-th, plus 1. May be one more than `n`.
    Ddim,
}

impl TimestepSpacing {
    /// Timesteps from noisy to clean, of `train` trained ones. `n` of 0 gives none.
    pub fn timesteps(self, n: usize, train: usize) -> Vec<usize> {
        if n == 0 {
            return Vec::new();
        }
        let last = train - 1;
        let mut steps: Vec<usize> = match self {
            Self::Leading { offset } => (0..n).map(|i| (i * (train / n) + offset).min(last)).collect(),
            Self::Linspace => {
                let gap = last as f64 / (n - 1).max(1) as f64;
                (0..n).map(|i| (i as f64 * gap).round_ties_even() as usize).collect()
            }
            Self::Trailing => {
                let gap = train as f64 / n as f64;
                let at = |i: usize| ((train as f64 - i as f64 * gap).round_ties_even() as usize).max(1) - 1;
                (0..n).rev().map(at).collect()
            }
            Self::Ddim => (0..train).step_by((train / n).max(1)).map(|t| (t + 1).min(last)).collect(),
        };
        steps.reverse();
        steps
    }
}

/// The timesteps of consistency samplers: `n` of the `original` ones that the model was distilled with
/// (50 as a rule), noisy to clean (diffusers 0.42.1 `LCMScheduler`, `TCDScheduler`). At most `original`.
pub fn consistency_timesteps(n: usize, original: usize, train: usize) -> Vec<usize> {
    let original = original.clamp(1, train);
    let gap = train / original;
    let n = n.min(original);
    (0..n).map(|i| (original - i * original / n) * gap - 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spacings_of_the_literature() {
        // Table 2 of arXiv:2305.08891, for 10 of 1000 (counted from 1 there).
        let leading = TimestepSpacing::Leading { offset: 0 }.timesteps(10, 1000);
        assert_eq!(leading, [900, 800, 700, 600, 500, 400, 300, 200, 100, 0]);
        let linspace = TimestepSpacing::Linspace.timesteps(10, 1000);
        assert_eq!(linspace, [999, 888, 777, 666, 555, 444, 333, 222, 111, 0]);
        let trailing = TimestepSpacing::Trailing.timesteps(10, 1000);
        assert_eq!(trailing, [999, 899, 799, 699, 599, 499, 399, 299, 199, 99]);
        assert_eq!(TimestepSpacing::Ddim.timesteps(5, 1000), [801, 601, 401, 201, 1]);
    }

    #[test]
    fn consistency_timesteps_are_a_falling_subset() {
        assert_eq!(consistency_timesteps(4, 50, 1000), [999, 759, 499, 259]);
        assert_eq!(consistency_timesteps(1, 50, 1000), [999]);
        assert_eq!(consistency_timesteps(90, 50, 1000).len(), 50);
    }

    #[test]
    fn odd_counts_stay_in_range() {
        for spacing in [
            TimestepSpacing::Leading { offset: 1 },
            TimestepSpacing::Linspace,
            TimestepSpacing::Trailing,
            TimestepSpacing::Ddim,
        ] {
            for n in [0, 1, 2, 3, 7, 33, 999, 1000] {
                let steps = spacing.timesteps(n, 1000);
                assert!(steps.iter().all(|t| *t < 1000), "{spacing:?} {n}");
                assert!(steps.windows(2).all(|w| w[0] >= w[1]), "{spacing:?} {n}");
            }
        }
    }
}
