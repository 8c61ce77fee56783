//! What suits a model, as far as its scheduler's config says.

use serde::Deserialize;

use crate::diffusion::sampler::Sampler;
use crate::diffusion::sigmas::Spacing;
use crate::error::Result;
use crate::models::ModelFolder;

/// Steps, guidance, sampler and spacing of films that say nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Usual {
    pub steps: u32,
    pub guidance: f64,
    pub sampler: Sampler,
    pub spacing: Spacing,
}

/// The keys of `scheduler_config.json` by which distilled models are known.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Scheduler {
    #[serde(rename = "_class_name")]
    class: String,
    timestep_spacing: String,
    rescale_betas_zero_snr: bool,
}

/// Steps of distilled models: the middle of the 1, 2, 4 and 8 that they are published for.
const FEW: u32 = 4;

/// What suits the model in a folder, which is SDXL or not.
///
/// Models that were distilled to a few steps without guidance (LCM; SD and SDXL Turbo, Lightning) are published
/// with the scheduler that they need: `LCMScheduler`, `TCDScheduler`, or an Euler scheduler that begins at the last
/// timestep (`timestep_spacing: trailing`). Models with zero terminal SNR begin there too, for another reason.
pub(super) fn usual(model: &ModelFolder, is_xl: bool) -> Result<Usual> {
    let scheduler: Scheduler = model.join("scheduler").json("scheduler_config.json")?;
    let (steps, guidance) = if is_xl { (25, 5.0) } else { (20, 7.0) };
    let whole = |sampler, spacing| Usual { steps, guidance, sampler, spacing };
    let distilled = |sampler| Usual { steps: FEW, guidance: 1.0, sampler, spacing: Spacing::SgmUniform };
    let is_trailing = scheduler.timestep_spacing == "trailing";
    Ok(match scheduler.class.as_str() {
        "LCMScheduler" => distilled(Sampler::Lcm),
        "TCDScheduler" => distilled(Sampler::Tcd),
        _ if scheduler.rescale_betas_zero_snr => whole(Sampler::Euler, Spacing::SgmUniform),
        "EulerDiscreteScheduler" if is_trailing => distilled(Sampler::Euler),
        "EulerAncestralDiscreteScheduler" if is_trailing => distilled(Sampler::EulerA),
        _ if is_trailing => whole(Sampler::Dpmpp2m, Spacing::SgmUniform),
        _ => whole(Sampler::Dpmpp2m, Spacing::Karras),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(config: &str) -> Usual {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("scheduler")).unwrap();
        std::fs::write(folder.path().join("scheduler/scheduler_config.json"), config).unwrap();
        usual(&ModelFolder::open(folder.path()).unwrap(), true).unwrap()
    }

    #[test]
    fn published_schedulers_are_told_apart() {
        for (config, steps, guidance, sampler, spacing) in [
            // stabilityai/stable-diffusion-xl-base-1.0
            (
                r#"{"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "leading"}"#,
                25,
                5.0,
                Sampler::Dpmpp2m,
                Spacing::Karras,
            ),
            // stabilityai/sdxl-turbo
            (
                r#"{"_class_name": "EulerAncestralDiscreteScheduler", "timestep_spacing": "trailing"}"#,
                4,
                1.0,
                Sampler::EulerA,
                Spacing::SgmUniform,
            ),
            // ByteDance/SDXL-Lightning
            (
                r#"{"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "trailing"}"#,
                4,
                1.0,
                Sampler::Euler,
                Spacing::SgmUniform,
            ),
            (r#"{"_class_name": "LCMScheduler"}"#, 4, 1.0, Sampler::Lcm, Spacing::SgmUniform),
            (r#"{"_class_name": "TCDScheduler"}"#, 4, 1.0, Sampler::Tcd, Spacing::SgmUniform),
            (
                r#"{"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "trailing",
                    "rescale_betas_zero_snr": true}"#,
                25,
                5.0,
                Sampler::Euler,
                Spacing::SgmUniform,
            ),
            ("{}", 25, 5.0, Sampler::Dpmpp2m, Spacing::Karras),
        ] {
            assert_eq!(of(config), Usual { steps, guidance, sampler, spacing }, "{config}");
        }
    }
}
