//! The checked tree: every name is known, every unit fits, every literal is in range.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::ease::{Family, Side};
use super::expr::{Expr, ExprKind, TextPart};
use super::masks;
use super::params::{CallSpec, Kind, Param, Places};
use super::sounds::AUDIO;
use super::source::Sources;
use super::span::Span;
use super::syntax::Name;
use super::units::{Rate, Tempo};
use super::variants::Axis;

/// The newest version of the language.
pub const NEWEST: u32 = 1;
/// Frames per second of a film that does not say.
pub const DEFAULT_RATE: Rate = Rate { num: 12, den: 1 };

/// Parameters that take mask expressions.
pub const MASKS: [&str; 3] = ["mask", "noise_mask", "sharpen.mask"];

/// Settings by the name of their parameter.
pub type Settings = BTreeMap<&'static str, Setting>;

/// A film as its author wrote it, checked.
#[derive(Clone, Debug)]
pub struct Film {
    /// The folder that the film's paths are relative to.
    pub folder: PathBuf,
    /// The version of the language that the film is read with.
    pub version: u32,
    /// Names and texts of its files, for reports.
    pub sources: Sources,
    /// Frames per second and beats per minute.
    pub tempo: Tempo,
    /// What stands at the top, in `video` and in `post`.
    pub settings: Settings,
    /// Control blocks at the top, in order.
    pub controls: Vec<Control>,
    /// Scenes in order; a film without any is one scene of `frames` frames.
    pub scenes: Vec<Scene>,
    /// What the film is to be rendered with, each in turn; see [`super::variants`].
    pub variants: Vec<Axis>,
    /// Files of numbers that the film's values come from.
    pub series: Vec<FileRef>,
    /// The `deforum` block: schedules of Deforum's that the film has no use for, as name and text.
    pub deforum: Vec<(String, String)>,
}

impl Film {
    /// The setting of the parameter called `name` at the top of the film.
    pub fn setting(&self, name: &str) -> Option<&Setting> {
        self.settings.get(name)
    }

    /// Every file that the film names, with the place. Paths are relative to the film's folder
    /// unless absolute; `out`, which is written, is not among them.
    pub fn files(&self) -> Vec<FileRef> {
        let mut files = Vec::new();
        let scenes = self.scenes.iter();
        let groups = scenes.clone().map(|scene| &scene.settings).chain([&self.settings]);
        let controls = scenes.flat_map(|scene| &scene.controls).chain(&self.controls);
        for settings in groups.chain(controls.map(|control| &control.settings)) {
            settings.values().for_each(|setting| self.collect(setting, &mut files));
        }
        files.extend(self.series.iter().cloned());
        files.sort_by_key(|file: &FileRef| file.span);
        // A sound with a name is written out wherever the name stands.
        files.dedup();
        files
    }

    /// The files of `audio(...)` in an expression.
    fn sounds(&self, expr: &Expr, files: &mut Vec<FileRef>) {
        match &expr.kind {
            ExprKind::Unary(_, x) => self.sounds(x, files),
            ExprKind::Binary(_, a, b) => {
                self.sounds(a, files);
                self.sounds(b, files);
            }
            ExprKind::List(items) => items.iter().for_each(|item| self.sounds(item, files)),
            ExprKind::Text(parts) => parts.iter().for_each(|part| match part {
                TextPart::Hole(hole) => self.sounds(hole, files),
                TextPart::Literal(_) => {}
            }),
            ExprKind::Call { name, args, .. } => {
                let file = args.first().filter(|_| name == AUDIO);
                if let Some((path, file)) = file.and_then(|arg| Some((arg.value.literal_text()?, arg))) {
                    let beside = self.sources.folder(file.value.span.source);
                    let path = self.folder.join(beside).join(path);
                    files.push(FileRef {
                        path,
                        param: AUDIO,
                        arg: None,
                        of_control: false,
                        span: file.value.span,
                    });
                }
                args.iter().for_each(|arg| self.sounds(&arg.value, files));
            }
            _ => {}
        }
    }

