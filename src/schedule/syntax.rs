//! The syntax tree: what was written, with its place, before anything is known about names or types.

use super::expr::{Arg, Expr};
use super::span::Span;

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// The language version of the first line, `kinora 1`.
    pub version: Option<(u32, Span)>,
    /// Everything else, in order.
    pub items: Vec<Item>,
}

/// A name and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name; parts of a dotted name are joined by `.`.
    pub text: String,
    /// Where.
    pub span: Span,
}

/// What stands at the top of a file or in a block.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `name = value`
    Setting(Setting),
    /// `name labels { items }`
    Block(Block),
    /// `let name = expr`
    Let(Let),
    /// `fn name(params) = expr`
    Function(Function),
    /// `use "file"`
    Use {
        /// The whole statement.
        span: Span,
        /// The file's name as written.
        file: String,
    },
}

impl Item {
    /// Where the whole item stands.
    pub fn span(&self) -> Span {
        match self {
            Self::Setting(setting) => setting.name.span.to(setting.value.span()),
            Self::Block(block) => block.span,
            Self::Let(bound) => bound.name.span.to(bound.value.span),
            Self::Function(function) => function.name.span.to(function.body.span),
            Self::Use { span, .. } => *span,
        }
    }
}

/// `name = value`
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The name, dots included.
    pub name: Name,
    /// The value.
    pub value: Value,
}

/// What stands to the right of `=`.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// One expression.
    Expr(Expr),
    /// Keys, at least one.
    Keys(Vec<Key>),
}

impl Value {
    /// Where the whole value stands.
    pub fn span(&self) -> Span {
        match self {
            Self::Expr(expr) => expr.span,
            Self::Keys(keys) => {
                let first = keys.first().map_or(Span::default(), |key| key.span);
                keys.iter().fold(first, |span, key| span.to(key.span))
            }
        }
    }
}

/// `time: expr ~ease`
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// When; quotes around it are gone.
    pub time: Expr,
    /// What.
    pub value: Expr,
    /// How the value gets there from the key before.
    pub ease: Option<Ease>,
    /// The whole key.
    pub span: Span,
}

/// `~name(args)`
#[derive(Clone, Debug, PartialEq)]
pub struct Ease {
    /// The name without the tilde.
    pub name: Name,
    /// What stands in the brackets.
    pub args: Vec<Arg>,
    /// The tilde, the name and the brackets.
    pub span: Span,
}

/// `name labels { items }`
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// What kind of block.
    pub kind: Name,
    /// What stands between the kind and the bracket.
    pub labels: Vec<Expr>,
    /// What stands in the brackets.
    pub items: Vec<Item>,
    /// From the kind to the closing bracket.
    pub span: Span,
}

impl Block {
    /// The kind and its labels, without the body.
    pub fn head(&self) -> Span {
        self.labels.iter().fold(self.kind.span, |span, label| span.to(label.span))
    }
}

/// `let name = expr`
#[derive(Clone, Debug, PartialEq)]
pub struct Let {
    /// The name bound.
    pub name: Name,
    /// What it stands for.
    pub value: Expr,
}

/// `fn name(params) = expr`
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// The function's name.
    pub name: Name,
    /// Its parameters.
    pub params: Vec<Name>,
    /// What it computes.
    pub body: Expr,
}
