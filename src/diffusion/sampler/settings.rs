//! What may be set of a sampler, and the one place where samplers are run by name.

use candle_core::Tensor;

use super::noise::Scaled;
use super::*;

/// What may be set of a sampler beyond its levels. The default is sd-webui's (1.10).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplerSettings {
    /// Share of fresh noise: 0 adds none, 1 is fully ancestral. Without it, 1 for k-diffusion's samplers that
    /// know it, 0 for DDIM, 0.3 for TCD (its gamma). Samplers that never add noise do not look at it.
    pub eta: Option<f64>,
    /// Factor of all fresh noise, 1 by theory (`s_noise`).
    pub s_noise: f64,
    /// Noise added before the steps of Euler, Heun and DPM2.
    pub churn: Churn,
}

impl Default for SamplerSettings {
    fn default() -> Self {
        Self { eta: None, s_noise: 1.0, churn: Churn::default() }
    }
}

impl Sampler {
    /// The eta of sd-webui (diffusers for TCD); `None` for samplers that know none.
    pub fn usual_eta(self) -> Option<f64> {
        match self {
            Self::EulerA
            | Self::Dpm2A
            | Self::DpmFast
            | Self::DpmAdaptive
            | Self::Dpmpp2sA
            | Self::DpmppSde
            | Self::Dpmpp2mSde
            | Self::Dpmpp2mSdeHeun
            | Self::Dpmpp3mSde => Some(1.0),
            Self::Ddim => Some(0.0),
            Self::Tcd => Some(0.3),
            Self::Euler
            | Self::Heun
            | Self::Dpm2
            | Self::Lms
            | Self::Dpmpp2m
            | Self::DpmppS
            | Self::UniPc
            | Self::Plms
            | Self::Ddpm
            | Self::Lcm => None,
        }
    }

    /// As [`Sampler::sample`], with other settings.
    ///
    /// # Errors
    /// As there.
    pub fn sample_with(
        self,
        settings: SamplerSettings,
        run: &mut VeRun,
        x: Tensor,
        sigmas: &[f64],
        schedule: &NoiseSchedule,
    ) -> Result<Tensor> {
        if sigmas.len() < 2 {
            return Ok(x);
        }
        let mut scaled;
        let noise: &mut dyn NoiseSource = if settings.s_noise == 1.0 {
            &mut *run.noise
        } else {
            scaled = Scaled { source: &mut *run.noise, factor: settings.s_noise };
            &mut scaled
        };
        let run = &mut Run { model: &mut *run.model, noise, watch: &mut *run.watch };
        let eta = settings.eta.or(self.usual_eta()).unwrap_or(0.0);
        let churn = settings.churn;
        match self {
            Self::Euler => euler(run, x, sigmas, churn),
            Self::EulerA => euler_a(run, x, sigmas, eta),
            Self::Heun => heun(run, x, sigmas, churn),
            Self::Dpm2 => dpm2(run, x, sigmas, churn),
            Self::Dpm2A => dpm2_a(run, x, sigmas, eta),
            Self::Lms => lms(run, x, sigmas, 4),
            Self::DpmFast => dpm_fast(run, x, sigmas, eta),
            Self::DpmAdaptive => dpm_adaptive(run, x, sigmas, eta),
            Self::Dpmpp2sA => dpmpp_2s_a(run, x, sigmas, eta),
            Self::Dpmpp2m => dpmpp_2m(run, x, sigmas),
            Self::DpmppS => dpmpp_singlestep(run, x, sigmas),
            Self::DpmppSde => dpmpp_sde(run, x, sigmas, eta),
            Self::Dpmpp2mSde => dpmpp_2m_sde(run, x, sigmas, eta, Correction::Midpoint),
            Self::Dpmpp2mSdeHeun => dpmpp_2m_sde(run, x, sigmas, eta, Correction::Heun),
            Self::Dpmpp3mSde => dpmpp_3m_sde(run, x, sigmas, eta),
            Self::UniPc => unipc(run, x, sigmas, UniPc::default()),
            Self::Ddim | Self::Plms | Self::Ddpm | Self::Lcm | Self::Tcd => {
                ddim::sample_vp(self, run, x, sigmas, schedule, eta)
            }
        }
    }
}
