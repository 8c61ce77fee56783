//! `variants { seed = [1, 2]  smiling = [0.0, 0.4] }`: every combination is a film of its own. They are
//! counted as the lines are written, the last name changing fastest.

use super::expr::Expr;
use super::names::{alternatives, did_you_mean};
use super::syntax::Name;

/// Most combinations of a film.
pub const MAX_VARIANTS: u128 = 1000;
/// Longest name of a combination in a file name, in bytes.
const MAX_LABEL: usize = 100;
/// Longest part that one value has in it.
const MAX_PART: usize = 32;

/// A name and the values it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// A parameter of the film or a name bound by `let`.
    pub name: Name,
    /// At least one, no two alike.
    pub values: Vec<AxisValue>,
}

/// One of an axis' values.
#[derive(Clone, Debug, PartialEq)]
pub struct AxisValue {
    /// As it was written.
    pub expr: Expr,
    /// Its text; of a string without the quotes.
    pub text: String,
    /// What file names call it; no two of an axis alike, letter case aside.
    pub label: String,
}

/// A name with the value that stands instead of what the film says.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// The parameter or the name bound by `let`.
    pub name: Name,
    /// The value.
    pub value: Expr,
}

/// One combination.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Its number, from 1.
    pub number: usize,
    /// A value for each axis.
    pub chosen: Vec<Chosen>,
    /// What file names call it: `seed-1.smiling-0.4`.
    pub label: String,
    /// How `--variant` asks for it: `seed=1,smiling=0.4`.
    pub text: String,
}

/// How many combinations there are; 0 for a film without variants.
pub fn count(axes: &[Axis]) -> u128 {
    if axes.is_empty() {
        return 0;
    }
    axes.iter().fold(1, |all, axis| all.saturating_mul(axis.values.len() as u128))
}

/// All combinations in order.
pub fn all(axes: &[Axis]) -> impl Iterator<Item = Variant> + '_ {
    (0..count(axes).min(MAX_VARIANTS) as usize).map(|index| nth(axes, index))
}

/// Combination `index`, from 0.
fn nth(axes: &[Axis], index: usize) -> Variant {
    let mut rest = index;
    let mut values: Vec<(&Axis, &AxisValue)> = Vec::with_capacity(axes.len());
    for axis in axes.iter().rev() {
        values.push((axis, &axis.values[rest % axis.values.len()]));
        rest /= axis.values.len();
    }
    values.reverse();
    let part =
        |(axis, value): &(&Axis, &AxisValue)| format!("{}-{}", axis.name.text.replace('.', "_"), value.label);
    let label = values.iter().map(part).collect::<Vec<_>>().join(".");
    let text = |(axis, value): &(&Axis, &AxisValue)| format!("{}={}", axis.name.text, value.label);
    Variant {
        number: index + 1,
        chosen: values
            .iter()
            .map(|(axis, value)| Chosen { name: axis.name.clone(), value: value.expr.clone() })
            .collect(),
        // File names have a limit.
        label: if label.len() > MAX_LABEL { format!("variant-{:04}", index + 1) } else { label },
        text: values.iter().map(text).collect::<Vec<_>>().join(","),
    }
}

