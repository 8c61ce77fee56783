//! Names bound by `let` and functions of the film. They are written out where they are used, so that
//! everything after this works on plain expressions.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::series::Loader;
use super::shape::size;
use super::sound;
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::expr::{Arg, Expr, ExprKind, TextPart};
use crate::schedule::functions::{FUNCTIONS, VARIABLES, find_function, find_variable};
use crate::schedule::names::did_you_mean;
use crate::schedule::series::SeriesCall;
use crate::schedule::sounds;
use crate::schedule::span::Span;
use crate::schedule::syntax::{Function, Let, Name};

/// Largest expression after everything is written out, in nodes: `let b = a*a` doubles each time.
const MAX_NODES: usize = 20_000;
/// Deepest tree after everything is written out; the evaluator allows 256 levels.
const MAX_DEPTH: usize = 250;

/// What names mean.
#[derive(Clone, Default)]
pub(super) struct Scope {
    values: BTreeMap<String, (Span, Expr)>,
    functions: BTreeMap<String, Function>,
    /// Names whose definition is wrong, which was reported; what uses them is not reported again.
    broken: BTreeSet<String>,
    /// Where files of numbers come from.
    series: Option<Rc<Loader>>,
}

/// An expression being written out.
struct Writer<'a> {
    scope: &'a Scope,
    /// Parameters of the function whose body this is.
    params: BTreeMap<&'a str, &'a Expr>,
    /// Words that are values here: choices.
    words: &'a [&'static str],
    list: &'a mut Vec<Diagnostic>,
    nodes: usize,
    depth: usize,
}

impl Scope {
    /// A scope without names, for films whose files of numbers are read by `loader`.
    pub fn with_series(loader: Rc<Loader>) -> Self {
        Self { series: Some(loader), ..Self::default() }
    }

    /// The files of numbers that were read.
    pub fn series_files(&self) -> Vec<crate::schedule::film::FileRef> {
        self.series.as_ref().map_or(Vec::new(), |loader| loader.files())
    }

    /// Whether `name` is bound by `let`.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name) || self.broken.contains(name)
    }

    /// Whether `name` was bound to something that is wrong, which was reported.
    pub fn is_broken(&self, name: &str) -> bool {
        self.broken.contains(name)
    }

    /// Names bound by `let`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Adds `let name = value`; later statements see it.
    pub fn bind(&mut self, bound: &Let, list: &mut Vec<Diagnostic>) {
        let first = self.place_of(&bound.name.text);
        let value = self.write(&bound.value, &[], list);
        if !is_free(&bound.name, first, list) {
            return;
        }
        match value {
            Some(value) => drop(self.values.insert(bound.name.text.clone(), (bound.name.span, value))),
            None => drop(self.broken.insert(bound.name.text.clone())),
        }
    }

    /// Adds `fn name(params) = body`; later statements see it.
    pub fn define(&mut self, function: &Function, list: &mut Vec<Diagnostic>) {
        let first = self.place_of(&function.name.text);
        if !is_free(&function.name, first, list) {
            return;
        }
        // Written out once with its parameters standing for themselves: mistakes are reported here.
        let own: Vec<Expr> = function
            .params
            .iter()
            .map(|param| Expr { kind: ExprKind::Name(param.text.clone()), span: param.span })
            .collect();
        let params = function.params.iter().map(|param| param.text.as_str()).zip(&own).collect();
        let mut writer = Writer { scope: self, params, words: &[], list, nodes: 0, depth: 0 };
        if writer.expr(&function.body).is_some() {
            // The body as its author wrote it: arguments that were put in order once are not put in order again.
            self.functions.insert(function.name.text.clone(), function.clone());
        } else {
            self.broken.insert(function.name.text.clone());
        }
    }

    fn place_of(&self, name: &str) -> Option<Span> {
        let value = self.values.get(name).map(|(span, _)| *span);
        value.or_else(|| self.functions.get(name).map(|function| function.name.span))
    }

    /// `expr` with everything written out; `None` when it is wrong, which was then reported.
    pub fn write(&self, expr: &Expr, words: &[&'static str], list: &mut Vec<Diagnostic>) -> Option<Expr> {
        Writer { scope: self, params: BTreeMap::new(), words, list, nodes: 0, depth: 0 }.expr(expr)
    }
}

/// Whether `name` can be bound; reports it when not.
fn is_free(name: &Name, first: Option<Span>, list: &mut Vec<Diagnostic>) -> bool {
    // What another file bound gives way.
    if let Some(first) = first.filter(|first| first.source == name.span.source) {
        let found = Diagnostic::error("E23", format!("`{}` is bound twice", name.text), name.span);
        list.push(found.also(first, "first bound here"));
        return false;
    }
    let is_taken = find_function(&name.text).is_some_and(|function| !function.method)
        || find_variable(&name.text).is_some()
        || ["series", sounds::AUDIO].contains(&name.text.as_str());
    if is_taken {
        let message = format!("`{}` already has a meaning in the language", name.text);
        list.push(Diagnostic::error("E23", message, name.span).hint("take another name"));
    }
    !is_taken
}

