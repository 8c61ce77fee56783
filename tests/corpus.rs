//! Every file of `grammar/corpus`: those in `accept` are films without errors, those in `reject` say in
//! comments what is wrong with them.
//!
//! A film to accept may say what its values are: `# at 12 zoom = 1.02` (to a relative 1e-9), texts and words as
//! the language writes them, `# at 0 border = wrap`, `# at 5 prompt = "a lamp"`, and `# frames = 120`.
//!
//! Above a line stands what is expected of it: severity, code, columns (from 1, the end exclusive) and
//! message; then the text under the caret, the other places and the hints.
//!
//! ```text
//! # error[E12] 31-34 unknown function `sni`
//! #   label did you mean `sin`?
//! #   also `source text` what is to be seen there
//! #   hint what to do
//! zoom = 0:(1.0), 30:(1.02+0.01*sni(t/10))
//! ```
//!
//! A film of several files has those that it uses in the folder `with` beside it: they are no films of their
//! own, and what is wrong in them stands in their own comments. Each is used by one film only.
//!
//! `KINORA_BLESS=1` writes the comments anew; read the difference before you keep it.

#![allow(clippy::unwrap_used, reason = "a test whose files are missing fails")]

use std::path::{Path, PathBuf};

use kinora::error::Error;
#[cfg(feature = "ffmpeg")]
use kinora::run::eval::{EvalOptions, eval};
use kinora::run::sound::hearing;
use kinora::schedule::diagnostic::{Diagnostic, Diagnostics, Severity};
use kinora::schedule::source::Lines;
use kinora::schedule::span::Span;
use kinora::timeline::frame::{
    Camera, ColourReference, ControlInput, DepthSource, Fit, FrameParams, FrameSource, HybridVideo, MaskTree,
};
use kinora::timeline::{Compat, Options, Timeline};

fn corpus(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("grammar/corpus").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "kin"))
        // A build without FFmpeg hears nothing.
        .filter(|path| {
            cfg!(feature = "ffmpeg")
                || !["/sound", "pace"].iter().any(|part| path.to_string_lossy().contains(part))
        })
        .collect();
    files.sort();
    assert!(files.len() >= 100, "{} holds too few films to be the corpus", folder.display());
    files
}

/// Everything that is found in a film, in all its frames. That the version is missing is only told
/// about files that are there for it; those with `compat` in their name are read as Deforum reads them, those with
/// `table` are also given back as Deforum's schedules.
fn diagnose(path: &Path) -> Diagnostics {
    let stem = path.file_stem().unwrap().to_str().unwrap();
    let compat = if stem.contains("compat") { Compat::Deforum } else { Compat::Native };
    let text = std::fs::read_to_string(path).unwrap();
    let name = path.file_name().unwrap().to_string_lossy();
    let (film, mut found) = kinora::schedule::read_all(path.parent().unwrap(), &name, &text);
    if !found.has_errors() {
        match Timeline::new(&film, &hearing(Options { compat, ..Options::default() })) {
            Ok(timeline) => {
                found.list.extend(timeline.warnings().list);
                found.list.extend(timeline.check_all_frames().list);
                if stem.contains("table")
                    && let Err(Error::Schedule(errors)) = timeline.deforum_table()
                {
                    found.list.extend(errors.list);
                }
            }
            Err(Error::Schedule(errors)) => found.list.extend(errors.list),
            Err(other) => panic!("{}: {other}", path.display()),
        }
    }
    found.sources = film.sources.files.clone();
    if !stem.contains("version") {
        found.list.retain(|diagnostic| diagnostic.code != "W01");
    }
    found.sort();
    found
}

fn is_expectation(line: &str) -> bool {
    line.starts_with("# error[") || line.starts_with("# warning[") || line.starts_with("#   ")
}

