//! Constructors that let the table be written one parameter a line.

use super::{ArgSpec, CallSpec, Choice, Kind, Measure, Param, Places};

/// Film and scenes.
const ANYWHERE: Places = Places::FILM.and(Places::SCENE);
/// No limit.
const ALL: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

pub(super) const fn param(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    help: &'static str,
) -> Param {
    Param {
        name,
        aliases: &[],
        places: ANYWHERE,
        kind,
        calls: &[],
        keyed: true,
        default,
        possible: ALL,
        usual: ALL,
        help,
    }
}

pub(super) const fn number(
    name: &'static str,
    measure: Measure,
    default: &'static str,
    help: &'static str,
) -> Param {
    param(name, Kind::Number(measure), default, help)
}

pub(super) const fn choice(name: &'static str, aliases: &'static [&'static str]) -> Choice {
    Choice { name, aliases }
}

pub(super) const fn call(name: &'static str, args: &'static [ArgSpec], help: &'static str) -> CallSpec {
    CallSpec { name, args, help }
}

pub(super) const fn arg(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    possible: (f64, f64),
    help: &'static str,
) -> ArgSpec {
    ArgSpec { name, kind, default, possible, help }
}

impl Param {
    pub(super) const fn alias(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    pub(super) const fn at(mut self, places: Places) -> Self {
        self.places = places;
        self
    }

    pub(super) const fn with(mut self, calls: &'static [CallSpec]) -> Self {
        self.calls = calls;
        self
    }

    /// The same value for the whole film or scene.
    pub(super) const fn fixed(mut self) -> Self {
        self.keyed = false;
        self
    }

    /// Outside is impossible, and until `usual` says otherwise nothing inside is unusual.
    pub(super) const fn possible(mut self, least: f64, most: f64) -> Self {
        self.possible = (least, most);
        self.usual = (least, most);
        self
    }

    pub(super) const fn usual(mut self, least: f64, most: f64) -> Self {
        self.usual = (least, most);
        self
    }
}
