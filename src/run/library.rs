//! The model folders of this run: the command line's, the environment's and the config file's.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::models::library::Library;

/// The environment variable with model folders, separated as in `PATH`.
const VARIABLE: &str = "KINORA_MODELS";

/// What the command line named.
static NAMED: OnceLock<Vec<PathBuf>> = OnceLock::new();

/// Lets every search for a model look into `dirs` too, before other folders. Called once, when the command
/// line has been read.
///
/// # Errors
/// [`Error::Usage`] when one is no folder.
pub(crate) fn look_into(dirs: &[PathBuf]) -> Result<()> {
    if let Some(missing) = dirs.iter().find(|dir| !dir.is_dir()) {
        let found = if missing.exists() { "this is a file" } else { "there is none" };
        return Err(Error::Usage {
            message: format!("--models-dir {}: expected a folder, {found}", missing.display()),
            hint: Some(
                "name the folder of your models, such as that of the A1111 web UI or ComfyUI".to_owned(),
            ),
        });
    }
    let _ = NAMED.set(dirs.to_vec());
    Ok(())
}

/// The folders that the command line named.
pub(crate) fn named() -> &'static [PathBuf] {
    NAMED.get().map_or(&[], Vec::as_slice)
}

/// The models that a film in the folder `films` can name.
///
/// # Errors
/// [`Error::Input`] when there is a config file and it cannot be understood.
pub(crate) fn library(films: &Path) -> Result<Library> {
    let mut dirs = named().to_vec();
    if let Some(listed) = std::env::var_os(VARIABLE) {
        dirs.extend(std::env::split_paths(&listed).filter(|dir| !dir.as_os_str().is_empty()));
    }
    if let Some(file) = config_file().filter(|file| file.is_file()) {
        dirs.extend(configured(&file)?);
    }
    Ok(Library::new(films, &dirs))
}

/// `config.json` of kinora: in `$XDG_CONFIG_HOME/kinora`, else `~/.config/kinora`; on Windows in
/// `%APPDATA%\kinora`.
pub(crate) fn config_file() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = if cfg!(windows) {
        set("APPDATA")
    } else {
        set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))
    };
    base.map(|base| base.join("kinora/config.json"))
}

/// The config file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Model folders: absolute, beginning with `~/`, or relative to the file.
    #[serde(default)]
    models: Vec<PathBuf>,
}

/// The model folders of a config file.
fn configured(file: &Path) -> Result<Vec<PathBuf>> {
    let hint = r#"it looks like this: { "models": ["~/stable-diffusion-webui", "/data/comfyui/models"] }"#;
    let text = std::fs::read(file)
        .map_err(|e| Error::input(file, format!("cannot read kinora's config file: {e}")))?;
    let config: Config = serde_json::from_slice(&text).map_err(|e| {
        Error::input(file, format!("cannot understand kinora's config file: {e}")).with_hint(hint)
    })?;
    let beside = file.parent().unwrap_or(Path::new("."));
    let home = std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE")).map(PathBuf::from);
    let place = |dir: PathBuf| match (dir.strip_prefix("~"), &home) {
        (Ok(below), Some(home)) => home.join(below),
        _ => beside.join(dir),
    };
    Ok(config.models.into_iter().map(place).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_the_config_file_are_relative_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.json");
        std::fs::write(&file, r#"{ "models": ["mine", "/data/models", "~/webui"] }"#).unwrap();
        let dirs = configured(&file).unwrap();
        assert_eq!(dirs[0], folder.path().join("mine"));
        assert_eq!(dirs[1], Path::new("/data/models"));
        assert!(dirs[2].ends_with("webui") && !dirs[2].starts_with("~"));
        std::fs::write(&file, r#"{ "model": [] }"#).unwrap();
        let error = configured(&file).unwrap_err();
        assert!(error.to_string().contains("model") && error.hint().unwrap().contains("models"), "{error}");
    }
}
