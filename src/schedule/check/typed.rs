//! One value against the type and range of what it is for.

use super::{Checker, later, shape, unit};
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::expr::{BinaryOp, Expr, ExprKind, UnaryOp};
use crate::schedule::functions::{Gives, find_function};
use crate::schedule::names::{alternatives, did_you_mean};
use crate::schedule::params::{self, ArgSpec, Choice, Kind, Measure, Param, find_choice, range};
use crate::schedule::sounds;
use crate::schedule::units::{Context, Short, fits};

/// What a value is for: a parameter, or an argument of a call.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub name: &'static str,
    pub kind: Kind,
    pub possible: (f64, f64),
    pub usual: (f64, f64),
    pub keyed: bool,
}

impl From<&'static Param> for Target {
    fn from(param: &'static Param) -> Self {
        Self {
            name: param.name,
            kind: param.kind,
            possible: param.possible,
            usual: param.usual,
            keyed: param.keyed,
        }
    }
}

impl From<&'static ArgSpec> for Target {
    fn from(arg: &'static ArgSpec) -> Self {
        Self { name: arg.name, kind: arg.kind, possible: arg.possible, usual: arg.possible, keyed: false }
    }
}

impl Target {
    fn measure(self) -> Measure {
        match self.kind {
            Kind::Number(measure) => measure,
            _ => Measure::Plain,
        }
    }
}

/// What kind of value an expression has, as far as its form shows it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Number,
    Text,
    Size,
    List,
    Truth,
    Unknown,
}

impl Checker {
    /// `expr` written out and checked; `None` when it is wrong, which was then reported.
    pub(super) fn typed(&mut self, target: Target, expr: &Expr) -> Option<Expr> {
        let before = self.list.len();
        let value = match target.kind {
            Kind::Choice(choices) => self.choice(target, choices, expr),
            Kind::Switch => self.switch(target, expr),
            Kind::Number(_) | Kind::Integer => self.number(target, expr),
            Kind::Vector => self.vector(target, expr),
            Kind::Text => self.of_form(target, expr, Form::Text, "text", "put it in quotes"),
            Kind::File => self.file(target, expr),
            Kind::Size => self.size(target, expr),
            Kind::Call => None,
        }?;
        if !target.keyed && shape::changes(&value) {
            self.report(Diagnostic::error(
                "E34",
                format!("`{}` cannot change over time", target.name),
                expr.span,
            ));
        }
        (self.list.len() == before || self.only_warnings(before)).then_some(value)
    }

    fn only_warnings(&self, from: usize) -> bool {
        self.list[from..].iter().all(|found| found.severity == crate::schedule::diagnostic::Severity::Warning)
    }

    fn of_form(
        &mut self,
        target: Target,
        expr: &Expr,
        wanted: Form,
        takes: &str,
        hint: &str,
    ) -> Option<Expr> {
        let before = self.list.len();
        let Some(value) = self.scope.write(expr, &[], &mut self.list) else {
            if matches!(expr.kind, ExprKind::Name(_)) {
                self.list[before..]
                    .iter_mut()
                    .for_each(|found| found.hints.push("text stands in quotes".to_owned()));
            }
            return None;
        };
        let found = form(&value);
        if found != wanted && found != Form::Unknown {
            let message = format!("`{}` takes {takes}, this is {}", target.name, describe(found));
            self.report(Diagnostic::error("E32", message, expr.span).hint(hint));
            return None;
        }
        let context =
            if target.kind == Kind::Vector { Context::Value(Measure::Plain) } else { Context::Inner };
        unit::check(target.name, &value, context, &self.film.tempo, &mut self.list);
        Some(value)
    }

    fn number(&mut self, target: Target, expr: &Expr) -> Option<Expr> {
        let value = self.scope.write(expr, &[], &mut self.list)?;
        let found = form(&value);
        let takes = if target.kind == Kind::Integer { "a whole number" } else { target.measure().describe() };
        if !matches!(found, Form::Number | Form::Truth | Form::Unknown) {
            let message = format!("`{}` takes {takes}, this is {}", target.name, describe(found));
            let wrong = Diagnostic::error("E32", message, expr.span);
            let is_quoted_number = found == Form::Text;
            self.report(if is_quoted_number {
                wrong.hint("numbers and keys stand without quotes")
            } else {
                wrong
            });
            return None;
        }
        let context = Context::Value(target.measure());
        let before = self.list.len();
        unit::check(target.name, &value, context, &self.film.tempo, &mut self.list);
        if self.list.len() == before {
            self.in_range(target, &value, context);
        }
        Some(value)
    }

