//! Names of samplers and spacings: kinora's own, and those that sd-webui shows.

use crate::diffusion::sigmas::Spacing;

/// A sampler. The functions of the same names in [`super`] say what each does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "standard names, documented at the functions")]
pub enum Sampler {
    Euler,
    EulerA,
    Heun,
    Dpm2,
    Dpm2A,
    Lms,
    DpmFast,
    DpmAdaptive,
    Dpmpp2sA,
    Dpmpp2m,
    DpmppS,
    DpmppSde,
    Dpmpp2mSde,
    Dpmpp2mSdeHeun,
    Dpmpp3mSde,
    UniPc,
    Ddim,
    Plms,
    Ddpm,
    Lcm,
    Tcd,
}

/// Sampler, kinora's name, the name that sd-webui 1.10 (or diffusers) shows.
const SAMPLERS: [(Sampler, &str, &str); 21] = [
    (Sampler::Euler, "euler", "Euler"),
    (Sampler::EulerA, "euler_a", "Euler a"),
    (Sampler::Heun, "heun", "Heun"),
    (Sampler::Dpm2, "dpm2", "DPM2"),
    (Sampler::Dpm2A, "dpm2_a", "DPM2 a"),
    (Sampler::Lms, "lms", "LMS"),
    (Sampler::DpmFast, "dpm_fast", "DPM fast"),
    (Sampler::DpmAdaptive, "dpm_adaptive", "DPM adaptive"),
    (Sampler::Dpmpp2sA, "dpmpp_2s_a", "DPM++ 2S a"),
    (Sampler::Dpmpp2m, "dpmpp_2m", "DPM++ 2M"),
    (Sampler::DpmppS, "dpmpp_s", "DPM++ S"),
    (Sampler::DpmppSde, "dpmpp_sde", "DPM++ SDE"),
    (Sampler::Dpmpp2mSde, "dpmpp_2m_sde", "DPM++ 2M SDE"),
    (Sampler::Dpmpp2mSdeHeun, "dpmpp_2m_sde_heun", "DPM++ 2M SDE Heun"),
    (Sampler::Dpmpp3mSde, "dpmpp_3m_sde", "DPM++ 3M SDE"),
    (Sampler::UniPc, "unipc", "UniPC"),
    (Sampler::Ddim, "ddim", "DDIM"),
    (Sampler::Plms, "plms", "PLMS"),
    (Sampler::Ddpm, "ddpm", "DDPM"),
    (Sampler::Lcm, "lcm", "LCM"),
    (Sampler::Tcd, "tcd", "TCD"),
];

/// Spacing, kinora's name, the name that sd-webui shows.
const SPACINGS: [(Spacing, &str, &str); 13] = [
    (Spacing::Uniform, "uniform", "Uniform"),
    (Spacing::Normal, "normal", "Normal"),
    (Spacing::Karras, "karras", "Karras"),
    (Spacing::Exponential, "exponential", "Exponential"),
    (Spacing::Polyexponential, "polyexponential", "Polyexponential"),
    (Spacing::SgmUniform, "sgm_uniform", "SGM Uniform"),
    (Spacing::Simple, "simple", "Simple"),
    (Spacing::DdimUniform, "ddim_uniform", "DDIM"),
    (Spacing::KlOptimal, "kl_optimal", "KL Optimal"),
    (Spacing::Ays, "ays", "Align Your Steps"),
    (Spacing::AysSd15, "ays_sd15", "Align Your Steps SD 1.5"),
    (Spacing::AysSdxl, "ays_sdxl", "Align Your Steps XL"),
    (Spacing::Beta, "beta", "Beta"),
];

static SAMPLER_NAMES: [&str; 21] = names(&SAMPLERS);
static SPACING_NAMES: [&str; 13] = names(&SPACINGS);

const fn names<T: Copy, const N: usize>(table: &[(T, &'static str, &'static str); N]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut i = 0;
    while i < N {
        names[i] = table[i].1;
        i += 1;
    }
    names
}

/// kinora's names of all samplers.
pub fn sampler_names() -> &'static [&'static str] {
    &SAMPLER_NAMES
}

/// kinora's names of all spacings.
pub fn spacing_names() -> &'static [&'static str] {
    &SPACING_NAMES
}

/// The sampler of a name, and the spacing where the name says one: `dpmpp_2m`, `dpmpp_2m_karras`,
/// `DPM++ 2M Karras`, `euler a`. Case, blanks, `_` and `-` do not matter; k-diffusion's long names
/// (`euler_ancestral`, `dpmpp_2s_ancestral`) are understood.
pub fn resolve(name: &str) -> Option<(Sampler, Option<Spacing>)> {
    let wanted = plain(name);
    let sampler = |text: &str| find(&SAMPLERS, text);
    if let Some(found) = sampler(&wanted) {
        return Some((found, None));
    }
    SPACINGS
        .iter()
        .flat_map(|(spacing, own, shown)| [(*spacing, plain(own)), (*spacing, plain(shown))])
        .find_map(|(spacing, suffix)| Some((sampler(wanted.strip_suffix(&suffix)?)?, Some(spacing))))
}

