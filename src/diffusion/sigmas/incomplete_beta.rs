//! Quantiles of the beta distribution, for the `beta` spacing.

/// The `x` in 0..=1 below which a share `p` of the beta distribution with parameters `a`, `b` (both
/// above 0) lies. Bisection of the regularised incomplete beta function: 80 halvings leave no bit open.
pub fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    if p <= 0.0 {
        return 0.0;
    }
    if p >= 1.0 {
        return 1.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if regularised(middle, a, b) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// I_x(a, b), by the continued fraction on the side where it converges fast.
fn regularised(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let log_beta = libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b);
    let front = libm::exp(a * libm::log(x) + b * libm::log1p(-x) - log_beta);
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(x, a, b) / a
    } else {
        1.0 - front * fraction(1.0 - x, b, a) / b
    }
}

/// The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let guard = |v: f64| if v.abs() < TINY { TINY } else { v };
    let (mut c, mut d) = (1.0, 1.0 / guard(1.0 - (a + b) * x / (a + 1.0)));
    let mut result = d;
    for m in 1..300 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = result;
        for term in [even, odd] {
            d = 1.0 / guard(1.0 + term * d);
            c = guard(1.0 + term / c);
            result *= d * c;
        }
        if (result - before).abs() <= 1e-16 * result.abs() {
            break;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_quantiles() {
        // Beta(1, 1) is uniform, Beta(2, 1) has the distribution x^2, Beta(1/2, 1/2) is the arcsine law.
        for p in [0.0, 0.01, 0.3, 0.5, 0.77, 0.999, 1.0] {
            assert!((beta_quantile(p, 1.0, 1.0) - p).abs() < 1e-14);
            assert!((beta_quantile(p, 2.0, 1.0) - p.sqrt()).abs() < 1e-13);
            let arcsine = libm::pow(libm::sin(p * std::f64::consts::FRAC_PI_2), 2.0);
            assert!((beta_quantile(p, 0.5, 0.5) - arcsine).abs() < 1e-12);
        }
    }

    #[test]
    fn quantiles_are_symmetric_in_the_parameters() {
        for p in [0.02, 0.4, 0.9] {
            assert!((beta_quantile(p, 0.6, 2.5) - (1.0 - beta_quantile(1.0 - p, 2.5, 0.6))).abs() < 1e-12);
        }
    }
}
