//! Whether the machine has the memory that painting takes.

use crate::canvas::Size;
use crate::diffusion::engine::Memory;
use crate::error::Result;
use crate::render::frame_loop::painted_size;
use crate::run::cast::Cast;
use crate::run::models::ModelPainter;
use crate::timeline::frame::FrameParams;

const GIB: f64 = (1u64 << 30) as f64;

/// Bytes that a picture in work takes at the most in these frames.
pub(crate) fn work<'a>(
    frames: impl Iterator<Item = &'a FrameParams>,
    size: Size,
    painter: &ModelPainter,
) -> Result<u64> {
    Ok(each(frames, size, painter)?.iter().map(|memory| memory.work).max().unwrap_or(0))
}

/// Bytes that weights and the picture in work take together at the most in these frames.
pub(crate) fn most<'a>(
    frames: impl Iterator<Item = &'a FrameParams>,
    size: Size,
    painter: &ModelPainter,
) -> Result<u64> {
    Ok(each(frames, size, painter)?.iter().map(Memory::total).max().unwrap_or(0))
}

/// The memory of every set of models that the frames use.
fn each<'a>(
    frames: impl Iterator<Item = &'a FrameParams>,
    size: Size,
    painter: &ModelPainter,
) -> Result<Vec<Memory>> {
    let mut seen: Vec<(Cast, bool, Size)> = Vec::new();
    let mut all = Vec::new();
    for params in frames {
        let guided = params.sampling.guidance != Some(1.0);
        let key = (Cast::of(params), guided, painted_size(params, size));
        if seen.contains(&key) {
            continue;
        }
        all.push(painter.memory(&key.0, key.2, guided)?);
        seen.push(key);
    }
    Ok(all)
}

/// What to say when that many bytes are more than the machine has free; nothing where it does not tell.
pub(crate) fn warning(needed: u64) -> Option<String> {
    let free = available(&std::fs::read_to_string("/proc/meminfo").ok()?)?;
    (needed > free).then(|| {
        let (needed, free) = (needed as f64 / GIB, free as f64 / GIB);
        format!(
            "painting takes about {needed:.1} GiB of memory, {free:.1} GiB are free: the system may stop kinora; \
             take a smaller size, a model in half precision, or close other programs"
        )
    })
}

/// Linux's estimate of the bytes that can be had without swapping.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_memory_is_read_and_only_too_little_of_it_is_told() {
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:   2048 kB\n"), Some(2 << 20));
        assert_eq!(available("MemTotal: 9 kB\n"), None);
        assert_eq!(warning(0), None);
        if cfg!(target_os = "linux") {
            assert!(warning(u64::MAX).unwrap().contains("GiB are free"));
        }
    }
}
