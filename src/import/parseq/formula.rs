//! Parseq's formulas: `if f < 30 S else sin(p=4b)*0.1`. The grammar is the one of sd-parseq, whose
//! operators all group to the right (measured: `10-3-2` is 9, `8/4/2` is 4); a sign binds tighter than
//! `^`, so `-2^2` is 4.

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 100;

/// Longest formula that is read, in bytes.
const MAX_LENGTH: usize = 20_000;

/// A formula.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Number(f64),
    /// `4b`, `2s`, `30f`.
    Quantity(f64, char),
    Text(String),
    Name(String),
    Minus(Box<Node>),
    Binary(Op, Box<Node>, Box<Node>),
    If(Box<Node>, Box<Node>, Option<Box<Node>>),
    Call(String, Vec<(Option<String>, Node)>),
}

/// Operators with two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Pow,
    Weight,
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
    And,
    Or,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(f64, Option<char>),
    Text(String),
    Word(String),
    Sign(&'static str),
    End,
}

/// Reads a formula.
///
/// # Errors
/// What was expected and found, with the column from 1.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    if text.len() > MAX_LENGTH {
        return Err(format!("expected a formula of at most {MAX_LENGTH} bytes, found {}", text.len()));
    }
    let mut parser = Parser { tokens: tokens(text)?, at: 0 };
    let node = parser.logic(0)?;
    match parser.peek() {
        Token::End => Ok(node),
        _ => Err(parser.expected("an operator or the end")),
    }
}

const SIGNS: &[&str] =
    &["<=", ">=", "==", "!=", "&&", "||", "<", ">", "(", ")", ",", "=", "+", "-", "*", "^", "/", "%", ":"];

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, String> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let column = text.len() - rest.len() + 1;
        let Some(c) = rest.chars().next() else { break };
        let (token, length) = if c.is_ascii_digit() {
            number(rest)
        } else if c.is_ascii_alphabetic() || c == '_' {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            (Token::Word(rest[..end].to_owned()), end)
        } else if c == '"' {
            let end =
                rest[1..].find('"').ok_or_else(|| format!("column {column}: this string is not closed"))?;
            (Token::Text(rest[1..=end].to_owned()), end + 2)
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (Token::Sign(sign), sign.len())
        } else {
            return Err(format!("column {column}: `{c}` has no meaning in a formula"));
        };
        found.push((column, token));
        rest = &rest[length..];
    }
    found.push((text.len() + 1, Token::End));
    Ok(found)
}

