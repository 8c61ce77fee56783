//! The options that a picture was made with, out of what its file says: `still --from picture.png`.

use std::path::{Path, PathBuf};

use super::{CANNY, ControlFrom, ControlOption, FIDELITY, FILLS, SeedChoice, StillOptions};
use crate::canvas::Size;
use crate::diffusion::sampler;
use crate::error::{Error, Result};
use crate::infotext::{Parameters, read_pairs};
use crate::models::library::Role;
use crate::run::caption::{resize_mode, short_hash};
use crate::run::inspect::{Meaning, inspect, meaning};
use crate::run::recorded::Recorded;
use crate::timeline::frame::{ControlMode, Fit, Rng};

/// What the user says, and behind it what `picture` says.
///
/// # Errors
/// [`Error::Input`] when the picture says nothing; [`Error::Usage`] and [`Error::Model`] when it was made with
/// a picture or a model that cannot be found and is not given.
pub(super) fn completed(
    given: &StillOptions,
    picture: &Path,
    warn: &mut dyn FnMut(&str),
) -> Result<StillOptions> {
    let inspected = inspect(picture)?;
    let found = inspected.parameters()?;
    let mut reader = Reader { found, picture, warn, by_kinora: inspected.by_kinora() };
    reader.tell_what_is_left();
    let mut options = given.clone();
    reader.words(&mut options);
    reader.numbers(&mut options);
    reader.sampler(&mut options);
    reader.model(&mut options)?;
    reader.vae(&mut options)?;
    reader.underneath(&mut options)?;
    if options.controls.is_empty() {
        options.controls = reader.controls()?;
    }
    Ok(options)
}

/// A picture's text on its way to options.
struct Reader<'a> {
    found: &'a Parameters,
    picture: &'a Path,
    warn: &'a mut dyn FnMut(&str),
    by_kinora: bool,
}

