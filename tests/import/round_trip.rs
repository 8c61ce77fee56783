//! Every schedule that Deforum expands, as an imported film gives it back: from its parameter, from its
//! `deforum` block, or by default.

use kinora::error::Result;
use kinora::schedule::deforum::Mode;
use kinora::schedule::deforum::settings::Settings;
use kinora::schedule::params::{Places, find_in};
use kinora::timeline::deforum::settings::{Series, animation_settings, expand_setting};
use kinora::timeline::frame::Camera;
use kinora::timeline::{Options, Timeline};

/// The schedules by Deforum's names. The film's samplers are not among them when the film schedules them:
/// the language has other names for them.
pub fn series(film: &str, seed: i64) -> Result<Vec<(&'static str, Series)>> {
    let (film, _) = kinora::schedule::read("film.kin", film)?;
    let timeline = Timeline::new(&film, &Options { seed: Some(seed), ..Options::default() })?;
    let kept = timeline.kept_for_deforum();
    let settings = Settings::over_defaults(kept);
    let mut found = Vec::new();
    for (name, setting) in animation_settings() {
        let is_kept = kept.iter().any(|(key, _)| *key == setting);
        let own = if is_kept { None } else { own(&timeline, name, &setting)? };
        if setting == "sampler_schedule" && !is_kept {
            continue;
        }
        let series = match own {
            Some(values) => Series::Numbers(values),
            None => expand_setting(&settings, &setting, timeline.frames(), seed, Mode::Compat)
                .unwrap_or_else(|error| panic!("{setting} is kept but refused: {error}")),
        };
        found.push((name, series));
    }
    Ok(found)
}

/// The values of the film's own parameter, when it has a say.
fn own(timeline: &Timeline, name: &str, setting: &str) -> Result<Option<Vec<f64>>> {
    let Some(param) = find_in(Places::SCENE, setting).or_else(|| find_in(Places::SCENE, name)) else {
        return Ok(None);
    };
    let values: Option<Vec<f64>> =
        (0..timeline.frames()).map(|frame| timeline.value(param.name, frame)?.as_f64()).collect();
    if values.is_some() {
        return Ok(values);
    }
    let first = timeline.at(0)?;
    let is_deep = matches!(first.camera, Camera::Deep(_));
    let flips = match first.camera {
        Camera::Deep(camera) => camera.flip.is_some(),
        Camera::Flat(camera) => camera.flip.is_some(),
    };
    let sharpens = (0..timeline.frames())
        .any(|frame| timeline.value("sharpen.amount", frame).and_then(|v| v.as_f64()).unwrap_or(0.0) > 0.0);
    let has_effect = match param.name {
        "zoom" | "angle" | "transform_center_x" | "transform_center_y" => !is_deep,
        "translation_z" | "fov" | "aspect_ratio" => is_deep,
        name if name.starts_with("rotation_3d") => is_deep,
        name if name.starts_with("perspective_flip") => flips,
        "sharpen.kernel" | "sharpen.sigma" | "sharpen.threshold" => sharpens,
        "clip_skip" => false,
        _ => true,
    };
    let default = param.default.parse::<f64>().ok().filter(|_| has_effect);
    Ok(default.map(|value| vec![value; timeline.frames() as usize]))
}

/// The largest difference, relative to what is expected (absolute below 1), and where it is.
pub fn difference(found: &Series, expected: &Series) -> (f64, String) {
    match (found, expected) {
        (Series::Numbers(found), Series::Numbers(expected)) if found.len() == expected.len() => {
            let mut worst = (0.0, String::new());
            for (frame, (found, expected)) in found.iter().zip(expected).enumerate() {
                let same = found == expected || (found.is_nan() && expected.is_nan());
                let error = if same { 0.0 } else { (found - expected).abs() / expected.abs().max(1.0) };
                let error = if error.is_nan() { f64::INFINITY } else { error };
                if error > worst.0 {
                    worst = (error, format!("{found} instead of {expected} at frame {frame}"));
                }
            }
            worst
        }
        (Series::Texts(found), Series::Texts(expected)) if found == expected => (0.0, String::new()),
        _ => (f64::INFINITY, format!("{found:?} instead of {expected:?}").chars().take(200).collect()),
    }
}