impl Sampler {
    /// kinora's name.
    pub fn name(self) -> &'static str {
        SAMPLERS.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }

    /// The name that sd-webui shows.
    pub fn shown(self) -> &'static str {
        SAMPLERS.iter().find(|row| row.0 == self).map_or("", |row| row.2)
    }

    /// The spacing that sd-webui's «Automatic» takes for this sampler (its sampler table, 1.10).
    pub fn usual_spacing(self) -> Spacing {
        match self {
            Self::Dpmpp2m | Self::DpmppSde | Self::Dpmpp2mSde | Self::Dpmpp2sA | Self::Dpm2 | Self::Dpm2A => {
                Spacing::Karras
            }
            Self::Dpmpp2mSdeHeun | Self::Dpmpp3mSde => Spacing::Exponential,
            Self::Ddim | Self::Plms => Spacing::DdimUniform,
            // Distilled models are not asked at timestep 0, where their answer is the question.
            Self::Lcm | Self::Tcd => Spacing::SgmUniform,
            _ => Spacing::Uniform,
        }
    }
}

impl Spacing {
    /// The spacing of a name, kinora's or sd-webui's. Case, blanks, `_` and `-` do not matter.
    pub fn from_name(name: &str) -> Option<Self> {
        find(&SPACINGS, &plain(name))
    }

    /// kinora's name.
    pub fn name(self) -> &'static str {
        SPACINGS.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }

    /// The name that sd-webui shows.
    pub fn shown(self) -> &'static str {
        SPACINGS.iter().find(|row| row.0 == self).map_or("", |row| row.2)
    }
}

fn find<T: Copy>(table: &[(T, &str, &str)], wanted: &str) -> Option<T> {
    table.iter().find(|(_, own, shown)| plain(own) == wanted || plain(shown) == wanted).map(|row| row.0)
}

/// The letters and digits of a name in lower case, `++` as `pp`, `ancestral` as `a`.
fn plain(name: &str) -> String {
    let text = name.to_lowercase().replace("++", "pp").replace("ancestral", "a");
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_both_worlds_are_understood() {
        for (name, wanted) in [
            ("euler", (Sampler::Euler, None)),
            ("Euler a", (Sampler::EulerA, None)),
            ("EULER_ANCESTRAL", (Sampler::EulerA, None)),
            ("DPM++ 2M Karras", (Sampler::Dpmpp2m, Some(Spacing::Karras))),
            ("dpmpp_2m", (Sampler::Dpmpp2m, None)),
            ("dpm++ 2m sde exponential", (Sampler::Dpmpp2mSde, Some(Spacing::Exponential))),
            ("DPM++ 2M SDE Heun Karras", (Sampler::Dpmpp2mSdeHeun, Some(Spacing::Karras))),
            ("DPM2 a Karras", (Sampler::Dpm2A, Some(Spacing::Karras))),
            ("LMS Karras", (Sampler::Lms, Some(Spacing::Karras))),
            ("Euler SGM Uniform", (Sampler::Euler, Some(Spacing::SgmUniform))),
            ("ddim", (Sampler::Ddim, None)),
            ("Euler Align Your Steps", (Sampler::Euler, Some(Spacing::Ays))),
        ] {
            assert_eq!(resolve(name), Some(wanted), "{name}");
        }
        for name in ["", "karras", "euler b", "dpm++", "euler karras karras"] {
            assert_eq!(resolve(name), None, "{name}");
        }
    }

    #[test]
    fn every_name_leads_to_its_own_sampler_with_every_spacing() {
        for (sampler, own, shown) in SAMPLERS {
            assert_eq!(resolve(own), Some((sampler, None)));
            assert_eq!(resolve(shown), Some((sampler, None)));
            for (spacing, own_spacing, _) in SPACINGS {
                let name = format!("{own}_{own_spacing}");
                assert_eq!(resolve(&name), Some((sampler, Some(spacing))), "{name}");
            }
        }
    }

    #[test]
    fn tables_are_complete_and_names_do_not_repeat() {
        assert_eq!(SPACINGS.map(|row| row.0), Spacing::ALL);
        let mut names = [sampler_names(), spacing_names()].concat();
        names.sort_unstable();
        assert!(names.windows(2).all(|w| w[0] != w[1]));
        assert!(SAMPLERS.iter().all(|row| row.0.name() == row.1));
    }
}