/// The expectations of a diagnostic as comment lines.
fn comments(found: &Diagnostic, sources: &[(String, String)], lines: &Lines<'_>) -> String {
    let text = &sources[found.span.source as usize].1;
    let severity = if found.severity == Severity::Error { "error" } else { "warning" };
    let (line, start) = lines.place(found.span.start as usize);
    let (end_line, end) = lines.place(found.span.end as usize);
    let end =
        if end_line == line { end } else { text.lines().nth(line - 1).unwrap_or("").chars().count() + 1 };
    let mut out = format!("# {severity}[{}] {start}-{end} {}\n", found.code, found.message);
    if let Some(label) = &found.label {
        out += &format!("#   label {label}\n");
    }
    for label in &found.labels {
        let text = &sources[label.span.source as usize].1;
        out += &format!("#   also `{}` {}\n", slice(text, label.span), label.text);
    }
    for hint in &found.hints {
        out += &format!("#   hint {hint}\n");
    }
    out
}

fn slice(text: &str, span: Span) -> &str {
    text[span.start as usize..span.end as usize].lines().next().unwrap_or("")
}

/// The files of a film, as they are and with the expectations that the film's diagnostics call for.
fn annotated(path: &Path) -> Vec<(PathBuf, String, String)> {
    let found = diagnose(path);
    let folder = path.parent().unwrap();
    let files = found.sources.iter().enumerate().map(|(source, (name, text))| {
        let path = if source == 0 { path.to_owned() } else { folder.join(name) };
        (path, text.clone(), annotated_file(&found, source as u32, text))
    });
    // Presets are compiled in.
    files.filter(|(path, ..)| path.exists()).collect()
}

fn annotated_file(found: &Diagnostics, source: u32, text: &str) -> String {
    let lines = Lines::new(text);
    let mut wanted: Vec<(usize, String)> = found
        .list
        .iter()
        .filter(|diagnostic| diagnostic.span.source == source)
        .map(|diagnostic| {
            (lines.place(diagnostic.span.start as usize).0, comments(diagnostic, &found.sources, &lines))
        })
        .collect();
    // What is said about the very start of a film belongs to its first line that is no expectation.
    for (line, _) in &mut wanted {
        *line += text.lines().skip(*line - 1).take_while(|line| is_expectation(line)).count();
    }
    wanted.sort_by_key(|(line, _)| *line);
    let mut out = String::new();
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if is_expectation(line) {
            continue;
        }
        for (_, comment) in wanted.iter().filter(|(at, _)| *at == number + 1) {
            out += comment;
        }
        out += line;
    }
    out
}

#[test]
fn films_to_reject_are_rejected_as_their_comments_say() {
    let mut wrong = Vec::new();
    for path in corpus("reject") {
        for (file, written, expected) in annotated(&path) {
            if written != expected && std::env::var_os("KINORA_BLESS").is_some() {
                std::fs::write(&file, &expected).unwrap();
            } else if written != expected {
                wrong.push(format!("=== {}\n{expected}", file.display()));
            }
        }
        let errors = diagnose(&path).of(Severity::Error).count();
        if errors == 0 && !path.to_str().unwrap().contains("warn") {
            wrong.push(format!("=== {} has no error", path.display()));
        }
    }
    assert!(wrong.is_empty(), "the comments should read\n{}", wrong.join("\n"));
}

