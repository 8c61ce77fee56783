use super::*;

/// A folder with these (empty) files.
fn folder(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    folder
}

fn library(films: &Path, dirs: &[&Path]) -> Library {
    Library::new(films, &dirs.iter().map(|dir| (*dir).to_owned()).collect::<Vec<_>>())
}

fn names(library: &Library) -> Vec<(Option<Role>, String)> {
    library.list().iter().map(|entry| (entry.role, entry.name.clone())).collect()
}

#[test]
fn the_folders_of_a1111_are_known() {
    let films = folder(&[]);
    let root = folder(&[
        "models/Stable-diffusion/anime/Pony.safetensors",
        "models/Lora/ink.safetensors",
        "models/LyCORIS/wash.safetensors",
        "models/VAE/clear.safetensors",
        "models/ControlNet/depth.safetensors",
        "extensions/sd-webui-controlnet/models/canny.pth",
        "embeddings/bad-hands.pt",
        "models/ESRGAN/4x.pth",
        "venv/lib/torch/lib.bin",
        "models/Lora/readme.txt",
    ]);
    let found = names(&library(films.path(), &[root.path()]));
    let expected = [
        (Role::Checkpoint, "anime/Pony"),
        (Role::Vae, "clear"),
        (Role::Lora, "ink"),
        (Role::Lora, "wash"),
        (Role::Embedding, "bad-hands"),
        (Role::Control, "canny"),
        (Role::Control, "depth"),
        (Role::Upscaler, "4x"),
    ];
    assert_eq!(found, expected.map(|(role, name)| (Some(role), name.to_owned())));
}

#[test]
fn the_folders_of_comfyui_are_known_from_its_root_and_from_its_models() {
    let films = folder(&[]);
    let root = folder(&[
        "models/checkpoints/xl.safetensors",
        "models/loras/ink.safetensors",
        "models/vae/clear.safetensors",
        "models/controlnet/depth/net.safetensors",
        "models/embeddings/bad.safetensors",
        "models/upscale_models/4x.pth",
    ]);
    let of_root = names(&library(films.path(), &[root.path()]));
    assert_eq!(of_root.len(), 6);
    assert_eq!(names(&library(films.path(), &[&root.path().join("models")])), of_root);
    let loras = names(&library(films.path(), &[&root.path().join("models/loras")]));
    assert_eq!(loras, [(Some(Role::Lora), "ink".to_owned())]);
}

#[test]
fn a_folder_without_a_layout_holds_anything() {
    let films = folder(&[]);
    let root = folder(&["a/b/ink.safetensors", "c.safetensors"]);
    let library = library(films.path(), &[root.path()]);
    assert_eq!(library.find(Role::Lora, "ink").unwrap(), root.path().join("a/b/ink.safetensors"));
    assert_eq!(library.find(Role::Checkpoint, "a/b/INK").unwrap(), root.path().join("a/b/ink.safetensors"));
}

#[test]
fn a_model_is_found_by_path_name_and_stem_in_any_letters() {
    let films = folder(&["own.safetensors", "set/other.safetensors"]);
    let root = folder(&["models/Stable-diffusion/Styles/Dream Shaper.safetensors"]);
    let library = library(films.path(), &[root.path()]);
    let there = root.path().join("models/Stable-diffusion/Styles/Dream Shaper.safetensors");
    for name in [
        "Dream Shaper",
        "dream shaper.SAFETENSORS",
        "styles/dream shaper",
        "Styles\\Dream Shaper.safetensors",
        "Dream Shaper.safetensors [6ce0161689]",
        there.to_str().unwrap(),
    ] {
        assert_eq!(library.find(Role::Checkpoint, name).unwrap(), there, "{name}");
    }
    assert_eq!(library.find(Role::Checkpoint, "own").unwrap(), films.path().join("own.safetensors"));
    assert_eq!(library.find(Role::Lora, "set/other").unwrap(), films.path().join("set/other.safetensors"));
    // What lies in a folder for models is no LoRA.
    assert!(library.find(Role::Lora, "Dream Shaper").is_err());
}

#[test]
fn two_files_of_one_name_are_both_named() {
    let films = folder(&[]);
    let root = folder(&["loras/a/ink.safetensors", "loras/b/ink.safetensors", "loras/b/INK.safetensors"]);
    let library = library(films.path(), &[root.path()]);
    let error = library.find(Role::Lora, "ink").unwrap_err();
    assert!(error.to_string().contains("a/ink.safetensors"), "{error}");
    assert!(error.to_string().contains("b/ink.safetensors"), "{error}");
    assert_eq!(library.find(Role::Lora, "a/ink").unwrap(), root.path().join("loras/a/ink.safetensors"));
    // The very letters are nearer than any letters.
    assert_eq!(library.find(Role::Lora, "b/INK").unwrap(), root.path().join("loras/b/INK.safetensors"));
}

