//! Parseq's curves for `bez`.

/// The 31 curves by name, letter case and dashes aside: CSS's and those of Penner's easing functions.
pub(super) fn named_curve(name: &str) -> Option<[f64; 4]> {
    Some(match name.to_lowercase().replace('-', "").as_str() {
        "ease" => [0.25, 0.1, 0.25, 1.0],
        "easein" => [0.42, 0.0, 1.0, 1.0],
        "easeout" => [0.0, 0.0, 0.58, 1.0],
        "easeinout" => [0.42, 0.0, 0.58, 1.0],
        "linear" => [0.0, 0.0, 1.0, 1.0],
        "stepstart" => [0.0, 0.0, 0.0, 1.0],
        "stepend" => [1.0, 0.0, 1.0, 1.0],
        "easeinsine" | "easein1" => [0.12, 0.0, 0.39, 0.0],
        "easeoutsine" | "easeout1" => [0.61, 1.0, 0.88, 1.0],
        "easeinoutsine" | "easeinout1" => [0.37, 0.0, 0.63, 1.0],
        "easeinquad" | "easein2" => [0.11, 0.0, 0.5, 0.0],
        "easeoutquad" | "easeout2" => [0.5, 1.0, 0.89, 1.0],
        "easeinoutquad" | "easeinout2" => [0.45, 0.0, 0.55, 1.0],
        "easeincubic" | "easein3" => [0.32, 0.0, 0.67, 0.0],
        "easeoutcubic" | "easeout3" => [0.33, 1.0, 0.68, 1.0],
        "easeinoutcubic" | "easeinout3" => [0.65, 0.0, 0.35, 1.0],
        "easeinquart" | "easein4" => [0.5, 0.0, 0.75, 0.0],
        "easeoutquart" | "easeout4" => [0.25, 1.0, 0.5, 1.0],
        "easeinoutquart" | "easeinout4" => [0.76, 0.0, 0.24, 1.0],
        "easeinquint" | "easein5" => [0.64, 0.0, 0.78, 0.0],
        "easeoutquint" | "easeout5" => [0.22, 1.0, 0.36, 1.0],
        "easeinoutquint" | "easeinout5" => [0.83, 0.0, 0.17, 1.0],
        "easeinexpo" | "easein6" => [0.7, 0.0, 0.84, 0.0],
        "easeoutexpo" | "easeout6" => [0.16, 1.0, 0.3, 1.0],
        "easeinoutexpo" | "easeinout6" => [0.87, 0.0, 0.13, 1.0],
        "easeincirc" => [0.55, 0.0, 1.0, 0.45],
        "easeoutcirc" => [0.0, 0.55, 0.45, 1.0],
        "easeinoutcirc" => [0.85, 0.0, 0.15, 1.0],
        "easeinback" => [0.36, 0.0, 0.66, -0.56],
        "easeoutback" => [0.34, 1.56, 0.64, 1.0],
        "easeinoutback" => [0.68, -0.6, 0.32, 1.6],
        _ => return None,
    })
}

/// The curve through (0, 0), (x1, y1), (x2, y2), (1, 1) at `x`, by halving.
pub(super) fn bezier([x1, y1, x2, y2]: [f64; 4], x: f64) -> f64 {
    let curve = |a: f64, b: f64, t: f64| {
        let s = 1.0 - t;
        3.0 * s * s * t * a + 3.0 * s * t * t * b + t * t * t
    };
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if curve(x1, x2, middle) < x { low = middle } else { high = middle }
    }
    if x <= 0.0 { 0.0 } else { curve(y1, y2, (low + high) / 2.0) }
}
