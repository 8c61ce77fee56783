//! Whole runs of Deforum's render loop with a pattern in place of the model, against kinora's loop.
//!
//! With the rules that reproduce Deforum's defects, such as red and blue exchanged inside HSV and LAB.

mod numbers;
mod stand_in;
mod unsupported;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use kinora::canvas::{Canvas, Size};
use kinora::render::frame_loop::{LoopState, Rules, StageTimes, Studio};
use kinora::schedule::deforum::settings::Settings;
use kinora::timeline::deforum::prompts::{PromptMode, PromptSeries};
use kinora::timeline::deforum::settings::Series;
use kinora::timeline::frame::FrameParams;
use serde_json::{Value, json};
use stand_in::{Given, Pattern};
use unsupported::unsupported;

use crate::{Case, Verdict, within};

/// Allowed difference of a pixel: warps round differently by one, and the loop feeds that back.
const LARGEST: f64 = 3.0;
/// The same where histograms are matched: one step of a quantile can be several levels.
const LARGEST_MATCHED: f64 = 16.0;
/// Allowed mean difference of a frame.
const MEAN: f64 = 0.01;
/// Both where frames are blended along an estimated flow, which Deforum scales to one pixel: where two estimators
/// point differently, a pixel is off by two pixels' worth of the stand-in's slope of 8.
const FLOWING: (f64, f64) = (24.0, 1.0);
/// Both where a whole picture is moved along the flow to a throw-away painting. The stand-in's stripes of another seed
/// are no moved picture, so that there is no right flow: only the order of things is compared.
const REDONE: (f64, f64) = (255.0, 16.0);

/// All runs below `loop`.
pub fn discover(folder: &Path) -> Vec<Case> {
    let Ok(entries) = std::fs::read_dir(folder.join("loop")) else { return Vec::new() };
    let mut runs: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(|p| p.is_dir()).collect();
    runs.sort();
    runs.into_iter().map(|run| case(folder, &run)).collect()
}

fn case(folder: &Path, run: &Path) -> Case {
    let name = run.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let recorded: Value = match std::fs::read(run.join("case.json")).map(|b| serde_json::from_slice(&b)) {
        Ok(Ok(recorded)) => recorded,
        _ => return Case::new("deforum/loop", name, || Verdict::Fail("no readable case.json".to_owned())),
    };
    if let Some(why) = unsupported(&recorded["settings_over_base"]) {
        return Case::unsupported("deforum/loop", name, why);
    }
    let (folder, run) = (folder.to_owned(), run.to_owned());
    Case::new("deforum/loop", name, move || {
        Replay::new(&folder, &recorded)
            .and_then(|mut replay| replay.compare(&run))
            .unwrap_or_else(Verdict::Fail)
    })
}

/// A recorded run that is made again.
struct Replay {
    recorded: Value,
    settings: Settings,
    frames: u32,
    size: Size,
    seed: i64,
    prompts: PromptSeries,
    init: Option<Canvas>,
    folder: PathBuf,
    series: BTreeMap<&'static str, Series>,
}

type Outcome<T> = Result<T, String>;

impl Replay {
    fn new(folder: &Path, recorded: &Value) -> Outcome<Self> {
        let mut settings = json!({
            "noise_schedule": "0: (0)", "amount_schedule": "0: (0)", "color_coherence": "None",
            "diffusion_cadence": 1, "zoom": "0: (1)", "translation_z": "0: (0)", "legacy_colormatch": false,
        });
        for (key, value) in recorded["settings_over_base"].as_object().ok_or("no settings")? {
            settings[key.as_str()] = value.clone();
        }
        let number = |key: &str| recorded[key].as_i64().ok_or_else(|| format!("no {key}"));
        let frames = u32::try_from(number("frames")?).map_err(|e| e.to_string())?;
        let seed = number("start_seed")?;
        let keys = [("0", "first --neg bad"), ("3", "second (w:`t/10`)")];
        let keys = keys.map(|(k, p)| (k.to_owned(), p.to_owned()));
        let prompts =
            PromptSeries::new(&keys, "", "", PromptMode::Hold, frames, seed).map_err(|e| e.message)?;
        let init = match recorded["init_image"].as_str() {
            Some(name) => Some(Canvas::open(&folder.join(name)).map_err(|e| e.to_string())?),
            None => None,
        };
        Ok(Self {
            settings: Settings::read(&settings.to_string()).map_err(|e| e.message)?,
            recorded: recorded.clone(),
            frames,
            size: Size::new(number("width")? as usize, number("height")? as usize),
            seed,
            prompts,
            init,
            folder: folder.to_owned(),
            series: BTreeMap::new(),
        })
    }

