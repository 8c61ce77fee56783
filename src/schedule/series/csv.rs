//! Tables in text: commas, semicolons or tabs between the cells, quotes round them where need be (RFC
//! 4180). The first row holds names when it does not hold numbers.

use std::borrow::Cow;

use super::{Column, no_column, number, shown, which_column};

/// The numbers of a column.
pub(super) fn column(text: &str, wanted: Option<&Column>, but: Option<&Column>) -> Result<Vec<f64>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut records = Records { rest: text, line: 1, between: separator(text) };
    let mut cells = Vec::new();
    let Some(first_line) = records.next(&mut cells)? else {
        return Err("there are no numbers in it".to_owned());
    };
    let count = cells.len();
    let is_head = !cells.iter().any(|cell| value(cell, records.between).is_some());
    let head: Vec<String> = cells.iter().map(|cell| cell.trim().to_owned()).collect();
    let names: Vec<&str> = if is_head { head.iter().map(String::as_str).collect() } else { Vec::new() };
    let (at, called) = index(wanted, but, &names, count)?;
    let mut values = Vec::new();
    let mut line = first_line;
    let mut has_row = !is_head;
    loop {
        if has_row {
            let cell = cells.get(at).map_or("", |cell| cell.trim());
            let read = value(cell, records.between)
                .ok_or_else(|| format!("row {line}, {called}: expected a number, found {}", shown(cell)))?;
            values.push(read);
        }
        match records.next(&mut cells)? {
            Some(next) => (line, has_row) = (next, true),
            None => return Ok(values),
        }
    }
}

/// The index of a column and what messages call it.
fn index(
    wanted: Option<&Column>,
    but: Option<&Column>,
    names: &[&str],
    count: usize,
) -> Result<(usize, Column), String> {
    let find = |column: &Column| match column {
        Column::Name(name) => names.iter().position(|known| known == name),
        Column::Number(number) => number.checked_sub(1).filter(|at| *at < count),
    };
    if let Some(wanted) = wanted {
        let at = find(wanted).ok_or_else(|| no_column(wanted, names, count))?;
        return Ok((at, wanted.clone()));
    }
    let but = but.and_then(find);
    let left: Vec<usize> = (0..count).filter(|at| Some(*at) != but).collect();
    match left.as_slice() {
        [only] => {
            let called = names.get(*only).map(|name| Column::Name((*name).to_owned()));
            Ok((*only, called.unwrap_or(Column::Number(only + 1))))
        }
        _ => Err(which_column(names, count)),
    }
}

/// A cell as a number. Where semicolons separate, commas may stand before the decimals.
fn value(cell: &str, between: char) -> Option<f64> {
    let cell = cell.trim();
    number(cell).or_else(|| {
        let is_decimal = between == ';' && cell.matches(',').count() == 1 && !cell.contains('.');
        number(&cell.replace(',', ".")).filter(|_| is_decimal)
    })
}

/// What separates the cells: the first of tab and semicolon in the first line, else the comma.
fn separator(text: &str) -> char {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
    ['\t', ';'].into_iter().find(|sign| line.contains(*sign)).unwrap_or(',')
}

struct Records<'a> {
    rest: &'a str,
    /// Number of the line at which `rest` begins.
    line: usize,
    between: char,
}

impl<'a> Records<'a> {
    /// The next row that is not empty into `cells`, and the line in which it begins.
    fn next(&mut self, cells: &mut Vec<Cow<'a, str>>) -> Result<Option<usize>, String> {
        loop {
            if self.rest.is_empty() {
                return Ok(None);
            }
            let begins = self.line;
            let end = self.rest.find('\n').map_or(self.rest.len(), |at| at + 1);
            let line = &self.rest[..end];
            cells.clear();
            if line.contains('"') {
                self.quoted(cells)?;
            } else {
                self.rest = &self.rest[end..];
                self.line += 1;
                cells.extend(line.trim_end_matches(['\n', '\r']).split(self.between).map(Cow::Borrowed));
            }
            if cells.iter().any(|cell| !cell.trim().is_empty()) {
                return Ok(Some(begins));
            }
        }
    }

    /// A row with quotes in it, which may go on over several lines.
    fn quoted(&mut self, cells: &mut Vec<Cow<'a, str>>) -> Result<(), String> {
        let begins = self.line;
        let mut cell = String::new();
        let mut inside = false;
        let mut chars = self.rest.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' if inside && chars.peek().is_some_and(|(_, next)| *next == '"') => {
                    chars.next();
                    cell.push('"');
                }
                '"' => inside = !inside,
                '\n' => {
                    self.line += 1;
                    if !inside {
                        cells.push(Cow::Owned(cell));
                        self.rest = &self.rest[at + 1..];
                        return Ok(());
                    }
                    cell.push(c);
                }
                c if c == self.between && !inside => cells.push(Cow::Owned(std::mem::take(&mut cell))),
                c => cell.push(c),
            }
        }
        self.rest = "";
        cells.push(Cow::Owned(cell));
        if inside { Err(format!("row {begins}: a quote is not closed")) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Column {
        Column::Name(name.to_owned())
    }

    #[test]
    fn heads_separators_and_quotes() {
        let x = named("x");
        for text in [
            "t,x\n0,1.5\n1,-2\n",
            "t;x\r\n0;1,5\r\n1;-2",
            "t\tx\n0\t1.5\n\n1\t-2\n\n",
            "\u{feff}\"t\",\"x\"\n0,\"1.5\"\n1,\" -2 \"\n",
        ] {
            assert_eq!(column(text, Some(&x), None).unwrap(), [1.5, -2.0], "{text}");
            assert_eq!(column(text, None, Some(&named("t"))).unwrap(), [1.5, -2.0], "{text}");
            assert_eq!(column(text, Some(&Column::Number(1)), None).unwrap(), [0.0, 1.0], "{text}");
        }
        assert_eq!(column("1\n2\n", None, None).unwrap(), [1.0, 2.0]);
        assert_eq!(column("\"a \"\"b\"\"\nc\",d\n1,2", Some(&named("d")), None).unwrap(), [2.0]);
    }

    #[test]
    fn mistakes_name_row_and_column() {
        for (text, wanted, message) in [
            ("t,x\n0,1\n1,abc\n", Some(named("x")), "row 3, column `x`: expected a number, found `abc`"),
            ("t,x\n0,1\n1\n", Some(named("x")), "row 3, column `x`: expected a number, found nothing"),
            ("t,x\n0,inf\n", Some(named("x")), "row 2, column `x`: expected a number, found `inf`"),
            ("t,left\n0,1\n", Some(named("lfet")), "there is no column `lfet`; did you mean `left`?"),
            (
                "1,2\n",
                Some(named("x")),
                "there is no column `x`; its columns have no names, give a number from 1",
            ),
            ("1,2\n", Some(Column::Number(3)), "there is no column 3, it has 2"),
            ("t,x\n1,2\n", None, "say which `column`: `t` or `x`"),
            ("x\n\"1\n", None, "row 2: a quote is not closed"),
            ("\n\n", None, "there are no numbers in it"),
        ] {
            assert_eq!(column(text, wanted.as_ref(), None).unwrap_err(), message, "{text}");
        }
    }
}
