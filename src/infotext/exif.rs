//! The `UserComment` of Exif data, where the web UI puts its text in JPEG and WebP files.

/// Tag of the pointer to the Exif directory.
const EXIF_POINTER: u16 = 0x8769;
/// Tag of the comment.
const USER_COMMENT: u16 = 0x9286;

/// The comment in a TIFF block (what follows `Exif\0\0`). `None` when there is none or the block is damaged.
pub(super) fn user_comment(tiff: &[u8]) -> Option<String> {
    let big = match tiff.get(..2)? {
        b"MM" => true,
        b"II" => false,
        _ => return None,
    };
    let tiff = Tiff { bytes: tiff, big };
    let first = tiff.number(4, 4)?;
    let (at, length) = match tiff.entry(first, EXIF_POINTER) {
        Some(entry) => tiff.content(tiff.entry(tiff.number(entry + 8, 4)?, USER_COMMENT)?)?,
        // Some programs leave the pointer out.
        None => tiff.content(tiff.entry(first, USER_COMMENT)?)?,
    };
    comment(tiff.bytes.get(at..at.checked_add(length)?)?, big)
}

/// A TIFF block and its byte order.
struct Tiff<'a> {
    bytes: &'a [u8],
    big: bool,
}

impl Tiff<'_> {
    /// The unsigned number of `size` bytes at `at`.
    fn number(&self, at: usize, size: usize) -> Option<usize> {
        let bytes = self.bytes.get(at..at.checked_add(size)?)?;
        let join = |sum: usize, byte: &u8| sum << 8 | usize::from(*byte);
        Some(if self.big { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) })
    }

    /// Where the entry of a tag stands in the directory at `at`: tag, kind, count, value, 12 bytes.
    fn entry(&self, at: usize, tag: u16) -> Option<usize> {
        let count = self.number(at, 2)?;
        let mut entries = (0..count).map(|i| at + 2 + i * 12).take_while(|at| at + 12 <= self.bytes.len());
        entries.find(|at| self.number(*at, 2) == Some(tag.into()))
    }

    /// Where an entry's bytes stand: inside the entry when they fit into four bytes.
    fn content(&self, entry: usize) -> Option<(usize, usize)> {
        let length = self.number(entry + 4, 4)?;
        Some(if length <= 4 { (entry + 8, length) } else { (self.number(entry + 8, 4)?, length) })
    }
}

/// A comment behind its eight bytes that name the coding (Exif 2.32, 4.6.5).
fn comment(bytes: &[u8], big: bool) -> Option<String> {
    let (coding, text) = bytes.split_at_checked(8).unwrap_or((b"", bytes));
    if coding == b"UNICODE\0" {
        return Some(utf16(text, big));
    }
    let text = if coding == b"ASCII\0\0\0" || coding == [0; 8] { text } else { bytes };
    Some(String::from_utf8_lossy(text).into_owned())
}

/// UTF-16 in whichever byte order it is: piexif, which the web UI uses, always writes the high byte first;
/// others follow the block. The right order is the one in which more characters are of the first 256.
fn utf16(bytes: &[u8], block_is_big: bool) -> String {
    let (bytes, marked) = match bytes {
        [0xfe, 0xff, rest @ ..] => (rest, Some(true)),
        [0xff, 0xfe, rest @ ..] => (rest, Some(false)),
        _ => (bytes, None),
    };
    let pairs = bytes.as_chunks::<2>().0;
    let high_first = pairs.iter().filter(|pair| pair[0] == 0).count();
    let low_first = pairs.iter().filter(|pair| pair[1] == 0).count();
    let big = marked.unwrap_or(match high_first.cmp(&low_first) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => block_is_big,
    });
    let unit = |pair: &[u8; 2]| if big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) };
    String::from_utf16_lossy(&pairs.iter().map(unit).collect::<Vec<_>>())
}
