//! Prompts that change on the way: `[from:to:when]`, `[to:when]`, `[from::when]` and `[a|b|c]`.
//!
//! The rules are those of sd-webui 1.10:
//!
//! * `when` with a point is a share of the planned calls of the denoiser (`0.5`, `1.`), without one a number of
//!   calls (`12`); either way it is cut to a whole number and held to the run's length. A share counts the whole
//!   schedule: `steps`, or twice as many for the samplers that sd-webui calls second-order
//!   ([`Sampler::planned_calls`](crate::diffusion::sampler::Sampler::planned_calls)).
//! * An alternation takes its next option with each call; options may be empty.
//! * Both nest in each other and in emphasis. A bracket that is none of `(…)`, `(…:…)`, `[…]`, an editing or an
//!   alternation is text, and so is every bracket round it. `\` before a character takes its meaning away.
//! * Where stray brackets stand right behind an editing (`[a:2]))`), sd-webui's answer differs from one start of the
//!   program to the next; here the editing always holds.
//! * A `|` outside an alternation, and a `\` with nothing behind it, make the whole prompt plain text.
//!
//! Calls are counted from the first one that is *run*: over an existing picture a part of the schedule is left
//! out, and as in sd-webui the share still counts the whole schedule while the count begins at 0. With 20 steps
//! and strength 0.5, which runs 10 of them, `[a:b:0.5]` stays `a` to the end; `[a:b:5]` becomes `b`.
//!
//! Sd-webui asks with a count from 0 for a list that counts from 1, so the first text of a prompt is in force for
//! one call more than its number says; [`Edited::in_force`] does the same. Its separate range for the second pass
//! of «hires fix» (`1.5`) has no meaning here: there is one pass.

use std::collections::BTreeSet;

use super::emphasis::is_blank;

/// A prompt read for editing. Texts are ranges of it: nothing is copied until one is asked for.
#[derive(Clone, Debug)]
pub struct Edited {
    source: String,
    ops: Vec<Op>,
}

/// A prompt is a little program that writes its text. No step calls another: nesting costs no stack.
#[derive(Clone, Debug, PartialEq)]
enum Op {
    /// Writes a part of the source.
    Text(usize, usize),
    /// Goes on behind this while the count is at most `when`, else at `after`.
    Switch {
        when: When,
        after: usize,
    },
    /// Goes on at the option that is due.
    Alternate(Vec<usize>),
    Jump(usize),
}

/// When an editing happens, as it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    Share(f64),
    Calls(f64),
}

impl When {
    /// The last count of the text before, at most `calls`. Below 1 that text is never seen.
    fn last(self, calls: usize) -> i64 {
        let count = match self {
            Self::Share(share) => share * calls as f64,
            Self::Calls(count) => count,
        };
        // Saturates; cuts towards 0 like Python's `int`.
        (count as i64).min(calls as i64)
    }
}

impl Edited {
    /// Reads a prompt, in time linear in its length.
    pub fn read(prompt: &str) -> Self {
        let ops = tokens(prompt).and_then(|tokens| program(prompt, &tokens));
        let ops = ops.unwrap_or_else(|| vec![Op::Text(0, prompt.len())]);
        Self { source: prompt.to_owned(), ops }
    }

    /// Whether the prompt is the same from beginning to end.
    pub fn is_constant(&self) -> bool {
        self.ops.iter().all(|op| matches!(op, Op::Text(..) | Op::Jump(_)))
    }

    /// The counts (from 1) at which a text ends, ascending; the last one is `calls`.
    pub fn ends(&self, calls: usize) -> Vec<usize> {
        let mut ends = BTreeSet::from([calls]);
        for op in &self.ops {
            match op {
                Op::Switch { when, .. } => {
                    let last = when.last(calls);
                    if last >= 1 {
                        ends.insert(last as usize);
                    }
                }
                Op::Alternate(_) => ends.extend(1..=calls),
                Op::Text(..) | Op::Jump(_) => {}
            }
        }
        ends.into_iter().collect()
    }

    /// The text at a count from 1, in a run of `calls` planned calls.
    pub fn at(&self, count: usize, calls: usize) -> String {
        let mut text = String::new();
        let mut next = 0;
        while let Some(op) = self.ops.get(next) {
            next = match op {
                Op::Text(from, to) => {
                    text.push_str(&self.source[*from..*to]);
                    next + 1
                }
                Op::Switch { when, after } if count as i64 > when.last(calls) => *after,
                Op::Switch { .. } => next + 1,
                Op::Alternate(options) => options[count.saturating_sub(1) % options.len()],
                Op::Jump(to) => *to,
            };
        }
        text
    }

