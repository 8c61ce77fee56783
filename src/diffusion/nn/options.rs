//! Reading of diffusers' config.json files: options that kinora does not follow are refused by name.

use std::collections::BTreeMap;

use candle_core::Result;
use serde::Deserialize;
use serde_json::Value;

/// A number for all levels, or one per level.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum PerLevel {
    /// The same at every level.
    One(usize),
    /// From the highest resolution to the lowest.
    Each(Vec<usize>),
}

impl PerLevel {
    /// One number per level.
    ///
    /// # Errors
    /// When the list has another length; `name` is the option's name.
    pub fn levels(&self, count: usize, name: &str) -> Result<Vec<usize>> {
        match self {
            Self::One(value) => Ok(vec![*value; count]),
            Self::Each(values) if values.len() == count => Ok(values.clone()),
            Self::Each(values) => {
                candle_core::bail!("option `{name}`: expected {count} numbers, found {}", values.len())
            }
        }
    }
}

/// The options of a config that its struct has no field for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Options(BTreeMap<String, Value>);

impl Options {
    /// Passes when every option is in `inert` (no effect on the result), or has the value that `fixed`
    /// gives for it, or is switched off (null, false), or begins with an underscore (a remark).
    ///
    /// # Errors
    /// The first other option, by name, with expected and found value.
    pub fn check(&self, inert: &[&str], fixed: &[(&str, Value)]) -> Result<()> {
        for (name, found) in &self.0 {
            let name = name.as_str();
            if name.starts_with('_') || inert.contains(&name) {
                continue;
            }
            match fixed.iter().find(|(fixed_name, _)| *fixed_name == name) {
                Some((_, expected)) if !same(expected, found) => {
                    candle_core::bail!(
                        "option `{name}`: expected {expected}, found {found}, which kinora does not support"
                    );
                }
                None if !matches!(found, Value::Null | Value::Bool(false)) => {
                    candle_core::bail!("option `{name}` = {found}: kinora does not know this option");
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Equality that does not tell 1 from 1.0.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn options(value: Value) -> Options {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn switched_off_inert_and_fixed_options_pass() {
        let given = options(json!({"_note": 3, "a": null, "b": false, "dropout": 0.5, "scale": 1}));
        given.check(&["dropout"], &[("scale", json!(1.0))]).unwrap();
    }

    #[test]
    fn others_are_refused_by_name() {
        let unknown = options(json!({"shiny": 2})).check(&[], &[]).unwrap_err().to_string();
        assert!(unknown.contains("`shiny` = 2"), "{unknown}");
        let other = options(json!({"act_fn": "gelu"})).check(&[], &[("act_fn", json!("silu"))]);
        let other = other.unwrap_err().to_string();
        assert!(other.contains("`act_fn`: expected \"silu\", found \"gelu\""), "{other}");
    }

    #[test]
    fn a_list_must_have_a_number_per_level() {
        assert_eq!(PerLevel::One(8).levels(3, "x").unwrap(), [8, 8, 8]);
        assert!(PerLevel::Each(vec![1, 2]).levels(3, "x").is_err());
    }
}