    /// Three numbers.
    fn vector(&mut self, target: Target, expr: &Expr) -> Option<Expr> {
        let value =
            self.of_form(target, expr, Form::List, "three numbers", "write `[0, 0, 5]`: right, up, forward")?;
        let ExprKind::List(items) = &value.kind else { return Some(value) };
        if items.len() != 3 {
            let message = format!("`{}` takes three numbers, found {}", target.name, items.len());
            self.report(
                Diagnostic::error("E52", message, expr.span).hint("write `[0, 0, 5]`: right, up, forward"),
            );
            return None;
        }
        if let Some(wrong) = items.iter().find(|item| !matches!(form(item), Form::Number | Form::Unknown)) {
            let message = format!("`{}` takes three numbers, this is {}", target.name, describe(form(wrong)));
            self.report(Diagnostic::error("E32", message, wrong.span));
            return None;
        }
        Some(value)
    }

    /// A literal's range; what is computed is looked at when it has been computed.
    fn in_range(&mut self, target: Target, value: &Expr, context: Context) {
        let Some(number) = unit::literal(value, context, &self.film.tempo) else { return };
        let is_odd_number = number.trunc() as i64 % 2 != 0;
        if !(target.possible.0..=target.possible.1).contains(&number) {
            let message =
                format!("{} is {}, {} is not", quoted(target.name), range(target.possible), Short(number));
            self.report(Diagnostic::error("E33", message, value.span).label(range_hint(target.name, number)));
        } else if target.name == "sharpen.kernel" && !is_odd_number {
            self.report(Diagnostic::error(
                "E33",
                format!("`{}` is odd, {number} is not", target.name),
                value.span,
            ));
        } else if !(target.usual.0..=target.usual.1).contains(&number) {
            let per_frame = if target.measure().is_per_frame() { " a frame" } else { "" };
            let message = format!("`{}` of {}{per_frame} is unusual", target.name, Short(number));
            let hint = format!("usual is {}{per_frame}", range(target.usual));
            self.report(Diagnostic::warning("W02", message, value.span).hint(hint));
        }
    }

    fn switch(&mut self, target: Target, expr: &Expr) -> Option<Expr> {
        let known = match &expr.kind {
            ExprKind::Name(name) => matches!(name.as_str(), "true" | "false" | "True" | "False"),
            _ => false,
        };
        if !known {
            let message = format!("`{}` takes `true` or `false`", target.name);
            self.report(Diagnostic::error("E32", message, expr.span));
        }
        known.then(|| expr.clone())
    }

    fn file(&mut self, target: Target, expr: &Expr) -> Option<Expr> {
        let value = self.of_form(target, expr, Form::Text, "the name of a file", "put it in quotes")?;
        if value.literal_text().is_none() {
            let message = format!("`{}` takes the name of a file as plain text", target.name);
            self.report(Diagnostic::error("E32", message, expr.span));
        }
        Some(self.seen_from_film(target, value))
    }

    /// A path in a file that the film uses is relative to that file; from here on it is relative to the
    /// film. What is written is a matter of the whole film, and a model without a folder is a name.
    fn seen_from_film(&self, target: Target, value: Expr) -> Expr {
        let folder = self.film.sources.folder(value.span.source);
        let stays = |path: &str| {
            path.is_empty() || target.name == "out" || (target.name == "model" && !path.contains('/'))
        };
        match value.literal_text().filter(|path| !stays(path) && !folder.as_os_str().is_empty()) {
            Some(path) => {
                let path = crate::schedule::library::normal(&folder.join(path));
                Expr::text_at(value.span, &path.to_string_lossy())
            }
            None => value,
        }
    }

    fn size(&mut self, target: Target, expr: &Expr) -> Option<Expr> {
        let ExprKind::Size(width, height) = expr.kind else {
            let found = Diagnostic::error("E32", format!("`{}` takes a size", target.name), expr.span);
            let (low, high) = (Short(target.possible.0), Short(target.possible.1));
            self.report(
                found.hint(format!("write `1024x576`, without quotes, each side from {low} to {high}")),
            );
            return None;
        };
        for (side, length) in [("width", width), ("height", height)] {
            if !(target.possible.0..=target.possible.1).contains(&f64::from(length)) {
                let message = format!("the {side} is {}, {length} is not", range(target.possible));
                self.report(Diagnostic::error("E33", message, expr.span));
            } else if length % 8 != 0 {
                let near = (length + 4) / 8 * 8;
                let found = Diagnostic::error(
                    "E33",
                    format!("the {side} is a multiple of 8, {length} is not"),
                    expr.span,
                );
                self.report(found.hint(format!("the nearest is {}", near.max(8))));
            }
        }
        Some(expr.clone())
    }