fn number(rest: &str) -> (Token, usize) {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let mut end = digits(rest);
    if rest[end..].starts_with('.') && rest[end + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        end += 1 + digits(&rest[end + 1..]);
    }
    let value = rest[..end].parse().unwrap_or(f64::NAN);
    let unit = rest[end..].chars().next().filter(|c| matches!(c, 'f' | 's' | 'b'));
    (Token::Number(value, unit), end + usize::from(unit.is_some()))
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(_, token)| token)
    }

    fn takes(&mut self, sign: &str) -> bool {
        let is_it = matches!(self.peek(), Token::Sign(found) if *found == sign);
        self.at += usize::from(is_it);
        is_it
    }

    fn expected(&self, what: &str) -> String {
        let column = self.tokens.get(self.at).map_or(0, |(column, _)| *column);
        let found = match self.peek() {
            Token::End => "the end".to_owned(),
            Token::Number(value, _) => format!("`{value}`"),
            Token::Text(text) => format!("`\"{text}\"`"),
            Token::Word(word) => format!("`{word}`"),
            Token::Sign(sign) => format!("`{sign}`"),
        };
        format!("column {column}: expected {what}, found {found}")
    }

    /// `left op right`, with everything behind the operator on its right.
    fn grouped(
        &mut self,
        depth: usize,
        operand: fn(&mut Self, usize) -> Result<Node, String>,
        operator: fn(&Token) -> Option<Op>,
    ) -> Result<Node, String> {
        let mut sides = vec![operand(self, depth)?];
        let mut operators = Vec::new();
        while let Some(op) = operator(self.peek()) {
            self.at += 1;
            operators.push(op);
            sides.push(operand(self, depth)?);
        }
        // Each operator is a level of the tree.
        if operators.len() > MAX_DEPTH {
            return Err(format!("expected at most {MAX_DEPTH} operators in a row"));
        }
        let mut node = sides.pop().ok_or("expected a formula")?;
        while let (Some(op), Some(left)) = (operators.pop(), sides.pop()) {
            node = Node::Binary(op, Box::new(left), Box::new(node));
        }
        Ok(node)
    }

    fn logic(&mut self, depth: usize) -> Result<Node, String> {
        if depth > MAX_DEPTH {
            return Err(format!("expected at most {MAX_DEPTH} brackets inside each other"));
        }
        self.grouped(depth, Self::comparison, |token| match token {
            Token::Word(word) if word == "and" => Some(Op::And),
            Token::Word(word) if word == "or" => Some(Op::Or),
            _ => None,
        })
    }

    fn comparison(&mut self, depth: usize) -> Result<Node, String> {
        self.grouped(depth, Self::sum, |token| {
            let Token::Sign(sign) = token else { return None };
            Some(match *sign {
                "<" => Op::Lt,
                "<=" => Op::Le,
                ">" => Op::Gt,
                ">=" => Op::Ge,
                "==" => Op::Eq,
                "!=" => Op::Ne,
                "&&" => Op::And,
                "||" => Op::Or,
                _ => return None,
            })
        })
    }

    fn sum(&mut self, depth: usize) -> Result<Node, String> {
        self.grouped(depth, Self::product, |token| match token {
            Token::Sign("+") => Some(Op::Add),
            Token::Sign("-") => Some(Op::Sub),
            _ => None,
        })
    }

    fn product(&mut self, depth: usize) -> Result<Node, String> {
        self.grouped(depth, Self::signed, |token| match token {
            Token::Sign("*") => Some(Op::Mul),
            Token::Sign("/") => Some(Op::Div),
            Token::Sign("%") => Some(Op::Rem),
            Token::Sign("^") => Some(Op::Pow),
            Token::Sign(":") => Some(Op::Weight),
            _ => None,
        })
    }

    fn signed(&mut self, depth: usize) -> Result<Node, String> {
        if self.takes("-") {
            return Ok(Node::Minus(Box::new(self.atom(depth)?)));
        }
        self.atom(depth)
    }

    fn atom(&mut self, depth: usize) -> Result<Node, String> {
        match self.peek().clone() {
            Token::Number(value, unit) => {
                self.at += 1;
                Ok(unit.map_or(Node::Number(value), |unit| Node::Quantity(value, unit)))
            }
            Token::Text(text) => {
                self.at += 1;
                Ok(Node::Text(text))
            }
            Token::Word(word) => self.word(&word, depth),
            Token::Sign("(") => {
                self.at += 1;
                let node = self.logic(depth + 1)?;
                if self.takes(")") { Ok(node) } else { Err(self.expected("`)`")) }
            }
            _ => Err(self.expected("a number, a name or a bracket")),
        }
    }

    fn word(&mut self, word: &str, depth: usize) -> Result<Node, String> {
        if matches!(word, "and" | "or" | "else") {
            return Err(self.expected("a number, a name or a bracket"));
        }
        self.at += 1;
        match word {
            "true" => Ok(Node::Number(1.0)),
            "false" => Ok(Node::Number(0.0)),
            "if" => {
                let condition = self.logic(depth + 1)?;
                let then = self.logic(depth + 1)?;
                let is_else = matches!(self.peek(), Token::Word(word) if word == "else");
                self.at += usize::from(is_else);
                let otherwise = if is_else { Some(Box::new(self.logic(depth + 1)?)) } else { None };
                Ok(Node::If(Box::new(condition), Box::new(then), otherwise))
            }
            _ if self.takes("(") => Ok(Node::Call(word.to_owned(), self.arguments(depth)?)),
            _ => Ok(Node::Name(word.to_owned())),
        }
    }

    fn arguments(&mut self, depth: usize) -> Result<Vec<(Option<String>, Node)>, String> {
        let mut args = Vec::new();
        while !self.takes(")") {
            let name = match (self.peek().clone(), self.tokens.get(self.at + 1)) {
                (Token::Word(name), Some((_, Token::Sign("=")))) => {
                    self.at += 2;
                    Some(name)
                }
                _ => None,
            };
            args.push((name, self.logic(depth + 1)?));
            if !self.takes(",") && !matches!(self.peek(), Token::Sign(")")) {
                return Err(self.expected("`,` or `)`"));
            }
        }
        Ok(args)
    }
}

impl Node {
    /// Whether one of the names occurs, `sin` of `sin(...)` included.
    pub fn mentions(&self, names: &[&str]) -> bool {
        match self {
            Self::Name(name) => names.contains(&name.as_str()),
            Self::Minus(x) => x.mentions(names),
            Self::Binary(_, a, b) => a.mentions(names) || b.mentions(names),
            Self::If(c, a, b) => {
                c.mentions(names) || a.mentions(names) || b.as_ref().is_some_and(|b| b.mentions(names))
            }
            Self::Call(name, args) => {
                names.contains(&name.as_str()) || args.iter().any(|(_, arg)| arg.mentions(names))
            }
            _ => false,
        }
    }

    /// All names that are no functions.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Name(name) => vec![name.clone()],
            Self::Minus(x) => x.names(),
            Self::Binary(_, a, b) => [a.names(), b.names()].concat(),
            Self::If(c, a, b) => {
                [c.names(), a.names(), b.as_ref().map(|b| b.names()).unwrap_or_default()].concat()
            }
            Self::Call(_, args) => args.iter().flat_map(|(_, arg)| arg.names()).collect(),
            _ => Vec::new(),
        }
    }
}