/// The combinations that `wanted` asks for: a number from 1, or `name=value` parted by commas, where
/// a name that is left out takes all its values.
///
/// # Errors
/// Message and hint: there is no such number, name or value.
pub fn select(axes: &[Axis], wanted: &str) -> Result<Vec<Variant>, (String, String)> {
    let total = count(axes);
    if axes.is_empty() {
        let hint = "leave `--variant` out, or give the film a block `variants { seed = [1, 2] }`";
        return Err(("the film has no variants".to_owned(), hint.to_owned()));
    }
    if let Ok(number) = wanted.trim().parse::<usize>() {
        let index = number.checked_sub(1).filter(|index| (*index as u128) < total);
        return index.map(|index| vec![nth(axes, index)]).ok_or_else(|| {
            let hint = "`kinora check` lists them with their numbers".to_owned();
            (format!("there is no variant {number}, the film has {total}"), hint)
        });
    }
    let mut kept: Vec<Axis> = axes.to_vec();
    for (name, value) in parts(axes, wanted)? {
        let axis = find(&mut kept, name)?;
        let at = axis.values.iter().position(|known| is_meant(known, value));
        let known: Vec<&str> = axis.values.iter().map(|value| value.label.as_str()).collect();
        let Some(at) = at else {
            let hint = did_you_mean(value, known.iter().copied());
            let hint = hint.unwrap_or_else(|| format!("it is {}", alternatives(&known)));
            return Err((format!("no variant has `{name}={value}`"), hint));
        };
        axis.values = vec![axis.values[at].clone()];
    }
    Ok(all(axes).filter(|variant| matches(variant, &kept)).collect())
}

fn matches(variant: &Variant, kept: &[Axis]) -> bool {
    let both = variant.chosen.iter().zip(kept);
    both.into_iter()
        .all(|(chosen, axis)| axis.values.iter().any(|value| value.expr.span == chosen.value.span))
}

/// `seed=1,smiling=0.4` in its parts. A comma that no name of an axis follows belongs to the value.
fn parts<'a>(axes: &[Axis], wanted: &'a str) -> Result<Vec<(&'a str, &'a str)>, (String, String)> {
    let mut starts = vec![0];
    for (at, _) in wanted.match_indices(',') {
        let name = wanted[at + 1..].split('=').next().unwrap_or("").trim();
        let is_name = wanted[at + 1..].contains('=') && !name.contains([',', '(', '"']);
        if is_name || axes.iter().any(|axis| axis.name.text == name) {
            starts.push(at + 1);
        }
    }
    starts.push(wanted.len() + 1);
    let pieces = starts.windows(2).map(|pair| &wanted[pair[0]..pair[1] - 1]);
    pieces
        .map(|piece| {
            let (name, value) = piece.split_once('=').ok_or_else(|| {
                let hint = "write a number, or `name=value,name=value`".to_owned();
                (format!("`{piece}` names no variant"), hint)
            })?;
            Ok((name.trim(), value.trim()))
        })
        .collect()
}

fn find<'a>(axes: &'a mut [Axis], name: &str) -> Result<&'a mut Axis, (String, String)> {
    let names: Vec<String> = axes.iter().map(|axis| axis.name.text.clone()).collect();
    axes.iter_mut().find(|axis| axis.name.text == name).ok_or_else(|| {
        let near = did_you_mean(name, names.iter().map(String::as_str));
        let hint = near.unwrap_or_else(|| format!("there is {}", alternatives(&names)));
        (format!("the film's variants have no `{name}`"), hint)
    })
}

fn is_meant(known: &AxisValue, written: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    known.label == written
        || known.text == written.trim_matches('"')
        || (number(written).is_some() && number(&known.text) == number(written))
}

/// What file names call values with these texts: letters, digits and `.+-_`; the same ones get numbers.
pub(super) fn labels(texts: &[String]) -> Vec<String> {
    let mut taken: Vec<String> = Vec::new();
    for text in texts {
        let plain = plain(text);
        let mut label = plain.clone();
        let mut number = 2;
        while taken.iter().any(|other| other.to_lowercase() == label.to_lowercase()) {
            label = format!("{plain}_{number}");
            number += 1;
        }
        taken.push(label);
    }
    taken
}

