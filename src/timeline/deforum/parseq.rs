//! Parseq manifests: every value of every frame, computed elsewhere, in place of the settings' schedules.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::settings::{CONTROLNET, LOOPER, Series, animation_settings, expand_setting};
use super::{MAX_FRAMES, Mode};
use crate::schedule::deforum::ReadError;
use crate::schedule::deforum::settings::{Settings, relaxed};
use crate::schedule::span::Span;

/// The schedules' seed while a manifest is in use: Deforum forgets to hand the start seed on.
const SEED: i64 = -1;

/// A manifest with the settings that stand in for what it leaves out.
#[derive(Clone, Debug)]
pub struct Manifest {
    frames: Vec<(usize, Map<String, Value>)>,
    options: Map<String, Value>,
    use_deltas: bool,
    overrides: bool,
}

/// What a manifest gives for a film.
#[derive(Clone, Debug)]
pub struct Film {
    /// Number of frames.
    pub max_frames: u32,
    /// Frames per second, when the manifest decides.
    pub fps: Option<f64>,
    /// Diffuse every n-th frame, when the manifest decides.
    pub cadence: Option<u32>,
    /// The prompt of each frame as `positive --neg negative`, when the manifest has prompts.
    pub prompts: Option<Vec<String>>,
    /// Whether the seeds come from the manifest (then `seed_behavior` is `schedule`).
    pub manages_seed: bool,
    /// As in [`super::settings::Expanded`].
    pub anim: BTreeMap<String, Series>,
    /// As in [`super::settings::Expanded`].
    pub controlnet: BTreeMap<String, Series>,
    /// The guided images, with `_series` behind each name.
    pub looper: BTreeMap<String, Series>,
}

fn wrong(message: impl Into<String>) -> ReadError {
    ReadError::new(Span::default(), message)
}

impl Manifest {
    /// Reads a manifest. `use_deltas` takes the fields with `_delta` for motion; `overrides` lets the
    /// manifest decide frame count, rate and cadence (`parseq_use_deltas`,
    /// `parseq_non_schedule_overrides`).
    ///
    /// # Errors
    /// JSON without `rendered_frames`, frames without a number, sizes beyond the limits.
    pub fn read(text: &str, use_deltas: bool, overrides: bool) -> Result<Self, ReadError> {
        let mut manifest: Map<String, Value> = serde_json::from_str(&relaxed(text)?)
            .map_err(|e| wrong(format!("expected a parseq manifest as JSON: {e}")))?;
        let frames = match manifest.remove("rendered_frames") {
            Some(Value::Array(frames)) if !frames.is_empty() => frames,
            _ => {
                return Err(wrong("expected a list `rendered_frames` in the parseq manifest")
                    .hint("render in parseq, then copy the output again"));
            }
        };
        let options = match manifest.remove("options") {
            Some(Value::Object(options)) => options,
            _ => Map::new(),
        };
        let frames = frames.into_iter().enumerate().map(numbered).collect::<Result<_, _>>()?;
        Ok(Self { frames, options, use_deltas, overrides })
    }

    /// Everything the manifest gives, and the settings' schedules for the rest.
    ///
    /// # Errors
    /// A field of the first frame that a later frame lacks or has in another kind; schedules of the
    /// settings that cannot be expanded.
    pub fn film(&self, settings: &Settings, mode: Mode) -> Result<Film, ReadError> {
        let own = u32::try_from(self.frames.len()).unwrap_or(u32::MAX);
        let wanted = settings.get("max_frames").and_then(Value::as_f64).unwrap_or(0.0);
        let max_frames = if self.overrides { own } else { wanted as u32 };
        if max_frames == 0 || max_frames > MAX_FRAMES {
            return Err(wrong(format!("expected 1 to {MAX_FRAMES} frames, found {max_frames}")));
        }
        let series = |field: &str, setting: &str| match self.series(field, max_frames)? {
            Some(series) => Ok(series),
            None => expand_setting(settings, setting, max_frames, SEED, mode),
        };
        let mut film = Film {
            max_frames,
            fps: self.option("output_fps"),
            cadence: self.option("cadence").map(|v| v as u32),
            prompts: self.prompts(max_frames)?,
            manages_seed: self.has("seed"),
            anim: BTreeMap::new(),
            controlnet: BTreeMap::new(),
            looper: BTreeMap::new(),
        };
        for (name, setting) in animation_settings() {
            film.anim.insert(name.into(), series(&self.field(name), &setting)?);
        }
        for name in LOOPER {
            film.looper.insert(format!("{name}_series"), series(&looper_field(name), name)?);
        }
        for unit in (1..).take_while(|n| settings.get(&format!("cn_{n}_weight")).is_some()) {
            for name in CONTROLNET {
                let field = format!("cn_{unit}_{name}");
                film.controlnet.insert(format!("{field}_schedule_series"), series(&field, &field)?);
            }
        }
        Ok(film)
    }

