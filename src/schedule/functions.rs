//! Names that expressions may use: functions with their arguments, and variables.

use LeftOut::{Always, Number, Variable as Is};

use super::params::Measure;
use super::units::Context;

/// A function of the language.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Function {
    /// As it is written.
    pub name: &'static str,
    /// The names of its arguments in order; each can also be given by name.
    pub params: &'static [&'static str],
    /// Arguments that may be left out, in order behind `params`; by name only when `variadic`.
    pub options: &'static [(&'static str, LeftOut)],
    /// Whether any number of further arguments may follow.
    pub variadic: bool,
    /// Whether it is called on its first argument: `path.at(x)`.
    pub method: bool,
    /// What kind of value it gives.
    pub gives: Gives,
    /// One line.
    pub help: &'static str,
}

/// What an argument is when it is left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LeftOut {
    /// A number.
    Number(f64),
    /// A variable.
    Variable(&'static str),
    /// A variable, and nothing else can be given.
    Always(&'static str),
}

/// What kind of value a function gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// A number or truth value.
    Number,
    /// A vector: a list of numbers.
    List,
    /// What its argument of this number (from 0) is.
    Argument(usize),
    /// That depends on the values.
    Any,
}

impl Function {
    /// How it is called: `clamp(x, low, high)`, `path.at(x)`, `osc(shape, period, amp=1, ...)`.
    pub fn signature(&self) -> String {
        let mut args: Vec<String> = self.params.iter().map(|name| (*name).to_owned()).collect();
        args.extend(self.variadic.then(|| "...".to_owned()));
        args.extend(self.options.iter().filter_map(|(name, default)| match default {
            Number(value) => Some(format!("{name}={value}")),
            Is(value) => Some(format!("{name}={value}")),
            Always(_) => None,
        }));
        if self.method {
            return format!("{}.{}({})", self.params[0], self.name, args[1..].join(", "));
        }
        format!("{}({})", self.name, args.join(", "))
    }

    /// The names of its arguments in the order in which the evaluator gets them: options come last, but
    /// first when any number of arguments may follow.
    pub fn order(&self) -> Vec<&'static str> {
        let options = self.options.iter().map(|(name, _)| *name);
        let params = self.params.iter().copied();
        if self.variadic { options.chain(params).collect() } else { params.chain(options).collect() }
    }

    /// What a number means in the argument number `index` of a call that itself stands in `outer`.
    pub fn context_of(&self, index: usize, outer: Context) -> Context {
        let order = self.order();
        match order.get(index).copied() {
            Some("period" | "every") => Context::Value(Measure::Time),
            Some("phase" | "width") => Context::Value(Measure::Plain),
            _ if self.keeps_unit_of(index) => outer,
            _ => Context::Inner,
        }
    }

    /// Whether its result is of the same measure as its argument number `index` (from 0), so that the
    /// argument may carry the unit of the whole expression.
    pub fn keeps_unit_of(&self, index: usize) -> bool {
        match self.name {
            "where" | "if" => index > 0,
            "lerp" | "mix" => index < 2,
            "osc" => matches!(index, 2 | 3),
            "noise" => matches!(index, 1 | 2),
            "random" => index < 2,
            "pick" => index == 0,
            "abs" | "ceil" | "clamp" | "floor" | "fmod" | "hypot" | "max" | "maximum" | "min" | "minimum"
            | "round" | "trunc" => true,
            _ => false,
        }
    }
}

/// A variable of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// As it is written.
    pub name: &'static str,
    /// Whether it differs from frame to frame.
    pub changes: bool,
    /// One line.
    pub help: &'static str,
}

const X: &[&str] = &["x"];
const XY: &[&str] = &["x", "y"];
const CHOICE: &[&str] = &["condition", "then", "otherwise"];
const AB: &[&str] = &["a", "b"];
const PATH: &[&str] = &["path", "x"];
const OSC: &[(&str, LeftOut)] = &[
    ("amp", Number(1.0)),
    ("centre", Number(0.0)),
    ("phase", Number(0.0)),
    ("width", Number(0.5)),
    ("at", Is("t")),
];
const NOISE: &[(&str, LeftOut)] = &[
    ("low", Number(-1.0)),
    ("high", Number(1.0)),
    ("octaves", Number(1.0)),
    ("seed", Number(0.0)),
    ("at", Is("t")),
    ("s", Always("s")),
];
const RANDOM: &[(&str, LeftOut)] = &[
    ("low", Number(0.0)),
    ("high", Number(1.0)),
    ("every", Number(1.0)),
    ("seed", Number(0.0)),
    ("at", Is("t")),
    ("s", Always("s")),
];

/// The shapes of `osc`.
pub const SHAPES: [&str; 6] = ["cos", "pulse", "saw", "sin", "square", "tri"];

const fn function(name: &'static str, params: &'static [&'static str], help: &'static str) -> Function {
    Function { name, params, options: &[], variadic: false, method: false, gives: Gives::Number, help }
}

const fn many(name: &'static str, params: &'static [&'static str], help: &'static str) -> Function {
    Function { variadic: true, ..function(name, params, help) }
}

impl Function {
    const fn options(self, options: &'static [(&'static str, LeftOut)]) -> Self {
        Self { options, ..self }
    }

    const fn gives(self, gives: Gives) -> Self {
        Self { gives, ..self }
    }

    const fn method(self) -> Self {
        Self { method: true, ..self }
    }
}