#[test]
fn of_two_files_that_differ_in_the_ending_the_safe_one_is_meant() {
    let films = folder(&[]);
    let root = folder(&["checkpoints/ink.ckpt", "checkpoints/ink.safetensors"]);
    let library = library(films.path(), &[root.path()]);
    let found = library.find(Role::Checkpoint, "ink").unwrap();
    assert_eq!(found, root.path().join("checkpoints/ink.safetensors"));
    let found = library.find(Role::Checkpoint, "ink.ckpt").unwrap();
    assert_eq!(found, root.path().join("checkpoints/ink.ckpt"));
}

#[test]
fn a_missing_model_is_answered_with_the_nearest_name_or_with_the_places() {
    let films = folder(&[]);
    let root = folder(&["loras/ink/watercolour.safetensors"]);
    let library = library(films.path(), &[root.path()]);
    let hint = |name| library.find(Role::Lora, name).unwrap_err().hint().unwrap().to_owned();
    assert_eq!(hint("watercolor"), "did you mean `ink/watercolour`?");
    let none = hint("oil");
    assert!(none.contains("--models-dir") && none.contains(&root.path().display().to_string()), "{none}");
    assert!(library.find(Role::Lora, "").is_err());
    assert!(library.find(Role::Checkpoint, ".").is_err());
}

#[test]
fn a_diffusers_folder_is_one_model() {
    let films = folder(&[]);
    let root = folder(&[
        "checkpoints/sd/model_index.json",
        "checkpoints/sd/unet/config.json",
        "checkpoints/sd/unet/diffusion_pytorch_model.safetensors",
    ]);
    let library = library(films.path(), &[root.path()]);
    assert_eq!(names(&library), [(Some(Role::Checkpoint), "sd".to_owned())]);
    assert_eq!(library.find(Role::Checkpoint, "SD").unwrap(), root.path().join("checkpoints/sd"));
}

#[test]
fn an_embedding_is_called_by_its_file_name() {
    let films = folder(&["embeddings/hands.safetensors"]);
    let root = folder(&["embeddings/sub/Hands.pt", "embeddings/easy.pt"]);
    let library = library(films.path(), &[root.path()]);
    let words: Vec<String> = library.embeddings().into_iter().map(|(word, _)| word).collect();
    assert_eq!(words, ["easy", "hands"]);
}

#[cfg(unix)]
#[test]
fn links_end_and_lead_to_one_entry() {
    let films = folder(&[]);
    let root = folder(&["loras/ink.safetensors"]);
    let loras = root.path().join("loras");
    std::os::unix::fs::symlink(&loras, loras.join("again")).unwrap();
    std::os::unix::fs::symlink(root.path(), loras.join("up")).unwrap();
    std::os::unix::fs::symlink(loras.join("ink.safetensors"), loras.join("same.safetensors")).unwrap();
    let library = library(films.path(), &[root.path(), root.path()]);
    assert_eq!(library.list().len(), 1);
}

#[test]
fn a_folder_of_configs_beside_a_file_is_no_model() {
    let films = folder(&[]);
    let root = folder(&[
        "models/Stable-diffusion/pony.safetensors",
        "models/Stable-diffusion/pony.config/unet/config.json",
        "models/Stable-diffusion/old.config/unet/config.json",
    ]);
    let found = names(&library(films.path(), &[root.path()]));
    // Without a file of its name it is a folder as any other.
    let expected = ["old.config/unet", "pony"].map(|name| (Some(Role::Checkpoint), name.to_owned()));
    assert_eq!(found, expected);
}

#[test]
fn a_model_of_another_kind_is_named() {
    let films = folder(&[]);
    let root = folder(&["models/Lora/ink.safetensors", "models/Stable-diffusion/Pony.safetensors"]);
    let library = library(films.path(), &[root.path()]);
    let hint = |role, name| library.find(role, name).unwrap_err().hint().unwrap_or_default().to_owned();
    assert!(hint(Role::Checkpoint, "ink").contains("`ink` is a LoRA"), "{}", hint(Role::Checkpoint, "ink"));
    assert!(hint(Role::Lora, "pony").contains("`pony` is a model"));
}

#[test]
fn the_autoencoder_of_a_whole_model_is_found_when_no_vae_is_called_so() {
    let films = folder(&[]);
    let root = folder(&["models/Stable-diffusion/Pony.safetensors", "models/VAE/clear.safetensors"]);
    let library = library(films.path(), &[root.path()]);
    assert!(library.find(Role::Vae, "pony").unwrap().ends_with("Stable-diffusion/Pony.safetensors"));
    assert!(library.find(Role::Vae, "clear").unwrap().ends_with("VAE/clear.safetensors"));
    assert!(library.find(Role::Checkpoint, "clear").is_err());
}
