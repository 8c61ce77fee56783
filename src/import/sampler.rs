//! Samplers by the names that the A1111 web UI has for them.

use crate::schedule::params::{find, find_choice};

/// The language's name of a sampler and of the spacing that its name carries: `DPM++ 2M SDE Karras`.
pub(super) fn sampler(written: &str) -> Option<(&'static str, Option<&'static str>)> {
    let samplers = find("sampler")?.choices();
    if let Some(choice) = find_choice(samplers, written) {
        return Some((choice.name, None));
    }
    let written = written.trim();
    // ComfyUI's name for the same sampler with its noise drawn on the GPU.
    if let Some(choice) = written.strip_suffix("_gpu").and_then(|name| find_choice(samplers, name)) {
        return Some((choice.name, None));
    }
    written.match_indices(' ').rev().find_map(|(at, _)| {
        let choice = find_choice(samplers, &written[..at])?;
        Some((choice.name, Some(spacing(&written[at + 1..])?)))
    })
}

/// The language's name of a spacing («schedule type»).
pub(super) fn spacing(written: &str) -> Option<&'static str> {
    find_choice(find("spacing")?.choices(), written).map(|choice| choice.name)
}

/// The spacing that the web UI takes for a sampler of the language: the sampler's own with the schedule type
/// «Automatic» (1.10), which versions without schedule types, before 1.9, did not have. `None` where the web UI has
/// a rule of its own that is none of the language's spacings.
pub(super) fn own_spacing(sampler: &str, is_automatic: bool) -> Option<&'static str> {
    match sampler {
        "lcm" | "tcd" | "unipc" => None,
        "ddim" | "plms" => Some("ddim_uniform"),
        _ if !is_automatic => Some("uniform"),
        "dpmpp_2m" | "dpmpp_sde" | "dpmpp_2m_sde" | "dpmpp_2s_a" | "dpm2" | "dpm2_a" => Some("karras"),
        "dpmpp_2m_sde_heun" | "dpmpp_3m_sde" => Some("exponential"),
        _ => Some("uniform"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_web_ui_are_known() {
        for (written, expected) in [
            ("Euler a", Some(("euler_a", None))),
            ("DPM2 Karras", Some(("dpm2", Some("karras")))),
            ("DPM++ 2M SDE Karras", Some(("dpmpp_2m_sde", Some("karras")))),
            ("DPM++ 2M SDE Exponential", Some(("dpmpp_2m_sde", Some("exponential")))),
            ("DPM++ 2M SGM Uniform", Some(("dpmpp_2m", Some("sgm_uniform")))),
            ("dpmpp_2m_sde_gpu", Some(("dpmpp_2m_sde", None))),
            ("DPM adaptive", Some(("dpm_adaptive", None))),
            ("Euler Align Your Steps", Some(("euler", Some("ays")))),
            ("Restart", None),
            ("", None),
        ] {
            assert_eq!(sampler(written), expected, "{written}");
        }
    }
}