const fn variable(name: &'static str, changes: bool, help: &'static str) -> Variable {
    Variable { name, changes, help }
}

/// Every function; the evaluator's own list is the same (a test compares them).
pub static FUNCTIONS: &[Function] = &[
    function("abs", X, "the size without the sign"),
    function("arccos", X, "the angle, in radians, with this cosine"),
    function("arccosh", X, "inverse of cosh"),
    function("arcsin", X, "the angle, in radians, with this sine"),
    function("arcsinh", X, "inverse of sinh"),
    function("arctan", X, "the angle, in radians, with this tangent"),
    function("arctan2", &["y", "x"], "the direction, in radians, of the point (x, y)"),
    function("arctanh", X, "inverse of tanh"),
    function("at", PATH, "the point of a spline at a share of its length, 0 to 1")
        .method()
        .gives(Gives::Any),
    function("ceil", X, "the next whole number above"),
    function("clamp", &["x", "low", "high"], "x, but not below low and not above high"),
    function("cos", X, "cosine of an angle in radians"),
    function("cosh", X, "hyperbolic cosine"),
    function("cross", AB, "the vector at right angles to two of three numbers").gives(Gives::List),
    function("degrees", X, "radians as degrees"),
    function("dot", AB, "the sum of the products of two vectors"),
    function("ease", &["name", "x"], "an ease as a function: 0 at x = 0, 1 at x = 1, held beyond"),
    function("exp", X, "e to the power of x"),
    function("expm1", X, "exp(x) - 1, exact near 0"),
    function("floor", X, "the next whole number below"),
    function("fmod", XY, "the remainder with the sign of x"),
    function("fract", X, "the part after the point: x - floor(x)"),
    function("hypot", XY, "the length of (x, y)"),
    function("if", CHOICE, "the second argument when the first is true, else the third")
        .gives(Gives::Argument(1)),
    function("isfinite", X, "whether it is neither infinite nor NaN"),
    function("isinf", X, "whether it is infinite"),
    function("isnan", X, "whether it is not a number"),
    function("length", &["v"], "the length of a vector"),
    function("lerp", &["a", "b", "x"], "a at x = 0, b at x = 1, straight between and beyond")
        .gives(Gives::Argument(0)),
    function("log", X, "natural logarithm"),
    function("log10", X, "logarithm to base 10"),
    function("log1p", X, "log(1 + x), exact near 0"),
    function("log2", X, "logarithm to base 2"),
    many("max", XY, "the largest"),
    function("maximum", XY, "the larger of two"),
    many("min", XY, "the smallest"),
    function("minimum", XY, "the smaller of two"),
    function("mix", &["a", "b", "x"], "a at x = 0, b at x = 1, straight between and beyond; also vectors")
        .gives(Gives::Argument(0)),
    function("noise", &["period"], "a smooth random walk between low and high, with a new goal every period")
        .options(NOISE),
    function("normalize", &["v"], "the vector of length 1 in the same direction").gives(Gives::List),
    function("osc", &["shape", "period"], "a wave: `sin`, `cos`, `tri`, `saw` and `square` swing by amp about centre, `pulse` adds amp for the first width of each period")
        .options(OSC),
    function("pick", &["list", "i"], "item number i of a list, from 0; beyond its ends it starts over")
        .gives(Gives::Any),
    function("radians", X, "degrees as radians"),
    function("random", &[], "a random number from low to high, a new one every frame or so").options(RANDOM),
    function("round", X, "the nearest whole number; halves go to the even one"),
    function("sign", X, "-1, 0 or 1"),
    function("signbit", X, "whether the sign is negative, also of -0.0"),
    function("sin", X, "sine of an angle in radians"),
    function("sinh", X, "hyperbolic sine"),
    function("smoothstep", &["low", "high", "x"], "0 up to low, 1 from high on, smooth between"),
    many("spline", &["first", "second"], "a smooth path through points; closed=1 leads back to the first")
        .options(&[("closed", Number(0.0))])
        .gives(Gives::Any),
    function("sqrt", X, "square root"),
    function("tan", X, "tangent of an angle in radians"),
    function("tangent", PATH, "the direction of a spline at a share of its length, a vector of length 1")
        .method()
        .gives(Gives::Any),
    function("tanh", X, "hyperbolic tangent"),
    function("trunc", X, "the whole part"),
    function("where", CHOICE, "the second argument when the first is true, else the third")
        .gives(Gives::Argument(1)),
];

/// Every variable.
pub static VARIABLES: &[Variable] = &[
    variable("t", true, "the frame, from 0; in a scene the scene's own"),
    variable("max_f", false, "the last frame; in a scene the scene's own"),
    variable("s", false, "the start seed"),
    variable("sec", true, "the time in seconds"),
    variable("beat", true, "the time in beats (needs `bpm`)"),
    variable("u", true, "the share of the scene that has passed, 0 to 1"),
    variable("fps", false, "frames per second"),
    variable("pi", false, "3.14159..."),
    variable("tau", false, "6.28318..., a whole turn in radians"),
    variable("true", false, "truth value"),
    variable("false", false, "truth value"),
    variable("True", false, "truth value, as Deforum writes it"),
    variable("False", false, "truth value, as Deforum writes it"),
];

/// The function called `name`.
pub fn find_function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// The variable called `name`.
pub fn find_variable(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}
