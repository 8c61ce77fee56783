//! Messages on the wire: headers, an empty line, and as many bytes as `Content-Length` says.

use std::io::{BufRead, Read as _, Write};

use serde_json::Value;

/// Longest message, in bytes: more than the longest film takes in JSON.
const MAX_BYTES: u64 = 64 << 20;
/// Longest line of a header.
const MAX_HEADER: u64 = 8 << 10;

/// The body of the next message; `None` at the end of the stream. Lines that are no header are passed over, so
/// that reading finds its way back after nonsense.
pub(super) fn read(input: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let mut length = None;
    loop {
        let mut line = Vec::new();
        if input.by_ref().take(MAX_HEADER).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim();
        if let Some((name, value)) = line.split_once(':')
            && name.trim().eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse::<u64>().ok();
        }
        match length.take_if(|_| line.is_empty()) {
            Some(length) if length <= MAX_BYTES => {
                let mut body = Vec::new();
                let read = input.by_ref().take(length).read_to_end(&mut body)?;
                return Ok((read as u64 == length).then_some(body));
            }
            Some(length) => {
                // Passed over in pieces, without holding it.
                std::io::copy(&mut input.by_ref().take(length), &mut std::io::sink())?;
            }
            None => {}
        }
    }
}

/// Sends a message.
pub(super) fn write(output: &mut impl Write, message: &Value) -> std::io::Result<()> {
    let body = message.to_string();
    write!(output, "Content-Length: {}\r\n\r\n{body}", body.len())?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_behind_nonsense() {
        let mut input = &b"hello\r\n\r\nContent-Length: no\r\n\r\nX: y\r\ncontent-length: 2\r\n\r\n{}Content-Length: 9\r\n\r\n{}"[..];
        assert_eq!(read(&mut input).unwrap().as_deref(), Some(&b"{}"[..]));
        assert_eq!(read(&mut input).unwrap(), None, "a message that is cut off is none");
    }
}
