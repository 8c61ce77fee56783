//! Deforum's settings files: JSON over the interface's defaults, with the renames that Deforum does for
//! old files. Everything stays JSON; the groups are Deforum's.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::ReadError;
use super::defaults::{CONTROLNET, CONTROLNET_UNITS, GROUPS, Preset};
use crate::schedule::span::Span;

/// Largest settings file or manifest that is read, in bytes.
pub const MAX_FILE: usize = 32 << 20;

/// Key frames and prompts in the order of the file.
pub type Prompts = Vec<(String, String)>;

/// Settings after loading a file.
#[derive(Clone, Debug)]
pub struct Settings {
    /// By group (`args`, `anim_args`, `loop_args`, `parseq_args`, `video_args`, `controlnet_args`), then
    /// by key.
    pub groups: BTreeMap<String, BTreeMap<String, Value>>,
    /// The key prompts; `None` when the file has none.
    pub prompts: Option<Prompts>,
    /// Put in front of every prompt.
    pub positive: String,
    /// Put behind every negative prompt.
    pub negative: String,
    /// Keys of the file that mean nothing to Deforum.
    pub unknown: Vec<String>,
    /// What was changed while loading, one sentence each.
    pub messages: Vec<String>,
}

impl Settings {
    /// What the interface holds before a file is loaded.
    pub fn defaults() -> Self {
        let mut groups: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
        for (group, settings) in GROUPS {
            let entries = settings.iter().map(|(key, v)| ((*key).to_owned(), json(*v)));
            groups.insert((*group).to_owned(), entries.collect());
        }
        let units = (1..=CONTROLNET_UNITS)
            .flat_map(|n| CONTROLNET.iter().map(move |(key, v)| (format!("cn_{n}_{key}"), json(*v))));
        groups.insert("controlnet_args".into(), units.collect());
        Self {
            groups,
            prompts: None,
            positive: String::new(),
            negative: String::new(),
            unknown: Vec::new(),
            messages: Vec::new(),
        }
    }

    /// What the interface holds, with `own` schedules (name and text) in place of some; names that are no
    /// settings are left out.
    pub fn over_defaults(own: &[(String, String)]) -> Self {
        let mut settings = Self::defaults();
        for (key, text) in own {
            if let Some(slot) = settings.groups.values_mut().find_map(|group| group.get_mut(key)) {
                *slot = Value::String(text.clone());
            }
        }
        settings
    }

    /// Reads a settings file over the defaults.
    ///
    /// # Errors
    /// Text that is not a JSON object (Python's `True`, `None`, `NaN`, a byte order mark and trailing
    /// commas are put right), prompts that are not texts, files over [`MAX_FILE`].
    pub fn read(text: &str) -> Result<Self, ReadError> {
        let mut entries = parse(text)?;
        let mut settings = Self::defaults();
        let prompts = entries.remove("prompts").or_else(|| entries.remove("animation_prompts"));
        settings.prompts = prompts.map(Loose::prompts).transpose()?;
        let mut plain: BTreeMap<String, Value> =
            entries.into_iter().map(|(key, v)| (key, v.value())).collect();
        settings.positive = take_text(&mut plain, "animation_prompts_positive");
        settings.negative = take_text(&mut plain, "animation_prompts_negative");
        settings.messages = rename_deprecated(&mut plain);
        for (key, value) in plain {
            settings.set(key, value);
        }
        Ok(settings)
    }

    /// The value of a setting, whatever its group.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.groups.values().find_map(|group| group.get(key))
    }

    /// The text of a schedule; numbers that stand where a schedule should are taken as constants.
    pub fn schedule(&self, key: &str) -> Option<String> {
        match self.get(key)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(v) => Some(format!("0:({v})")),
            _ => None,
        }
    }

    fn set(&mut self, key: String, value: Value) {
        // Deforum never reads these back.
        if matches!(
            key.as_str(),
            "perlin_w" | "perlin_h" | "image_path" | "outdir" | "init_sample" | "init_image_box"
        ) {
            return;
        }
        match self.groups.values_mut().find_map(|group| group.get_mut(&key)) {
            Some(slot) => *slot = value,
            None => self.unknown.push(key),
        }
    }
}

fn json(default: Preset) -> Value {
    match default {
        Preset::Null => Value::Null,
        Preset::Bool(v) => v.into(),
        Preset::Int(v) => v.into(),
        Preset::Float(v) => v.into(),
        Preset::Text(v) => v.into(),
    }
}