    /// The count (from 1) whose text is in force at a call (from 0): the first end that is not behind it.
    ///
    /// Behind the last end sd-webui goes back to the first text; only the adaptive sampler, which plans no
    /// calls, gets there.
    pub fn count_at(ends: &[usize], call: usize) -> usize {
        let behind = ends.partition_point(|end| *end < call);
        ends.get(behind).or(ends.first()).copied().unwrap_or(1)
    }

    /// The text in force at a call (from 0), in a run of `calls` planned calls.
    pub fn in_force(&self, call: usize, calls: usize) -> String {
        self.at(Self::count_at(&self.ends(calls), call), calls)
    }
}

/// What the characters of a prompt are, before it is known which brackets hold.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Token {
    kind: Kind,
    from: usize,
    to: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    OpenRound,
    OpenSquare,
    CloseRound,
    CloseSquare,
    Colon,
    Bar,
}

/// Cuts a prompt into tokens; `None` when a `\` escapes nothing.
fn tokens(prompt: &str) -> Option<Vec<Token>> {
    let mut found: Vec<Token> = Vec::new();
    let mut chars = prompt.char_indices();
    while let Some((from, c)) = chars.next() {
        let kind = match c {
            '(' => Kind::OpenRound,
            '[' => Kind::OpenSquare,
            ')' => Kind::CloseRound,
            ']' => Kind::CloseSquare,
            ':' => Kind::Colon,
            '|' => Kind::Bar,
            '\\' if chars.next().is_none_or(|(_, escaped)| escaped == '\n') => return None,
            _ => Kind::Plain,
        };
        let to = chars.offset();
        match found.last_mut().filter(|last| kind == Kind::Plain && last.kind == Kind::Plain) {
            Some(last) => last.to = to,
            None => found.push(Token { kind, from, to }),
        }
    }
    Some(found)
}

/// A bracket that nobody has closed yet.
struct Open {
    at: usize,
    colons: Vec<usize>,
    bars: Vec<usize>,
}

/// A pair of brackets that holds.
enum Group {
    /// Only its brackets count, for emphasis.
    Emphasis,
    /// Where the text before begins and ends, the text after begins and ends (tokens).
    Switch { when: When, before: (usize, usize), after: (usize, usize) },
    /// Its separators.
    Alternate(Vec<usize>),
}

/// Which brackets hold: for the token that opens one, what it is and the token that closes it.
fn groups(prompt: &str, tokens: &[Token]) -> Vec<Option<(Group, usize)>> {
    let mut groups: Vec<Option<(Group, usize)>> = tokens.iter().map(|_| None).collect();
    let mut open: Vec<Open> = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Plain => {}
            Kind::OpenRound | Kind::OpenSquare => {
                open.push(Open { at: i, colons: Vec::new(), bars: Vec::new() });
            }
            Kind::Colon => open.last_mut().into_iter().for_each(|open| open.colons.push(i)),
            Kind::Bar => open.last_mut().into_iter().for_each(|open| open.bars.push(i)),
            Kind::CloseRound | Kind::CloseSquare => {
                let Some(last) = open.pop() else { continue };
                let at = last.at;
                match group(prompt, tokens, last, i) {
                    Some(group) => groups[at] = Some((group, i)),
                    // What stands in a bracket that holds must hold itself.
                    None => open.clear(),
                }
            }
        }
    }
    groups
}

/// What a pair of brackets is.
fn group(prompt: &str, tokens: &[Token], open: Open, close: usize) -> Option<Group> {
    let Open { at, colons, bars } = open;
    let when = |colon: usize| match tokens[colon + 1..close] {
        [Token { kind: Kind::Plain, from, to }] => moment(&prompt[from..to]),
        _ => None,
    };
    match (tokens[at].kind, tokens[close].kind, colons.as_slice(), bars.as_slice()) {
        (Kind::OpenRound, Kind::CloseRound, [] | [_], []) => Some(Group::Emphasis),
        (Kind::OpenSquare, Kind::CloseSquare, [], []) => Some(Group::Emphasis),
        (Kind::OpenSquare, Kind::CloseSquare, [], _) => Some(Group::Alternate(bars)),
        (Kind::OpenSquare, Kind::CloseSquare, [colon], []) => {
            Some(Group::Switch { when: when(*colon)?, before: (at + 1, at + 1), after: (at + 1, *colon) })
        }
        (Kind::OpenSquare, Kind::CloseSquare, [first, second], []) => Some(Group::Switch {
            when: when(*second)?,
            before: (at + 1, *first),
            after: (first + 1, *second),
        }),
        _ => None,
    }
}