    /// A word of a choice, bare or in quotes, or an expression that chooses between texts.
    fn choice(&mut self, target: Target, choices: &'static [Choice], expr: &Expr) -> Option<Expr> {
        let written = match &expr.kind {
            ExprKind::Name(name) => Some(name.as_str()),
            _ => expr.literal_text(),
        };
        let Some(written) = written else {
            let words: Vec<&'static str> = choices.iter().map(|choice| choice.name).collect();
            let value = self.scope.write(expr, &words, &mut self.list)?;
            if matches!(form(&value), Form::Text | Form::Unknown) {
                return Some(value);
            }
            self.report(not_a_choice(target, choices, "this", expr));
            return None;
        };
        if let Some(name) = spelled(target.name, choices, written) {
            return Some(Expr::text_at(expr.span, &name));
        }
        let found = if later::is_value(target.name, written) {
            later::error(&format!("`{written}`"), expr.span)
        } else {
            not_a_choice(target, choices, &format!("`{written}`"), expr).label(did_you_mean(
                written,
                choices.iter().flat_map(|choice| choice.aliases.iter().chain([&choice.name])).copied(),
            ))
        };
        self.report(found);
        None
    }
}

/// The language's spelling of a choice. A sampler may carry its spacing, as the web UI once wrote it:
/// `DPM++ 2M Karras` is `dpmpp_2m karras`.
fn spelled(param: &str, choices: &'static [Choice], written: &str) -> Option<String> {
    if let Some(choice) = find_choice(choices, written) {
        return Some(choice.name.to_owned());
    }
    let written = written.trim().to_lowercase();
    let spacings = params::find("spacing").filter(|_| param == "sampler")?.choices();
    spacings
        .iter()
        .flat_map(|spacing| spacing.aliases.iter().chain([&spacing.name]).map(move |name| (spacing, name)))
        .find_map(|(spacing, name)| {
            let base = written.strip_suffix(&name.to_lowercase())?.strip_suffix(' ')?;
            find_choice(choices, base).map(|choice| format!("{} {}", choice.name, spacing.name))
        })
}

fn not_a_choice(target: Target, choices: &[Choice], what: &str, expr: &Expr) -> Diagnostic {
    let names: Vec<&str> = choices.iter().map(|choice| choice.name).collect();
    Diagnostic::error("E15", format!("`{}` cannot be {what}", target.name), expr.span)
        .hint(format!("it is {}", alternatives(&names)))
}

fn range_hint(name: &str, number: f64) -> Option<String> {
    match name {
        "strength" | "denoise" | "noise" if (2.0..=100.0).contains(&number) => {
            Some(format!("for {number} hundredths write `{number}%`"))
        }
        _ => None,
    }
}

/// A name in backticks; a description as it is.
fn quoted(name: &str) -> String {
    if name.contains(' ') { name.to_owned() } else { format!("`{name}`") }
}

pub(super) fn form(expr: &Expr) -> Form {
    match &expr.kind {
        ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Quantity { .. } => Form::Number,
        ExprKind::Size(..) => Form::Size,
        ExprKind::Text(_) => Form::Text,
        ExprKind::List(_) => Form::List,
        ExprKind::Name(name) if matches!(name.as_str(), "true" | "false" | "True" | "False") => Form::Truth,
        ExprKind::Name(_) => Form::Number,
        ExprKind::Unary(UnaryOp::Not, _) => Form::Truth,
        ExprKind::Unary(_, x) if matches!(form(x), Form::List | Form::Unknown) => form(x),
        ExprKind::Unary(..) => Form::Number,
        ExprKind::Binary(op, a, b) => match op {
            BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge | BinaryOp::Eq | BinaryOp::Ne => {
                Form::Truth
            }
            BinaryOp::And | BinaryOp::Or => Form::Truth,
            _ => match (form(a), form(b)) {
                (Form::List, _) | (_, Form::List) => Form::List,
                (Form::Unknown, _) | (_, Form::Unknown) => Form::Unknown,
                _ => Form::Number,
            },
        },
        ExprKind::Frames(_) | ExprKind::Series(_) => Form::Number,
        ExprKind::Call { .. } if sounds::of(expr).is_some() => {
            match sounds::of(expr).map(|sound| sound.gives) {
                Some(sounds::Gives::Pulses) => Form::Truth,
                _ => Form::Number,
            }
        }
        ExprKind::Call { name, args, .. } => match find_function(name).map(|function| function.gives) {
            Some(Gives::Number) => Form::Number,
            Some(Gives::List) => Form::List,
            Some(Gives::Argument(index)) => args.get(index).map_or(Form::Unknown, |arg| form(&arg.value)),
            Some(Gives::Any) | None => Form::Unknown,
        },
    }
}

pub(super) fn describe(form: Form) -> &'static str {
    match form {
        Form::Number => "a number",
        Form::Text => "text",
        Form::Size => "a size",
        Form::List => "a list",
        Form::Truth => "a truth value",
        Form::Unknown => "something else",
    }
}

/// Whether a number of frames can carry this unit; used for lengths.
pub(super) fn is_time(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Quantity { unit, .. } => fits(*unit, Context::Value(Measure::Time)),
        ExprKind::Name(_) => false,
        _ => form(expr) == Form::Number,
    }
}