fn take_text(entries: &mut BTreeMap<String, Value>, key: &str) -> String {
    match entries.remove(key) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    }
}

/// A JSON value that remembers the order of a top-level object's entries.
enum Loose {
    Object(Vec<(String, Value)>),
    Other(Value),
}

impl Loose {
    fn value(self) -> Value {
        match self {
            Self::Object(entries) => Value::Object(entries.into_iter().collect()),
            Self::Other(value) => value,
        }
    }

    fn prompts(self) -> Result<Prompts, ReadError> {
        let wrong = |found: &str| {
            ReadError::new(
                Span::default(),
                format!("expected prompts as an object of frame and text, found {found}"),
            )
        };
        // Some files have the object inside a string.
        let entries = match self {
            Self::Object(entries) => entries,
            Self::Other(Value::String(text)) => {
                parse(&text)?.into_iter().map(|(k, v)| (k, v.value())).collect()
            }
            Self::Other(other) => return Err(wrong(&other.to_string())),
        };
        let mut prompts: Prompts = Vec::with_capacity(entries.len());
        for (frame, value) in entries {
            let Value::String(text) = value else {
                return Err(wrong(&format!("{value} at `{frame}`")));
            };
            match prompts.iter_mut().find(|(f, _)| *f == frame) {
                Some(slot) => slot.1 = text,
                None => prompts.push((frame, text)),
            }
        }
        Ok(prompts)
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Loose;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Loose::Object(entries))
            }
            fn visit_bool<E>(self, v: bool) -> Result<Loose, E> {
                Ok(Loose::Other(v.into()))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Loose, E> {
                Ok(Loose::Other(v.into()))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Loose, E> {
                Ok(Loose::Other(v.into()))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Loose, E> {
                Ok(Loose::Other(v.into()))
            }
            fn visit_str<E>(self, v: &str) -> Result<Loose, E> {
                Ok(Loose::Other(v.into()))
            }
            fn visit_unit<E>(self) -> Result<Loose, E> {
                Ok(Loose::Other(Value::Null))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Loose, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Loose::Other(Value::Array(items)))
            }
        }
        deserializer.deserialize_any(Entries)
    }
}

fn parse(text: &str) -> Result<BTreeMap<String, Loose>, ReadError> {
    serde_json::from_str(&relaxed(text)?).map_err(|e| {
        ReadError::new(Span::default(), format!("expected a JSON object of settings: {e}"))
            .hint("save the file again from deforum, or check the quotes and commas at that line")
    })
}

/// The text as strict JSON: without byte order mark and trailing commas, Python's constants as JSON's.
pub(crate) fn relaxed(text: &str) -> Result<String, ReadError> {
    if text.len() > MAX_FILE {
        let message = format!("expected a file of at most {MAX_FILE} bytes, found {}", text.len());
        return Err(ReadError::new(Span::default(), message));
    }
    let mut rest = text.trim_start_matches('\u{feff}');
    let mut strict = String::with_capacity(rest.len());
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '"' => copy_string(rest, &mut strict),
            ',' if rest[1..].trim_start().starts_with(['}', ']']) => 1,
            c if c.is_ascii_alphabetic() => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
                strict.push_str(match &rest[..end] {
                    "True" => "true",
                    "False" => "false",
                    "None" | "NaN" | "Infinity" => "null",
                    word => word,
                });
                end
            }
            // The exponent of a number is not a word.
            c if c.is_ascii_digit() => {
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).unwrap_or(rest.len());
                strict.push_str(&rest[..end]);
                end
            }
            c => {
                strict.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    Ok(strict)
}

/// Copies the string literal that `rest` begins with and gives its length.
fn copy_string(rest: &str, strict: &mut String) -> usize {
    let mut escaped = false;
    let end = rest[1..].find(|c| {
        let closing = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closing
    });
    let length = end.map_or(rest.len(), |end| end + 2);
    strict.push_str(&rest[..length]);
    length
}

