//! Schedule expressions compiled for whole stretches of frames. Each operation runs over a block of frames, as
//! numexpr itself works. Kinds are those the tree walker finds at the first frame: of what is compiled here, neither
//! kinds nor errors change from frame to frame. Whatever else there is stays with the walker.

use super::columns::{BLOCK, Columns, product, product_of_integers};
use super::numexpr::{Evaluator, Kind, Node, Num, Operand, Py, int_power, unreduced};
use super::{Clip, functions};
use crate::schedule::deforum::Mode;
use crate::schedule::expr::{Arg, BinaryOp, Expr, ExprKind, UnaryOp};
use crate::schedule::span::Span;
use crate::timeline::eval::{MAX_DEPTH, arith};

/// An operation on what is on top of the stack.
type Step = Box<dyn Fn(&mut Columns)>;

/// An expression ready for many frames.
pub(super) struct Program {
    steps: Vec<Step>,
}

impl Program {
    /// Compiles what begins to run at frame `first`; `None` for what only the tree walker can do.
    pub(super) fn new(expr: &Expr, first: u32, clip: &Clip<'_>) -> Option<Self> {
        let variables = |name: &str| clip.variable(name, Some(first));
        let lenient = clip.mode == Mode::Lenient;
        let mut compiler = Compiler {
            evaluator: Evaluator { variables: &variables, lenient },
            accidents: clip.accidents,
            steps: Vec::new(),
        };
        match compiler.expr(expr, 0)? {
            Item::Fixed(operand) => {
                let value = operand.into_value().ok()?.as_f64()?;
                compiler.push(value.to_bits());
            }
            Item::Column(node) => compiler.convert(node.kind, 0),
        }
        Some(Self { steps: compiler.steps })
    }

    /// The values at frame `first` and those after it.
    pub(super) fn fill(&self, first: u32, values: &mut [f64]) {
        let mut columns = Columns::new(first);
        for block in values.chunks_mut(BLOCK) {
            (columns.height, columns.frames) = (0, block.len());
            for step in &self.steps {
                step(&mut columns);
            }
            for (value, bits) in block.iter_mut().zip(columns.under_top(0)) {
                *value = f64::from_bits(*bits);
            }
            columns.first += block.len() as u32;
        }
    }
}

/// A part of the expression: the same at all frames, or a column on the stack with its value at the first frame.
/// Columns are truth values (0 and 1), integers or doubles; 32-bit ones, which `where` gives, are only looked at.
enum Item {
    Fixed(Operand),
    Column(Node),
}

impl Item {
    fn operand(&self) -> Operand {
        match self {
            Self::Fixed(operand) => operand.clone(),
            Self::Column(node) => Operand::Node(*node),
        }
    }

    fn is_column(&self) -> bool {
        matches!(self, Self::Column(_))
    }

    fn of(node: Node) -> Option<Self> {
        (node.kind != Kind::Single).then_some(Self::Column(node))
    }
}

struct Compiler<'a> {
    evaluator: Evaluator<'a>,
    accidents: bool,
    steps: Vec<Step>,
}

fn bits(node: &Node, float: bool) -> u64 {
    match node.num {
        Num::I(v) if !float => v as u64,
        num => num.f64().to_bits(),
    }
}