/// Reads a `when`: a number with blanks round it. A point makes it a share.
fn moment(text: &str) -> Option<When> {
    let text = text.trim_matches(is_blank);
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    // Rust reads `inf` and `nan` too; all other spellings are the same.
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    Some(if text.contains('.') { When::Share(number) } else { When::Calls(number) })
}

/// What is left to be written, newest last.
enum Todo {
    /// Tokens from and to.
    Write(usize, usize),
    /// The option begins here: into the table of the alternation at this place.
    Option(usize),
    /// The text after begins here.
    After(usize),
    /// A way out of the group, whose target is not known yet.
    Leave(usize),
    /// The group ends here: all its ways out lead here.
    Arrive(usize),
}

/// The program of a prompt; `None` when a `|` stands alone.
fn program(prompt: &str, tokens: &[Token]) -> Option<Vec<Op>> {
    let groups = groups(prompt, tokens);
    let mut ops: Vec<Op> = Vec::new();
    // Ways out by the number of their group.
    let mut ways: Vec<Vec<usize>> = Vec::new();
    let mut todo = vec![Todo::Write(0, tokens.len())];
    while let Some(next) = todo.pop() {
        match next {
            Todo::Write(from, to) => write(tokens, &groups, (from, to), (&mut ops, &mut ways, &mut todo))?,
            Todo::Option(at) => {
                let begin = ops.len();
                if let Op::Alternate(options) = &mut ops[at] {
                    options.push(begin);
                }
            }
            Todo::After(at) => {
                let begin = ops.len();
                if let Op::Switch { after, .. } = &mut ops[at] {
                    *after = begin;
                }
            }
            Todo::Leave(group) => {
                ways[group].push(ops.len());
                ops.push(Op::Jump(0));
            }
            Todo::Arrive(group) => {
                for way in std::mem::take(&mut ways[group]) {
                    ops[way] = Op::Jump(ops.len());
                }
            }
        }
    }
    Some(ops)
}

/// Writes tokens up to the first group that makes a choice, and leaves the rest to be done.
fn write(
    tokens: &[Token],
    groups: &[Option<(Group, usize)>],
    (from, to): (usize, usize),
    (ops, ways, todo): (&mut Vec<Op>, &mut Vec<Vec<usize>>, &mut Vec<Todo>),
) -> Option<()> {
    for at in from..to {
        let Some((group, close)) = &groups[at] else {
            text(ops, tokens[at])?;
            continue;
        };
        if matches!(group, Group::Emphasis) {
            text(ops, tokens[at])?;
            continue;
        }
        let (this, number) = (ops.len(), ways.len());
        ways.push(Vec::new());
        todo.push(Todo::Write(close + 1, to));
        todo.push(Todo::Arrive(number));
        match group {
            Group::Emphasis => {}
            Group::Switch { when, before, after } => {
                ops.push(Op::Switch { when: *when, after: 0 });
                todo.push(Todo::Write(after.0, after.1));
                todo.push(Todo::After(this));
                todo.push(Todo::Leave(number));
                todo.push(Todo::Write(before.0, before.1));
            }
            Group::Alternate(bars) => {
                ops.push(Op::Alternate(Vec::with_capacity(bars.len() + 1)));
                let begins = std::iter::once(at).chain(bars.iter().copied());
                let ends = bars.iter().copied().chain([*close]);
                for (begin, end) in begins.zip(ends).collect::<Vec<_>>().into_iter().rev() {
                    todo.extend([Todo::Leave(number), Todo::Write(begin + 1, end), Todo::Option(this)]);
                }
            }
        }
        return Some(());
    }
    Some(())
}

/// Adds a token to the text. A `|` is none.
fn text(ops: &mut Vec<Op>, token: Token) -> Option<()> {
    if token.kind == Kind::Bar {
        return None;
    }
    ops.push(Op::Text(token.from, token.to));
    Some(())
}

#[cfg(test)]
mod tests;
