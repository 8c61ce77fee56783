//! Just enough of ZIP to find the files in what PyTorch saves: they are stored, never packed.

/// A ZIP file in memory.
pub(super) struct Archive<'a> {
    bytes: &'a [u8],
    /// Names, and where their headers and contents lie.
    entries: Vec<(String, Entry)>,
}

#[derive(Clone, Copy)]
struct Entry {
    header: usize,
    size: usize,
    packed: bool,
}

/// Whether the bytes begin like a ZIP file.
pub(super) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

/// A number of `width` bytes, little end first.
fn number(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    let field = bytes.get(at..at.checked_add(width)?)?;
    Some(field.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
}

impl<'a> Archive<'a> {
    /// Reads the directory at the end.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, String> {
        let entries = directory(bytes).ok_or("it is cut short: its directory is missing")?;
        Ok(Self { bytes, entries })
    }

    /// The only file whose name ends so, with its name.
    pub(super) fn only(&self, end: &str) -> Result<(&str, &'a [u8]), String> {
        let mut fitting = self.entries.iter().filter(|(name, _)| name.ends_with(end));
        match (fitting.next(), fitting.next()) {
            (Some((name, _)), None) => Ok((name, self.get(name)?)),
            _ => Err(format!("expected one file of the kind {end} in it")),
        }
    }

    /// The content of a file.
    pub(super) fn get(&self, name: &str) -> Result<&'a [u8], String> {
        let found = self.entries.iter().find(|entry| entry.0 == name);
        let (_, entry) = found.ok_or_else(|| format!("it lacks the file {name}"))?;
        if entry.packed {
            return Err(format!("its file {name} is packed"));
        }
        let content = || {
            let (name, extra) =
                (number(self.bytes, entry.header + 26, 2)?, number(self.bytes, entry.header + 28, 2)?);
            let from = entry.header.checked_add(30 + name + extra)?;
            self.bytes.get(from..from.checked_add(entry.size)?)
        };
        content().ok_or_else(|| format!("it is cut short in the file {name}"))
    }
}

/// Reads the central directory (APPNOTE 6.3.10, 4.3.12 and 4.3.16).
fn directory(bytes: &[u8]) -> Option<Vec<(String, Entry)>> {
    // A comment of up to 64 KB may follow the end record, whose fixed part has 22 bytes.
    let earliest = bytes.len().saturating_sub(22 + 0xffff);
    let end = earliest + bytes[earliest..].windows(4).rposition(|four| four == b"PK\x05\x06")?;
    let count = number(bytes, end + 10, 2)?;
    let mut at = number(bytes, end + 16, 4)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        if bytes.get(at..at.checked_add(4)?)? != b"PK\x01\x02" {
            return None;
        }
        let field = |offset: usize, width: usize| number(bytes, at + offset, width);
        let (name, extra, comment) = (field(28, 2)?, field(30, 2)?, field(32, 2)?);
        let text = String::from_utf8_lossy(bytes.get(at + 46..at + 46 + name)?).into_owned();
        let entry = Entry { header: field(42, 4)?, size: field(24, 4)?, packed: field(10, 2)? != 0 };
        entries.push((text, entry));
        at += 46 + name + extra + comment;
    }
    Some(entries)
}
