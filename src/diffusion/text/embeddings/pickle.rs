//! Just enough of Python's pickle to find the tensors in a small file of PyTorch.
//!
//! Nothing is executed: names of classes and functions are names, and the few that make tensors are understood.
//! Values lie side by side and refer to each other by number, so that a file that mentions itself over and over
//! takes no more memory than it has bytes, and none that is deeply nested needs a deep stack.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use super::archive::Archive;

/// Why a file cannot be read.
type Why = String;

/// The number of a value.
type Id = usize;

#[derive(Clone, Debug)]
enum Value {
    Mark,
    /// None, floats, objects of no interest.
    Other,
    Int(i64),
    Text(String),
    /// Tuples, and lists.
    Row(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// `module.name`.
    Global(String),
    /// A call of the first with the second, and the state that was set on it.
    Made(Id, Id, Option<Id>),
    /// A reference to a storage.
    Storage(Id),
}

/// The tensors of a file as `torch.save` writes it: of a textual inversion the one in `string_to_param`, under the
/// name `emb_params`; else those of the dictionary that the file holds.
pub(super) fn tensors(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, Why> {
    let archive = Archive::open(bytes)?;
    let (name, pickle) = archive.only(".pkl")?;
    let folder = name.strip_suffix("data.pkl").ok_or("its pickle is not called data.pkl")?;
    if archive.get(&format!("{folder}byteorder")).is_ok_and(|order| order != b"little") {
        return Err("its numbers are written big end first".to_owned());
    }
    let mut machine = Machine::default();
    let root = machine.run(pickle)?;
    let reader = Reader { values: &machine.values, archive: &archive, folder };
    let entries = reader.entries(root).ok_or("it holds no dictionary")?;
    match entries.iter().find(|(name, _)| *name == "string_to_param") {
        Some((_, params)) => {
            let params = reader.entries(*params).ok_or("its string_to_param is no dictionary")?;
            match params.as_slice() {
                [(_, only)] => {
                    let tensor = reader.tensor(*only)?.ok_or("its string_to_param holds no tensor")?;
                    Ok(BTreeMap::from([("emb_params".to_owned(), tensor)]))
                }
                several => Err(format!("expected one embedding in string_to_param, found {}", several.len())),
            }
        }
        None => {
            let mut found = BTreeMap::new();
            for (name, value) in entries {
                if let Some(tensor) = reader.tensor(value)? {
                    found.insert(name.to_owned(), tensor);
                }
            }
            Ok(found)
        }
    }
}

#[derive(Default)]
struct Machine {
    values: Vec<Value>,
    stack: Vec<Id>,
    memo: BTreeMap<usize, Id>,
}

/// Bytes that are read from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Why> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("its pickle ends too early")?;
        self.0 = rest;
        Ok(taken)
    }

    /// An unsigned number, little end first.
    fn number(&mut self, bytes: usize) -> Result<u64, Why> {
        Ok(self.take(bytes)?.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    fn length(&mut self, bytes: usize) -> Result<usize, Why> {
        usize::try_from(self.number(bytes)?).map_err(|_| "its pickle ends too early".to_owned())
    }

    fn line(&mut self) -> Result<&'a [u8], Why> {
        let end = self.0.iter().position(|byte| *byte == b'\n').ok_or("its pickle ends too early")?;
        let line = self.take(end)?;
        self.take(1)?;
        Ok(line)
    }

    fn text(&mut self, bytes: usize) -> Result<String, Why> {
        let length = self.length(bytes)?;
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }
}

impl Machine {
    /// Runs a pickle to its end; gives what it leaves.
    fn run(&mut self, pickle: &[u8]) -> Result<Id, Why> {
        let mut bytes = Bytes(pickle);
        loop {
            let code = bytes.take(1)?[0];
            match code {
                b'.' => return self.pop(),
                0x80 => drop(bytes.take(1)?),
                0x95 => drop(bytes.take(8)?),
                b'(' => self.push(Value::Mark),
                b'N' | 0x88 | 0x89 => self.push(Value::Other),
                b'G' => {
                    bytes.take(8)?;
                    self.push(Value::Other);
                }
                b'K' => self.int(bytes.number(1)? as i64),
                b'M' => self.int(bytes.number(2)? as i64),
                b'J' => self.int(i64::from(bytes.number(4)? as u32 as i32)),
                0x8a => self.long(&mut bytes)?,
                b'X' | b'T' => {
                    let text = bytes.text(4)?;
                    self.push(Value::Text(text));
                }
                0x8c | b'U' => {
                    let text = bytes.text(1)?;
                    self.push(Value::Text(text));
                }
                b'q' | b'r' | 0x94 => self.remember(code, &mut bytes)?,
                b'h' | b'j' => {
                    let at = bytes.length(if code == b'h' { 1 } else { 4 })?;
                    let id = *self.memo.get(&at).ok_or("it refers to what is not there")?;
                    self.stack.push(id);
                }
                b'c' | 0x93 => self.global(code, &mut bytes)?,
                _ => self.build(code)?,
            }
        }
    }

