//! Blocks: scenes, controls, `video` and `post`.

use super::typed::Target;
use super::{Checker, later, typed};
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::expr::{Expr, ExprKind};
use crate::schedule::film::{Control, Scene, Setting, SettingValue, Settings};
use crate::schedule::names::did_you_mean;
use crate::schedule::params::{Kind, Measure, Places, find_in};
use crate::schedule::syntax::{self, Block, Item, Name};

/// Kinds of blocks.
const BLOCKS: &[&str] = &["scene", "control", "video", "post", "variants"];

/// The label of a scene that is shown backward, and the setting that it stands for.
const REVERSE: &str = "reverse";

/// Longest scene in frames.
const MAX_FRAMES: f64 = 10_000_000.0;

impl Checker {
    pub(super) fn film_setting(&mut self, setting: &syntax::Setting, settings: &mut Settings) {
        match control_unit(&setting.name) {
            Some((control, inner)) => {
                let mut controls = std::mem::take(&mut self.film.controls);
                let setting = syntax::Setting { name: inner, value: setting.value.clone() };
                let at = controls
                    .iter()
                    .position(|known| known.name.text == control.text)
                    .unwrap_or(controls.len());
                if at == controls.len() {
                    controls.push(Control { name: control, settings: Settings::new() });
                }
                self.setting(Places::CONTROL, &setting, &mut controls[at].settings);
                self.film.controls = controls;
            }
            None => self.setting(Places::FILM, setting, settings),
        }
    }

    pub(super) fn film_block(&mut self, block: &Block, settings: &mut Settings) {
        match block.kind.text.as_str() {
            "video" => self.unlabelled(block, Places::VIDEO, settings),
            "post" => self.unlabelled(block, Places::POST, settings),
            "scene" => self.scene(block),
            "control" => {
                let mut controls = std::mem::take(&mut self.film.controls);
                self.control(block, &mut controls);
                self.film.controls = controls;
            }
            // Looked at when all names are known.
            "variants" => {}
            "deforum" => self.deforum(block),
            _ => self.unknown_block(block),
        }
    }

    fn unknown_block(&mut self, block: &Block) {
        let name = &block.kind.text;
        let found = if later::is_block(name) {
            later::error(&format!("`{name}`"), block.kind.span)
        } else if find_in(Places::FILM, name).is_some() {
            Diagnostic::error("E26", format!("`{name}` is a setting, not a block"), block.kind.span)
                .hint(format!("write `{name} = ...`"))
        } else {
            let label = did_you_mean(name, BLOCKS.iter().copied());
            Diagnostic::error("E26", format!("unknown block `{name}`"), block.kind.span)
                .label(label)
                .hint("there are `scene`, `control`, `video`, `post` and `variants`")
        };
        self.report(found);
    }

    fn unlabelled(&mut self, block: &Block, place: Places, settings: &mut Settings) {
        if let Some(label) = block.labels.first() {
            let message = format!("`{}` takes no name", block.kind.text);
            self.report(Diagnostic::error("E25", message, label.span));
        }
        for item in &block.items {
            match item {
                Item::Setting(setting) => self.setting(place, setting, settings),
                other => self.misplaced(other, &block.kind),
            }
        }
    }

    pub(super) fn misplaced(&mut self, item: &Item, block: &Name) {
        let (what, span) = match item {
            Item::Block(inner) => (format!("a `{}` block", inner.kind.text), inner.kind.span),
            Item::Let(bound) => ("`let`".to_owned(), bound.name.span),
            Item::Function(function) => ("`fn`".to_owned(), function.name.span),
            Item::Use { span, .. } => ("`use`".to_owned(), *span),
            Item::Setting(setting) => (format!("`{}`", setting.name.text), setting.name.span),
        };
        let found = Diagnostic::error("E22", format!("{what} cannot stand in `{}`", block.text), span);
        self.report(found.hint("it stands at the top of the film"));
    }

    fn control(&mut self, block: &Block, controls: &mut Vec<Control>) {
        let name = match block.labels.as_slice() {
            [label] => label_name(label),
            _ => None,
        };
        let Some(name) = name else {
            let found = Diagnostic::error("E25", "a control has one name", block.head());
            self.report(found.hint("write `control depth { ... }`"));
            return;
        };
        let at = controls.iter().position(|known| known.name.text == name.text);
        let mut settings = match at.map(|at| &mut controls[at]) {
            Some(first) if first.name.span.source == name.span.source => {
                let found =
                    Diagnostic::error("E28", format!("there are two controls `{}`", name.text), name.span);
                let found = found.also(first.name.span, "the first one");
                self.report(found);
                return;
            }
            // The control of a file before: this block changes it.
            Some(first) => std::mem::take(&mut first.settings),
            None => Settings::new(),
        };
        for item in &block.items {
            match item {
                Item::Setting(setting) => self.setting(Places::CONTROL, setting, &mut settings),
                other => self.misplaced(other, &block.kind),
            }
        }
        match at {
            Some(at) => controls[at] = Control { name, settings },
            None => controls.push(Control { name, settings }),
        }
    }

