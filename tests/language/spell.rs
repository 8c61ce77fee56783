//! A writer that spells a syntax tree out in one of the many ways a person might: with and without blanks,
//! brackets, line breaks, comments, quotes.

use kinora::schedule::expr::{Arg, BaseUnit, BinaryOp, Expr, ExprKind, TextPart, TimeUnit, UnaryOp, Unit};
use kinora::schedule::syntax::{Block, File, Function, Item, Key, Value};

/// Spells trees out; which way is drawn from `state`.
pub struct Writer {
    pub out: String,
    /// Comments written so far.
    pub comments: usize,
    state: u64,
    /// No line breaks and no comments here.
    flat: bool,
}

/// Binding strengths of the grammar, loosest first; `not` stands between `and` and the comparisons.
mod level {
    pub const NOT: u8 = 3;
    pub const COMPARE: u8 = 4;
    pub const SIGN: u8 = 11;
    pub const POWER: u8 = 12;
    pub const POSTFIX: u8 = 13;
}

impl Writer {
    pub fn new(seed: u64) -> Self {
        Self { out: String::new(), comments: 0, state: seed, flat: false }
    }

    /// A number below `below` (SplitMix64).
    fn draw(&mut self, below: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    fn push(&mut self, text: &str) {
        self.out += text;
    }

    fn comment(&mut self) {
        self.comments += 1;
        self.out += &format!(" # note {}.  \n", self.comments);
    }

    /// Blanks, or none.
    fn gap(&mut self) {
        match (self.draw(16), self.flat) {
            (0..5, _) => self.push(" "),
            (5, _) => self.push(" \t "),
            (6, false) => self.push("\n\n\n   "),
            (7, false) => self.comment(),
            _ => {}
        }
    }

    /// Blanks, at least one.
    fn space(&mut self) {
        self.push(" ");
        self.gap();
    }

    pub fn file(&mut self, file: &File) {
        if let Some((version, _)) = file.version {
            self.gap();
            self.push(&format!("kinora  {version}"));
            self.space();
        }
        self.items(&file.items, true);
        self.gap();
    }

    fn items(&mut self, items: &[Item], at_top: bool) {
        for (index, item) in items.iter().enumerate() {
            match self.draw(4) {
                // `t scene a {` in a line of its own would be a block of kind `t`.
                0 if index > 0 && !matches!(item, Item::Block(_)) => self.push("  "),
                1 => self.comment(),
                2 if at_top => self.push("\n\n\n"),
                _ => self.push("\n "),
            }
            self.item(item, index + 1 == items.len());
        }
    }

    fn item(&mut self, item: &Item, is_last: bool) {
        match item {
            Item::Setting(setting) => {
                self.push(&setting.name.text);
                self.gap();
                self.push("=");
                self.gap();
                self.value(&setting.value, is_last);
            }
            Item::Let(bound) => {
                self.push("let");
                self.space();
                self.push(&bound.name.text);
                self.gap();
                self.push("=");
                self.gap();
                self.expr(&bound.value, 0);
            }
            Item::Function(function) => self.function(function),
            Item::Use { file, .. } => {
                self.push("use");
                self.gap();
                self.push(&format!("\"{file}\""));
            }
            Item::Block(block) => self.block(block),
        }
    }

    fn function(&mut self, function: &Function) {
        self.push("fn");
        self.space();
        self.push(&function.name.text);
        self.gap();
        self.push("(");
        for (index, param) in function.params.iter().enumerate() {
            self.gap();
            self.push(&param.text);
            self.gap();
            if index + 1 < function.params.len() || self.draw(3) == 0 {
                self.push(",");
            }
        }
        self.gap();
        self.push(")");
        self.gap();
        self.push("=");
        self.gap();
        self.expr(&function.body, 0);
    }

    fn block(&mut self, block: &Block) {
        self.push(&block.kind.text);
        let flat = std::mem::replace(&mut self.flat, true);
        for label in &block.labels {
            self.space();
            self.expr(label, level::POSTFIX);
        }
        self.flat = flat;
        self.gap();
        self.push("{");
        self.gap();
        self.items(&block.items, false);
        self.gap();
        self.push("}");
    }

    fn value(&mut self, value: &Value, is_last: bool) {
        let keys = match value {
            Value::Expr(expr) => return self.expr(expr, 0),
            Value::Keys(keys) => keys,
        };
        let braced = self.draw(4) == 0;
        if braced {
            self.push("{");
            self.gap();
        }
        for (index, key) in keys.iter().enumerate() {
            self.key(key);
            let more = index + 1 < keys.len();
            self.gap();
            if more || ((is_last || braced) && self.draw(3) == 0) {
                self.push(",");
                self.gap();
            }
        }
        if braced {
            self.push("}");
        }
    }

    fn key(&mut self, key: &Key) {
        if self.draw(4) == 0 {
            let flat = std::mem::replace(&mut self.flat, true);
            let quote = if self.draw(2) == 0 { "\"" } else { "'" };
            self.push(quote);
            self.expr(&key.time, 0);
            self.push(quote);
            self.flat = flat;
        } else {
            self.expr(&key.time, 0);
        }
        self.gap();
        self.push(":");
        self.gap();
        self.expr(&key.value, 0);
        if let Some(ease) = &key.ease {
            self.gap();
            self.push(&format!("~{}", ease.name.text));
            if !ease.args.is_empty() || self.draw(2) == 0 {
                self.args(&ease.args);
            }
        }
    }

    /// An expression where the grammar wants one of strength `least`, in brackets when it is weaker.
    fn expr(&mut self, expr: &Expr, least: u8) {
        let spelling = self.spelling(&expr.kind);
        let needed = spelling.1 < least;
        if needed || self.draw(8) == 0 {
            self.push("(");
            self.gap();
            self.bare(&expr.kind, spelling);
            self.gap();
            self.push(")");
        } else {
            self.bare(&expr.kind, spelling);
        }
    }

    /// The operator as it will be written, and how tightly the whole binds.
    fn spelling(&mut self, kind: &ExprKind) -> (&'static str, u8) {
        let words = self.draw(2) == 0;
        match kind {
            ExprKind::Unary(UnaryOp::Neg, _) => ("-", level::SIGN),
            ExprKind::Unary(UnaryOp::Pos, _) => ("+", level::SIGN),
            ExprKind::Unary(..) if words => ("not", level::NOT),
            ExprKind::Unary(..) => ("~", level::SIGN),
            ExprKind::Binary(op, ..) => match op {
                BinaryOp::Or if words => ("or", 1),
                BinaryOp::And if words => ("and", 2),
                BinaryOp::Or => ("|", 5),
                BinaryOp::And => ("&", 7),
                BinaryOp::Lt => ("<", level::COMPARE),
                BinaryOp::Le => ("<=", level::COMPARE),
                BinaryOp::Gt => (">", level::COMPARE),
                BinaryOp::Ge => (">=", level::COMPARE),
                BinaryOp::Eq => ("==", level::COMPARE),
                BinaryOp::Ne => ("!=", level::COMPARE),
                BinaryOp::Shl => ("<<", 8),
                BinaryOp::Shr => (">>", 8),
                BinaryOp::Add => ("+", 9),
                BinaryOp::Sub => ("-", 9),
                BinaryOp::Mul => ("*", 10),
                BinaryOp::Div => ("/", 10),
                BinaryOp::FloorDiv => ("//", 10),
                BinaryOp::Rem => ("%", 10),
                BinaryOp::Pow => ("**", level::POWER),
                BinaryOp::Xor => unreachable!("films have no exclusive-or"),
            },
            _ => ("", level::POSTFIX),
        }
    }

    fn bare(&mut self, kind: &ExprKind, (sign, strength): (&'static str, u8)) {
        match kind {
            ExprKind::Int(value) => self.push(&value.to_string()),
            ExprKind::Float(value) => self.push(&format!("{value:?}")),
            ExprKind::Quantity { value, unit } => self.push(&format!("{value}{}", unit_text(*unit))),
            ExprKind::Size(width, height) => self.push(&format!("{width}x{height}")),
            ExprKind::Name(name) => self.push(name),
            ExprKind::Text(parts) => self.text(parts),
            ExprKind::Unary(_, x) => {
                self.push(sign);
                if sign == "not" {
                    self.space();
                    self.expr(x, level::COMPARE);
                } else {
                    self.gap();
                    self.expr(x, level::SIGN);
                }
            }
            ExprKind::Binary(_, a, b) => {
                let (left, right) = match strength {
                    level::COMPARE => (strength + 1, strength + 1),
                    level::POWER => (level::POSTFIX, level::SIGN),
                    _ => (strength, strength + 1),
                };
                self.expr(a, left);
                // Words need blanks round them; so does a remainder, to be no percentage, and a division
                // by a name that could be a unit, to be no rate.
                let apart = matches!(sign, "%" | "/") || sign.starts_with(|c: char| c.is_ascii_alphabetic());
                if apart {
                    self.space()
                } else {
                    self.gap()
                }
                self.push(sign);
                if apart {
                    self.space()
                } else {
                    self.gap()
                }
                self.expr(b, right);
            }
            ExprKind::Call { name, args, method: true, .. } => self.method(name, args),
            ExprKind::Call { name, args, .. } => {
                self.push(name);
                self.args(args);
            }
            ExprKind::List(list) => {
                self.push("[");
                self.list(list.iter().map(|x| (None, x)));
                self.push("]");
            }
            ExprKind::Series(_) | ExprKind::Frames(_) => unreachable!("nobody writes these"),
        }
    }

    fn method(&mut self, name: &str, args: &[Arg]) {
        let receiver = &args[0].value;
        // Behind a number the dot would be its decimal point.
        let is_number = matches!(
            receiver.kind,
            ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Quantity { .. } | ExprKind::Size(..)
        );
        self.expr(receiver, if is_number { u8::MAX } else { level::POSTFIX });
        self.push(&format!(".{name}"));
        self.args(&args[1..]);
    }

    fn args(&mut self, args: &[Arg]) {
        self.push("(");
        self.list(args.iter().map(|arg| (arg.name.as_ref().map(|(name, _)| name.as_str()), &arg.value)));
        self.push(")");
    }

    fn list<'e>(&mut self, values: impl ExactSizeIterator<Item = (Option<&'e str>, &'e Expr)>) {
        let count = values.len();
        self.gap();
        for (index, (name, value)) in values.enumerate() {
            if let Some(name) = name {
                self.push(name);
                self.gap();
                self.push("=");
                self.gap();
            }
            self.expr(value, 0);
            self.gap();
            if index + 1 < count || self.draw(4) == 0 {
                self.push(",");
                self.gap();
            }
        }
    }

    fn text(&mut self, parts: &[TextPart]) {
        let quote = ["\"", "'", "\"\"\""][self.draw(3) as usize];
        self.push(quote);
        let flat = std::mem::replace(&mut self.flat, true);
        for part in parts {
            match part {
                TextPart::Literal(text) => {
                    for c in text.chars() {
                        match c {
                            '\n' if quote.len() == 3 => self.push("\n"),
                            '\n' => self.push("\\n"),
                            '"' | '\'' | '\\' | '$' => self.push(&format!("\\{c}")),
                            c => self.push(&c.to_string()),
                        }
                    }
                }
                TextPart::Hole(expr) => {
                    self.push("${");
                    self.gap();
                    self.expr(expr, 0);
                    self.gap();
                    self.push("}");
                }
            }
        }
        self.flat = flat;
        self.push(quote);
    }
}

fn unit_text(unit: Unit) -> String {
    let time = |time| match time {
        TimeUnit::Frames => "f",
        TimeUnit::Seconds => "s",
        TimeUnit::Milliseconds => "ms",
        TimeUnit::Beats => "b",
        TimeUnit::Bars => "bar",
    };
    let base = match unit.base {
        BaseUnit::Time(base) => time(base),
        BaseUnit::Percent => "%",
        BaseUnit::Degrees => "deg",
        BaseUnit::Pixels => "px",
        BaseUnit::Factor => "x",
        BaseUnit::Hertz => "Hz",
    };
    unit.per.map_or(base.to_owned(), |per| format!("{base}/{}", time(per)))
}
