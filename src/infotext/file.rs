//! The text in a picture file.

use super::exif::user_comment;
use super::{KEYWORD, Parameters};

/// How a PNG begins.
pub(super) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Bytes that texts may take when they are unpacked: a small file must not grow without end.
const LIMIT: usize = 64 << 20;

/// Kinds of picture files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "names of formats")]
pub enum Container {
    Png,
    Jpeg,
    WebP,
}

impl Container {
    /// The kind, from the first bytes.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            b if b.starts_with(PNG) => Some(Self::Png),
            b if b.starts_with(b"\xff\xd8\xff") => Some(Self::Jpeg),
            b if b.starts_with(b"RIFF") && b.get(8..12) == Some(b"WEBP") => Some(Self::WebP),
            _ => None,
        }
    }

    /// The format's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::WebP => "WebP",
        }
    }
}

/// What was found in a picture file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The web UI's text.
    Text(String),
    /// Settings in the form of a program whose form is not read.
    Foreign(&'static str),
    /// Nothing.
    Nothing,
}

/// Looks for the text. Damaged files have whatever stands in front of the damage.
pub fn find(bytes: &[u8]) -> Found {
    match Container::of(bytes) {
        Some(Container::Png) => png(bytes),
        Some(Container::Jpeg) => jpeg(bytes),
        Some(Container::WebP) => webp(bytes),
        None => Found::Nothing,
    }
}

fn png(bytes: &[u8]) -> Found {
    let mut decoder =
        png::Decoder::new_with_limits(std::io::Cursor::new(bytes), png::Limits { bytes: LIMIT });
    decoder.set_ignore_text_chunk(false);
    let Ok(mut reader) = decoder.read_info() else { return Found::Nothing };
    // The text may stand behind the pixels.
    if text_chunk(reader.info(), KEYWORD).is_none() {
        // Damage there is no matter: what was found before it counts.
        let _ = reader.finish();
    }
    let info = reader.info();
    if let Some(text) = text_chunk(info, KEYWORD) {
        return Found::Text(text);
    }
    let has = |name: &str| text_chunk(info, name).is_some();
    if has("workflow") || text_chunk(info, "prompt").is_some_and(|t| t.trim_start().starts_with('{')) {
        return Found::Foreign("ComfyUI");
    }
    if text_chunk(info, "Software").is_some_and(|t| t.starts_with("NovelAI")) {
        return Found::Foreign("NovelAI");
    }
    if has("invokeai_metadata") || has("sd-metadata") || has("Dream") {
        return Found::Foreign("InvokeAI");
    }
    Found::Nothing
}

/// A text of a PNG: `tEXt`, `zTXt` or `iTXt`. Programs that put UTF-8 into the Latin-1 chunks are understood.
fn text_chunk(info: &png::Info<'_>, name: &str) -> Option<String> {
    let plain = || {
        let chunk = info.uncompressed_latin1_text.iter().find(|chunk| chunk.keyword == name)?;
        Some(chunk.text.clone())
    };
    let packed = || info.compressed_latin1_text.iter().find(|chunk| chunk.keyword == name)?.get_text().ok();
    let utf8 = || info.utf8_text.iter().find(|chunk| chunk.keyword == name)?.get_text().ok();
    plain().or_else(packed).or_else(utf8)
}

/// The segments of a JPEG up to its pixels: Exif in APP1, else a comment that reads like the text.
fn jpeg(bytes: &[u8]) -> Found {
    let mut rest = &bytes[2..];
    let mut said = None;
    while let [0xff, marker, after @ ..] = rest {
        match marker {
            0xff => rest = &rest[1..],
            // Start of the pixels, end of the picture.
            0xda | 0xd9 => break,
            // Markers that stand alone.
            0x01 | 0xd0..=0xd8 => rest = after,
            marker => {
                let Some((content, next)) = segment(after) else { break };
                rest = next;
                match (marker, content.strip_prefix(b"Exif\0\0")) {
                    (0xe1, Some(tiff)) => {
                        if let Some(text) = user_comment(tiff).filter(|text| !text.trim().is_empty()) {
                            return Found::Text(text);
                        }
                    }
                    (0xfe, _) => said = said.or_else(|| comment(content)),
                    _ => {}
                }
            }
        }
    }
    said.map_or(Found::Nothing, Found::Text)
}

/// A segment's content and what follows it. The length counts its own two bytes.
fn segment(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::from(u16::from_be_bytes([*bytes.first()?, *bytes.get(1)?]));
    Some((bytes.get(2..length)?, bytes.get(length..)?))
}

/// A JPEG's comment where it holds pairs: most hold the name of a program.
fn comment(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    Parameters::read(&text).is_some_and(|found| !found.pairs.is_empty()).then_some(text)
}

/// The chunks of a WebP: `EXIF`.
fn webp(bytes: &[u8]) -> Found {
    let mut rest = &bytes[12..];
    while let [a, b, c, d, l0, l1, l2, l3, after @ ..] = rest {
        let length = u32::from_le_bytes([*l0, *l1, *l2, *l3]) as usize;
        let Some(content) = after.get(..length) else { break };
        if [*a, *b, *c, *d] == *b"EXIF" {
            // Some programs repeat the JPEG's mark in front.
            let tiff = content.strip_prefix(b"Exif\0\0").unwrap_or(content);
            return user_comment(tiff).map_or(Found::Nothing, Found::Text);
        }
        rest = after.get(length + length % 2..).unwrap_or_default();
    }
    Found::Nothing
}