impl Reader<'_> {
    /// Names what the picture was made with and kinora does not have.
    fn tell_what_is_left(&mut self) {
        let is_left = |(name, value): &&(String, String)| meaning(name, value) == Meaning::Unsupported;
        let left: Vec<String> =
            self.found.pairs.iter().filter(is_left).map(|(name, value)| format!("{name}: {value}")).collect();
        if !left.is_empty() {
            (self.warn)(&format!(
                "the picture was made with what kinora does not have, so that it will look different: {}",
                left.join(", ")
            ));
        }
    }

    fn words(&self, options: &mut StillOptions) {
        options.prompt.get_or_insert_with(|| self.found.prompt.clone());
        options.negative.get_or_insert_with(|| self.found.negative.clone());
    }

    /// A number, when there is one that can be used.
    fn number<T: std::str::FromStr>(&mut self, name: &str, fits: impl Fn(&T) -> bool) -> Option<T> {
        let written = self.found.get(name)?;
        let number = written.trim().parse().ok().filter(fits);
        if number.is_none() {
            (self.warn)(&format!(
                "the picture's `{name}: {written}` cannot be understood; the usual is taken"
            ));
        }
        number
    }

    fn numbers(&mut self, options: &mut StillOptions) {
        options.steps = options.steps.or_else(|| self.number("Steps", |n| (1..=1000).contains(n)));
        options.guidance = options.guidance.or_else(|| self.number("CFG scale", |n: &f64| n.is_finite()));
        options.clip_skip = options.clip_skip.or_else(|| self.number("Clip skip", |n| (1..=24).contains(n)));
        let seed = |n: i64| SeedChoice::Number(n);
        if options.seed.is_none() {
            options.seed = self.number("Seed", |n| *n >= 0).map(seed);
            if self.found.get("Seed").is_none() {
                (self.warn)("the picture does not say its seed; 0 is taken");
            }
        }
        if options.subseed_strength.is_none() {
            options.subseed_strength =
                self.number("Variation seed strength", |n: &f64| (0.0..=1.0).contains(n));
        }
        options.subseed = options.subseed.or_else(|| self.number("Variation seed", |n| *n >= 0).map(seed));
        options.seed_walk |= self.found.get("Seed walk") == Some("True");
        self.noise(options);
        if options.size.is_none() {
            options.size = self.found.get("Size").and_then(size);
        }
    }

    /// Whose noise it is. The web UI writes nothing when it is that of the graphics card.
    fn noise(&mut self, options: &mut StillOptions) {
        let usual = |n: &f64| (0.0..=10.0).contains(n);
        options.eta = options.eta.or_else(|| self.number("Eta", usual));
        options.eta = options.eta.or_else(|| self.number("Eta DDIM", usual));
        options.s_noise = options.s_noise.or_else(|| self.number("Sigma noise", usual));
        options.ensd = options.ensd.or_else(|| self.number("ENSD", |_| true));
        let written = match self.found.get("RNG") {
            Some("CPU") => Rng::Cpu,
            Some(_) => Rng::Nv,
            None if self.found.get("Seed").is_some() => Rng::Nv,
            None => Rng::Cpu,
        };
        options.rng = options.rng.or(Some(written));
    }

    /// Sampler and spacing. Where a picture of the web UI names no spacing, it is the sampler's own.
    fn sampler(&mut self, options: &mut StillOptions) {
        let own = options.sampler.is_some();
        if !own {
            let written = self.found.get("Sampler");
            options.sampler = written.filter(|name| sampler::resolve(name).is_some()).map(str::to_owned);
            if let (Some(name), None) = (written, &options.sampler) {
                (self.warn)(&format!("there is no sampler called `{name}`; the model's own is taken"));
            }
        }
        if options.spacing.is_some() {
            return;
        }
        let written = self.found.get("Schedule type").filter(|name| !name.eq_ignore_ascii_case("automatic"));
        options.spacing = match (written, &options.sampler) {
            (Some(name), _) if crate::diffusion::sigmas::Spacing::from_name(name).is_some() => {
                Some(name.to_owned())
            }
            (Some(name), _) => {
                (self.warn)(&format!("there is no spacing called `{name}`; the model's own is taken"));
                None
            }
            // The user's own sampler brings what it brings.
            (None, Some(name)) if !own => {
                let resolved = sampler::resolve(name);
                resolved
                    .map(|(sampler, its)| its.unwrap_or_else(|| sampler.usual_spacing()).name().to_owned())
            }
            (None, _) => None,
        };
    }

    fn model(&mut self, options: &mut StillOptions) -> Result<()> {
        if options.model.is_some() {
            return Ok(());
        }
        let (name, hash) = (self.found.get("Model"), self.found.get("Model hash"));
        if name.is_none() && hash.is_none() {
            (self.warn)("the picture does not say its model; the embedded one is taken");
            return Ok(());
        }
        let (role, option) = (Role::Checkpoint, "--model");
        let recorded = Recorded { role, option, name, hash, picture: self.picture };
        let (model, warning) = recorded.find()?;
        if let Some(warning) = warning {
            (self.warn)(&warning);
        }
        options.model = Some(model);
        Ok(())
    }

    /// An autoencoder of its own.
    fn vae(&mut self, options: &mut StillOptions) -> Result<()> {
        let name = self.found.get("VAE").filter(|name| !["Automatic", "None"].contains(name));
        if options.vae.is_some() || name.is_none() {
            return Ok(());
        }
        let (role, option, hash) = (Role::Vae, "--vae", self.found.get("VAE hash"));
        let (vae, warning) = Recorded { role, option, name, hash, picture: self.picture }.find()?;
        if let Some(warning) = warning {
            (self.warn)(&warning);
        }
        options.vae = Some(vae);
        Ok(())
    }

    /// The picture underneath and its mask.
    fn underneath(&mut self, options: &mut StillOptions) -> Result<()> {
        // With «Hires. fix» the strength is that of the second pass.
        let hires = self.found.pairs.iter().any(|(name, _)| name.starts_with("Hires "));
        let denoise = self.number("Denoising strength", |n: &f64| (0.0..=1.0).contains(n)).filter(|_| !hires);
        if options.init.is_none() && denoise.is_some() {
            options.init = Some(self.file("Init image", "--init", denoise.unwrap_or_default())?);
        }
        if options.init.is_none() {
            return Ok(());
        }
        options.denoise = options.denoise.or(denoise);
        self.masking(options, denoise.unwrap_or_default())
    }

    fn masking(&mut self, options: &mut StillOptions, denoise: f64) -> Result<()> {
        let masking = &mut options.masking;
        let is_new = masking.mask.is_none() && masking.region.is_none();
        if is_new && (self.found.get("Mask image").is_some()) {
            masking.mask = Some(self.file("Mask image", "--mask", denoise)?);
        } else if is_new && !self.by_kinora && self.found.get("Mask blur").is_some() {
            return Err(self.not_in_it("--mask", "only a masked part of it was painted"));
        }
        if is_new {
            masking.region = self.found.get("Mask region").and_then(region);
            masking.invert |= self.found.get("Mask mode") == Some("Inpaint not masked");
            masking.soft |= self.found.get("Soft mask") == Some("True");
        }
        masking.blur = masking.blur.or_else(|| self.number("Mask blur", |n: &f64| (0.0..=256.0).contains(n)));
        let content = self.found.get("Masked content");
        let fill = FILLS.iter().find(|(_, name)| Some(*name) == content).map(|(fill, _)| *fill);
        masking.fill = masking.fill.or(fill);
        if masking.only_masked.is_none() && self.found.get("Inpaint area") == Some("Only masked") {
            masking.only_masked = self.number("Masked area padding", |n| *n <= 4096).or(Some(32));
        }
        Ok(())
    }

    /// A picture that went into this one: named by `name`, its hash by `name hash`.
    fn file(&self, name: &str, option: &str, denoise: f64) -> Result<PathBuf> {
        let painted = format!("it was painted over another picture (denoising strength {denoise})");
        let Some(written) = self.found.get(name) else {
            return Err(self.not_in_it(option, &painted));
        };
        let hash = self.found.get(&format!("{name} hash"));
        self.find(written, hash).ok_or_else(|| {
            self.not_in_it(
                option,
                &format!("{} was `{written}`, which is not found unchanged", name.to_lowercase()),
            )
        })
    }

    /// A file as it was named: from here, or beside the picture; with the same content.
    fn find(&self, written: &str, hash: Option<&str>) -> Option<PathBuf> {
        let beside = self.picture.parent().unwrap_or(Path::new(""));
        let last = Path::new(written).file_name().unwrap_or_default();
        let places = [PathBuf::from(written), beside.join(written), beside.join(last)];
        let same = |path: &PathBuf| {
            std::fs::read(path).is_ok_and(|bytes| hash.is_none_or(|hash| short_hash(&bytes) == hash))
        };
        places.into_iter().find(same)
    }

    fn not_in_it(&self, option: &str, why: &str) -> Error {
        Error::Usage {
            message: format!("{}: {why}", self.picture.display()),
            hint: Some(format!("give that picture with `{option} picture.png`")),
        }
    }

    fn controls(&mut self) -> Result<Vec<ControlOption>> {
        let units: Vec<(String, String)> =
            self.found.pairs.iter().filter(|(name, _)| is_control(name)).cloned().collect();
        units.iter().map(|(name, value)| self.control(name, value)).collect()
    }

    /// A unit as kinora or sd-webui-controlnet writes it down.
    fn control(&mut self, unit: &str, value: &str) -> Result<ControlOption> {
        let found = Parameters { pairs: read_pairs(value), ..Parameters::default() };
        let number = |name: &str, usual: f64| {
            let written = found.get(name).and_then(|written| written.parse().ok());
            written.filter(|n: &f64| n.is_finite()).unwrap_or(usual)
        };
        let picture = match (found.get("Input"), found.get("Module")) {
            (Some(written), _) => {
                let path = self.find(written, found.get("Input hash"));
                Some(path.ok_or_else(|| self.unseen(unit, &format!("`{written}` is not found unchanged")))?)
            }
            (None, Some("depth" | "canny" | "reference_only")) if self.by_kinora => None,
            (None, _) => return Err(self.unseen(unit, "the picture it was shown is not in the file")),
        };
        let model = match found.get("Model").map(without_hash) {
            Some("own") if self.by_kinora => None,
            Some(name) => {
                let (name, hash) = (Some(name), None);
                let (role, option) = (Role::Control, "--control");
                Some(Recorded { role, option, name, hash, picture: self.picture }.find()?.0)
            }
            None => None,
        };
        Ok(ControlOption {
            name: found.get("Name").unwrap_or(unit).to_owned(),
            picture,
            from: match found.get("Module") {
                Some("canny") => ControlFrom::Canny {
                    low: number("Threshold A", CANNY.0),
                    high: number("Threshold B", CANNY.1),
                },
                Some("reference_only") => {
                    ControlFrom::Reference(number("Threshold A", FIDELITY).clamp(0.0, 1.0))
                }
                _ => ControlFrom::AsIs,
            },
            fit: Fit::ALL
                .into_iter()
                .find(|fit| found.get("Resize Mode") == Some(resize_mode(*fit)))
                .unwrap_or_default(),
            invert: found.get("Invert") == Some("True"),
            model,
            weight: number("Weight", 1.0),
            start: number("Guidance Start", 0.0).clamp(0.0, 1.0),
            end: number("Guidance End", 1.0).clamp(0.0, 1.0),
            mode: match found.get("Control Mode") {
                Some("My prompt is more important") => ControlMode::Prompt,
                Some("ControlNet is more important") => ControlMode::Control,
                _ => ControlMode::Balanced,
            },
        })
    }

    fn unseen(&self, unit: &str, why: &str) -> Error {
        Error::Usage {
            message: format!("{}: {unit}: {why}", self.picture.display()),
            hint: Some("give the controls anew: `--control \"depth=depth.png,model=…\"`".to_owned()),
        }
    }
}

/// Whether a pair is a ControlNet unit: `ControlNet`, `ControlNet 0`.
pub(crate) fn is_control(name: &str) -> bool {
    let number = name.strip_prefix("ControlNet").map(str::trim);
    number.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
}

/// `control_v11p_sd15_canny` of `control_v11p_sd15_canny [d14c016b]`.
fn without_hash(name: &str) -> &str {
    name.split_once(" [").map_or(name, |(name, _)| name)
}

/// `512x768`.
fn size(written: &str) -> Option<Size> {
    let (width, height) = written.split_once('x')?;
    Some(Size::new(width.trim().parse().ok()?, height.trim().parse().ok()?))
}

/// `0,0,64,64`.
fn region(written: &str) -> Option<[u32; 4]> {
    let sides: Vec<u32> = written.split(',').map(|side| side.trim().parse().ok()).collect::<Option<_>>()?;
    sides.try_into().ok()
}
