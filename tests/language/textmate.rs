//! The TextMate grammar, run by a small tokeniser: its expressions compile, and every part of every film gets
//! the scope that it should.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fancy_regex::Regex;
use kinora::schedule::expr::{Arg, Expr, ExprKind};
use kinora::schedule::parse::parse;
use kinora::schedule::span::Span;
use kinora::schedule::syntax::{Item, Value as Written};
use serde_json::Value;

/// A rule of the grammar.
enum Rule {
    Match { regex: Regex, name: Option<String>, captures: Vec<(usize, String)> },
    Block { begin: Regex, end: Regex, name: String, inner: Vec<String> },
}

struct Grammar {
    top: Vec<String>,
    /// Rules by the path of their place in the grammar.
    rules: BTreeMap<String, Rule>,
    /// Lists of rules by the name of their part of the repository.
    parts: BTreeMap<String, Vec<String>>,
}

impl Grammar {
    fn new() -> Self {
        let json: Value = serde_json::from_str(include_str!("../../grammar/kinora.tmLanguage.json")).unwrap();
        let mut grammar = Self { top: Vec::new(), rules: BTreeMap::new(), parts: BTreeMap::new() };
        for (name, part) in json["repository"].as_object().unwrap() {
            let list = match part.get("patterns").filter(|_| part.get("begin").is_none()) {
                Some(patterns) => grammar.list(name, patterns),
                None => vec![grammar.rule(name.clone(), part)],
            };
            grammar.parts.insert(name.clone(), list);
        }
        grammar.top = grammar.list("top", &json["patterns"]);
        grammar
    }

    fn list(&mut self, path: &str, patterns: &Value) -> Vec<String> {
        let patterns = patterns.as_array().unwrap().iter().enumerate();
        patterns.map(|(index, pattern)| self.rule(format!("{path}/{index}"), pattern)).collect()
    }

    fn rule(&mut self, path: String, json: &Value) -> String {
        if let Some(include) = json["include"].as_str() {
            return include.to_owned();
        }
        let text = |key: &str| json[key].as_str().map(str::to_owned);
        let regex = |key: &str| Regex::new(json[key].as_str().unwrap()).unwrap();
        let rule = if json.get("begin").is_some() {
            let inner = self.list(&path, &json["patterns"]);
            Rule::Block { begin: regex("begin"), end: regex("end"), name: text("name").unwrap(), inner }
        } else {
            let captures = json["captures"].as_object().into_iter().flatten();
            let captures = captures
                .map(|(index, capture)| {
                    (index.parse().unwrap(), capture["name"].as_str().unwrap().to_owned())
                })
                .collect();
            Rule::Match { regex: regex("match"), name: text("name"), captures }
        };
        self.rules.insert(path.clone(), rule);
        path
    }

    /// The rules of a list, what it includes written out.
    fn expand<'a>(&'a self, list: &'a [String], out: &mut Vec<&'a str>) {
        for name in list {
            match name.strip_prefix('#') {
                Some(part) => {
                    self.expand(self.parts.get(part).unwrap_or_else(|| panic!("no part {part}")), out)
                }
                None => out.push(name),
            }
        }
    }

    /// The innermost scope of each byte.
    fn scopes(&self, text: &str) -> Vec<String> {
        let mut scopes = vec![String::new(); text.len()];
        let mut stack: Vec<&str> = Vec::new();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let content = line.trim_end_matches(['\n', '\r']);
            self.line(content, start, &mut stack, &mut scopes);
            start += line.len();
        }
        scopes
    }

    fn line<'a>(&'a self, line: &str, start: usize, stack: &mut Vec<&'a str>, scopes: &mut [String]) {
        let mut at = 0;
        loop {
            let open = stack.last().map(|path| &self.rules[*path]);
            let (list, own) = match open {
                Some(Rule::Block { inner, name, .. }) => (inner, name.as_str()),
                _ => (&self.top, ""),
            };
            let mut rules = Vec::new();
            self.expand(list, &mut rules);
            // The earliest wins, the end of the open rule first, then the order of the list.
            let mut best: Option<(usize, usize, Option<&str>)> = None;
            if let Some(Rule::Block { end, .. }) = open {
                let found = end.find_from_pos(line, at).unwrap();
                best = found.map(|found| (found.start(), found.end(), None));
            }
            for path in rules {
                let regex = match &self.rules[path] {
                    Rule::Match { regex, .. } | Rule::Block { begin: regex, .. } => regex,
                };
                let Some(found) = regex.find_from_pos(line, at).unwrap() else { continue };
                if found.end() > found.start() && best.is_none_or(|best| found.start() < best.0) {
                    best = Some((found.start(), found.end(), Some(path)));
                }
            }
            let Some((from, to, path)) = best else {
                scopes[start + at..start + line.len()].fill(own.to_owned());
                return;
            };
            scopes[start + at..start + from].fill(own.to_owned());
            match path.map(|path| (path, &self.rules[path])) {
                None => {
                    scopes[start + from..start + to].fill(own.to_owned());
                    stack.pop();
                }
                Some((path, Rule::Block { name, .. })) => {
                    scopes[start + from..start + to].fill(name.clone());
                    stack.push(path);
                }
                Some((_, Rule::Match { regex, name, captures })) => {
                    scopes[start + from..start + to].fill(name.clone().unwrap_or_default());
                    let groups = regex.captures_from_pos(line, at).unwrap().unwrap();
                    for (index, name) in captures {
                        if let Some(group) = groups.get(*index) {
                            scopes[start + group.start()..start + group.end()].fill(name.clone());
                        }
                    }
                }
            }
            if to == at && at >= line.len() {
                return;
            }
            at = to;
        }
    }
}

