//! Names that two rooms must agree on without knowing each other.

use kinora::diffusion::sampler::{resolve, sampler_names};
use kinora::diffusion::sigmas::Spacing;
use kinora::schedule::params::find;

#[test]
fn every_sampler_of_the_language_exists_and_its_other_names_mean_the_same() {
    let choices = find("sampler").unwrap().choices();
    for choice in choices {
        let meant = resolve(choice.name).unwrap_or_else(|| panic!("there is no sampler `{}`", choice.name));
        for alias in choice.aliases {
            assert_eq!(resolve(alias), Some(meant), "{alias} is not {}", choice.name);
        }
    }
    assert!(choices.len() >= sampler_names().len() - 4, "samplers are missing in the language");
}

#[test]
fn every_spacing_of_the_language_exists() {
    for choice in find("spacing").unwrap().choices() {
        assert!(Spacing::from_name(choice.name).is_some(), "there is no spacing `{}`", choice.name);
    }
}

#[test]
fn presets_of_the_encoder_are_the_language_s() {
    let call = find("encode").unwrap().calls.iter().find(|call| call.name == "h264").unwrap();
    assert!(call.args.iter().any(|arg| arg.name == "preset"));
    for preset in kinora::encode::Preset::ALL {
        let film = format!(
            "kinora 1\nframes = 1\nprompt = \"a\"\npost {{ encode = h264(preset={}) }}\n",
            preset.name()
        );
        assert!(kinora::schedule::read("film.kin", &film).is_ok(), "preset {} is refused", preset.name());
    }
}

#[test]
fn settings_of_fresh_noise_are_warned_of_where_the_sampler_has_none() {
    use kinora::diffusion::sampler::Sampler;
    for choice in find("sampler").unwrap().choices() {
        let sampler = resolve(choice.name).unwrap().0;
        let is_told = |setting: &str| {
            let film =
                format!("kinora 1\nframes = 2\nprompt = \"a\"\nsampler = {}\n{setting} = 0.5\n", choice.name);
            let (film, _) = kinora::schedule::read("film.kin", &film).unwrap();
            let timeline = kinora::timeline::Timeline::new(&film, &Default::default()).unwrap();
            timeline.warnings().list.iter().any(|found| found.message.contains("no effect"))
        };
        let by_eta = sampler.usual_eta().is_some() && sampler != Sampler::Ddim;
        assert_eq!(is_told("eta"), !by_eta, "{}", choice.name);
        assert_eq!(is_told("ddim_eta"), sampler != Sampler::Ddim, "{}", choice.name);
    }
}
