//! The language from text to numbers: what reports look like, what values are, what limits hold.

#![allow(clippy::unwrap_used, reason = "a test whose files are missing fails")]

#[path = "language/compat.rs"]
mod compat;
#[path = "language/curves.rs"]
mod curves;
#[path = "language/ebnf.rs"]
mod ebnf;
#[path = "language/explain.rs"]
mod explain;
#[path = "language/format.rs"]
mod format;
#[path = "language/fuzz.rs"]
mod fuzz;
#[path = "language/grammar.rs"]
mod grammar;
#[path = "language/reports.rs"]
mod reports;
#[path = "language/spell.rs"]
mod spell;
#[path = "language/textmate.rs"]
mod textmate;
#[path = "language/trees.rs"]
mod trees;
#[path = "language/values.rs"]
mod values;
