//! What a file is that should hold weights and does not.

/// How a PyTorch file becomes one that is read.
const CONVERT: &str = "nothing is read that could run code; convert it once with Python: \
    `python -c \"import torch, safetensors.torch as s; d = torch.load('model.ckpt', map_location='cpu', weights_only=True); \
    d = d.get('state_dict', d); s.save_file({k: v.contiguous() for k, v in d.items() if hasattr(v, 'shape')}, 'model.safetensors')\"`";

/// The name of the kind of file that begins with `start`, and what to do about it, when it is a known kind other than
/// safetensors.
pub(super) fn other_kind(start: &[u8]) -> Option<(&'static str, &'static str)> {
    // A safetensors file whose head has 640 bytes begins like a pickle of version 2.
    if start.get(4..9) == Some(b"\0\0\0\0{") {
        return None;
    }
    let begins = |mark: &[u8]| start.starts_with(mark);
    let text = String::from_utf8_lossy(start).trim_start().to_lowercase();
    if begins(b"PK\x03\x04") || (begins(b"\x80") && start.get(1).is_some_and(|v| (2..=5).contains(v))) {
        return Some(("a PyTorch file (.ckpt, .pt)", CONVERT));
    }
    if begins(b"GGUF") {
        return Some(("a GGUF file", "take the model as safetensors; quantised models are not read"));
    }
    if text.starts_with("version https://git-lfs") {
        return Some((
            "the pointer of a file that Git LFS keeps",
            "fetch the file itself with `git lfs pull`",
        ));
    }
    if text.starts_with("<!doctype") || text.starts_with("<html") || text.starts_with("<?xml") {
        return Some((
            "a web page",
            "the download needs a login or a licence to be accepted; download it again",
        ));
    }
    // The second half of a safetensors file's length is nought: no text looks so.
    let is_text =
        start.len() >= 8 && start.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | 32..=126));
    is_text.then_some(("a text file", "the file is not the model; download it again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_mistakes_are_known() {
        let kinds = [
            (&b"PK\x03\x04rest"[..], "PyTorch"),
            (b"\x80\x02}q\x00", "PyTorch"),
            (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
            (b"<!DOCTYPE html><html>", "web page"),
            (b"Repository not found", "text"),
            (b"GGUF\x03", "GGUF"),
        ];
        for (start, kind) in kinds {
            assert!(other_kind(start).unwrap().0.contains(kind), "{kind}");
        }
        assert_eq!(other_kind(b"\x10\0\0\0\0\0\0\0{\"x\":1}"), None);
        assert_eq!(other_kind(b"\x80\x02\0\0\0\0\0\0{\"x\":1}"), None);
        assert!(CONVERT.contains("weights_only=True"));
    }
}
