//! The head of a safetensors file, read without trusting it.
//!
//! A file is eight bytes with the length of the head (little end first), the head, and the tensors' bytes
//! without gaps that matter. The head is a JSON object: per tensor its type, shape and the two ends of its
//! bytes, counted from the end of the head (safetensors 0.8, "Format").

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// Bytes of the longest head that is read, as in safetensors' own reader.
const LONGEST: u64 = 100_000_000;

/// A tensor has no more sides than this: convolutions have four, five in video models.
const SIDES: usize = 8;

/// What a head says of one tensor. The bytes lie inside the file, and there are as many as shape and type
/// ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// The type's name in the file: `F16`, `BF16`, `F32`, `F8_E4M3` …
    pub dtype: String,
    /// Sides, outermost first.
    pub shape: Vec<usize>,
    /// The first byte, counted from the start of the file.
    pub start: usize,
    /// Behind the last byte.
    pub end: usize,
}

impl TensorInfo {
    /// Whether its numbers are floating-point ones of a type that is read.
    pub fn is_float(&self) -> bool {
        matches!(self.dtype.as_str(), "F16" | "BF16" | "F32" | "F64")
    }

    /// Bytes once it is loaded: halves stay halves, all else is widened to `f32`.
    pub fn loaded(&self) -> u64 {
        let each = if matches!(self.dtype.as_str(), "F16" | "BF16") { 2 } else { 4 };
        self.shape.iter().map(|side| *side as u64).fold(each, u64::saturating_mul)
    }
}

/// A head: every tensor by name, and free text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The tensors.
    pub tensors: BTreeMap<String, TensorInfo>,
    /// What trainers note beside them.
    pub metadata: BTreeMap<String, String>,
}

/// Why a head is refused: what was expected and found, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was expected and found.
    pub message: String,
    /// What to do.
    pub hint: &'static str,
}

const AGAIN: &str = "copy or download the file again";
const DAMAGED: &str = "the file is damaged or made to do harm; take it from another place";

fn refuse<T>(message: impl Into<String>, hint: &'static str) -> Result<T, Refusal> {
    Err(Refusal { message: message.into(), hint })
}

impl Header {
    /// Bytes at the start of a file of `size` bytes that hold the head, when the first eight are `length`.
    ///
    /// # Errors
    /// When there cannot be so many.
    pub fn extent(length: [u8; 8], size: u64) -> Result<usize, Refusal> {
        let length = u64::from_le_bytes(length);
        let end = length.saturating_add(8);
        if length > LONGEST {
            return refuse(
                format!("expected a safetensors file, its head would have {length} bytes"),
                "only safetensors weights are read, never .ckpt or .bin",
            );
        }
        if end > size {
            return refuse(format!("expected {end} bytes, the file has {size}: it is truncated"), AGAIN);
        }
        Ok(end as usize)
    }

    /// Reads the head of a whole file in memory.
    ///
    /// # Errors
    /// When it is none, or describes what is not there. Nothing is allocated by a number in the file.
    pub fn of(file: &[u8]) -> Result<Self, Refusal> {
        let size = file.len() as u64;
        let Some(length) = file.first_chunk() else {
            return refuse(
                format!("expected a safetensors file, found {size} bytes: it is truncated"),
                AGAIN,
            );
        };
        let end = Self::extent(*length, size)?;
        let head = file.get(8..end).unwrap_or_default();
        let text = std::str::from_utf8(head).map_err(|_| Refusal {
            message: "expected a safetensors file, its head is no text".to_owned(),
            hint: DAMAGED,
        })?;
        let written: Written = serde_json::from_str(text).map_err(|e| Refusal {
            message: format!("expected a safetensors file, its head cannot be read: {e}"),
            hint: DAMAGED,
        })?;
        let mut header = Self { metadata: written.metadata, tensors: BTreeMap::new() };
        for (name, entry) in written.tensors {
            let info = entry.check(&name, end, file.len())?;
            header.tensors.insert(name, info);
        }
        header.refuse_overlaps()?;
        Ok(header)
    }

