//! The arguments of a built-in function: named ones are put in order, left-out ones filled in.

use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::ease;
use crate::schedule::expr::{Arg, Expr, ExprKind};
use crate::schedule::functions::{Function, LeftOut, SHAPES, find_variable};
use crate::schedule::names::{alternatives, did_you_mean};
use crate::schedule::span::Span;

/// Who is called, for errors.
struct Call {
    function: &'static Function,
    /// Where its name stands.
    at: Span,
}

/// The arguments in the order in which the evaluator takes them ([`Function::order`]).
pub(super) fn place(
    function: &'static Function,
    args: Vec<Arg>,
    at: Span,
    span: Span,
) -> Result<Vec<Expr>, Box<Diagnostic>> {
    let call = Call { function, at };
    let (needed, options) = (function.params.len(), function.options);
    let free = options.iter().filter(|(_, default)| !matches!(default, LeftOut::Always(_))).count();
    let mut more = Vec::new();
    let mut placed: Vec<Option<Expr>> = vec![None; needed + options.len()];
    let by_position = if function.variadic { needed } else { needed + free };
    let found = args.len();
    for (index, arg) in args.into_iter().enumerate() {
        let slot = match &arg.name {
            None if index < by_position => index,
            None if function.variadic => {
                more.push(arg.value);
                continue;
            }
            None => return Err(call.wrong_count(found)),
            Some((name, place)) => call.slot(name, *place).ok_or_else(|| call.no_such(name, *place))?,
        };
        let place = arg.name.as_ref().map_or(span, |(_, span)| *span);
        if placed[slot].replace(arg.value).is_some() {
            let name = function.params.iter().chain(options.iter().map(|(name, _)| name)).nth(slot);
            let message =
                format!("`{}` got its argument `{}` twice", function.name, name.copied().unwrap_or_default());
            return Err(Box::new(Diagnostic::error("E13", message, place)));
        }
    }
    if placed[..needed].iter().any(Option::is_none) {
        return Err(call.wrong_count(found));
    }
    for (slot, (_, default)) in placed[needed..].iter_mut().zip(options) {
        slot.get_or_insert_with(|| left_out(*default, span));
    }
    let mut values: Vec<Expr> = placed.into_iter().flatten().collect();
    if function.variadic {
        values.rotate_left(needed);
        values.extend(more);
    }
    call.check_word(&values)?;
    Ok(values)
}

fn left_out(default: LeftOut, span: Span) -> Expr {
    let kind = match default {
        LeftOut::Number(value) => ExprKind::Float(value),
        LeftOut::Variable(name) | LeftOut::Always(name) => ExprKind::Name(name.to_owned()),
    };
    Expr { kind, span }
}

impl Call {
    /// The place of the argument called `name`, counted through parameters and options.
    fn slot(&self, name: &str, _: Span) -> Option<usize> {
        let options = self.function.options.iter();
        let given = options.map(|(name, default)| match default {
            LeftOut::Always(_) => "",
            _ => *name,
        });
        self.function.params.iter().copied().chain(given).position(|known| known == name)
    }

    fn no_such(&self, name: &str, place: Span) -> Box<Diagnostic> {
        let given = self.function.options.iter().filter(|(_, d)| !matches!(d, LeftOut::Always(_)));
        let known = self.function.params.iter().copied().chain(given.map(|(name, _)| *name));
        let message = format!("`{}` has no argument `{name}`", self.function.name);
        Box::new(
            Diagnostic::error("E13", message, place)
                .label(did_you_mean(name, known))
                .hint(format!("write `{}`", self.function.signature())),
        )
    }

    fn wrong_count(&self, found: usize) -> Box<Diagnostic> {
        let function = self.function;
        let receiver = usize::from(function.method);
        let count = function.params.len() - receiver;
        let options = function.options.iter().filter(|(_, d)| !matches!(d, LeftOut::Always(_))).count();
        let takes = match (function.variadic, options) {
            (true, _) => format!("at least {count}"),
            (false, 0) => count.to_string(),
            (false, _) => format!("{count} to {}", count + options),
        };
        let plural = if takes == "1" { "" } else { "s" };
        let message = format!(
            "`{}` takes {takes} argument{plural}, found {}",
            function.name,
            found.saturating_sub(receiver)
        );
        Box::new(Diagnostic::error("E13", message, self.at).hint(format!("write `{}`", function.signature())))
    }

    /// The first argument of `osc` and `ease` is one of some words.
    fn check_word(&self, values: &[Expr]) -> Result<(), Box<Diagnostic>> {
        let Some(first) = values.first() else { return Ok(()) };
        let name = self.function.name;
        if !matches!(name, "osc" | "ease") {
            return Ok(());
        }
        // A parameter of the film's own function, whose word comes when that is called.
        if matches!(&first.kind, ExprKind::Name(name) if find_variable(name).is_none()) {
            return Ok(());
        }
        let Some(word) = first.literal_text() else {
            let message = format!(
                "`{name}` takes the name of {} in quotes",
                if name == "osc" { "a shape" } else { "an ease" }
            );
            return Err(Box::new(
                Diagnostic::error("E51", message, first.span).hint(format!("write `{}`", example(name))),
            ));
        };
        if name == "osc" && !SHAPES.contains(&word) {
            let found = Diagnostic::error("E51", format!("`osc` has no shape `{word}`"), first.span);
            return Err(Box::new(
                found.label(did_you_mean(word, SHAPES)).hint(format!("it is {}", alternatives(&SHAPES))),
            ));
        }
        let is_curve = |word: &str| ease::find(word).is_some_and(super::ease::is_of_time_alone);
        if name == "ease" && !is_curve(word) {
            let names: Vec<String> = ease::names().into_iter().filter(|name| is_curve(name)).collect();
            let message = match ease::find(word) {
                Some(_) => format!("`{word}` is an ease for keys only"),
                None => format!("`ease` has no curve `{word}`"),
            };
            let near = did_you_mean(word, names.iter().map(String::as_str));
            let found = Diagnostic::error("E51", message, first.span).label(near);
            return Err(Box::new(found.hint(format!("write `{}`", example(name)))));
        }
        Ok(())
    }
}

fn example(name: &str) -> &'static str {
    if name == "osc" { "osc(\"sin\", period=2s)" } else { "ease(\"cubic-out\", x)" }
}
