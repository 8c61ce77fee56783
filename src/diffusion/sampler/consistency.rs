//! Samplers for distilled models that reach the clean latent in one call.

use candle_core::Tensor;

use super::ddim::{Hop, VpRun};
use super::mix;
use crate::error::Result;

/// Latent consistency sampling (Luo et al. 2023, arXiv:2310.04378; diffusers 0.42.1 `LCMScheduler`): jump to
/// the clean latent, add fresh noise up to the next level. Without noise after the last hop.
///
/// # Errors
/// What the run's parts report; interruption.
pub fn lcm(run: &mut VpRun, mut x: Tensor, hops: &[Hop]) -> Result<Tensor> {
    for (i, hop) in hops.iter().enumerate() {
        let (clean, _) = run.first(i, hops.len(), &x, hop)?;
        let (skip, out) = boundary(hop.t);
        let clean = mix([(out, &clean), (skip, &x)])?;
        if i + 1 == hops.len() {
            return Ok(clean);
        }
        let next = hop.alpha_next;
        x = mix([(next.sqrt(), &clean), ((1.0 - next).sqrt(), &hop.noise(run.noise)?)])?;
    }
    Ok(x)
}

/// Weights of latent and estimate that make the jump exact at timestep 0 (appendix C of Song et al. 2023,
/// arXiv:2303.01469, sigma_data 0.5; time scaled by 10 as LCM was trained).
fn boundary(t: f64) -> (f64, f64) {
    const DATA: f64 = 0.5;
    let t = 10.0 * t;
    let sum = t * t + DATA * DATA;
    (DATA * DATA / sum, t / sum.sqrt())
}

/// Trajectory consistency sampling (Zheng et al. 2024, arXiv:2402.19159, algorithm 4; diffusers 0.42.1
/// `TCDScheduler`): a deterministic hop to timestep `floor((1 - gamma) t_next)` and fresh noise back up to
/// `t_next`. `gamma` 0 is deterministic, 1 is as random as LCM. `alpha_at` gives cumulated alphas.
///
/// # Errors
/// What the run's parts report; interruption.
pub fn tcd(
    run: &mut VpRun,
    mut x: Tensor,
    hops: &[Hop],
    gamma: f64,
    alpha_at: impl Fn(f64) -> f64,
) -> Result<Tensor> {
    for (i, hop) in hops.iter().enumerate() {
        let (clean, noise) = run.first(i, hops.len(), &x, hop)?;
        let last = i + 1 == hops.len();
        let target = if last && hop.t_next < 0.0 {
            hop.alpha_next
        } else {
            alpha_at(((1.0 - gamma) * hop.t_next).floor())
        };
        x = mix([(target.sqrt(), &clean), ((1.0 - target).sqrt(), &noise)])?;
        if gamma > 0.0 && !last {
            let kept = hop.alpha_next / target;
            x = mix([(kept.sqrt(), &x), ((1.0 - kept).max(0.0).sqrt(), &hop.noise(run.noise)?)])?;
        }
    }
    Ok(x)
}