fn plain(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(MAX_PART) {
        match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-') => out.push(c),
            _ if out.ends_with('_') => {}
            _ => out.push('_'),
        }
    }
    let out = out.trim_matches(['_', '.']).to_owned();
    if out.is_empty() { "empty".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::read;
    use proptest::prelude::*;

    fn axes(text: &str) -> Vec<Axis> {
        let film = format!(
            "kinora 1\nframes = 2\nprompt = \"a\"\nlet smiling = 0\nnoise = smiling * 0.01\n{text}\n"
        );
        read("film.kin", &film).unwrap().0.variants
    }

    #[test]
    fn combinations_come_in_the_order_of_nested_loops() {
        let axes = axes("variants { seed = [1, 2]  smiling = [0.0, 0.4, -1] }");
        let labels: Vec<String> = all(&axes).map(|variant| variant.label).collect();
        assert_eq!(
            labels,
            [
                "seed-1.smiling-0.0",
                "seed-1.smiling-0.4",
                "seed-1.smiling--1",
                "seed-2.smiling-0.0",
                "seed-2.smiling-0.4",
                "seed-2.smiling--1",
            ]
        );
        assert_eq!(count(&axes), 6);
        assert_eq!(all(&[]).count(), 0);
    }

    #[test]
    fn one_is_picked_by_number_or_by_values() {
        let axes = axes("variants { seed = [1, 2]  smiling = [0.0, 0.4] }");
        let numbers = |wanted: &str| -> Vec<usize> {
            select(&axes, wanted).unwrap().iter().map(|variant| variant.number).collect()
        };
        assert_eq!(numbers("3"), [3]);
        assert_eq!(numbers("seed=1,smiling=0.4"), [2]);
        assert_eq!(numbers("smiling=0.40, seed = 2"), [4]);
        assert_eq!(numbers("seed=2"), [3, 4]);
        for (wanted, message, hint) in [
            ("0", "there is no variant 0, the film has 4", "lists them"),
            ("5", "there is no variant 5, the film has 4", "lists them"),
            ("sede=1", "the film's variants have no `sede`", "did you mean `seed`?"),
            ("seed=1,smilng=0.4", "the film's variants have no `smilng`", "did you mean `smiling`?"),
            ("seed=9", "no variant has `seed=9`", "it is `1` or `2`"),
            ("seed", "`seed` names no variant", "name=value"),
        ] {
            let (found, help) = select(&axes, wanted).unwrap_err();
            assert_eq!(found, message);
            assert!(help.contains(hint), "{help}");
        }
        assert!(select(&[], "1").is_err());
    }

    #[test]
    fn texts_become_names_of_files() {
        let axes = axes("variants { prompt = [\"a cat, red\", \"A cat: red\", \"../../x\"] }");
        let labels: Vec<String> = all(&axes).map(|variant| variant.label).collect();
        assert_eq!(labels, ["prompt-a_cat_red", "prompt-A_cat_red_2", "prompt-x"]);
        assert_eq!(select(&axes, "prompt=a cat, red").unwrap()[0].number, 1);
    }

    proptest! {
        #[test]
        fn every_combination_is_found_again(sizes in proptest::collection::vec(1usize..5, 1..4)) {
            let names = ["seed", "smiling", "noise"];
            let lines: Vec<String> = names.iter().zip(&sizes).map(|(name, size)| {
                let values: Vec<String> = (0..*size).map(|n| format!("0.{n}1")).collect();
                let values = if *name == "seed" { (0..*size).map(|n| n.to_string()).collect() } else { values };
                format!("{name} = [{}]", values.join(", "))
            }).collect();
            let film = format!("kinora 1\nframes = 2\nprompt = \"a\"\nlet smiling = 0\n\
                variants {{ {} }}\n", lines.join("  "));
            let axes = read("film.kin", &film).unwrap().0.variants;
            let all: Vec<Variant> = all(&axes).collect();
            prop_assert_eq!(all.len(), sizes.iter().product::<usize>());
            let labels: std::collections::BTreeSet<&str> = all.iter().map(|variant| variant.label.as_str()).collect();
            prop_assert_eq!(labels.len(), all.len());
            for variant in &all {
                prop_assert_eq!(&select(&axes, &variant.text).unwrap(), &vec![variant.clone()]);
                prop_assert_eq!(&select(&axes, &variant.number.to_string()).unwrap(), &vec![variant.clone()]);
            }
        }
    }
}
