//! Folders of pictures: listed in natural order, read, and written.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use super::FrameSink;
use crate::canvas::{Canvas, Size};
use crate::error::{Error, Result};

/// How the names end of what a render keeps beside a frame.
const BESIDE: [&str; 2] = [".depth.png", ".painted.png"];

/// The pictures of a folder (`.png`, `.jpg`, `.jpeg` in any case; hidden files left out), in natural order
/// of their names: `img2.png` before `img10.png`.
///
/// # Errors
/// [`Error::Input`] when the folder cannot be read or holds no picture.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |e: std::io::Error| Error::input(folder, format!("cannot read the folder: {e}"));
    let mut pictures = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if is_picture(&path) && path.is_file() {
            pictures.push(path);
        }
    }
    if pictures.is_empty() {
        return Err(Error::input(folder, "expected PNG or JPEG pictures, found none in the folder")
            .with_hint("sub-folders are not searched"));
    }
    // What a render keeps beside its frames (`000012.depth.png`, `000012.painted.png`) is no frame.
    let names: std::collections::BTreeSet<String> = pictures.iter().map(|path| name(path)).collect();
    let frame_of = |name: &str| BESIDE.iter().find_map(|suffix| name.strip_suffix(suffix).map(str::to_owned));
    pictures.retain(|path| match frame_of(&name(path)) {
        Some(frame) => !names.contains(&format!("{frame}.png")),
        None => true,
    });
    pictures.sort_by(|a, b| natural(&name(a), &name(b)));
    Ok(pictures)
}

/// Reads one picture: [`Canvas::open`].
///
/// # Errors
/// [`Error::Input`] when the file cannot be read or decoded.
pub fn read(path: &Path) -> Result<Canvas> {
    Canvas::open(path)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    !name(path).starts_with('.') && matches!(extension.as_str(), "png" | "jpg" | "jpeg")
}

/// Compares names with runs of digits as numbers. Names that differ only in leading zeros are ordered by
/// their bytes, so the order is total.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.as_bytes(), b.as_bytes());
    while let (Some(x), Some(y)) = (left.first(), right.first()) {
        let ordering = if x.is_ascii_digit() && y.is_ascii_digit() {
            let (m, n) = (digits(&mut left), digits(&mut right));
            m.len().cmp(&n.len()).then_with(|| m.cmp(n))
        } else {
            (left, right) = (&left[1..], &right[1..]);
            x.cmp(y)
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// Takes the run of digits off the front and returns it without leading zeros: of any length, so a number
/// of a hundred digits cannot overflow.
fn digits<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text.iter().position(|c| !c.is_ascii_digit()).unwrap_or(text.len());
    let (run, rest) = text.split_at(end);
    *text = rest;
    let zeros = run.iter().take_while(|c| **c == b'0').count();
    &run[zeros..]
}

/// Writes `00000000.png`, `00000001.png`, … into a folder.
#[derive(Debug)]
pub struct StillsWriter {
    folder: PathBuf,
    size: Option<Size>,
    next: u64,
}

impl StillsWriter {
    /// Makes the folder when it does not exist.
    ///
    /// # Errors
    /// [`Error::Output`] when it cannot be made.
    pub fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)
            .map_err(|e| Error::output(folder, format!("cannot make the folder: {e}")))?;
        Ok(Self { folder: folder.to_owned(), size: None, next: 0 })
    }
}

impl FrameSink for StillsWriter {
    fn push(&mut self, frame: &Canvas) -> Result<()> {
        let path = self.folder.join(format!("{:08}.png", self.next));
        let first = *self.size.get_or_insert(frame.size());
        if first != frame.size() {
            return Err(Error::output(
                &path,
                format!("the frame is {}, the first one {first}", frame.size()),
            ));
        }
        write_whole(&path, &frame.to_png()?)?;
        self.next += 1;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// Writes a file under a hidden name and renames it, so that a file under its name is whole.
///
/// # Errors
/// [`Error::Output`] when the disk refuses.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let hidden = path.with_file_name(format!(".{}.part", name(path)));
    std::fs::write(&hidden, bytes).and_then(|()| std::fs::rename(&hidden, path)).map_err(|e| {
        let _ = std::fs::remove_file(&hidden);
        Error::output(path, format!("cannot write the picture: {e}"))
            .with_hint("check the folder's permissions and the free space")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names = ["img10.png", "img2.png", "img02.png", "a.png", "img1b.png", "img1.png", "img"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a.png", "img", "img1.png", "img1b.png", "img02.png", "img2.png", "img10.png"]);
    }

    #[test]
    fn listing_takes_pictures_only() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["10.PNG", "9.jpeg", ".8.png", "notes.txt", "7.jpg"] {
            std::fs::write(folder.path().join(name), b"").unwrap();
        }
        std::fs::create_dir(folder.path().join("6.png")).unwrap();
        let names: Vec<_> = list(folder.path()).unwrap().iter().map(|p| name(p)).collect();
        assert_eq!(names, ["7.jpg", "9.jpeg", "10.PNG"]);
    }

    #[test]
    fn what_lies_beside_a_frame_is_no_frame() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["000001.png", "000001.depth.png", "000001.painted.png", "alone.depth.png"] {
            std::fs::write(folder.path().join(name), b"").unwrap();
        }
        let names: Vec<_> = list(folder.path()).unwrap().iter().map(|p| name(p)).collect();
        assert_eq!(names, ["000001.png", "alone.depth.png"]);
    }

    #[test]
    fn a_folder_without_pictures_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(list(folder.path()).unwrap_err().to_string().contains("found none"));
    }

    proptest! {
        #[test]
        fn the_order_is_total(names in prop::collection::vec("[a0-9.]{0,6}", 3)) {
            let [a, b, c] = [&names[0], &names[1], &names[2]];
            prop_assert_eq!(natural(a, b), natural(b, a).reverse());
            prop_assert_eq!(natural(a, b) == Ordering::Equal, a == b);
            if natural(a, b).is_le() && natural(b, c).is_le() {
                prop_assert!(natural(a, c).is_le());
            }
        }
    }
}