/// Brings old keys and values to the present ones, as Deforum does when it loads a file; what was
/// changed, one sentence each.
pub fn rename_deprecated(entries: &mut BTreeMap<String, Value>) -> Vec<String> {
    let mut messages = Vec::new();
    for (old, new) in [
        ("flip_2d_perspective", "enable_perspective_flip"),
        ("skip_video_for_run_all", "skip_video_creation"),
    ] {
        if let Some(value) = entries.remove(old) {
            messages.push(format!("`{old}` is now called `{new}`"));
            entries.insert(new.into(), value);
        }
    }
    if entries.remove("histogram_matching").is_some() {
        messages.push("`histogram_matching` has no effect any more".into());
    }
    if let Some(zoe) = entries.remove("use_zoe_depth") {
        let name = if zoe == Value::Bool(true) { "Zoe+AdaBins (old)" } else { "Midas+AdaBins (old)" };
        messages.push(format!("`use_zoe_depth` is now depth_algorithm `{name}`"));
        entries.insert("depth_algorithm".into(), name.into());
    }
    for (key, value) in entries.iter_mut() {
        if let Some(new) = present_value(key, value) {
            messages.push(format!("`{key}`: {value} is now {new}"));
            *value = new;
        }
    }
    if !entries.contains_key("legacy_colormatch") {
        messages.push(
            "`legacy_colormatch` is missing: the file is old, and keeps the old colour matching".into(),
        );
        entries.insert("legacy_colormatch".into(), true.into());
    }
    messages
}

/// What an old value of a present key is called now.
fn present_value(key: &str, value: &Value) -> Option<Value> {
    let new = match (key, value) {
        ("color_coherence", Value::String(v)) => match v.as_str() {
            "Match Frame 0 HSV" => "HSV",
            "Match Frame 0 LAB" => "LAB",
            "Match Frame 0 RGB" => "RGB",
            _ => return None,
        },
        ("hybrid_composite", Value::Bool(v)) => {
            if *v {
                "Normal"
            } else {
                "None"
            }
        }
        ("optical_flow_redo_generation" | "optical_flow_cadence", Value::Bool(v)) => {
            if *v {
                "DIS Fine"
            } else {
                "None"
            }
        }
        _ => return present_controlnet(key, value),
    };
    Some(new.into())
}

fn present_controlnet(key: &str, value: &Value) -> Option<Value> {
    let (unit, name) = key.strip_prefix("cn_")?.split_once('_')?;
    let unit: u32 = unit.parse().ok()?;
    match (name, value) {
        ("weight" | "guidance_start" | "guidance_end", Value::Number(v)) if (1..=5).contains(&unit) => {
            Some(format!("0:({v})").into())
        }
        ("resize_mode", Value::String(v)) if (1..=3).contains(&unit) => match v.as_str() {
            "Envelope (Outer Fit)" => Some("Outer Fit (Shrink to Fit)".into()),
            "Scale to Fit (Inner Fit)" => Some("Inner Fit (Scale to Fit)".into()),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loose_json_is_put_right_outside_of_strings_only() {
        let text =
            "\u{feff}{\"zoom\": \"0:(1), True,}\", \"use_init\": True, \"fps\": 1e1, \"a\\\"\": None,}";
        let settings = Settings::read(text).unwrap();
        assert_eq!(settings.schedule("zoom").as_deref(), Some("0:(1), True,}"));
        assert_eq!(settings.get("use_init"), Some(&Value::Bool(true)));
        assert_eq!(settings.get("fps"), Some(&Value::from(10.0)));
        assert_eq!(settings.unknown, ["a\""]);
    }

    #[test]
    fn prompts_keep_their_order_and_repeated_frames_the_last_text() {
        let settings = Settings::read(r#"{"prompts": {"9": "c", "0": "a", "9": "b"}}"#).unwrap();
        assert_eq!(settings.prompts.unwrap(), [("9".into(), "b".into()), ("0".into(), "a".into())]);
        let older = Settings::read(r#"{"animation_prompts": {"0": "x"}}"#).unwrap();
        assert_eq!(older.prompts.unwrap(), [("0".into(), "x".into())]);
    }

    #[test]
    fn hostile_files_are_refused() {
        assert!(Settings::read(&"[".repeat(1_000_000)).is_err());
        assert!(Settings::read(&format!("{{\"a\": {}", "[".repeat(1_000_000))).is_err());
        assert!(Settings::read(&" ".repeat(50_000_000)).is_err());
        assert!(Settings::read("{\"prompts\": 3}").is_err());
        assert!(Settings::read("").is_err());
    }
}
