//! Names that expressions may use: functions with their number of arguments, and variables.

/// A function of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// As it is written.
    pub name: &'static str,
    /// Fewest arguments.
    pub least: usize,
    /// Most arguments.
    pub most: usize,
    /// One line.
    pub help: &'static str,
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

const fn function(name: &'static str, least: usize, most: usize, help: &'static str) -> Function {
    Function { name, least, most, help }
}

const fn variable(name: &'static str, changes: bool, help: &'static str) -> Variable {
    Variable { name, changes, help }
}

/// Every function. The names up to `arctan2` are those of numexpr 2.8.7, Deforum's evaluator.
pub static FUNCTIONS: &[Function] = &[
    function("sin", 1, 1, "sine of an angle in radians"),
    function("cos", 1, 1, "cosine of an angle in radians"),
    function("tan", 1, 1, "tangent of an angle in radians"),
    function("arcsin", 1, 1, "angle in radians whose sine is x"),
    function("arccos", 1, 1, "angle in radians whose cosine is x"),
    function("arctan", 1, 1, "angle in radians whose tangent is x"),
    function("sinh", 1, 1, "hyperbolic sine"),
    function("cosh", 1, 1, "hyperbolic cosine"),
    function("tanh", 1, 1, "hyperbolic tangent"),
    function("arcsinh", 1, 1, "inverse hyperbolic sine"),
    function("arccosh", 1, 1, "inverse hyperbolic cosine"),
    function("arctanh", 1, 1, "inverse hyperbolic tangent"),
    function("exp", 1, 1, "e to the power of x"),
    function("expm1", 1, 1, "exp(x) - 1, exact near 0"),
    function("log", 1, 1, "natural logarithm"),
    function("log2", 1, 1, "logarithm to base 2"),
    function("log10", 1, 1, "logarithm to base 10"),
    function("log1p", 1, 1, "log(1 + x), exact near 0"),
    function("sqrt", 1, 1, "square root"),
    function("abs", 1, 1, "x without its sign"),
    function("floor", 1, 1, "largest whole number not above x"),
    function("ceil", 1, 1, "smallest whole number not below x"),
    function("round", 1, 1, "nearest whole number, halves to the even one"),
    function("trunc", 1, 1, "x without its fraction"),
    function("sign", 1, 1, "-1, 0 or 1"),
    function("where", 3, 3, "where(c, a, b): a if c is true, else b"),
    function("if", 3, 3, "the same as where"),
    function("fmod", 2, 2, "remainder of a / b with the sign of a"),
    function("arctan2", 2, 2, "arctan2(y, x): angle of the point (x, y) in radians"),
    function("min", 1, 16, "the smallest of its arguments"),
    function("max", 1, 16, "the largest of its arguments"),
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
    variable("true", false, "truth value"),
    variable("false", false, "truth value"),
];

/// The function called `name`.
pub fn find_function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// The variable called `name`.
pub fn find_variable(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}
