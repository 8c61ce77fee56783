//! Calls that parameters are set to: `gain_map(sigma=6)`, `still("base.png")`, `none`.

use std::collections::BTreeMap;

use super::{Checker, later};
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::expr::{Arg, Expr, ExprKind};
use crate::schedule::film::Call;
use crate::schedule::names::{alternatives, did_you_mean};
use crate::schedule::params::{ArgSpec, CallSpec, Kind, Param};
use crate::schedule::span::Span;

/// What a value is when looked at as a call of its parameter.
pub(super) enum Found {
    /// A call, checked; `None` when it is wrong, which was then reported.
    Call(Option<Call>),
    /// A value of another form.
    Other,
}

impl Checker {
    /// Looks at `expr` as a call of `param`.
    pub(super) fn as_call(&mut self, param: &'static Param, expr: &Expr) -> Found {
        let none: &[Arg] = &[];
        let (name, span, args) = match &expr.kind {
            ExprKind::Call { name, name_span, args, method: false } => {
                (name.as_str(), *name_span, args.as_slice())
            }
            ExprKind::Name(name) => (name.as_str(), expr.span, none),
            ExprKind::Text(_) => (expr.literal_text().unwrap_or_default(), expr.span, none),
            _ => ("", expr.span, none),
        };
        if let Some(spec) = param.calls.iter().find(|spec| spec.name == name.to_lowercase()) {
            return Found::Call(self.call(spec, span, args, expr.span));
        }
        if param.kind != Kind::Call {
            return Found::Other;
        }
        let found = if later::is_value(param.name, name) {
            later::error(&format!("`{name}`"), span)
        } else {
            unknown(param, name, expr.span)
        };
        self.report(found);
        Found::Call(None)
    }

    fn call(&mut self, spec: &'static CallSpec, name_span: Span, given: &[Arg], span: Span) -> Option<Call> {
        let before = self.list.len();
        let mut args: BTreeMap<&'static str, Expr> = BTreeMap::new();
        for (index, arg) in given.iter().enumerate() {
            let Some(target) = self.argument(spec, index, arg) else { continue };
            if args.contains_key(target.name) {
                let message = format!("`{}` got its argument `{}` twice", spec.name, target.name);
                self.report(Diagnostic::error("E13", message, arg.value.span));
            }
            if let Some(value) = self.typed(target.into(), &arg.value) {
                args.insert(target.name, value);
            }
        }
        let missing = spec.args.iter().find(|arg| arg.default.is_none() && !args.contains_key(arg.name));
        if let Some(missing) = missing.filter(|_| self.list.len() == before) {
            let found = Diagnostic::error(
                "E13",
                format!("`{}` needs its argument `{}`", spec.name, missing.name),
                name_span,
            );
            self.report(found.hint(format!("write `{}`: {}", spec.signature(), missing.help)));
        }
        (self.list.len() == before).then_some(Call { spec, args, span })
    }

    fn argument(&mut self, spec: &'static CallSpec, index: usize, arg: &Arg) -> Option<&'static ArgSpec> {
        let found = match &arg.name {
            None => spec.args.get(index),
            Some((name, _)) => spec.args.iter().find(|known| known.name == name),
        };
        if found.is_none() {
            let (message, span) = match &arg.name {
                None => (format!("`{}` takes {} arguments", spec.name, spec.args.len()), arg.value.span),
                Some((name, span)) => (format!("`{}` has no argument `{name}`", spec.name), *span),
            };
            let near = arg
                .name
                .as_ref()
                .and_then(|(name, _)| did_you_mean(name, spec.args.iter().map(|arg| arg.name)));
            self.report(
                Diagnostic::error("E13", message, span)
                    .label(near)
                    .hint(format!("write `{}`", spec.signature())),
            );
        }
        found
    }
}

fn unknown(param: &Param, name: &str, span: Span) -> Diagnostic {
    let names: Vec<&str> = param.calls.iter().map(|call| call.name).collect();
    let forms: Vec<String> = param.calls.iter().map(CallSpec::signature).collect();
    let what = if name.is_empty() { "this".to_owned() } else { format!("`{name}`") };
    Diagnostic::error("E27", format!("`{}` cannot be {what}", param.name), span)
        .label(did_you_mean(name, names))
        .hint(format!("it is {}", alternatives(&forms)))
}