impl Compiler<'_> {
    fn expr(&mut self, expr: &Expr, depth: usize) -> Option<Item> {
        if depth > MAX_DEPTH {
            return None;
        }
        let depth = depth + 1;
        match &expr.kind {
            ExprKind::Int(v) => Some(Item::Fixed(Operand::Py(Py::Int((*v).into())))),
            ExprKind::Float(v) => Some(Item::Fixed(Operand::Py(Py::Float(*v)))),
            ExprKind::Name(name) => self.name(name),
            ExprKind::Unary(op, x) => {
                let x = self.expr(x, depth)?;
                self.unary(*op, &x)
            }
            ExprKind::Binary(..) => self.chain(expr, depth),
            ExprKind::Call { name, args, .. } => self.call(name, args, depth),
            _ => None,
        }
    }

    fn name(&mut self, name: &str) -> Option<Item> {
        let operand = self.evaluator.name(name, Span::default()).ok()?;
        match (name, &operand) {
            (_, Operand::Py(_)) | ("max_f" | "s", _) => Some(Item::Fixed(operand)),
            ("integer" | "is_single_string" | "value_is_number", _) if self.accidents => {
                Some(Item::Fixed(operand))
            }
            ("t", Operand::Node(node)) => self.frame(*node),
            ("i", Operand::Node(node)) if self.accidents => self.frame(*node),
            _ => None,
        }
    }

    fn frame(&mut self, node: Node) -> Option<Item> {
        self.steps.push(Box::new(|columns| {
            let first = columns.first;
            for (frame, x) in (first..).zip(columns.push()) {
                *x = frame.into();
            }
        }));
        Item::of(node)
    }

    /// As the walker goes along chains.
    fn chain(&mut self, expr: &Expr, depth: usize) -> Option<Item> {
        let (mut pending, mut left) = (Vec::new(), expr);
        while let ExprKind::Binary(op, a, b) = &left.kind {
            pending.push((*op, b));
            left = a;
        }
        let mut item = self.expr(left, depth)?;
        while let Some((op, right)) = pending.pop() {
            let right = self.expr(right, depth)?;
            item = self.binary(op, &item, &right)?;
        }
        Some(item)
    }

    fn push(&mut self, bits: u64) {
        self.steps.push(Box::new(move |columns| columns.push().fill(bits)));
    }

    /// Makes doubles of the integers in the column with so many above it.
    fn convert(&mut self, kind: Kind, above: usize) {
        if kind <= Kind::Long {
            self.steps.push(Box::new(move |columns| {
                columns.under_top(above).iter_mut().for_each(|x| *x = (*x as i64 as f64).to_bits());
            }));
        }
    }

    fn map(&mut self, f: impl Fn(u64) -> u64 + 'static) {
        self.steps.push(Box::new(move |columns| columns.under_top(0).iter_mut().for_each(|x| *x = f(*x))));
    }

    fn map_floats(&mut self, kind: Kind, f: impl Fn(f64) -> f64 + 'static) {
        self.convert(kind, 0);
        self.map(move |x| f(f64::from_bits(x)).to_bits());
    }

    /// Two sides, at least one of which is a column, become one column.
    fn join(&mut self, a: &Item, b: &Item, float: bool, f: impl Fn(u64, u64) -> u64 + 'static) -> Option<()> {
        let (x, y) = (a.operand().node().ok()?, b.operand().node().ok()?);
        if float && a.is_column() {
            self.convert(x.kind, usize::from(b.is_column()));
        }
        if float && b.is_column() {
            self.convert(y.kind, 0);
        }
        let (x, y) = (bits(&x, float), bits(&y, float));
        match (a, b) {
            (Item::Column(_), Item::Column(_)) => self.steps.push(Box::new(move |columns| {
                let (below, top) = columns.pop();
                below.iter_mut().zip(top).for_each(|(x, y)| *x = f(*x, *y));
            })),
            (Item::Column(_), Item::Fixed(_)) => self.map(move |x| f(x, y)),
            (Item::Fixed(_), Item::Column(_)) => self.map(move |y| f(x, y)),
            (Item::Fixed(_), Item::Fixed(_)) => return None,
        }
        Some(())
    }

    fn floats(&mut self, a: &Item, b: &Item, f: impl Fn(f64, f64) -> f64 + 'static) -> Option<()> {
        self.join(a, b, true, move |x, y| f(f64::from_bits(x), f64::from_bits(y)).to_bits())
    }

    fn integers(&mut self, a: &Item, b: &Item, f: impl Fn(i64, i64) -> i64 + 'static) -> Option<()> {
        self.join(a, b, false, move |x, y| f(x as i64, y as i64) as u64)
    }

    fn unary(&mut self, op: UnaryOp, x: &Item) -> Option<Item> {
        let result = self.evaluator.unary(op, &x.operand()).ok()?;
        let (Item::Column(x), Operand::Node(node)) = (x, &result) else {
            return Some(Item::Fixed(result));
        };
        match (op, x.kind) {
            (UnaryOp::Pos, _) => {}
            (UnaryOp::Neg, Kind::Long) => self.map(|v| (v as i64).wrapping_neg() as u64),
            (UnaryOp::Neg, Kind::Double) => self.map_floats(x.kind, |v| -v),
            (UnaryOp::Not | UnaryOp::BitNot, Kind::Bool) => self.map(|v| v ^ 1),
            (UnaryOp::BitNot, Kind::Long) => self.map(|v| !v),
            _ => return None,
        }
        Item::of(*node)
    }

    fn binary(&mut self, op: BinaryOp, a: &Item, b: &Item) -> Option<Item> {
        let result = self.evaluator.binary(op, &a.operand(), &b.operand()).ok()?;
        let Operand::Node(node) = &result else { return Some(Item::Fixed(result)) };
        if !a.is_column() && !b.is_column() {
            return Some(Item::Fixed(result));
        }
        match op {
            BinaryOp::Pow => self.power(a, b, node.kind)?,
            BinaryOp::Div => self.divide(a, b)?,
            BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge | BinaryOp::Eq | BinaryOp::Ne => {
                self.compare(op, a, b)?;
            }
            _ => self.arithmetic(op, a, b, node.kind)?,
        }
        Item::of(*node)
    }

    fn arithmetic(&mut self, op: BinaryOp, a: &Item, b: &Item, kind: Kind) -> Option<()> {
        match (kind, op) {
            (Kind::Double, BinaryOp::Add) => self.floats(a, b, |x, y| x + y),
            (Kind::Double, BinaryOp::Sub) => self.floats(a, b, |x, y| x - y),
            (Kind::Double, BinaryOp::Mul) => self.floats(a, b, |x, y| x * y),
            (Kind::Double, BinaryOp::FloorDiv) => self.floats(a, b, |x, y| (x / y).floor()),
            (Kind::Double, BinaryOp::Rem) => self.floats(a, b, |x, y| x - (x / y).floor() * y),
            (Kind::Bool, BinaryOp::Add) => self.integers(a, b, |x, y| x | y),
            (Kind::Bool, BinaryOp::Mul) => self.integers(a, b, |x, y| x & y),
            (Kind::Long, BinaryOp::Add) => self.integers(a, b, i64::wrapping_add),
            (Kind::Long, BinaryOp::Sub) => self.integers(a, b, i64::wrapping_sub),
            (Kind::Long, BinaryOp::Mul) => self.integers(a, b, i64::wrapping_mul),
            (Kind::Long, BinaryOp::FloorDiv) => self.integers(a, b, arith::floor_div),
            (Kind::Long, BinaryOp::Rem) => self.integers(a, b, arith::floor_rem),
            (Kind::Bool | Kind::Long, BinaryOp::And) => self.integers(a, b, |x, y| x & y),
            (Kind::Bool | Kind::Long, BinaryOp::Or) => self.integers(a, b, |x, y| x | y),
            (Kind::Bool | Kind::Long, BinaryOp::Xor) => self.integers(a, b, |x, y| x ^ y),
            _ => None,
        }
    }

    fn compare(&mut self, op: BinaryOp, a: &Item, b: &Item) -> Option<()> {
        let whole = |x: &Item| x.operand().node().is_ok_and(|n| n.kind <= Kind::Long);
        let one = |holds: bool| i64::from(holds);
        if whole(a) && whole(b) {
            return match op {
                BinaryOp::Lt => self.integers(a, b, move |x, y| one(x < y)),
                BinaryOp::Le => self.integers(a, b, move |x, y| one(x <= y)),
                BinaryOp::Gt => self.integers(a, b, move |x, y| one(x > y)),
                BinaryOp::Ge => self.integers(a, b, move |x, y| one(x >= y)),
                BinaryOp::Eq => self.integers(a, b, move |x, y| one(x == y)),
                _ => self.integers(a, b, move |x, y| one(x != y)),
            };
        }
        let f = f64::from_bits;
        match op {
            BinaryOp::Lt => self.join(a, b, true, move |x, y| (f(x) < f(y)).into()),
            BinaryOp::Le => self.join(a, b, true, move |x, y| (f(x) <= f(y)).into()),
            BinaryOp::Gt => self.join(a, b, true, move |x, y| (f(x) > f(y)).into()),
            BinaryOp::Ge => self.join(a, b, true, move |x, y| (f(x) >= f(y)).into()),
            BinaryOp::Eq => self.join(a, b, true, move |x, y| (f(x) == f(y)).into()),
            _ => self.join(a, b, true, move |x, y| (f(x) != f(y)).into()),
        }
    }

    fn divide(&mut self, a: &Item, b: &Item) -> Option<()> {
        if let (Item::Column(a), Item::Fixed(b)) = (a, b) {
            let b = b.node().ok()?;
            if b.constant && b.kind == Kind::Double && a.kind == Kind::Double {
                let inverse = 1.0 / b.num.f64();
                self.map_floats(a.kind, move |x| x * inverse);
                return Some(());
            }
        }
        self.floats(a, b, |x, y| x / y)
    }

    fn power(&mut self, a: &Item, b: &Item, kind: Kind) -> Option<()> {
        if let (Item::Column(a), Item::Fixed(b)) = (a, b) {
            let b = b.node().ok()?;
            let x = b.num.f64();
            if b.constant && (2.0 * x).trunc() == 2.0 * x && x.abs() <= 50.0 {
                match a.kind {
                    Kind::Double => self.map_floats(a.kind, move |v| product(v, x)),
                    Kind::Long if kind == Kind::Long => {
                        self.map(move |v| arith::int_pow(v as i64, x as i64) as u64);
                    }
                    Kind::Long => self.map(move |v| product_of_integers(v as i64, x).to_bits()),
                    _ => return None,
                }
                return Some(());
            }
        }
        match kind {
            Kind::Long => self.integers(a, b, |x, y| int_power(x, y, Kind::Long)),
            Kind::Double => self.floats(a, b, libm::pow),
            _ => None,
        }
    }

    fn call(&mut self, name: &str, args: &[Arg], depth: usize) -> Option<Item> {
        // Python's words choose by the first argument, which seldom is the same at all frames.
        if matches!(name, "and" | "or" | "if") || args.iter().any(|arg| arg.name.is_some()) {
            return None;
        }
        let mut items = Vec::with_capacity(args.len());
        for arg in args {
            let item = self.expr(&arg.value, depth)?;
            if let Operand::Node(node) = item.operand() {
                unreduced(&node).ok()?;
            }
            if let ("where", Item::Fixed(fixed)) = (name, &item) {
                // The choice takes all its arguments from the stack.
                self.push(bits(&fixed.node().ok()?, false));
            }
            items.push(item);
        }
        let operands: Vec<Operand> = items.iter().map(Item::operand).collect();
        let node = functions::call(name, &operands)?.ok()?;
        if name == "where" {
            return self.choose(&operands, node, items.first()?.is_column());
        }
        match items.as_slice() {
            _ if !items.iter().any(Item::is_column) => return Some(Item::Fixed(Operand::Node(node))),
            [Item::Column(x)] => self.of_one(name, x.kind)?,
            // The sign of NaN is nothing to rely on.
            [a, b] if name != "copysign" => self.floats(a, b, functions::of_two(name)?)?,
            _ => return None,
        }
        Item::of(node)
    }

    fn choose(&mut self, operands: &[Operand], node: Node, varies: bool) -> Option<Item> {
        let [_, a, b] = operands else { return None };
        if !varies {
            return None;
        }
        if node.kind == Kind::Double {
            self.convert(a.node().ok()?.kind, 1);
            self.convert(b.node().ok()?.kind, 0);
        }
        self.steps.push(Box::new(Columns::choose));
        Item::of(node)
    }

    fn of_one(&mut self, name: &str, kind: Kind) -> Option<()> {
        match (name, kind) {
            ("round", Kind::Int | Kind::Long) => {}
            ("sign", Kind::Int | Kind::Long) => self.map(|x| (x as i64).signum() as u64),
            ("abs", _) => self.map_floats(kind, f64::abs),
            ("round", _) => self.map_floats(kind, libm::rint),
            ("floor", _) => self.map_floats(kind, f64::floor),
            ("ceil", _) => self.map_floats(kind, f64::ceil),
            ("trunc", _) => self.map_floats(kind, f64::trunc),
            _ => {
                let f = functions::of_one(name)?;
                self.map_floats(kind, f);
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;
