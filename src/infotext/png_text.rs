//! Text in PNG files.

use super::KEYWORD;

/// Length of a PNG's signature and its first chunk, IHDR: 8 + 4 + 4 + 13 + 4.
const HEAD: usize = 33;

/// The PNG with the text as its `parameters`, in front of the pixels: `tEXt` when all of it is Latin-1, else
/// `iTXt`, which is what Pillow's `PngInfo.add_text` chooses (so the web UI's own pictures look the same).
///
/// A text must not hold NUL (PNG 11.3.3); [`Parameters::text`](super::Parameters::text) gives none. Bytes that
/// are no PNG are given back as they are.
pub fn described(png: &[u8], text: &str) -> Vec<u8> {
    if png.len() < HEAD || !png.starts_with(super::file::PNG) {
        return png.to_vec();
    }
    let latin1: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    let chunk = match latin1 {
        Some(bytes) => chunk(*b"tEXt", &[KEYWORD.as_bytes(), b"\0", &bytes]),
        // Not compressed, no language, no translated keyword.
        None => chunk(*b"iTXt", &[KEYWORD.as_bytes(), b"\0\0\0\0\0", text.as_bytes()]),
    };
    [&png[..HEAD], &chunk, &png[HEAD..]].concat()
}

/// Length, kind, content, checksum (PNG 5.3).
fn chunk(kind: [u8; 4], content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    let mut bytes = (content.len() as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(&kind);
    bytes.extend_from_slice(&content);
    let sum = crc32(&bytes[4..]);
    bytes.extend_from_slice(&sum.to_be_bytes());
    bytes
}

/// The checksum of PNG 5.5: the polynomial of ISO 3309, bits reflected.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32| if sum & 1 == 1 { 0xedb8_8320 ^ (sum >> 1) } else { sum >> 1 };
    !bytes.iter().fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum)))
}
