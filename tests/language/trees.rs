//! Random syntax trees.

use kinora::schedule::expr::{Arg, BaseUnit, BinaryOp, Expr, ExprKind, TextPart, TimeUnit, UnaryOp, Unit};
use kinora::schedule::span::Span;
use kinora::schedule::syntax::{Block, Ease, File, Function, Item, Key, Let, Name, Setting, Value};
use proptest::prelude::*;

fn expr(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::default() }
}

fn name(text: &str) -> Name {
    Name { text: text.to_owned(), span: Span::default() }
}

fn pick(names: &'static [&'static str]) -> impl Strategy<Value = &'static str> + Clone {
    prop::sample::select(names)
}

fn unit() -> impl Strategy<Value = Unit> {
    let time =
        || prop::sample::select(&[TimeUnit::Frames, TimeUnit::Seconds, TimeUnit::Beats, TimeUnit::Bars][..]);
    let base = prop_oneof![
        time().prop_map(BaseUnit::Time),
        Just(BaseUnit::Time(TimeUnit::Milliseconds)),
        Just(BaseUnit::Degrees),
        Just(BaseUnit::Pixels),
        Just(BaseUnit::Factor),
        Just(BaseUnit::Hertz),
    ];
    let rates = (base, prop::option::of(time())).prop_map(|(base, per)| Unit { base, per });
    prop_oneof![4 => rates, 1 => Just(Unit { base: BaseUnit::Percent, per: None })]
}

/// A string's parts: no two literals beside each other, none empty.
fn parts(hole: impl Strategy<Value = Expr> + 'static) -> impl Strategy<Value = Vec<TextPart>> {
    let literal = "[a-z #(:,'\"$\\\\\né{}]{1,6}".prop_map(TextPart::Literal);
    (prop::option::of(literal.clone()), prop::collection::vec((hole, prop::option::of(literal)), 0..2))
        .prop_map(|(first, holes)| {
            let holes = holes.into_iter().flat_map(|(hole, literal)| [Some(TextPart::Hole(hole)), literal]);
            first.into_iter().chain(holes.flatten()).collect()
        })
}

fn leaf() -> BoxedStrategy<Expr> {
    let number = prop::sample::select(&[0.5, 2.25, 0.001, 40.0, 1.5e10][..]);
    prop_oneof![
        (0i64..2000).prop_map(ExprKind::Int),
        number.clone().prop_map(ExprKind::Float),
        (number, unit()).prop_map(|(value, unit)| ExprKind::Quantity { value, unit }),
        (1u32..4096, 0u32..4096).prop_map(|(w, h)| ExprKind::Size(w, h)),
        pick(&["t", "max_f", "speed", "_x1", "wrap"]).prop_map(|name| ExprKind::Name(name.to_owned())),
    ]
    .prop_map(expr)
    .boxed()
}

const UNARY: [UnaryOp; 3] = [UnaryOp::Neg, UnaryOp::Pos, UnaryOp::Not];
const BINARY: [BinaryOp; 17] = [
    BinaryOp::Add,
    BinaryOp::Sub,
    BinaryOp::Mul,
    BinaryOp::Div,
    BinaryOp::FloorDiv,
    BinaryOp::Rem,
    BinaryOp::Pow,
    BinaryOp::Lt,
    BinaryOp::Le,
    BinaryOp::Gt,
    BinaryOp::Ge,
    BinaryOp::Eq,
    BinaryOp::Ne,
    BinaryOp::And,
    BinaryOp::Or,
    BinaryOp::Shl,
    BinaryOp::Shr,
];

