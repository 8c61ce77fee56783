//! Names that expressions may use: functions with their number of arguments, and variables.

/// A function of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// As it is written.
    pub name: &'static str,
    /// The names of its arguments in order; each can also be given by name.
    pub params: &'static [&'static str],
    /// Whether any number of further arguments may follow.
    pub variadic: bool,
    /// One line.
    pub help: &'static str,
}

impl Function {
    /// How it is called: `clamp(x, low, high)`.
    pub fn signature(&self) -> String {
        let more = if self.variadic { ", ..." } else { "" };
        format!("{}({}{more})", self.name, self.params.join(", "))
    }

    /// Whether its result is of the same measure as its argument number `index` (from 0), so that the
    /// argument may carry the unit of the whole expression.
    pub fn keeps_unit_of(&self, index: usize) -> bool {
        match self.name {
            "where" | "if" => index > 0,
            "lerp" => index < 2,
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

const fn function(name: &'static str, params: &'static [&'static str], help: &'static str) -> Function {
    Function { name, params, variadic: false, help }
}

const fn many(name: &'static str, params: &'static [&'static str], help: &'static str) -> Function {
    Function { name, params, variadic: true, help }
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
    function("ceil", X, "the next whole number above"),
    function("clamp", &["x", "low", "high"], "x, but not below low and not above high"),
    function("cos", X, "cosine of an angle in radians"),
    function("cosh", X, "hyperbolic cosine"),
    function("degrees", X, "radians as degrees"),
    function("exp", X, "e to the power of x"),
    function("expm1", X, "exp(x) - 1, exact near 0"),
    function("floor", X, "the next whole number below"),
    function("fmod", XY, "the remainder with the sign of x"),
    function("fract", X, "the part after the point: x - floor(x)"),
    function("hypot", XY, "the length of (x, y)"),
    function("if", CHOICE, "the second argument when the first is true, else the third"),
    function("isfinite", X, "whether it is neither infinite nor NaN"),
    function("isinf", X, "whether it is infinite"),
    function("isnan", X, "whether it is not a number"),
    function("lerp", &["a", "b", "x"], "a at x = 0, b at x = 1, straight between and beyond"),
    function("log", X, "natural logarithm"),
    function("log10", X, "logarithm to base 10"),
    function("log1p", X, "log(1 + x), exact near 0"),
    function("log2", X, "logarithm to base 2"),
    many("max", XY, "the largest"),
    function("maximum", XY, "the larger of two"),
    many("min", XY, "the smallest"),
    function("minimum", XY, "the smaller of two"),
    function("radians", X, "degrees as radians"),
    function("round", X, "the nearest whole number; halves go to the even one"),
    function("sign", X, "-1, 0 or 1"),
    function("signbit", X, "whether the sign is negative, also of -0.0"),
    function("sin", X, "sine of an angle in radians"),
    function("sinh", X, "hyperbolic sine"),
    function("smoothstep", &["low", "high", "x"], "0 up to low, 1 from high on, smooth between"),
    function("sqrt", X, "square root"),
    function("tan", X, "tangent of an angle in radians"),
    function("tanh", X, "hyperbolic tangent"),
    function("trunc", X, "the whole part"),
    function("where", CHOICE, "the second argument when the first is true, else the third"),
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