#[test]
fn films_to_accept_have_nothing_wrong() {
    let mut wrong = Vec::new();
    for path in corpus("accept") {
        let found = diagnose(&path).list;
        wrong.extend(found.iter().map(|found| format!("{}: {}", path.display(), found.message)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn values_are_those_that_the_films_state() {
    let (mut stated, mut wrong) = (0, Vec::new());
    for path in corpus("accept") {
        let text = std::fs::read_to_string(&path).unwrap();
        let statements: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("# at ") || line.starts_with("# frames = "))
            .collect();
        if statements.is_empty() {
            continue;
        }
        let (film, _) = kinora::schedule::read_all(path.parent().unwrap(), "film.kin", &text);
        let Ok(timeline) = Timeline::new(&film, &hearing(Options::default())) else {
            wrong.push(format!("{}: it has no timeline", path.display()));
            continue;
        };
        for statement in statements {
            if let Err(found) = stated_value(&timeline, statement) {
                wrong.push(format!("{}: {statement}: {found}", path.display()));
            }
            stated += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(stated > 100, "only {stated} values are stated");
}

/// Whether a film is as `statement` says, or what it is instead.
fn stated_value(timeline: &Timeline, statement: &str) -> Result<(), String> {
    let (what, wanted) = statement[2..].split_once(" = ").ok_or("expected ` = `")?;
    if what == "frames" {
        let frames = timeline.frames();
        return if wanted.parse() == Ok(frames) { Ok(()) } else { Err(format!("it has {frames}")) };
    }
    let mut words = what.split_whitespace().skip(1);
    let frame = words.next().and_then(|frame| frame.parse().ok()).ok_or("expected a frame")?;
    let name = words.next().ok_or("expected a name")?;
    let params = timeline.at(frame).map_err(|error| error.to_string())?;
    if let Some(value) = number(&params, name) {
        let wanted: f64 = wanted.parse().map_err(|_| format!("it is {value}"))?;
        let is_near = (value - wanted).abs() <= 1e-9 * wanted.abs().max(1e-3);
        return if is_near { Ok(()) } else { Err(format!("it is {value}")) };
    }
    let value = word(&params, name).ok_or("no such value")?;
    if value == wanted { Ok(()) } else { Err(format!("it is {value}")) }
}

/// A frame's number by the name of its parameter.
fn number(params: &FrameParams, name: &str) -> Option<f64> {
    let sharpen = &params.colour.sharpen;
    let flip = match &params.camera {
        Camera::Flat(camera) => camera.flip,
        Camera::Deep(camera) => camera.flip,
    };
    let control = params.controls.first();
    Some(match (name, &params.camera) {
        ("zoom", Camera::Flat(camera)) => camera.zoom,
        ("angle", Camera::Flat(camera)) => camera.angle,
        ("translation_x", Camera::Flat(camera)) => camera.translation_x,
        ("translation_y", Camera::Flat(camera)) => camera.translation_y,
        ("transform_center_x", Camera::Flat(camera)) => camera.center_x,
        ("transform_center_y", Camera::Flat(camera)) => camera.center_y,
        ("translation_x", Camera::Deep(camera)) => camera.translation[0],
        ("translation_y", Camera::Deep(camera)) => camera.translation[1],
        ("translation_z", Camera::Deep(camera)) => camera.translation[2],
        ("rotation_3d_x", Camera::Deep(camera)) => camera.rotation[0],
        ("rotation_3d_y", Camera::Deep(camera)) => camera.rotation[1],
        ("rotation_3d_z", Camera::Deep(camera)) => camera.rotation[2],
        ("fov", Camera::Deep(camera)) => camera.fov,
        ("aspect_ratio", Camera::Deep(camera)) => camera.aspect_ratio,
        ("perspective_flip_theta", _) => flip?.theta,
        ("perspective_flip_phi", _) => flip?.phi,
        ("perspective_flip_gamma", _) => flip?.gamma,
        ("perspective_flip_fv", _) => flip?.fv,
        ("strength", _) => params.sampling.strength,
        ("steps", _) => f64::from(params.sampling.steps?),
        ("guidance", _) => params.sampling.guidance?,
        ("seed", _) => params.sampling.seed as f64,
        ("eta", _) => params.sampling.eta?,
        ("ddim_eta", _) => params.sampling.ddim_eta?,
        ("s_noise", _) => params.sampling.s_noise,
        ("eta_noise_seed_delta", _) => f64::from(params.sampling.eta_noise_seed_delta),
        ("clip_skip", _) => f64::from(params.sampling.clip_skip),
        ("mask.blur", _) => params.mask.as_ref()?.blur,
        ("mask.region", _) => f64::from(params.mask.as_ref()?.region?),
        ("guide.blend", _) => params.guide.as_ref()?.blend,
        ("guide.colour", _) => params.guide.as_ref()?.colour,
        ("hybrid.alpha", _) => params.hybrid.as_ref()?.alpha,
        ("fill_strength", _) => params.fill?.strength,
        ("fill_feather", _) => params.fill?.feather,
        ("noise", _) => params.noise.amount,
        ("noise_multiplier", _) => params.hold.noise_multiplier,
        ("coherence.strength", _) => params.hold.strength,
        ("drift.warn", _) => params.hold.drift.warn,
        ("drift.correct", _) => params.hold.drift.correct,
        ("drift.stop", _) => params.hold.drift.stop,
        ("cadence", _) => f64::from(params.cadence.length),
        ("cadence_flow_factor", _) => params.cadence.flow_factor,
        ("redo_flow_factor", _) => params.cadence.redo_flow_factor,
        ("contrast", _) => params.colour.contrast,
        ("sharpen.amount", _) => sharpen.amount,
        ("sharpen.kernel", _) => f64::from(sharpen.kernel),
        ("sharpen.sigma", _) => sharpen.sigma,
        ("sharpen.threshold", _) => sharpen.threshold,
        ("depth.near", _) => params.relief.near,
        ("depth.far", _) => params.relief.far,
        ("depth.follow", _) => params.relief.steady?,
        ("control.weight", _) => control?.weight,
        ("control.start", _) => control?.start,
        ("control.end", _) => control?.end,
        ("control.canny.low", _) => match control?.input {
            ControlInput::Canny { low, .. } => low,
            _ => return None,
        },
        ("control.canny.high", _) => match control?.input {
            ControlInput::Canny { high, .. } => high,
            _ => return None,
        },
        ("control.fidelity", _) => match control?.input {
            ControlInput::Reference { fidelity, .. } => fidelity,
            _ => return None,
        },
        _ => return None,
    })
}

/// A frame's text or word by the name of its parameter.
fn word(params: &FrameParams, name: &str) -> Option<String> {
    Some(match name {
        "prompt" => format!("{:?}", params.prompt.as_str()),
        "negative" => format!("{:?}", params.negative.as_str()),
        "source" => match &params.source {
            FrameSource::Previous => "previous".to_owned(),
            FrameSource::Init(_) => "init".to_owned(),
            FrameSource::InitVideo(_, number) => format!("init video {number}"),
            FrameSource::Still(_) => "still".to_owned(),
            FrameSource::Video(_, number) => format!("video {number}"),
            FrameSource::Text => "text".to_owned(),
            FrameSource::SceneBefore => "scene before".to_owned(),
        },
        "model" => format!("{:?}", params.sampling.model.as_ref()?),
        "hybrid" => match &params.hybrid.as_ref()?.video {
            HybridVideo::Clip(_, number) => format!("video {number}"),
            HybridVideo::Still(_) => "still".to_owned(),
        },
        "mask" => tree(&params.mask.as_ref()?.tree),
        "mask.fill" => format!("{:?}", params.mask.as_ref()?.fill).to_lowercase(),
        "mask.overlay" => params.mask.as_ref()?.overlay.to_string(),
        "border" if params.fill.is_some_and(|fill| fill.outpaint) => "outpaint".to_owned(),
        "border" => format!("{:?}", params.border).to_lowercase(),
        "sampling_mode" => {
            let sampling = match params.camera {
                Camera::Flat(camera) => camera.sampling,
                Camera::Deep(camera) => camera.sampling,
            };
            format!("{sampling:?}").to_lowercase()
        }
        "coherence" => format!("{:?}", params.colour.coherence).to_lowercase(),
        "coherence.image" => match &params.hold.reference {
            ColourReference::Picture(path) => format!("{:?}", path.file_name()?),
            ColourReference::Video(clip, number) => format!("{:?} {number}", clip.path.file_name()?),
            ColourReference::First => return None,
        },
        "drift.measures" => format!("{:?}", params.hold.drift.measures).to_lowercase(),
        "noise_type" => format!("{:?}", params.noise.kind).to_lowercase(),
        "noise_mask" => params.hold.noise_mask.as_ref().map_or("none".to_owned(), named),
        "sharpen.mask" => named(params.hold.sharpen_mask.as_ref()?),
        "sampler" => params.sampling.sampler.clone()?,
        "spacing" => params.sampling.spacing.clone()?,
        "rng" => format!("{:?}", params.sampling.rng).to_lowercase(),
        "control.mode" => format!("{:?}", params.controls.first()?.mode).to_lowercase(),
        "control.resize" => match params.controls.first()?.fit {
            Fit::Crop => "crop",
            Fit::Stretch => "stretch",
            Fit::Inside => "fit",
        }
        .to_owned(),
        "depth" => match &params.depth {
            DepthSource::Sequence(sequence, number) => match sequence.file(*number) {
                Some(file) => file.file_name()?.to_string_lossy().into_owned(),
                None => format!("picture {number} of a folder"),
            },
            other => format!("{other:?}").to_lowercase(),
        },
        "depth.steady" => params.relief.steady.is_some().to_string(),
        "depth.equalise" => params.relief.equalise.to_string(),
        "depth.invert" => params.relief.invert.to_string(),
        "depth.save" => params.relief.save.to_string(),
        "control.invert" => params.controls.first()?.invert.to_string(),
        _ => return None,
    })
}

/// The files of a mask.
fn named(mask: &MaskTree) -> String {
    let names = mask.files().into_iter().map(|file| format!("{:?}", file.file_name().unwrap()));
    names.collect::<Vec<_>>().join(" ")
}

/// A mask in words, the outermost first.
fn tree(mask: &MaskTree) -> String {
    match mask {
        MaskTree::Everywhere => "everywhere".to_owned(),
        MaskTree::File(_) => "file".to_owned(),
        MaskTree::Video(..) => "video".to_owned(),
        MaskTree::Holes(_) => "holes".to_owned(),
        MaskTree::Box(_) => "box".to_owned(),
        MaskTree::Ellipse(_) => "ellipse".to_owned(),
        MaskTree::Hard(mask) => format!("hard {}", tree(mask)),
        MaskTree::Not(mask) => format!("not {}", tree(mask)),
        MaskTree::Join(join, a, b) => {
            format!("join({}) {} {}", format!("{join:?}").to_lowercase(), tree(a), tree(b))
        }
    }
}

#[cfg(feature = "ffmpeg")]
#[test]
fn every_code_is_in_the_corpus() {
    // What `kinora eval` is given is no film: there is one code for it alone.
    let Err(Error::Schedule(alone)) = eval("1 zoom = 2", &EvalOptions::new(1)) else {
        panic!("two values were accepted as one")
    };
    let films = corpus("reject");
    let found = films.iter().flat_map(|path| diagnose(path).list).chain(alone.list);
    let seen: std::collections::BTreeSet<&'static str> = found.map(|found| found.code).collect();
    let sources =
        ["src/schedule", "src/timeline"].map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
    let mut missing: Vec<String> = sources.iter().flat_map(|folder| codes(folder)).collect();
    missing.sort();
    missing.dedup();
    missing.retain(|code| !seen.contains(code.as_str()));
    assert!(missing.is_empty(), "no film of the corpus shows {missing:?}");
}

/// Codes that the source texts under `folder` raise: `"E12"` in quotes.
#[cfg(feature = "ffmpeg")]
fn codes(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(codes(&path));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let quoted = text.split('"').skip(1).step_by(1);
        found.extend(quoted.filter(|text| is_code(text)).map(str::to_owned));
    }
    found
}

#[cfg(feature = "ffmpeg")]
fn is_code(text: &str) -> bool {
    text.len() == 3 && text.starts_with(['E', 'W']) && text[1..].bytes().all(|byte| byte.is_ascii_digit())
}
