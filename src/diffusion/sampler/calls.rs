//! How many denoiser calls a schedule is planned to take.

use super::Sampler;

impl Sampler {
    /// The calls that sd-webui plans for `steps` steps, by which shares in prompts are counted
    /// (`SamplerData.total_steps` of 1.10): twice as many for the samplers it calls second-order, which call the
    /// denoiser twice a step.
    pub fn planned_calls(self, steps: u32) -> usize {
        let twice = matches!(self, Self::Heun | Self::Dpm2 | Self::Dpm2A | Self::Dpmpp2sA | Self::DpmppSde);
        steps as usize * if twice { 2 } else { 1 }
    }
}
