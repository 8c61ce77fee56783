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

#[test]
fn the_importer_and_the_engine_agree_on_the_spacing_of_a_sampler() {
    use kinora::import::{Kind, import};
    for choice in find("sampler").unwrap().choices() {
        let text = format!(
            "a cat\nSteps: 20, Sampler: {}, Schedule type: Automatic, CFG scale: 7, Seed: 5, Size: 64x64",
            choice.name
        );
        let path = std::path::Path::new("a.txt");
        let found = import(path, text.as_bytes(), Some(Kind::A1111), path).unwrap();
        let (film, _) = kinora::schedule::read("film.kin", &found.film).unwrap();
        let timeline = kinora::timeline::Timeline::new(&film, &Default::default()).unwrap();
        let usual = resolve(choice.name).unwrap().0.usual_spacing().name();
        let written = timeline.at(0).unwrap().sampling.spacing;
        assert!(written.as_deref().is_none_or(|written| written == usual), "{}: {written:?}", choice.name);
        let is_none_of_ours = matches!(choice.name, "lcm" | "tcd" | "unipc");
        assert_eq!(written.is_none(), is_none_of_ours, "{}", choice.name);
    }
}
