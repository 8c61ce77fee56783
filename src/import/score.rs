//! Writes a film as a person would: groups of settings with their signs in a column, long keys one a line.

use super::print::in_one_line;

/// Columns that a line has at most, where that can be helped.
const WIDTH: usize = 100;

/// A film being written.
#[derive(Clone, Debug, Default)]
pub(super) struct Score {
    /// Comment lines at the top, without `#`.
    pub header: Vec<String>,
    /// The `video` block.
    pub video: Vec<(String, String)>,
    /// Groups in order; those without lines are not written.
    pub groups: Vec<Group>,
    /// Blocks: head, settings, comment lines above.
    pub blocks: Vec<Block>,
    /// Comment lines at the end, without `#`.
    pub footer: Vec<String>,
}

/// Settings that belong together.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub lines: Vec<Line>,
}

/// A block such as `control depth { ... }`.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    pub head: String,
    pub lines: Vec<Line>,
}

/// A line of a group.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Line {
    /// `let ...`, `fn ...`: as it is.
    Plain(String),
    /// `# text`
    Comment(String),
    /// `name = value   # note`
    Setting { name: String, value: Value, note: Option<String> },
}

/// What stands to the right of `=`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    One(String),
    Keys(Vec<String>),
}

impl Value {
    /// In one line.
    pub fn text(&self) -> String {
        match self {
            Self::One(text) => text.clone(),
            Self::Keys(keys) => keys.join(", "),
        }
    }
}

impl Group {
    pub fn set(&mut self, name: &str, value: Value) {
        self.lines.push(Line::Setting { name: name.to_owned(), value, note: None });
    }

    pub fn one(&mut self, name: &str, value: impl Into<String>) {
        self.set(name, Value::One(value.into()));
    }

    pub fn noted(&mut self, name: &str, value: Value, note: impl Into<String>) {
        self.lines.push(Line::Setting { name: name.to_owned(), value, note: Some(note.into()) });
    }

    pub fn comment(&mut self, text: &str) {
        self.lines.push(Line::Comment(text.to_owned()));
    }
}

impl Score {
    /// The film's text.
    pub fn text(&self) -> String {
        let mut parts = vec!["kinora 1\n".to_owned()];
        if !self.header.is_empty() {
            parts.push(comments(&self.header));
        }
        if !self.video.is_empty() {
            let settings: Vec<String> =
                self.video.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            parts.push(format!("video {{ {} }}\n", settings.join("  ")));
        }
        parts.extend(self.groups.iter().filter(|g| !g.lines.is_empty()).map(|g| lines(&g.lines, "")));
        for block in &self.blocks {
            parts.push(format!("{} {{\n{}}}\n", block.head, lines(&block.lines, "  ")));
        }
        if !self.footer.is_empty() {
            parts.push(comments(&self.footer));
        }
        parts.join("\n")
    }
}

/// Comment lines, wrapped; a line that begins with two blanks is an item, and goes on further in.
fn comments(list: &[String]) -> String {
    let mut out = String::new();
    for text in list {
        let indent = if text.starts_with("  ") { "    " } else { "" };
        let mut line = String::from(if indent.is_empty() { "#" } else { "#  " });
        for (words, word) in text.split_whitespace().enumerate() {
            if words > 0 && line.chars().count() + 1 + word.chars().count() > WIDTH {
                out.push_str(&line);
                out.push('\n');
                line = format!("#{indent}");
            }
            line.push(' ');
            line.push_str(word);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn lines(lines: &[Line], indent: &str) -> String {
    let name_width = |line: &Line| match line {
        Line::Setting { name, value, .. } if is_short(name, value, indent) => name.chars().count(),
        _ => 0,
    };
    let width = lines.iter().map(name_width).max().unwrap_or(0);
    let mut out = String::new();
    for line in lines {
        match line {
            Line::Plain(text) => out.push_str(&format!("{indent}{text}\n")),
            Line::Comment(text) => {
                comments(std::slice::from_ref(text))
                    .lines()
                    .for_each(|c| out.push_str(&format!("{indent}{c}\n")));
            }
            Line::Setting { name, value, note } => out.push_str(&setting(name, value, note, width, indent)),
        }
    }
    out
}

fn is_short(name: &str, value: &Value, indent: &str) -> bool {
    indent.len() + name.chars().count() + 3 + value.text().chars().count() <= WIDTH
}

fn setting(name: &str, value: &Value, note: &Option<String>, width: usize, indent: &str) -> String {
    let note = note.as_ref().map(|note| in_one_line(note, 200));
    if is_short(name, value, indent) {
        let text = format!("{indent}{name:width$} = {}", value.text());
        return match note {
            None => text + "\n",
            Some(note) if text.chars().count() + 5 + note.chars().count() <= WIDTH => {
                format!("{text}   # {note}\n")
            }
            Some(note) => {
                let above = comments(&[note]);
                let above: String = above.lines().map(|line| format!("{indent}{line}\n")).collect();
                format!("{above}{text}\n")
            }
        };
    }
    let mut out: String = note
        .map(|note| comments(&[note]).lines().map(|line| format!("{indent}{line}\n")).collect())
        .unwrap_or_default();
    match value {
        Value::One(text) => out.push_str(&format!("{indent}{name} =\n{indent}  {text}\n")),
        Value::Keys(keys) => {
            out.push_str(&format!("{indent}{name} =\n"));
            out.push_str(&packed(keys, &format!("{indent}  ")));
        }
    }
    out
}

/// Keys with a comma between them: one a line when they are long, as many as fit when they are short.
fn packed(keys: &[String], indent: &str) -> String {
    let is_list = keys.iter().all(|key| key.chars().count() <= 24);
    let mut out = String::new();
    let mut line = String::new();
    for (index, key) in keys.iter().enumerate() {
        let comma = if index + 1 < keys.len() { "," } else { "" };
        let fits = line.chars().count() + key.chars().count() + 2 + indent.len() <= WIDTH;
        let goes_on = line.is_empty() || is_list && fits;
        if !goes_on {
            out.push_str(&format!("{indent}{}\n", line.trim_end()));
            line.clear();
        }
        line.push_str(key);
        line.push_str(comma);
        line.push(' ');
    }
    out.push_str(&format!("{indent}{}\n", line.trim_end()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_stand_in_a_column_and_long_keys_in_lines() {
        let mut group = Group::default();
        group.one("zoom", "1.02");
        group.noted("strength", Value::One("0.5".into()), "kept");
        group.set(
            "prompt",
            Value::Keys(vec![format!("0: \"{}\"", "a".repeat(60)), format!("9: \"{}\"", "b".repeat(60))]),
        );
        let score =
            Score { groups: vec![group, Group::default()], footer: vec!["end".into()], ..Score::default() };
        let expected = format!(
            "kinora 1\n\nzoom     = 1.02\nstrength = 0.5   # kept\nprompt =\n  0: \"{}\",\n  9: \"{}\"\n\n# end\n",
            "a".repeat(60),
            "b".repeat(60)
        );
        assert_eq!(score.text(), expected);
    }
}