    fn option(&self, name: &str) -> Option<f64> {
        let value = self.options.get(name).filter(|_| self.overrides)?;
        value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|v| *v > 0.0 && v.is_finite())
    }

    fn has(&self, field: &str) -> bool {
        self.frames.first().is_some_and(|(_, f)| f.get(field).is_some_and(|v| !v.is_null()))
    }

    /// The manifest's name for an animation schedule.
    fn field(&self, name: &str) -> String {
        match name {
            "angle"
            | "zoom"
            | "translation_x"
            | "translation_y"
            | "translation_z"
            | "rotation_3d_x"
            | "rotation_3d_y"
            | "rotation_3d_z"
            | "perspective_flip_theta"
            | "perspective_flip_phi"
            | "perspective_flip_gamma" => {
                if self.use_deltas {
                    format!("{name}_delta")
                } else {
                    name.into()
                }
            }
            "cfg_scale_schedule" => "scale".into(),
            "amount_schedule" | "kernel_schedule" | "sigma_schedule" | "threshold_schedule" => {
                format!("antiblur_{}", name.trim_end_matches("_schedule"))
            }
            "sampler_schedule" | "steps_schedule" => name.into(),
            _ => name.trim_end_matches("_schedule").into(),
        }
    }

    fn prompts(&self, max_frames: u32) -> Result<Option<Vec<String>>, ReadError> {
        match self.series("deforum_prompt", max_frames)? {
            None => Ok(None),
            Some(Series::Texts(texts)) => Ok(Some(texts)),
            Some(Series::Numbers(_)) => {
                Err(wrong("expected texts as `deforum_prompt` of the manifest, found numbers"))
            }
        }
    }

    /// The values of a field, or `None` when the first frame has none. After the manifest's end the last
    /// value goes on; a frame that is left out keeps the value before it.
    fn series(&self, field: &str, max_frames: u32) -> Result<Option<Series>, ReadError> {
        if !self.has(field) {
            return Ok(None);
        }
        let mut values: Vec<Option<&Value>> = vec![None; max_frames as usize];
        for (number, frame) in &self.frames {
            let value = frame.get(field).filter(|v| !v.is_null()).ok_or_else(|| {
                wrong(format!("expected `{field}` in every frame of the manifest, frame {number} has none"))
            })?;
            if let Some(slot) = values.get_mut(*number) {
                *slot = Some(value);
            }
        }
        let mut held = self.frames[0].1.get(field);
        let held = values.into_iter().filter_map(|v| {
            held = v.or(held);
            held
        });
        let held: Vec<&Value> = held.collect();
        if held.iter().all(|v| v.is_string()) {
            return Ok(Some(Series::Texts(
                held.iter().filter_map(|v| v.as_str()).map(str::to_owned).collect(),
            )));
        }
        let numbers = held.iter().map(|v| {
            v.as_f64()
                .ok_or_else(|| wrong(format!("expected a number as `{field}` of the manifest, found {v}")))
        });
        Ok(Some(Series::Numbers(numbers.collect::<Result<_, _>>()?)))
    }
}

/// The manifest's name for a schedule of the guided images.
fn looper_field(name: &str) -> String {
    match name {
        "image_strength_schedule" => "strength".into(),
        "color_correction_factor" => "guided_color_correction_factor".into(),
        _ => format!("guided_{}", name.trim_end_matches("_schedule")),
    }
}

fn numbered((index, frame): (usize, Value)) -> Result<(usize, Map<String, Value>), ReadError> {
    let Value::Object(frame) = frame else {
        return Err(wrong(format!("expected an object as frame {index} of the manifest, found {frame}")));
    };
    match frame.get("frame").and_then(Value::as_f64) {
        Some(number) if number >= 0.0 && number <= f64::from(MAX_FRAMES) => Ok((number as usize, frame)),
        _ => Err(wrong(format!("expected a frame number in object {index} of the manifest"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn film(text: &str, deltas: bool) -> Result<Film, ReadError> {
        Manifest::read(text, deltas, true)?.film(&Settings::defaults(), Mode::Compat)
    }

    #[test]
    fn fields_take_the_place_of_schedules() {
        let text = r#"{"options": {"cadence": 2}, "rendered_frames": [
            {"frame": 0, "zoom": 1.5, "zoom_delta": 1.2, "guided_tweening_frames": 3},
            {"frame": 2, "zoom": 2.5, "zoom_delta": 1.4, "guided_tweening_frames": 4},
            {"frame": 1, "zoom": 9.5, "zoom_delta": 1.3, "guided_tweening_frames": 5}]}"#;
        assert_eq!(film(text, true).unwrap().anim["zoom"], Series::Numbers(vec![1.2, 1.3, 1.4]));
        let absolute = film(text, false).unwrap();
        assert_eq!(absolute.anim["zoom"], Series::Numbers(vec![1.5, 9.5, 2.5]));
        assert_eq!(absolute.looper["tweening_frames_schedule_series"], Series::Numbers(vec![3.0, 5.0, 4.0]));
        assert_eq!((absolute.cadence, absolute.max_frames, absolute.manages_seed), (Some(2), 3, false));
    }

    #[test]
    fn a_field_that_ends_early_is_an_error() {
        let text = r#"{"rendered_frames": [{"frame": 0, "noise": 1}, {"frame": 1}]}"#;
        assert!(film(text, true).unwrap_err().message.contains("frame 1 has none"));
        assert!(film("{}", true).is_err());
        assert!(film(r#"{"rendered_frames": [{"zoom": 1}]}"#, true).is_err());
    }
}