    fn collect(&self, setting: &Setting, files: &mut Vec<FileRef>) {
        let mut push = |expr: &Expr, arg: Option<&'static str>| {
            if let Some(path) =
                expr.literal_text().filter(|path| !path.is_empty() && setting.param.name != "out")
            {
                files.push(FileRef {
                    path: self.folder.join(path),
                    param: setting.param.name,
                    arg,
                    of_control: setting.param.places == Places::CONTROL,
                    span: expr.span,
                });
            }
        };
        match &setting.value {
            SettingValue::Track(keys) if setting.param.kind == Kind::File => {
                keys.iter().for_each(|key| push(&key.value, None));
            }
            SettingValue::Track(keys) if MASKS.contains(&setting.param.name) => {
                keys.iter().for_each(|key| self.mask_files(setting, &key.value, files));
            }
            SettingValue::Track(keys) => keys.iter().for_each(|key| self.sounds(&key.value, files)),
            SettingValue::Call(call) => {
                let files = call.spec.args.iter().filter(|arg| arg.kind == Kind::File);
                files.for_each(|arg| {
                    if let Some(expr) = call.args.get(arg.name) {
                        push(expr, Some(arg.name));
                    }
                });
            }
        }
    }

    /// The files in a mask expression; what is wrong with it is told where it is computed.
    fn mask_files(&self, setting: &Setting, expr: &Expr, files: &mut Vec<FileRef>) {
        let Some(Ok(mask)) = expr.literal_text().map(masks::read) else { return };
        let param = setting.param.name;
        let file = |path: &str| FileRef {
            path: self.folder.join(path),
            param,
            arg: None,
            of_control: false,
            span: expr.span,
        };
        files.extend(mask.files().into_iter().map(file));
    }

    /// `path` relative to the film's folder.
    pub fn resolve(&self, path: &str) -> PathBuf {
        self.folder.join(Path::new(path))
    }
}

/// A file that a film names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRef {
    /// Where it is.
    pub path: PathBuf,
    /// The parameter it was given to.
    pub param: &'static str,
    /// The argument of the call that the parameter is, if it is one.
    pub arg: Option<&'static str>,
    /// Whether that is a parameter of a control.
    pub of_control: bool,
    /// Where it is named.
    pub span: Span,
}

/// A scene.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Its name.
    pub name: Name,
    /// How long it is: a time.
    pub length: Expr,
    /// Its own settings.
    pub settings: Settings,
    /// Its own controls; one with the name of a film's control changes that one.
    pub controls: Vec<Control>,
}

/// A control block.
#[derive(Clone, Debug)]
pub struct Control {
    /// Its name.
    pub name: Name,
    /// Its settings.
    pub settings: Settings,
}

/// A setting.
#[derive(Clone, Debug)]
pub struct Setting {
    /// What is set.
    pub param: &'static Param,
    /// The name as it was written.
    pub name: Name,
    /// To what.
    pub value: SettingValue,
    /// The same parameter's names in files before, whose settings this one took the place of, in order.
    pub replaced: Vec<Name>,
}

/// What a parameter is set to.
#[derive(Clone, Debug)]
pub enum SettingValue {
    /// Keys in the order written; a value that is no key is one key without a time.
    Track(Vec<Key>),
    /// A call of the parameter's own.
    Call(Call),
}

/// A value at a time.
#[derive(Clone, Debug)]
pub struct Key {
    /// When; `None` is always.
    pub time: Option<Expr>,
    /// What; names bound by `let` and functions of the film are written out, choices are text.
    pub value: Expr,
    /// How it gets there from the key before.
    pub ease: Ease,
    /// The whole key.
    pub span: Span,
    /// Whether the value differs from frame to frame.
    pub changes: bool,
}

/// How a value gets from one key to the next; the ease belongs to the key it leads to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ease {
    /// Straight.
    Linear,
    /// It keeps the earlier value and jumps at the key.
    Cut,
    /// CSS's cubic Bézier through (0, 0), (x1, y1), (x2, y2), (1, 1).
    Bezier([f64; 4]),
    /// CSS's steps: how many, and whether the first and the last jump at the ends.
    Steps {
        /// Equal steps, at least 1.
        count: u32,
        /// Jumps at the start.
        start: bool,
        /// Jumps at the end.
        end: bool,
    },
    /// A named curve.
    Curve(Family, Side),
    /// The value before goes on, the value at the key has begun, and one fades into the other.
    Blend,
    /// Through the keys on both sides without going beyond them: monotone cubic (PCHIP).
    Monotone,
    /// Through the keys on both sides in one swing: Catmull-Rom.
    CatmullRom,
}

/// A call such as `gain_map(sigma=6)`.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which.
    pub spec: &'static CallSpec,
    /// The arguments that were given, by name.
    pub args: BTreeMap<&'static str, Expr>,
    /// Where.
    pub span: Span,
}

impl Expr {
    /// The text, when it is a string without holes.
    pub fn literal_text(&self) -> Option<&str> {
        match &self.kind {
            ExprKind::Text(parts) => match parts.as_slice() {
                [] => Some(""),
                [TextPart::Literal(text)] => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    /// A string at the same place.
    pub(crate) fn text_at(span: Span, text: &str) -> Self {
        Self { kind: ExprKind::Text(vec![TextPart::Literal(text.to_owned())]), span }
    }
}