    fn scene(&mut self, block: &Block) {
        let head = self.scene_head(block);
        let outer = self.scope.clone();
        self.bind(&block.items);
        let (mut settings, mut controls) = (Settings::new(), Vec::new());
        for label in block.labels.iter().skip(2).filter_map(label_setting) {
            self.setting(Places::SCENE, &label, &mut settings);
        }
        for item in &block.items {
            match item {
                Item::Setting(setting) => self.setting(Places::SCENE, setting, &mut settings),
                Item::Block(inner) if inner.kind.text == "control" => self.control(inner, &mut controls),
                Item::Let(_) | Item::Function(_) => {}
                other => self.misplaced(other, &block.kind),
            }
        }
        self.reverse_label(block, &mut settings);
        self.scope = outer;
        if let Some((name, length)) = head {
            self.film.scenes.push(Scene { name, length, settings, controls });
        }
    }

    /// `scene NAME LENGTH`
    fn scene_head(&mut self, block: &Block) -> Option<(Name, Expr)> {
        let mut labels = block.labels.iter();
        let Some(name) = labels.as_slice().first().and_then(label_name) else {
            let found = Diagnostic::error("E25", "a scene has a name and a length", block.head());
            self.report(found.hint("write `scene name 8s { ... }`"));
            return None;
        };
        labels.next();
        if let Some(first) = self.film.scenes.iter().find(|scene| scene.name.text == name.text) {
            let found = Diagnostic::error("E28", format!("there are two scenes `{}`", name.text), name.span);
            let found = found.also(first.name.span, "the first one");
            self.report(found);
        }
        let length = labels.as_slice().first().filter(|label| typed::is_time(label));
        let Some(length) = length else {
            let found =
                Diagnostic::error("E25", format!("the scene `{}` has no length", name.text), block.head());
            self.report(found.hint(format!("write `scene {} 8s {{ ... }}`", name.text)));
            return None;
        };
        labels.next();
        labels.for_each(|label| self.extra_label(label));
        let limits = (1.0, MAX_FRAMES);
        let kind = Kind::Number(Measure::Time);
        let target =
            Target { name: "the length of a scene", kind, possible: limits, usual: limits, keyed: false };
        Some((name, self.typed(target, length)?))
    }

    /// `scene NAME LENGTH reverse` is a scene with `reverse = true`.
    fn reverse_label(&mut self, block: &Block, settings: &mut Settings) {
        let is_reverse = |label: &&Expr| matches!(&label.kind, ExprKind::Name(name) if name == REVERSE);
        if let Some(label) = block.labels.iter().skip(2).find(is_reverse) {
            let value =
                syntax::Value::Expr(Expr { kind: ExprKind::Name("true".to_owned()), span: label.span });
            let name = Name { text: REVERSE.to_owned(), span: label.span };
            self.setting(Places::SCENE, &syntax::Setting { name, value }, settings);
        }
    }

    fn extra_label(&mut self, label: &Expr) {
        if label_setting(label).is_some() {
            return;
        }
        let found = match &label.kind {
            ExprKind::Name(name) if name == REVERSE => return,
            ExprKind::Name(name) if later::is_label(name) => later::error(&format!("`{name}`"), label.span),
            _ => Diagnostic::error("E25", "expected `{` after the scene's length", label.span)
                .hint("only `loop` and `reverse` may stand between them"),
        };
        self.report(found);
    }
}

/// What a word behind a scene's length switches on, as the setting that it stands for.
fn label_setting(label: &Expr) -> Option<syntax::Setting> {
    let ExprKind::Name(name) = &label.kind else { return None };
    let on = Expr { kind: ExprKind::Name("true".to_owned()), span: label.span };
    (name == "loop").then(|| syntax::Setting {
        name: Name { text: name.clone(), span: label.span },
        value: syntax::Value::Expr(on),
    })
}

/// A bare word or a string as a name.
fn label_name(label: &Expr) -> Option<Name> {
    let text = match &label.kind {
        ExprKind::Name(name) => name.clone(),
        _ => label.literal_text()?.to_owned(),
    };
    (!text.is_empty()).then_some(Name { text, span: label.span })
}

/// `cn_1_weight` is the `weight` of the control `cn_1`.
pub(super) fn control_unit(name: &Name) -> Option<(Name, Name)> {
    let rest = name.text.strip_prefix("cn_")?;
    let (unit, inner) = rest.split_once('_')?;
    let is_number = !unit.is_empty() && unit.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && find_in(Places::CONTROL, inner).is_some()).then(|| {
        let control = Name { text: format!("cn_{unit}"), span: name.span };
        (control, Name { text: inner.to_owned(), span: name.span })
    })
}

/// `from = as_is` without a picture, or `from = depth` with one.
pub(super) fn control_clash(control: &Control) -> Option<Diagnostic> {
    let from = control.settings.get("from")?;
    let image = control.settings.get("image");
    match (choice_of(from)?, image) {
        ("as_is", None) => Some(
            Diagnostic::error("E25", "`from = as_is` needs a picture", from.name.span)
                .hint("name it: `image = \"depth.png\"`"),
        ),
        ("depth", Some(image)) => Some(
            Diagnostic::error(
                "E24",
                "`from = depth` shows the frame's own depth, not a picture",
                from.name.span,
            )
            .also(image.name.span, "the picture is named here")
            .hint("write `from = as_is`, or leave `image` out"),
        ),
        _ => None,
    }
}

fn choice_of(setting: &Setting) -> Option<&str> {
    match &setting.value {
        SettingValue::Track(keys) => keys.first()?.value.literal_text(),
        SettingValue::Call(_) => None,
    }
}