/// Expressions; `texts` says whether strings are among them.
fn expression(texts: bool) -> BoxedStrategy<Expr> {
    let start = if texts {
        let text = parts(leaf()).prop_map(|parts| expr(ExprKind::Text(parts)));
        prop_oneof![3 => leaf(), 1 => text].boxed()
    } else {
        leaf()
    };
    start
        .prop_recursive(4, 24, 3, |inner| {
            let arg = (prop::option::of(pick(&["x", "sigma"])), inner.clone()).prop_map(|(name, value)| {
                Arg { name: name.map(|name| (name.to_owned(), Span::default())), value }
            });
            let args = prop::collection::vec(arg, 0..3).boxed();
            let called = pick(&["sin", "f", "where"]);
            prop_oneof![
                (prop::sample::select(&UNARY[..]), inner.clone())
                    .prop_map(|(op, x)| ExprKind::Unary(op, Box::new(x))),
                (prop::sample::select(&BINARY[..]), inner.clone(), inner.clone())
                    .prop_map(|(op, a, b)| ExprKind::Binary(op, Box::new(a), Box::new(b))),
                (called.clone(), args.clone()).prop_map(|(name, args)| call(name, args, false)),
                (called, inner.clone(), args).prop_map(|(name, receiver, mut args)| {
                    args.insert(0, Arg { name: None, value: receiver });
                    call(name, args, true)
                }),
                prop::collection::vec(inner, 0..3).prop_map(ExprKind::List),
            ]
            .prop_map(expr)
        })
        .boxed()
}

fn call(name: &str, args: Vec<Arg>, method: bool) -> ExprKind {
    ExprKind::Call { name: name.to_owned(), name_span: Span::default(), args, method }
}

fn key() -> impl Strategy<Value = Key> {
    let ease = (pick(&["cut", "ease-in-out", "steps"]), prop::collection::vec(leaf(), 0..3)).prop_map(
        |(text, args)| Ease {
            name: name(text),
            args: args.into_iter().map(|value| Arg { name: None, value }).collect(),
            span: Span::default(),
        },
    );
    (expression(false), expression(true), prop::option::of(ease)).prop_map(|(time, value, ease)| Key {
        time,
        value,
        ease,
        span: Span::default(),
    })
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        expression(true).prop_map(Value::Expr),
        prop::collection::vec(key(), 1..5).prop_map(Value::Keys),
    ]
}

fn item(depth: u32) -> BoxedStrategy<Item> {
    let setting = (pick(&["zoom", "prompt", "sharpen.amount", "strength_schedule", "a.b.c"]), value())
        .prop_map(|(text, value)| Item::Setting(Setting { name: name(text), value }));
    let bound = (pick(&["k", "speed"]), expression(true))
        .prop_map(|(text, value)| Item::Let(Let { name: name(text), value }));
    let params = prop::collection::vec(pick(&["x", "y"]).prop_map(name), 0..3);
    let function = (pick(&["f", "swell"]), params, expression(true))
        .prop_map(|(text, params, body)| Item::Function(Function { name: name(text), params, body }));
    let file = "[a-z#/.]{1,8}".prop_map(|file| Item::Use { span: Span::default(), file });
    let plain = prop_oneof![6 => setting, 1 => bound, 1 => function, 1 => file];
    if depth == 0 {
        return plain.boxed();
    }
    let kinds: &[&str] =
        if depth == 2 { &["scene", "control", "video", "grade"] } else { &["control", "grade"] };
    // `50% 3` is a remainder.
    let is_percent = |label: &Expr| matches!(label.kind, ExprKind::Quantity { unit, .. } if unit.base == BaseUnit::Percent);
    let label = prop_oneof![
        2 => leaf().prop_filter("a percentage stands in brackets", move |label| !is_percent(label)),
        1 => "[a-z ]{1,5}".prop_map(|text| expr(ExprKind::Text(vec![TextPart::Literal(text)]))),
        1 => expression(false).prop_filter("a percentage stands in brackets", move |label| !is_percent(label)),
    ];
    let block = (
        prop::sample::select(kinds),
        prop::collection::vec(label, 0..3),
        prop::collection::vec(item(depth - 1), 0..4),
    )
        .prop_map(|(kind, labels, items)| {
            Item::Block(Block { kind: name(kind), labels, items, span: Span::default() })
        });
    prop_oneof![3 => plain, 1 => block].boxed()
}

/// Whole films.
pub fn file() -> impl Strategy<Value = File> {
    let version = prop::option::of(Just((1, Span::default())));
    (version, prop::collection::vec(item(2), 0..5)).prop_map(|(version, items)| File { version, items })
}