    /// The codes that put values together.
    fn build(&mut self, code: u8) -> Result<(), Why> {
        match code {
            b')' | b']' => self.push(Value::Row(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            0x85..=0x87 => {
                let count = usize::from(code - 0x84);
                let from = self.stack.len().checked_sub(count).ok_or(EMPTY)?;
                let items = self.stack.split_off(from);
                self.push(Value::Row(items));
            }
            b't' | b'l' => {
                let items = self.to_mark()?;
                self.push(Value::Row(items));
            }
            b'a' | b'e' => {
                let items = if code == b'a' { vec![self.pop()?] } else { self.to_mark()? };
                let row = *self.stack.last().ok_or(EMPTY)?;
                match &mut self.values[row] {
                    Value::Row(row) => row.extend(items),
                    _ => return Err("it adds items to what is no list".to_owned()),
                }
            }
            b's' | b'u' => {
                let items = match code {
                    b's' => self.stack.split_off(self.stack.len().checked_sub(2).ok_or(EMPTY)?),
                    _ => self.to_mark()?,
                };
                let pairs = items.chunks_exact(2).map(|pair| (pair[0], pair[1]));
                let dict = *self.stack.last().ok_or(EMPTY)?;
                if let Value::Dict(dict) = &mut self.values[dict] {
                    dict.extend(pairs);
                }
            }
            b'R' | 0x81 => {
                let (args, callable) = (self.pop()?, self.pop()?);
                let value = match &self.values[callable] {
                    Value::Global(name) if name == "collections.OrderedDict" => Value::Dict(Vec::new()),
                    _ => Value::Made(callable, args, None),
                };
                self.push(value);
            }
            b'b' => {
                let (state, object) = (self.pop()?, *self.stack.last().ok_or(EMPTY)?);
                if let Value::Made(.., kept) = &mut self.values[object] {
                    *kept = Some(state);
                }
            }
            b'Q' => {
                let id = self.pop()?;
                self.push(Value::Storage(id));
            }
            other => return Err(format!("its pickle has the code {other:#04x}, which is not understood")),
        }
        Ok(())
    }

    fn push(&mut self, value: Value) {
        self.stack.push(self.values.len());
        self.values.push(value);
    }

    fn int(&mut self, number: i64) {
        self.push(Value::Int(number));
    }

    /// A whole number of up to eight bytes.
    fn long(&mut self, bytes: &mut Bytes) -> Result<(), Why> {
        let length = bytes.length(1)?;
        let written = bytes.take(length)?;
        let value = match length {
            0 => Value::Int(0),
            1..=8 => {
                let negative = written[length - 1] & 0x80 != 0;
                let mut whole = if negative { [0xff; 8] } else { [0; 8] };
                whole[..length].copy_from_slice(written);
                Value::Int(i64::from_le_bytes(whole))
            }
            _ => Value::Other,
        };
        self.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<Id, Why> {
        self.stack.pop().ok_or_else(|| EMPTY.to_owned())
    }

    /// The values above the last mark.
    fn to_mark(&mut self) -> Result<Vec<Id>, Why> {
        let mark = self.stack.iter().rposition(|id| matches!(self.values[*id], Value::Mark)).ok_or(EMPTY)?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items)
    }

    fn remember(&mut self, code: u8, bytes: &mut Bytes) -> Result<(), Why> {
        let at = match code {
            b'q' => bytes.length(1)?,
            b'r' => bytes.length(4)?,
            _ => self.memo.len(),
        };
        self.memo.insert(at, *self.stack.last().ok_or(EMPTY)?);
        Ok(())
    }

    fn global(&mut self, code: u8, bytes: &mut Bytes) -> Result<(), Why> {
        let name = if code == b'c' {
            let (module, name) = (bytes.line()?, bytes.line()?);
            format!("{}.{}", String::from_utf8_lossy(module), String::from_utf8_lossy(name))
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            match (&self.values[module], &self.values[name]) {
                (Value::Text(module), Value::Text(name)) => format!("{module}.{name}"),
                _ => return Err("it names what has no name".to_owned()),
            }
        };
        self.push(Value::Global(name));
        Ok(())
    }
}

const EMPTY: &str = "its pickle takes more than it has put down";

/// Finds tensors among values.
struct Reader<'a> {
    values: &'a [Value],
    archive: &'a Archive<'a>,
    folder: &'a str,
}

impl<'a> Reader<'a> {
    /// The named entries of a dictionary, or of an object that keeps parameters (`torch.nn.ParameterDict`).
    fn entries(&self, id: Id) -> Option<Vec<(&'a str, Id)>> {
        let named = |pairs: &'a [(Id, Id)]| -> Vec<(&'a str, Id)> {
            pairs.iter().filter_map(|(key, value)| Some((self.text(*key)?, *value))).collect()
        };
        match &self.values[id] {
            Value::Dict(pairs) => Some(named(pairs)),
            Value::Made(.., Some(state)) => {
                let Value::Dict(state) = &self.values[*state] else { return None };
                let inner = named(state).into_iter().find(|(name, _)| *name == "_parameters")?.1;
                match &self.values[inner] {
                    Value::Dict(pairs) => Some(named(pairs)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn text(&self, id: Id) -> Option<&'a str> {
        match &self.values[id] {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn row(&self, id: Id) -> Option<&'a [Id]> {
        match &self.values[id] {
            Value::Row(row) => Some(row),
            _ => None,
        }
    }

    /// A number that is not below 0.
    fn count(&self, id: Id) -> Option<usize> {
        match self.values[id] {
            Value::Int(number) => usize::try_from(number).ok(),
            _ => None,
        }
    }

    fn counts(&self, id: Id) -> Option<Vec<usize>> {
        self.row(id)?.iter().map(|id| self.count(*id)).collect()
    }

    /// The tensor that a call makes; `None` for values of other kinds.
    fn tensor(&self, id: Id) -> Result<Option<Tensor>, Why> {
        let made = |id: Id| match &self.values[id] {
            Value::Made(callable, args, _) => match &self.values[*callable] {
                Value::Global(name) => Some((name.as_str(), self.row(*args)?)),
                _ => None,
            },
            _ => None,
        };
        let tensor = match made(id) {
            Some(("torch._utils._rebuild_parameter", [tensor, ..])) => made(*tensor),
            other => other,
        };
        match tensor {
            Some(("torch._utils._rebuild_tensor_v2", [storage, offset, size, stride, ..])) => {
                let place = || Some((self.count(*offset)?, self.counts(*size)?, self.counts(*stride)?));
                let (offset, size, stride) = place().ok_or("a tensor has no size")?;
                self.strided(*storage, offset, &size, &stride).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn strided(&self, storage: Id, offset: usize, size: &[usize], stride: &[usize]) -> Result<Tensor, Why> {
        let parts = || match self.values[storage] {
            Value::Storage(id) => match self.row(id)? {
                [_, class, key, ..] => match &self.values[*class] {
                    Value::Global(class) => Some((class.as_str(), self.text(*key)?)),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        };
        let (class, key) = parts().ok_or("a tensor has no storage")?;
        let (width, read) = number_of(class).ok_or_else(|| format!("its numbers are of the kind {class}"))?;
        let data = self.archive.get(&format!("{}data/{key}", self.folder))?;
        let count = size.iter().try_fold(1_usize, |product, side| product.checked_mul(*side));
        let fits = size.len() == stride.len() && size.len() <= 4;
        let count =
            count.filter(|count| fits && *count <= data.len() / width).ok_or("a tensor is cut short")?;
        let value = |index: usize| -> Option<f32> {
            let (mut rest, mut at) = (index, offset);
            for (side, stride) in size.iter().zip(stride).rev() {
                at = at.checked_add((rest % side).checked_mul(*stride)?)?;
                rest /= side;
            }
            let from = at.checked_mul(width)?;
            Some(read(data.get(from..from.checked_add(width)?)?))
        };
        let values: Option<Vec<f32>> = (0..count).map(value).collect();
        let values = values.ok_or("a tensor is cut short")?;
        Tensor::from_vec(values, size, &Device::Cpu).map_err(|e| e.to_string())
    }
}

/// Width in bytes and meaning of a storage's numbers.
fn number_of(class: &str) -> Option<(usize, fn(&[u8]) -> f32)> {
    Some(match class {
        "torch.FloatStorage" => (4, |b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
        "torch.HalfStorage" => (2, |b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()),
        "torch.BFloat16Storage" => (2, |b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32()),
        "torch.DoubleStorage" => {
            (8, |b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32)
        }
        _ => return None,
    })
}
