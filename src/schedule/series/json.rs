//! JSON: an array of numbers, an array of objects or arrays, or an object of arrays.

use serde_json::Value;

use super::{Column, no_column, shown, which_column};

/// The numbers of a column.
pub(super) fn column(text: &str, wanted: Option<&Column>, but: Option<&Column>) -> Result<Vec<f64>, String> {
    match serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))? {
        Value::Object(columns) => of_columns(&columns, wanted, but),
        Value::Array(rows) => of_rows(&rows, wanted, but),
        other => Err(format!("expected an array or an object, found {}", shown(&other.to_string()))),
    }
}

/// `{"x": [1, 2], "y": [3, 4]}`
fn of_columns(
    columns: &serde_json::Map<String, Value>,
    wanted: Option<&Column>,
    but: Option<&Column>,
) -> Result<Vec<f64>, String> {
    let names: Vec<&str> = columns.keys().map(String::as_str).collect();
    let name = pick(&names, wanted, but)?;
    let called = Column::Name(name.to_owned());
    match columns.get(name) {
        Some(Value::Array(cells)) => {
            cells.iter().enumerate().map(|(row, cell)| number(cell, row, Some(&called))).collect()
        }
        _ => Err(format!("{called}: expected an array of numbers")),
    }
}

/// `[1, 2]`, `[{"x": 1}, {"x": 2}]` or `[[0, 1], [1, 2]]`
fn of_rows(rows: &[Value], wanted: Option<&Column>, but: Option<&Column>) -> Result<Vec<f64>, String> {
    let called = match rows.first() {
        None => return Err("there are no numbers in it".to_owned()),
        Some(Value::Object(first)) => {
            let names: Vec<&str> = first.keys().map(String::as_str).collect();
            Some(Column::Name(pick(&names, wanted, but)?.to_owned()))
        }
        Some(Value::Array(first)) => Some(Column::Number(pick_number(first.len(), wanted, but)?)),
        Some(_) => match wanted {
            Some(wanted) if *wanted != Column::Number(1) => return Err(no_column(wanted, &[], 1)),
            _ => None,
        },
    };
    let cell = |row: &Value| match (&called, row) {
        (Some(Column::Name(name)), Value::Object(cells)) => cells.get(name).cloned(),
        (Some(Column::Number(at)), Value::Array(cells)) => cells.get(at - 1).cloned(),
        (None, value) => Some(value.clone()),
        _ => None,
    };
    let cells = rows.iter().enumerate();
    cells.map(|(at, row)| number(&cell(row).unwrap_or(Value::Null), at, called.as_ref())).collect()
}

fn pick<'a>(names: &[&'a str], wanted: Option<&Column>, but: Option<&Column>) -> Result<&'a str, String> {
    let find = |column: &Column| match column {
        Column::Name(name) => names.iter().copied().find(|known| known == name),
        // The keys of an object have no order.
        Column::Number(_) => None,
    };
    if let Some(wanted) = wanted {
        return find(wanted).ok_or_else(|| no_column(wanted, names, names.len()));
    }
    let but = but.and_then(find);
    let left: Vec<&str> = names.iter().copied().filter(|name| Some(*name) != but).collect();
    match left.as_slice() {
        [only] => Ok(only),
        _ => Err(which_column(names, names.len())),
    }
}

fn pick_number(count: usize, wanted: Option<&Column>, but: Option<&Column>) -> Result<usize, String> {
    let find = |column: &Column| match column {
        Column::Number(number) if (1..=count).contains(number) => Some(*number),
        _ => None,
    };
    if let Some(wanted) = wanted {
        return find(wanted).ok_or_else(|| no_column(wanted, &[], count));
    }
    let but = but.and_then(find);
    let left: Vec<usize> = (1..=count).filter(|number| Some(*number) != but).collect();
    match left.as_slice() {
        [only] => Ok(*only),
        _ => Err(which_column(&[], count)),
    }
}

fn number(cell: &Value, row: usize, called: Option<&Column>) -> Result<f64, String> {
    cell.as_f64().filter(|number| number.is_finite()).ok_or_else(|| {
        let found = if cell.is_null() { "nothing".to_owned() } else { shown(&cell.to_string()) };
        let column = called.map(|column| format!(", {column}")).unwrap_or_default();
        format!("row {}{column}: expected a number, found {found}", row + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_shapes() {
        let x = Column::Name("x".to_owned());
        for text in [r#"[{"t":0,"x":1.5},{"x":2,"t":1}]"#, r#"{"t":[0,1],"x":[1.5,2]}"#] {
            assert_eq!(column(text, Some(&x), None).unwrap(), [1.5, 2.0]);
            assert_eq!(column(text, None, Some(&Column::Name("t".to_owned()))).unwrap(), [1.5, 2.0]);
        }
        assert_eq!(column("[1.5, 2]", None, None).unwrap(), [1.5, 2.0]);
        assert_eq!(column("[[0, 1.5], [1, 2]]", Some(&Column::Number(2)), None).unwrap(), [1.5, 2.0]);
        assert_eq!(column("[[0, 1.5], [1, 2]]", None, Some(&Column::Number(1))).unwrap(), [1.5, 2.0]);
    }

    #[test]
    fn mistakes_name_row_and_column() {
        let name = |name: &str| Some(Column::Name(name.to_owned()));
        for (text, wanted, message) in [
            (r#"[{"x":1},{"x":"a"}]"#, name("x"), "row 2, column `x`: expected a number, found `\"a\"`"),
            (r#"[{"x":1},{}]"#, name("x"), "row 2, column `x`: expected a number, found nothing"),
            ("[1, null]", None, "row 2: expected a number, found nothing"),
            ("[1, 2]", name("x"), "there is no column `x`; its columns have no names, give a number from 1"),
            (r#"[{"left":1,"b":2}]"#, name("lfet"), "there is no column `lfet`; did you mean `left`?"),
            (r#"[{"a":1,"b":2}]"#, None, "say which `column`: `a` or `b`"),
            ("[]", None, "there are no numbers in it"),
            ("3", None, "expected an array or an object, found `3`"),
        ] {
            assert_eq!(column(text, wanted.as_ref(), None).unwrap_err(), message, "{text}");
        }
        assert!(column("[1, 2", None, None).unwrap_err().starts_with("it is no JSON: "));
    }
}