/// Holds the scopes of a film against its syntax tree.
struct Judge<'a> {
    text: &'a str,
    scopes: &'a [String],
    wrong: Vec<String>,
    judged: usize,
}

impl Judge<'_> {
    fn expect(&mut self, start: usize, scope: &str) {
        self.judged += 1;
        if !self.scopes[start].starts_with(scope) {
            let rest = &self.text[start..];
            let shown: String = rest.chars().take(20).collect();
            self.wrong
                .push(format!("byte {start} {shown:?}: {scope} expected, {:?} found", self.scopes[start]));
        }
    }

    fn items(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Setting(setting) => {
                    // A TextMate grammar sees one line: a name whose `=` stands in another is a name to it.
                    let after = self.text[setting.name.span.end as usize..].trim_start_matches([' ', '\t']);
                    if after.starts_with('=') {
                        self.expect(setting.name.span.start as usize, "variable.parameter.setting");
                    }
                    match &setting.value {
                        Written::Expr(expr) => self.expr(expr),
                        Written::Keys(keys) => {
                            for key in keys {
                                let quoted = self.text[key.span.start as usize..].starts_with(['"', '\'']);
                                if !quoted {
                                    self.expr(&key.time);
                                }
                                self.expr(&key.value);
                                if let Some(ease) = &key.ease {
                                    self.expect(ease.span.start as usize, "support.function.ease");
                                }
                            }
                        }
                    }
                }
                Item::Block(block) => {
                    if matches!(block.kind.text.as_str(), "scene" | "control" | "video" | "post") {
                        self.expect(block.kind.span.start as usize, "keyword.control.block");
                    }
                    self.items(&block.items);
                }
                Item::Let(bound) => {
                    self.expect(bound.name.span.start as usize, "variable.other.constant");
                    self.expr(&bound.value);
                }
                Item::Function(function) => {
                    self.expect(function.name.span.start as usize, "entity.name.function");
                    self.expr(&function.body);
                }
                Item::Use { span, .. } => self.expect(span.start as usize, "keyword.control.import"),
            }
        }
    }

    fn expr(&mut self, expr: &Expr) {
        let first = self.first(expr.span);
        match &expr.kind {
            ExprKind::Int(_) | ExprKind::Float(_) => self.expect(first, "constant.numeric"),
            ExprKind::Quantity { .. } => {
                self.expect(first, "constant.numeric");
                let inside = self.text[..expr.span.end as usize].trim_end_matches([')', ' ', '\n']);
                self.expect(inside.len() - 1, "keyword.other.unit");
            }
            ExprKind::Size(..) => self.expect(first, "constant.numeric.size"),
            ExprKind::Text(_) => self.expect(first, "string.quoted"),
            ExprKind::Name(_) => {
                let scope = &self.scopes[first];
                let known = scope.starts_with("variable.") || scope.starts_with("constant.language");
                self.expect(first, if known { "" } else { "variable." });
            }
            ExprKind::Unary(_, x) => self.expr(x),
            ExprKind::Binary(_, a, b) => {
                self.expr(a);
                self.expr(b);
            }
            ExprKind::Call { name_span, args, .. } => {
                self.expect(name_span.start as usize, "entity.name.function.call");
                args.iter().for_each(|Arg { value, .. }| self.expr(value));
            }
            ExprKind::List(list) => list.iter().for_each(|x| self.expr(x)),
            ExprKind::Series(_) | ExprKind::Frames(_) => unreachable!("nobody writes these"),
        }
    }

    /// The first byte behind the brackets before it.
    fn first(&self, span: Span) -> usize {
        let text = &self.text[span.start as usize..span.end as usize];
        let inner = text.trim_start_matches(['(', ' ', '\n', '\t']);
        span.start as usize + text.len() - inner.len()
    }
}

fn films() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["grammar/corpus/accept", "examples", "examples/batch"];
    let paths = folders.iter().flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
    let paths = paths.map(|entry| entry.unwrap().path());
    let films = paths.filter(|path| path.extension().is_some_and(|ending| ending == "kin"));
    films.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn every_part_of_every_film_gets_its_scope() {
    let grammar = Grammar::new();
    let (mut wrong, mut judged) = (Vec::new(), 0);
    for (path, text) in films() {
        let scopes = grammar.scopes(&text);
        let (tree, errors) = parse(0, &text);
        assert!(errors.is_empty(), "{}", path.display());
        let mut judge = Judge { text: &text, scopes: &scopes, wrong: Vec::new(), judged: 0 };
        judge.items(&tree.items);
        judged += judge.judged;
        wrong.extend(judge.wrong.into_iter().map(|line| format!("{}: {line}", path.display())));
    }
    assert!(wrong.is_empty(), "{} of {judged}\n{}", wrong.len(), wrong.join("\n"));
    assert!(judged > 1000, "only {judged} parts were looked at");
}

#[test]
fn comments_and_strings_hide_what_stands_in_them() {
    let text = "kinora 1 # zoom = 3\nprompt = \"a # b ${1 + t} \\\" zoom = 1\" # c\nangle = 50%3 + 50%\n";
    let scopes = Grammar::new().scopes(text);
    let at = |part: &str| scopes[text.find(part).unwrap()].as_str();
    assert!(at("kinora 1").starts_with("keyword.control.version"));
    assert!(at("# zoom").starts_with("comment") && at("zoom = 3").starts_with("comment"));
    assert!(at("# b").starts_with("string") && at("zoom = 1\"").starts_with("string"));
    assert!(at("1 + t").starts_with("constant.numeric") && at("t}").starts_with("variable.language"));
    assert!(at("\\\" zoom").starts_with("constant.character.escape"));
    assert!(at("# c").starts_with("comment"));
    assert!(at("%3").starts_with("keyword.operator") && at("%\n").starts_with("keyword.other.unit"));
}
