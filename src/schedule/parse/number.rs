//! Numbers with their units, and sizes.

use nom::Parser as _;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::{char, one_of};
use nom::combinator::{opt, recognize};

use super::fault::Fault;
use super::{Parsed, Parser};
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::expr::{BaseUnit, Expr, ExprKind, TimeUnit, Unit};
use crate::schedule::names::did_you_mean;

/// Units as they are written behind a number.
pub(super) const UNITS: &[(&str, BaseUnit)] = &[
    ("ms", BaseUnit::Time(TimeUnit::Milliseconds)),
    ("s", BaseUnit::Time(TimeUnit::Seconds)),
    ("f", BaseUnit::Time(TimeUnit::Frames)),
    ("bars", BaseUnit::Time(TimeUnit::Bars)),
    ("bar", BaseUnit::Time(TimeUnit::Bars)),
    ("b", BaseUnit::Time(TimeUnit::Beats)),
    ("deg", BaseUnit::Degrees),
    ("px", BaseUnit::Pixels),
    ("x", BaseUnit::Factor),
    ("Hz", BaseUnit::Hertz),
];

/// What can stand behind the `/` of a rate.
pub(super) const PER: &[(&str, TimeUnit)] =
    &[("s", TimeUnit::Seconds), ("f", TimeUnit::Frames), ("b", TimeUnit::Beats), ("bar", TimeUnit::Bars)];

/// Digits with underscores between them.
fn digits(rest: &str) -> Parsed<'_, &str> {
    recognize((
        take_while1(|c: char| c.is_ascii_digit()),
        take_while(|c: char| c.is_ascii_digit() || c == '_'),
    ))
    .parse(rest)
}

/// The number itself: `1`, `1.5`, `.5`, `5.`, `1e-3`.
fn plain(rest: &str) -> Parsed<'_, &str> {
    let exponent = || (one_of("eE"), opt(one_of("+-")), digits);
    let whole = recognize((digits, opt((char('.'), opt(digits))), opt(exponent())));
    let fraction = recognize((char('.'), digits, opt(exponent())));
    alt((whole, fraction)).parse(rest)
}

/// Digits of base 16 after `0x`.
fn hexadecimal(rest: &str) -> Parsed<'_, &str> {
    let (after, _) = alt((tag("0x"), tag("0X"))).parse(rest)?;
    take_while1(|c: char| c.is_ascii_hexdigit()).parse(after)
}

impl<'a> Parser<'a> {
    /// A number, a number with a unit, or a size.
    pub(super) fn number(&self, start: &'a str) -> Parsed<'a, Expr> {
        if let Some(found) = self.size(start) {
            return Ok(found);
        }
        if let Ok((rest, digits)) = hexadecimal(start) {
            let value = i64::from_str_radix(digits, 16);
            return self.finish(start, rest, value.map(ExprKind::Int).or(Err("a whole number below 2^63")));
        }
        let (rest, text) = plain(start)?;
        let clean = text.replace('_', "");
        if let Some((after, unit)) = self.unit(start, rest)? {
            let value = clean.parse().map(|value| ExprKind::Quantity { value, unit });
            return self.finish(start, after, value.or(Err("a number")));
        }
        if clean.bytes().all(|byte| byte.is_ascii_digit()) {
            let value = clean.parse().map(ExprKind::Int);
            return self.finish(start, rest, value.or(Err("a whole number below 2^63")));
        }
        self.finish(start, rest, clean.parse().map(ExprKind::Float).or(Err("a number")))
    }

    fn finish(
        &self,
        start: &'a str,
        rest: &'a str,
        kind: Result<ExprKind, &'static str>,
    ) -> Parsed<'a, Expr> {
        let span = self.span(start, rest);
        match kind {
            Ok(kind) => Ok((rest, Expr { kind, span })),
            Err(expected) => {
                Fault::told(start, Diagnostic::error("E04", format!("expected {expected}"), span))
            }
        }
    }

    /// `1024x576`. Digits on both sides of the `x` are what tells it from a factor and from `0x10`.
    fn size(&self, start: &'a str) -> Option<(&'a str, Expr)> {
        let whole = |rest: &'a str| -> Option<(&'a str, u32)> {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            (end > 0 && !(end > 1 && rest.starts_with('0')))
                .then(|| rest[..end].parse().ok())
                .flatten()
                .map(|n| (&rest[end..], n))
        };
        let (rest, width) = whole(start)?;
        let (rest, height) = whole(rest.strip_prefix('x')?)?;
        let ends = !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        (ends && width > 0)
            .then(|| (rest, Expr { kind: ExprKind::Size(width, height), span: self.span(start, rest) }))
    }

    /// The unit directly behind a number, when there is one.
    fn unit(&self, number: &'a str, rest: &'a str) -> Result<Option<(&'a str, Unit)>, nom::Err<Fault>> {
        if let Some(after) = rest.strip_prefix('%') {
            let is_percent = !is_remainder(after);
            return Ok(is_percent.then_some((after, Unit { base: BaseUnit::Percent, per: None })));
        }
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        if end == 0 {
            return Ok(None);
        }
        let Some((_, base)) = UNITS.iter().find(|(name, _)| *name == &rest[..end]) else {
            return self.unknown_unit(number, rest, end);
        };
        let after = &rest[end..];
        let (after, per) = rate(after).map_or((after, None), |(after, per)| (after, Some(per)));
        Ok(Some((after, Unit { base: *base, per })))
    }

    fn unknown_unit<T>(&self, number: &'a str, rest: &'a str, end: usize) -> Result<T, nom::Err<Fault>> {
        let unit = &rest[..end];
        let digits = &number[..number.len() - rest.len()];
        let shown = &unit[..super::floor_boundary(unit, 40)];
        let found =
            Diagnostic::error("E05", format!("unknown unit `{shown}`"), self.span(rest, &rest[end..]))
                .label(did_you_mean(unit, UNITS.iter().map(|(name, _)| *name)))
                .hint(format!("to multiply, write `{digits}*{shown}`"));
        Fault::told(rest, found)
    }
}

/// `/s` and the like, directly behind a unit.
fn rate(rest: &str) -> Option<(&str, TimeUnit)> {
    let after = rest.strip_prefix('/')?;
    let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
    PER.iter().find(|(name, _)| *name == &after[..end]).map(|(_, per)| (&after[end..], *per))
}

/// Whether the `%` in front of `after` is the remainder of a division (`10%3`, `10% 3`) and not a
/// percentage (`50%:`, `101%` before the next setting).
fn is_remainder(after: &str) -> bool {
    let operand = |c: char| c.is_ascii_digit() || matches!(c, '(' | '.');
    let line = after.trim_start_matches([' ', '\t']);
    after.starts_with(|c: char| operand(c) || c.is_ascii_alphabetic() || c == '_')
        || line.starts_with(operand)
}
