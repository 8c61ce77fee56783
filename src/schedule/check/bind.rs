//! Which `let` and `fn` holds when several files of a film bind the same name.

use std::collections::BTreeMap;

use super::Checker;
use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::syntax::{Item, Let, Name};
use crate::schedule::variants::Chosen;

/// The bindings of a name at the top of the film's files, as indices of statements.
struct Bindings {
    /// Where it is bound first.
    first: usize,
    /// What it means: the last binding of it.
    last: usize,
    /// Bound again in a file that binds it already, and where that did.
    twice: Vec<(usize, usize)>,
}

impl Checker {
    /// Names bound in a scene.
    pub(super) fn bind(&mut self, items: &[Item]) {
        items.iter().for_each(|item| self.bind_one(item));
    }

    /// Names bound at the top of the film's files. Where several files bind a name, the last one's value
    /// stands wherever the name is used: so a film changes what a file it uses computes with. Values of
    /// variants come last of all.
    pub(super) fn bind_film(&mut self, items: &[Item], chosen: &[Chosen]) {
        let bindings = bindings(items);
        for (index, item) in items.iter().enumerate() {
            let Some((name, bound)) = name(item).and_then(|name| Some((name, bindings.get(&*name.text)?)))
            else {
                continue;
            };
            if let Some((_, earlier)) = bound.twice.iter().find(|(again, _)| *again == index) {
                self.bound_twice(name, items, *earlier);
            } else if index != bound.last {
                self.look_at(item);
            }
            if index == bound.first {
                self.bind_last(&items[bound.last], index != bound.last, name, chosen);
            }
        }
    }

    fn bound_twice(&mut self, name: &Name, items: &[Item], earlier: usize) {
        // The first one is wrong: that is enough said about the name.
        if self.scope.is_broken(&name.text) {
            return;
        }
        let found = Diagnostic::error("E23", format!("`{}` is bound twice", name.text), name.span);
        let first = items.get(earlier).and_then(self::name).map_or(name.span, |first| first.span);
        self.report(found.also(first, "first bound here"));
    }

    /// Binds a name to its last value, in the place of its first.
    fn bind_last(&mut self, item: &Item, is_moved: bool, first: &Name, chosen: &[Chosen]) {
        let before = self.list.len();
        match (item, chosen.iter().find(|chosen| chosen.name.text == first.text)) {
            (Item::Let(bound), Some(chosen)) => {
                self.bind_one(&Item::Let(Let { name: bound.name.clone(), value: chosen.value.clone() }));
            }
            (item, _) => self.bind_one(item),
        }
        if is_moved {
            let message = "it takes the place of an earlier one: what it uses is bound before that one";
            for found in self.list[before..].iter_mut().filter(|found| found.code == "E11") {
                found.hints.push(message.to_owned());
                found.labels.push(crate::schedule::diagnostic::Label {
                    span: first.span,
                    text: "the earlier one".to_owned(),
                });
            }
        }
    }

    fn bind_one(&mut self, item: &Item) {
        match item {
            Item::Let(bound) => self.scope.bind(bound, &mut self.list),
            Item::Function(function) => self.scope.define(function, &mut self.list),
            _ => {}
        }
    }

    /// Reports the mistakes in a binding that a later one takes the place of.
    fn look_at(&mut self, item: &Item) {
        match item {
            Item::Let(bound) => drop(self.scope.write(&bound.value, &[], &mut self.list)),
            Item::Function(function) => self.scope.clone().define(function, &mut self.list),
            _ => {}
        }
    }
}

fn name(item: &Item) -> Option<&Name> {
    match item {
        Item::Let(bound) => Some(&bound.name),
        Item::Function(function) => Some(&function.name),
        _ => None,
    }
}

fn bindings(items: &[Item]) -> BTreeMap<&str, Bindings> {
    let mut all: BTreeMap<&str, Bindings> = BTreeMap::new();
    let mut by_file: BTreeMap<(u32, &str), usize> = BTreeMap::new();
    for (index, name) in items.iter().enumerate().filter_map(|(index, item)| Some((index, name(item)?))) {
        let bound =
            all.entry(&name.text).or_insert(Bindings { first: index, last: index, twice: Vec::new() });
        match by_file.get(&(name.span.source, name.text.as_str())) {
            Some(earlier) => bound.twice.push((index, *earlier)),
            None => {
                by_file.insert((name.span.source, &name.text), index);
                bound.last = index;
            }
        }
    }
    all
}
