//! What the tests of the program share: a folder of their own and a command bound to it.
#![allow(dead_code, reason = "each test target uses its part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder that goes away with the test.
pub struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("the machine has a place for temporary files") }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The program with these arguments, in this folder.
    pub fn kinora(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kinora"));
        command.args(args).current_dir(self.folder.path());
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.kinora(args).output().expect("the program starts"))
    }

    /// Names of the frames in a folder, sorted.
    pub fn frames(&self, folder: &str) -> Vec<String> {
        // Depth and painted pictures lie beside the frames.
        self.pictures(folder).into_iter().filter(|name| name.matches('.').count() == 1).collect()
    }

    /// Names of the pictures in a folder, of frames and of what lies beside them, sorted.
    pub fn pictures(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(folder)) else { return Vec::new() };
        let mut names: Vec<String> = entries
            .flatten()
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .filter(|name| name.ends_with(".png"))
            .collect();
        names.sort();
        names
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }
}

/// What a finished program said.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ran {
    /// Fails unless the program ended with this code, and shows what it said.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    /// Fails unless stderr has all of these.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` is missing in:\n{}", self.stderr);
        }
        self
    }
}

/// A film that the embedded model renders in a second or two.
pub fn tiny_film(frames: u32) -> String {
    format!(
        "kinora 1\nvideo {{ size = 64x64  fps = 4 }}\nframes = {frames}\n\
         prompt = \"a tunnel, purple\"\nzoom = 1.05\nsteps = 2\n"
    )
}

/// Writes a picture of `width` by `height` pixels with a pattern in it.
pub fn picture(path: &Path, width: usize, height: usize) {
    let size = kinora::canvas::Size::new(width, height);
    let rgb = (0..size.area())
        .flat_map(|i| [(i % width * 255 / width) as u8, (i / width * 255 / height) as u8, 90])
        .collect();
    let png = kinora::canvas::Canvas::from_rgb8(size, rgb).to_png().unwrap();
    std::fs::write(path, png).unwrap();
}

/// The film with two steps a frame, whatever it says itself.
pub fn two_steps(film: &str) -> String {
    let kept: Vec<&str> = film.lines().filter(|line| !line.starts_with("steps ")).collect();
    format!("{}\nsteps = 2\n", kept.join("\n"))
}