    /// Two tensors in the same bytes are a trick, no saving: no writer makes such files.
    fn refuse_overlaps(&self) -> Result<(), Refusal> {
        let mut places: Vec<(usize, usize, &str)> =
            self.tensors.iter().map(|(name, info)| (info.start, info.end, name.as_str())).collect();
        places.sort_unstable();
        // An empty tensor has no bytes to share.
        places.retain(|(start, end, _)| start < end);
        match places.windows(2).find(|pair| pair[0].1 > pair[1].0) {
            None => Ok(()),
            Some(pair) => {
                let (a, b) = (pair[0].2, pair[1].2);
                refuse(format!("weights `{}` and `{}` lie in the same bytes", short(a), short(b)), DAMAGED)
            }
        }
    }

    /// Whether any tensor's name begins so.
    pub fn has_prefix(&self, prefix: &str) -> bool {
        let next = self.tensors.range(prefix.to_owned()..).next();
        next.is_some_and(|(name, _)| name.starts_with(prefix))
    }

    /// A tensor's shape.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|info| info.shape.as_slice())
    }

    /// Bytes of all tensors together once they are loaded.
    pub fn loaded(&self) -> u64 {
        self.tensors.values().map(TensorInfo::loaded).sum()
    }

    /// The type that most numbers are stored in.
    pub fn precision(&self) -> Option<&str> {
        let mut bytes: BTreeMap<&str, usize> = BTreeMap::new();
        for info in self.tensors.values() {
            *bytes.entry(&info.dtype).or_default() += info.end - info.start;
        }
        bytes.into_iter().max_by_key(|(_, bytes)| *bytes).map(|(dtype, _)| dtype)
    }
}

/// A name as it is shown: names come from a file and may be endless.
pub(super) fn short(name: &str) -> String {
    const SHOWN: usize = 120;
    if name.chars().count() <= SHOWN {
        return name.escape_debug().to_string();
    }
    let start: String = name.chars().take(SHOWN).collect();
    format!("{}…", start.escape_debug())
}

/// Bits of one number, by the name of its type (safetensors 0.8).
pub(super) fn bits(dtype: &str) -> Option<u64> {
    Some(match dtype {
        "F4" => 4,
        "F6_E2M3" | "F6_E3M2" => 6,
        "BOOL" | "U8" | "I8" | "F8_E5M2" | "F8_E4M3" | "F8_E8M0" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ" => 8,
        "F16" | "BF16" | "I16" | "U16" => 16,
        "F32" | "I32" | "U32" => 32,
        "F64" | "I64" | "U64" | "C64" => 64,
        _ => return None,
    })
}

/// A tensor's entry as it is written.
#[derive(serde::Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

impl Entry {
    /// Holds the entry against the file: `head` bytes before the tensors, `size` in all.
    fn check(self, name: &str, head: usize, size: usize) -> Result<TensorInfo, Refusal> {
        let wrong = |message: String| Refusal {
            message: format!("weight `{}`: {message}", short(name)),
            hint: DAMAGED,
        };
        let Self { dtype, shape, data_offsets: (from, to) } = self;
        let Some(bits) = bits(&dtype) else {
            return Err(wrong(format!("expected a type of numbers, found `{}`", short(&dtype))));
        };
        if shape.len() > SIDES {
            return Err(wrong(format!("expected at most {SIDES} sides, found {}", shape.len())));
        }
        if from > to {
            return Err(wrong(format!("its bytes begin at {from} and end at {to}")));
        }
        let needed = shape.iter().try_fold(bits, |bits, side| bits.checked_mul(*side));
        if needed != (to - from).checked_mul(8) {
            return Err(wrong(format!("shape {shape:?} of {dtype} does not take {} bytes", to - from)));
        }
        let end = (head as u64).saturating_add(to);
        if end > size as u64 {
            let message = format!("expected {end} bytes, the file has {size}: it is truncated");
            return Err(Refusal { message, hint: AGAIN });
        }
        let shape = shape.into_iter().map(|side| side as usize).collect();
        Ok(TensorInfo { dtype, shape, start: head + from as usize, end: end as usize })
    }
}

