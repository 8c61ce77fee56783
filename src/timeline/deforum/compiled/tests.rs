use proptest::prelude::*;

use super::super::number;
use super::*;

fn at(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::new(0, 3, 8) }
}

fn call(name: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|value| Arg { name: None, value }).collect();
    at(ExprKind::Call { name: name.to_owned(), name_span: Span::new(0, 3, 4), args, method: false })
}

fn leaf() -> impl Strategy<Value = Expr> {
    let names = ["max_f", "s", "i", "integer", "True", "pi", "unknown"];
    let whole = [0, 1, 2, 3, 7, 60, 2_147_483_647, 2_147_483_648, i64::MAX];
    let broken = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.25, 51.0, 1e-300, 1e300, f64::INFINITY];
    prop_oneof![
        5 => Just(at(ExprKind::Name("t".to_owned()))),
        1 => prop::sample::select(names.to_vec()).prop_map(|name| at(ExprKind::Name(name.to_owned()))),
        2 => prop::sample::select(whole.to_vec()).prop_map(|v| at(ExprKind::Int(v))),
        2 => prop::sample::select(broken.to_vec()).prop_map(|v| at(ExprKind::Float(v))),
    ]
}

fn tree() -> impl Strategy<Value = Expr> {
    use BinaryOp::{Add, And, Div, Eq, FloorDiv, Ge, Gt, Le, Lt, Mul, Ne, Or, Pow, Rem, Shl, Shr, Sub, Xor};
    let sums = vec![Add, Sub, Mul, Div, Pow, Rem, FloorDiv];
    let others = vec![Add, Mul, Lt, Le, Gt, Ge, Eq, Ne, And, Or, Xor, Shl, Shr];
    let compared = vec![Lt, Le, Gt, Ge, Eq, Ne];
    let signs = vec![UnaryOp::Neg, UnaryOp::Neg, UnaryOp::Pos, UnaryOp::Not, UnaryOp::BitNot];
    let of_one = vec![
        "sin",
        "cos",
        "sqrt",
        "exp",
        "log",
        "arctan",
        "abs",
        "sign",
        "round",
        "floor",
        "ceil",
        "trunc",
        "isnan",
        "signbit",
        "copy",
        "ones_like",
        "min",
        "sum",
    ];
    let of_two =
        vec!["arctan2", "fmod", "hypot", "maximum", "minimum", "nextafter", "copysign", "and", "or", "max"];
    leaf().prop_recursive(5, 24, 3, move |inner| {
        let two = (inner.clone(), inner.clone());
        let binary = |ops: &[BinaryOp]| {
            (prop::sample::select(ops.to_vec()), two.clone())
                .prop_map(|(op, (a, b))| at(ExprKind::Binary(op, Box::new(a), Box::new(b))))
        };
        let condition = (prop::sample::select(compared.clone()), two.clone())
            .prop_map(|(op, (a, b))| at(ExprKind::Binary(op, Box::new(a), Box::new(b))));
        prop_oneof![
            5 => binary(&sums),
            2 => binary(&others),
            1 => (prop::sample::select(signs.clone()), inner.clone())
                .prop_map(|(op, x)| at(ExprKind::Unary(op, Box::new(x)))),
            2 => (prop::sample::select(of_one.clone()), inner.clone()).prop_map(|(name, x)| call(name, vec![x])),
            1 => (prop::sample::select(of_two.clone()), two.clone())
                .prop_map(|(name, (a, b))| call(name, vec![a, b])),
            1 => (condition, two.clone()).prop_map(|(c, (a, b))| call("where", vec![c, a, b])),
            1 => (inner.clone(), two.clone()).prop_map(|(c, (a, b))| call("where", vec![c, a, b])),
        ]
    })
}

/// NaN is an empty frame whatever its bits are.
fn cell(v: f64) -> u64 {
    if v.is_nan() { u64::MAX } else { v.to_bits() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn compiled_expressions_are_worth_what_the_walker_finds(
        expr in tree(), first in 0_u32..3000, length in 1_usize..600, seed in -3_i64..9, lenient: bool
    ) {
        let mode = if lenient { Mode::Lenient } else { Mode::Compat };
        let clip = Clip::new(4000, seed, mode);
        if let Some(program) = Program::new(&expr, first, &clip) {
            let mut found = vec![0.0; length];
            program.fill(first, &mut found);
            for (frame, v) in (first..).zip(found) {
                let wanted = number(&clip, &expr, frame).map(cell);
                prop_assert_eq!(wanted, Ok(cell(v)), "at {}", frame);
            }
        }
    }
}

#[test]
fn what_schedules_are_made_of_is_compiled() {
    for text in [
        "1.0 + 0.05 * sin(2 * 3.14 * t / 240) * cos(t / 31)",
        "-t % 7 // 2 + max_f - s",
        "t**2 + t**-0.5 + t**2.5 + (t/9)**3 + (t/9)**0.3 + 2**t",
        "where((t > 10) & (t <= 20) | ~(t != 30), 1, 0) + 0.5",
        "where(t % 2 == 0, t, 0.5) / 3.0",
        "0.5",
        "abs(round(t / 7) - floor(t / 3)) + arctan2(t, 2) + fmod(t, 4) + maximum(t, 5)",
        "t > 4",
    ] {
        let expr = super::super::expression(text, Span::default()).unwrap();
        for mode in [Mode::Compat, Mode::Lenient] {
            let clip = Clip::new(700, 3, mode);
            let mut found = vec![0.0; 700];
            Program::new(&expr, 0, &clip).expect(text).fill(0, &mut found);
            for (frame, v) in (0..).zip(found) {
                assert_eq!(cell(number(&clip, &expr, frame).unwrap()), cell(v), "{text} at {frame}");
            }
        }
    }
}