    /// Runs the loop; the log must agree exactly, the pictures within the tolerance.
    fn compare(&mut self, run: &Path) -> Outcome<Verdict> {
        let matched = !self.is("color_coherence", "None");
        let limit = if matched { LARGEST_MATCHED } else { LARGEST };
        let redone = self.flow_method("optical_flow_redo_generation").is_some();
        let flowing = self.flow_method("optical_flow_cadence").is_some();
        let (limit, most) = match (redone, flowing) {
            (true, _) => REDONE,
            (_, true) => FLOWING,
            _ => (limit, MEAN),
        };
        let calls = self.recorded["generate_calls"].as_array().cloned().ok_or("no log")?;
        let painted = Rc::new(Cell::new(0));
        let mut painter = Pattern { calls, painted: Rc::clone(&painted) };
        let mut sources = Given { init: self.init.clone(), folder: self.folder.clone() };
        let mut studio = Studio {
            painter: &mut painter,
            sources: &mut sources,
            size: self.size,
            rules: Rules::DEFORUM,
            times: StageTimes::default(),
        };
        let mut state = LoopState::default();
        let mut worst: f64 = 0.0;
        // The last picture that is painted with a cadence is never seen.
        let last = (self.frames - 1) / self.cadence() * self.cadence();
        let written = if self.cadence() > 1 { last } else { self.frames };
        let theirs = (0..written).map(|frame| json!(frame)).collect::<Vec<_>>();
        if self.recorded["frames_written"].as_array().is_some_and(|known| *known != theirs) {
            return Err(format!(
                "{} frames are written here, there {}",
                written, self.recorded["frames_written"]
            ));
        }
        for frame in 0..=last.max(written - 1) {
            let params = self.params(frame)?;
            let before = painted.get();
            let made = studio.frame(&params, &mut state, &mut |_, _| true).map_err(|e| e.to_string())?;
            let made = made.ok_or("the painter gave up")?;
            let logged = calls_of(&self.recorded, frame);
            if painted.get() - before != logged.len() {
                let found = painted.get() - before;
                return Err(format!("frame {frame}: painted {found} times, expected {}", logged.len()));
            }
            if let Some(call) = logged.last() {
                self.log_agrees(frame, &params, call)?;
            }
            if frame >= written {
                continue;
            }
            let theirs = Canvas::open(&run.join(format!("{frame:03}.png"))).map_err(|e| e.to_string())?;
            let differences =
                made.canvas.as_rgb8().iter().zip(theirs.as_rgb8()).map(|(a, b)| f64::from(a.abs_diff(*b)));
            let (largest, sum) = differences.fold((0.0f64, 0.0), |(m, s), d| (m.max(d), s + d));
            let mean = sum / theirs.as_rgb8().len() as f64;
            if mean > most {
                return Ok(Verdict::Fail(format!(
                    "frame {frame}: mean difference {mean:.4}, allowed {most}"
                )));
            }
            worst = worst.max(largest);
        }
        Ok(within(worst, limit))
    }

    fn log_agrees(&mut self, frame: u32, params: &FrameParams, log: &Value) -> Outcome<()> {
        let sampling = &params.sampling;
        let mut ours = json!({
            "frame": frame,
            "seed": sampling.seed,
            "strength": sampling.strength,
            "has_init": frame > 0 || self.init.is_some(),
            "steps": sampling.steps,
            "scale": sampling.guidance,
            "prompt": params.prompt.to_string(),
            "sampler": null, "checkpoint": null, "subseed": -1, "subseed_strength": 0.0,
        });
        if self.on("enable_sampler_scheduling") {
            ours["sampler"] = json!(self.text("sampler_schedule", frame)?.to_lowercase());
        }
        if self.on("enable_checkpoint_scheduling") {
            ours["checkpoint"] = json!(self.text("checkpoint_schedule", frame)?);
        }
        if self.on("enable_subseed_scheduling") {
            ours["subseed"] = json!(self.number("subseed_schedule", frame)? as i64);
            ours["subseed_strength"] = json!(self.number("subseed_strength_schedule", frame)?);
        }
        for (key, theirs) in log.as_object().ok_or("no log of this frame")? {
            let same = match (theirs.as_f64(), ours[key.as_str()].as_f64()) {
                (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(1.0),
                _ => *theirs == ours[key.as_str()],
            };
            if !same {
                return Err(format!("frame {frame}: {key} is {}, expected {theirs}", ours[key.as_str()]));
            }
        }
        Ok(())
    }
}

/// The logged calls of a frame; the last one is the one that counts.
fn calls_of(recorded: &Value, frame: u32) -> Vec<Value> {
    let calls = recorded["generate_calls"].as_array().cloned().unwrap_or_default();
    calls.into_iter().filter(|call| call["frame"].as_u64() == Some(u64::from(frame))).collect()
}
