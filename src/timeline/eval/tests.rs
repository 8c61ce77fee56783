use super::*;

struct Frame(f64);

impl Names for Frame {
    fn value(&self, name: &str) -> Option<Value> {
        match name {
            "t" => Some(Value::Int(7)),
            "n" => Some(Value::Int(-3)),
            "x" => Some(Value::Float(self.0)),
            _ => None,
        }
    }

    fn call(&self, name: &str, args: &[(Option<&str>, Value)]) -> Option<Result<Value, String>> {
        (name == "count").then(|| Ok(Value::Int(args.len() as i64)))
    }

    fn quantity(&self, value: f64, _: Unit) -> Result<Value, String> {
        Ok(Value::Float(value * 2.0))
    }
}

fn at(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::new(0, 1, 2) }
}

fn call(name: &str, values: Vec<ExprKind>) -> Expr {
    let args = values.into_iter().map(|v| Arg { name: None, value: at(v) }).collect();
    at(ExprKind::Call { name: name.into(), name_span: Span::new(0, 5, 9), args, method: false })
}

fn value(expr: &Expr) -> Value {
    evaluate(expr, &Frame(0.5)).unwrap()
}

#[test]
fn the_table_is_sorted_and_every_entry_has_help() {
    for pair in function_names().windows(2) {
        assert!(pair[0].name < pair[1].name, "{} before {}", pair[0].name, pair[1].name);
    }
    assert!(function_names().iter().all(|f| !f.help.is_empty() && !f.params.is_empty()));
}

#[test]
fn integers_wrap_and_remainders_have_the_sign_of_the_divisor() {
    use ExprKind::{Binary, Int};
    let op = |op, a, b| value(&at(Binary(op, Box::new(at(Int(a))), Box::new(at(Int(b))))));
    assert_eq!(op(BinaryOp::Rem, -3, 5), Value::Int(2));
    assert_eq!(op(BinaryOp::Rem, 3, -5), Value::Int(-2));
    assert_eq!(op(BinaryOp::Rem, -3, 0), Value::Int(0));
    assert_eq!(op(BinaryOp::FloorDiv, -7, 2), Value::Int(-4));
    assert_eq!(op(BinaryOp::FloorDiv, i64::MIN, -1), Value::Int(i64::MIN));
    assert_eq!(op(BinaryOp::Rem, i64::MIN, -1), Value::Int(0));
    assert_eq!(op(BinaryOp::Pow, 7, 13), Value::Int(96_889_010_407));
    let computed = |base| {
        let exponent = at(ExprKind::Name("n".into()));
        value(&at(Binary(BinaryOp::Pow, Box::new(at(Int(base))), Box::new(exponent))))
    };
    assert_eq!(computed(2), Value::Int(0));
    assert_eq!(computed(-1), Value::Int(-1));
    assert_eq!(computed(0), Value::Int(0));
    assert_eq!(op(BinaryOp::Pow, 2, -3), Value::Float(0.125), "a written exponent");
    assert_eq!(op(BinaryOp::Div, 1, 0), Value::Float(f64::INFINITY));
    assert_eq!(op(BinaryOp::Shl, 7, 70), Value::Int(0));
    assert_eq!(op(BinaryOp::Lt, i64::MAX - 1, i64::MAX), Value::Bool(true));
}

#[test]
fn a_long_chain_does_not_use_the_stack_and_deep_nesting_is_an_error() {
    let mut long = at(ExprKind::Int(0));
    for _ in 0..5_000 {
        long = at(ExprKind::Binary(BinaryOp::Add, Box::new(long), Box::new(at(ExprKind::Int(1)))));
    }
    assert_eq!(value(&long), Value::Int(5_000));
    let mut deep = at(ExprKind::Int(0));
    for _ in 0..5_000 {
        deep = at(ExprKind::Unary(UnaryOp::Neg, Box::new(deep)));
    }
    let error = evaluate(&deep, &Frame(0.0)).unwrap_err();
    assert!(error.message.contains("nesting"), "{error}");
}

#[test]
fn choosing_keeps_one_kind_for_both_branches() {
    let cond = ExprKind::Binary(
        BinaryOp::Gt,
        Box::new(at(ExprKind::Name("t".into()))),
        Box::new(at(ExprKind::Int(3))),
    );
    let chosen = value(&call("where", vec![cond.clone(), ExprKind::Int(1), ExprKind::Float(2.5)]));
    assert_eq!(chosen, Value::Float(1.0));
    let error =
        evaluate(&call("if", vec![ExprKind::Int(1), ExprKind::Int(1), ExprKind::Int(1)]), &Frame(0.0));
    assert_eq!(error.unwrap_err().hint.as_deref(), Some("compare it: `x > 0`"));
}

#[test]
fn arguments_can_be_named_and_errors_show_the_signature() {
    let mut clamp = call("clamp", vec![ExprKind::Int(9), ExprKind::Int(4), ExprKind::Int(1)]);
    if let ExprKind::Call { args, .. } = &mut clamp.kind {
        args[1].name = Some(("high".into(), Span::default()));
        args[2].name = Some(("low".into(), Span::default()));
    }
    assert_eq!(value(&clamp), Value::Int(4));
    let error = evaluate(&call("clamp", vec![ExprKind::Int(9)]), &Frame(0.0)).unwrap_err();
    assert_eq!(error.message, "`clamp` expects 3 arguments, found 1");
    assert_eq!(error.hint.as_deref(), Some("write `clamp(x, low, high)`"));
    let error = evaluate(&call("sni", vec![ExprKind::Int(9)]), &Frame(0.0)).unwrap_err();
    assert_eq!((error.span, error.hint.as_deref()), (Span::new(0, 5, 9), Some("did you mean `sin`?")));
    assert_eq!(value(&call("count", vec![ExprKind::Int(9)])), Value::Int(1));
}

#[test]
fn holes_are_printed_as_python_prints() {
    let text = at(ExprKind::Text(vec![
        TextPart::Literal("(a:".into()),
        TextPart::Hole(at(ExprKind::Name("x".into()))),
        TextPart::Literal(")".into()),
    ]));
    let print = |x| evaluate(&text, &Frame(x)).unwrap().to_string();
    assert_eq!(print(0.5403023058681398), "(a:0.5403023058681398)");
    assert_eq!(print(2.0), "(a:2.0)");
    assert_eq!(print(1e-5), "(a:1e-05)");
    assert_eq!(print(0.0001), "(a:0.0001)");
    assert_eq!(print(1e16), "(a:1e+16)");
    assert_eq!(print(1e15), "(a:1000000000000000.0)");
    assert_eq!(print(-1.25e-300), "(a:-1.25e-300)");
    assert_eq!(print(f64::NEG_INFINITY), "(a:-inf)");
}

#[test]
fn extremes_of_integers_are_exact_and_nan_wins() {
    let big = i64::MAX - 1;
    assert_eq!(value(&call("max", vec![ExprKind::Int(big), ExprKind::Int(big - 1)])), Value::Int(big));
    let nan = value(&call("min", vec![ExprKind::Float(f64::NAN), ExprKind::Float(1.0)]));
    assert!(nan.as_f64().unwrap().is_nan());
    assert_eq!(value(&call("min", vec![ExprKind::Int(3), ExprKind::Float(1.5)])), Value::Float(1.5));
}
