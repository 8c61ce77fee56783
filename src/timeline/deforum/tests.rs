use proptest::prelude::*;

use super::*;

fn values(text: &str, frames: u32) -> Vec<f64> {
    expand(text, frames, 3, Mode::Compat).unwrap()
}

#[test]
fn numbers_ramp_and_expressions_run() {
    assert_eq!(values("0:(0), 2:(4)", 4), [0.0, 2.0, 4.0, 4.0]);
    assert_eq!(values("0:( 0 ), 2:( 4 )", 4), [0.0, 0.0, 4.0, 4.0]);
    assert_eq!(values("0:(1), 2:(t*10), 3:(5)", 5), [1.0, 10.5, 20.0, 5.0, 5.0]);
    assert_eq!(values("0:(s), \"max_f-1\":(-1)", 4), [3.0, 3.0, -1.0, -1.0]);
    assert_eq!(values("0:(1):(2)", 2), [1.0, 1.0]);
}

#[test]
fn lenient_reading_accepts_what_deforum_refuses_and_changes_nothing_else() {
    for (text, expected) in [
        ("0:(where(t>1, 5, 2)),", [2.0, 2.0, 5.0]),
        ("2:(4)", [4.0, 4.0, 4.0]),
        ("0:(max(t, 1.5))", [1.5, 1.5, 2.0]),
        ("0:(1 if t > 1 else 0)", [0.0, 0.0, 1.0]),
        ("0:((t > 0) and not t > 1)", [0.0, 1.0, 0.0]),
        ("0:((t+1)**-1 * 6)", [6.0, 3.0, 2.0]),
        ("0:(smoothstep(0, 2, t))", [0.0, 0.5, 1.0]),
    ] {
        assert!(expand(text, 3, 0, Mode::Compat).is_err(), "{text}");
        assert_eq!(expand(text, 3, 0, Mode::Lenient).unwrap(), expected, "{text}");
    }
}

#[test]
fn errors_have_a_place() {
    let error = expand("0:(1), 5:(sni(t))", 10, 0, Mode::Compat).unwrap_err();
    assert_eq!(error.message, "at frame 5: unknown function `sni`");
    assert_eq!((error.span.start, error.span.end), (10, 16));
    let error = expand("3:(1)", 10, 0, Mode::Compat).unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("begin with `0:(...)`"));
    let error = expand("0:(fmod(t,4))", 10, 0, Mode::Compat).unwrap_err();
    assert!(error.hint.is_some_and(|h| h.contains("comma")));
}

#[test]
fn hostile_schedules_end_soon() {
    let long = format!("0:({})", "1+".repeat(25_000_000));
    assert!(expand(&long, 10, 0, Mode::Compat).is_err());
    let deep = format!("0:({}1{})+t", "(".repeat(100_000), ")".repeat(100_000));
    assert!(expand(&deep, 10, 0, Mode::Compat).is_err());
    let many = format!("0:({}t)", "t+".repeat(1_900));
    assert!(expand(&many, MAX_FRAMES + 1, 0, Mode::Compat).is_err());
    assert!(
        expand(&many, MAX_FRAMES, 0, Mode::Compat).is_ok_and(|v| v.len() == 1_000_000) || many.len() > 3_000
    );
    assert!(expand("0:(9**9**9**9**9)", 10, 0, Mode::Compat).is_err());
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[0-9a-z+*/%(),:.<>=&|~ \"'\\n#-]{0,60}") {
        for mode in [Mode::Compat, Mode::Lenient] {
            let _ = expand(&text, 5, 1, mode);
            let _ = expand_text(&text, 5, 1, mode);
        }
    }

    #[test]
    fn any_unicode_is_read_or_refused(text in "\\PC{0,40}") {
        let _ = expand(&text, 5, 1, Mode::Compat);
        let _ = expand(&format!("0:({text})"), 5, 1, Mode::Lenient);
    }

    #[test]
    fn a_frame_does_not_depend_on_the_length_or_order_of_the_others(a in -50_i32..50, b in 1_i32..9, n in 2_u32..40) {
        let text = format!("0:(sin(t*{a}/7)+t%{b}-s)");
        let long = expand(&text, 40, 5, Mode::Compat).unwrap();
        let short = expand(&text, n, 5, Mode::Compat).unwrap();
        prop_assert_eq!(&long[..n as usize], &short[..]);
    }

    #[test]
    fn what_deforum_accepts_means_the_same_when_read_leniently(
        a in -9_i32..9, b in -3.0_f64..3.0, op in prop::sample::select(vec!["+", "-", "*", "/", "%", "//", "**", "<", "&"]),
        f in prop::sample::select(vec!["sin", "abs", "floor", "sqrt", "round", "min", ""])
    ) {
        let text = format!("0:({f}(t){op}{a}), 4:({b}), 7:(({a}{op}{f}(t+1))*{b})");
        if let Ok(strict) = expand(&text, 12, 2, Mode::Compat) {
            let lenient = expand(&text, 12, 2, Mode::Lenient).unwrap();
            for (x, y) in strict.iter().zip(&lenient) {
                prop_assert!(x == y || (x.is_nan() && y.is_nan()), "{text}: {x} and {y}");
            }
        }
    }
}