/// The head as it is written. A name may stand there once.
#[derive(Default)]
struct Written {
    tensors: BTreeMap<String, Entry>,
    metadata: BTreeMap<String, String>,
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Head;
        impl<'de> Visitor<'de> for Head {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
                let mut written = Written::default();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        let noted = map.next_value::<Option<BTreeMap<String, serde_json::Value>>>()?;
                        let text = |value: serde_json::Value| match value {
                            serde_json::Value::String(text) => text,
                            other => other.to_string(),
                        };
                        written.metadata =
                            noted.unwrap_or_default().into_iter().map(|(k, v)| (k, text(v))).collect();
                    } else {
                        let entry = map.next_value()?;
                        if written.tensors.insert(name.clone(), entry).is_some() {
                            let message = format!("weight `{}` is there twice", short(&name));
                            return Err(serde::de::Error::custom(message));
                        }
                    }
                }
                Ok(written)
            }
        }
        from.deserialize_map(Head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(head: &str, bytes: usize) -> Vec<u8> {
        let mut file = (head.len() as u64).to_le_bytes().to_vec();
        file.extend(head.bytes());
        file.extend(std::iter::repeat_n(0, bytes));
        file
    }

    #[test]
    fn a_head_is_read_with_its_notes() {
        let head = r#"{"__metadata__":{"a":"b"},"x":{"dtype":"F16","shape":[2,1],"data_offsets":[0,4]}}"#;
        let header = Header::of(&file(head, 4)).unwrap();
        assert_eq!(header.metadata["a"], "b");
        assert_eq!(header.shape("x"), Some(&[2, 1][..]));
        assert_eq!((header.loaded(), header.precision()), (4, Some("F16")));
        assert!(header.has_prefix("x") && !header.has_prefix("y"));
    }

    #[test]
    fn what_does_not_describe_the_file_is_refused_by_name() {
        let refusals = [
            (r#"{"x":{"dtype":"F16","shape":[3],"data_offsets":[0,4]}}"#, "does not take 4 bytes"),
            (r#"{"x":{"dtype":"F16","shape":[2],"data_offsets":[4,0]}}"#, "begin at 4"),
            (r#"{"x":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}}"#, "truncated"),
            (
                r#"{"x":{"dtype":"F16","shape":[18446744073709551615,4],"data_offsets":[0,4]}}"#,
                "does not take",
            ),
            (
                r#"{"x":{"dtype":"F16","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#,
                "does not take",
            ),
            (r#"{"x":{"dtype":"Q4","shape":[2],"data_offsets":[0,4]}}"#, "`Q4`"),
            (r#"{"x":{"dtype":"F16","shape":[2,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}"#, "at most 8 sides"),
            (r#"{"x":{"dtype":"F16","shape":[-2],"data_offsets":[0,4]}}"#, "cannot be read"),
            (r#"{"x":{"dtype":"F16"}}"#, "cannot be read"),
            (r#"[1]"#, "cannot be read"),
            (
                r#"{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"x":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#,
                "twice",
            ),
            (
                r#"{"x":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"y":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}"#,
                "`x` and `y` lie in the same bytes",
            ),
        ];
        for (head, expected) in refusals {
            let refusal = Header::of(&file(head, 4)).unwrap_err();
            assert!(refusal.message.contains(expected), "{head}: {}", refusal.message);
        }
    }

    #[test]
    fn lengths_that_cannot_be_are_refused() {
        assert!(Header::of(b"").unwrap_err().message.contains("0 bytes"));
        assert!(Header::of(&u64::MAX.to_le_bytes()).unwrap_err().message.contains("18446744073709551615"));
        assert!(Header::of(&[200, 0, 0, 0, 0, 0, 0, 0, b'{']).unwrap_err().message.contains("truncated"));
    }
}