impl<'a> Writer<'a> {
    fn expr(&mut self, expr: &'a Expr) -> Option<Expr> {
        self.nodes += 1;
        if self.nodes > MAX_NODES || self.depth > MAX_DEPTH {
            if self.nodes != usize::MAX {
                let message = "this expression is too large once everything in it is written out";
                self.list.push(Diagnostic::error("E07", message, expr.span));
            }
            self.nodes = usize::MAX - 1;
            return None;
        }
        self.depth += 1;
        let kind = self.kind(expr);
        self.depth -= 1;
        Some(Expr { kind: kind?, span: expr.span })
    }

    fn kind(&mut self, expr: &'a Expr) -> Option<ExprKind> {
        Some(match &expr.kind {
            ExprKind::Name(name) => return self.name(name, expr.span),
            ExprKind::Unary(op, x) => ExprKind::Unary(*op, Box::new(self.expr(x)?)),
            ExprKind::Binary(op, a, b) => {
                // Both sides are looked at even when one is wrong.
                let (a, b) = (self.expr(a), self.expr(b));
                ExprKind::Binary(*op, Box::new(a?), Box::new(b?))
            }
            ExprKind::List(items) => {
                let items: Vec<_> = items.iter().map(|item| self.expr(item)).collect();
                ExprKind::List(items.into_iter().collect::<Option<_>>()?)
            }
            ExprKind::Text(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.part(part)).collect();
                ExprKind::Text(parts.into_iter().collect::<Option<_>>()?)
            }
            ExprKind::Call { name, name_span, args, method } => {
                return self.call(name, *name_span, args, *method, expr.span);
            }
            // Out of the body of a function: its parameters get their values.
            ExprKind::Series(call) => {
                let at = match &call.at {
                    Some(at) => Some(self.expr(at)?),
                    None => None,
                };
                ExprKind::Series(Box::new(SeriesCall { series: call.series.clone(), at }))
            }
            other => other.clone(),
        })
    }

    fn part(&mut self, part: &'a TextPart) -> Option<TextPart> {
        Some(match part {
            TextPart::Literal(text) => TextPart::Literal(text.clone()),
            TextPart::Hole(expr) => TextPart::Hole(self.expr(expr)?),
        })
    }

    fn name(&mut self, name: &str, span: Span) -> Option<ExprKind> {
        if let Some(value) = self.params.get(name) {
            return Some(value.kind.clone());
        }
        if let Some((_, value)) = self.scope.values.get(name) {
            self.nodes = self.nodes.saturating_add(size(value));
            return Some(value.kind.clone());
        }
        if let Some(word) = self.words.iter().find(|word| **word == name) {
            return Some(Expr::text_at(span, word).kind);
        }
        if find_variable(name).is_some() {
            return Some(ExprKind::Name(name.to_owned()));
        }
        if self.scope.broken.contains(name) {
            return None;
        }
        let found = Diagnostic::error("E11", format!("unknown name `{name}`"), span);
        let is_function =
            find_function(name).is_some() || name == sounds::AUDIO || self.scope.functions.contains_key(name);
        let found = if is_function {
            found.label(format!("this is a function: `{name}(...)`"))
        } else {
            found.label(did_you_mean(name, self.known_names()))
        };
        self.list.push(found);
        None
    }

    fn known_names(&self) -> impl Iterator<Item = &str> {
        let own = self.scope.values.keys().map(String::as_str).chain(self.params.keys().copied());
        own.chain(VARIABLES.iter().map(|variable| variable.name)).chain(self.words.iter().copied())
    }

    fn call(
        &mut self,
        name: &'a str,
        name_span: Span,
        args: &'a [Arg],
        method: bool,
        span: Span,
    ) -> Option<ExprKind> {
        if name == "series" && !method && !self.scope.functions.contains_key(name) {
            return self.series(name_span, args);
        }
        let written: Vec<Option<Arg>> = args
            .iter()
            .map(|arg| self.expr(&arg.value).map(|value| Arg { name: arg.name.clone(), value }))
            .collect();
        if let Some(written) = self.sound(name, name_span, &written, method, span) {
            return written;
        }
        if let Some(function) = self.scope.functions.get(name) {
            let params: Vec<&str> = function.params.iter().map(|param| param.text.as_str()).collect();
            let values =
                self.place(name, name_span, &params, written.into_iter().collect::<Option<_>>()?, span)?;
            let params = params.into_iter().zip(&values).collect();
            let mut writer = Writer {
                scope: self.scope,
                params,
                words: &[],
                list: self.list,
                nodes: self.nodes,
                depth: self.depth,
            };
            let body = writer.expr(&function.body);
            self.nodes = writer.nodes.saturating_add(values.iter().map(size).sum());
            return Some(body?.kind);
        }
        let Some(function) = find_function(name) else {
            self.unknown_function(name, name_span);
            return None;
        };
        let args = written.into_iter().collect::<Option<Vec<Arg>>>()?;
        if method != function.method {
            let (is, is_not) = if method { ("function", "method") } else { ("method", "function") };
            let found = Diagnostic::error("E12", format!("`{name}` is a {is}, not a {is_not}"), name_span);
            self.list.push(found.hint(format!("write `{}`", function.signature())));
            return None;
        }
        let values =
            super::arguments::place(function, args, name_span, span).map_err(|e| self.list.push(*e)).ok()?;
        let args = values.into_iter().map(|value| Arg { name: None, value }).collect();
        Some(ExprKind::Call { name: name.to_owned(), name_span, args, method })
    }

    /// The values of a file; asked for at the time when nothing else is said.
    fn series(&mut self, name_span: Span, args: &'a [Arg]) -> Option<ExprKind> {
        let found = self.scope.series.as_ref()?.call(name_span, args);
        match found {
            Ok((series, at)) => {
                let at = match at {
                    Some(at) => Some(self.expr(at)?),
                    None => None,
                };
                let is_time = |at: &Expr| {
                    !matches!(at.kind, ExprKind::Text(_) | ExprKind::List(_) | ExprKind::Size(..))
                };
                if let Some(wrong) = at.as_ref().filter(|at| !is_time(at)) {
                    let found = Diagnostic::error("E13", "`at` takes a time", wrong.span);
                    self.list.push(found.hint("for example `at=t * 2`"));
                    return None;
                }
                Some(ExprKind::Series(Box::new(SeriesCall { series, at })))
            }
            Err(wrong) => {
                self.list.push(*wrong);
                None
            }
        }
    }

    /// A call that makes or measures a sound, checked; `None` when it is another call.
    fn sound(
        &mut self,
        name: &str,
        at: Span,
        written: &[Option<Arg>],
        method: bool,
        span: Span,
    ) -> Option<Option<ExprKind>> {
        let is_own = self.scope.functions.contains_key(name) || find_function(name).is_some();
        let called = sound::Called { name, at, method, span, is_own };
        sound::call(&called, written, self.list)
    }

    /// The arguments in the order of `params`.
    fn place(
        &mut self,
        name: &str,
        at: Span,
        params: &[&str],
        args: Vec<Arg>,
        span: Span,
    ) -> Option<Vec<Expr>> {
        let signature = format!("write `{name}({})`", params.join(", "));
        let (count, found) = (params.len(), args.len());
        let plural = if count == 1 { "" } else { "s" };
        let wrong =
            Diagnostic::error("E13", format!("`{name}` takes {count} argument{plural}, found {found}"), at);
        if count != found {
            self.list.push(wrong.hint(signature));
            return None;
        }
        let mut placed: Vec<Option<Expr>> = vec![None; count];
        for (index, arg) in args.into_iter().enumerate() {
            let slot = match &arg.name {
                None => Some(index),
                Some((given, _)) => params.iter().position(|param| param == given),
            };
            let place = arg.name.as_ref().map_or(span, |(_, span)| *span);
            let Some(slot) = slot else {
                let given = arg.name.map(|(given, _)| given).unwrap_or_default();
                let found = Diagnostic::error("E13", format!("`{name}` has no argument `{given}`"), place)
                    .label(did_you_mean(&given, params.iter().copied()))
                    .hint(signature);
                self.list.push(found);
                return None;
            };
            if placed[slot].replace(arg.value).is_some() {
                let message = format!("`{name}` got its argument `{}` twice", params[slot]);
                self.list.push(Diagnostic::error("E13", message, place));
                return None;
            }
        }
        placed.into_iter().collect()
    }

    fn unknown_function(&mut self, name: &str, span: Span) {
        if self.scope.broken.contains(name) {
            return;
        }
        let own = self.scope.functions.keys().map(String::as_str);
        let known = FUNCTIONS.iter().map(|function| function.name).chain(["series", sounds::AUDIO]);
        let near = did_you_mean(name, own.chain(known));
        let found = Diagnostic::error("E12", format!("unknown function `{name}`"), span).label(near);
        let is_name = find_variable(name).is_some() || self.scope.values.contains_key(name);
        self.list.push(if is_name {
            found.hint(format!("`{name}` is a name; to multiply, write `*`"))
        } else {
            found
        });
    }
}
