//! What decides a frame's picture, as hashes: numbers, models and files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::canvas::{Canvas, Size};
use crate::diffusion::lora::LoraFile;
use crate::error::{Error, Result};
use crate::render::frame_loop::independent;
use crate::render::journal::Expected;
use crate::render::store;
use crate::run::cast::Cast;
use crate::run::clips::Clips;
use crate::run::embeddings;
use crate::run::loras::Spoken;
use crate::run::models::{DeviceChoice, ModelPainter};
use crate::run::sources::depth_network;
use crate::timeline::frame::{
    Clip, ColourReference, ControlInput, DepthSource, FrameParams, FrameSource, HybridVideo, Making, Sequence,
};

/// Changes whenever the same film would give other pictures than before, so that frames of an older
/// kinora are never mixed with new ones.
const PICTURES: u32 = 3;

/// Hashes of models and files, each computed once.
pub(super) struct Hashes<'a> {
    painter: &'a ModelPainter,
    /// The folder that the film's paths are relative to.
    films: &'a Path,
    device: DeviceChoice,
    /// Textual inversions that prompts may name.
    embeddings: Vec<(String, PathBuf)>,
    models: BTreeMap<Cast, String>,
    depths: BTreeMap<Option<PathBuf>, String>,
    files: BTreeMap<PathBuf, String>,
    clips: Clips,
}

impl<'a> Hashes<'a> {
    /// Nothing is read yet but the names of textual inversions.
    pub(super) fn new(painter: &'a ModelPainter, films: &'a Path, device: DeviceChoice) -> Result<Self> {
        let (models, depths, files) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (embeddings, clips) = (embeddings::known(films)?, Clips::default());
        Ok(Self { painter, films, device, embeddings, models, depths, files, clips })
    }

    /// What a frame of `size` must have been made with to be right.
    pub(super) fn expected(&mut self, params: &FrameParams, size: Size) -> Result<Expected> {
        let cast = Cast::of(params);
        let models = match self.models.get(&cast) {
            Some(hash) => hash.clone(),
            None => {
                let hash = self.painter.fingerprint(&cast)?;
                self.models.insert(cast, hash.clone());
                hash
            }
        };
        // The debug form of the numbers is exact, and names every field. The folder is taken out of the
        // paths: from wherever the film is rendered, it is the same film.
        let folder = format!("{:?}", self.films);
        let folder = &folder[1..folder.len() - 1];
        // Shown backward it is the same picture.
        let forward = Making { reversed: false, ..params.making.clone() };
        let numbers = format!("{:?}", FrameParams { making: forward, ..params.clone() });
        let numbers =
            if folder.is_empty() { numbers } else { numbers.replace(&format!("\"{folder}/"), "\"") };
        let mut text = format!("{PICTURES} {:?} {size} {numbers}", self.device);
        if let DepthSource::Network(folder) = &params.depth {
            text.push_str(&self.depth(folder)?);
        }
        if let FrameSource::Video(clip, number) | FrameSource::InitVideo(clip, number) = &params.source {
            text.push_str(&self.picture(clip, *number)?);
        }
        if let Some(HybridVideo::Clip(clip, number)) = params.hybrid.as_ref().map(|hybrid| &hybrid.video) {
            text.push_str(&self.picture(clip, number.saturating_sub(1))?);
            text.push_str(&self.picture(clip, *number)?);
        }
        for (clip, number) in clips(params) {
            text.push_str(&self.picture(clip, number)?);
        }
        for path in files(params) {
            text.push_str(&self.file(path)?);
        }
        // A scene's first frame moves nothing: in front of its first picture there need not be another.
        let before = (!params.cut).then(|| params.depth.before());
        for source in [Some(&params.depth), before.as_ref()].into_iter().flatten() {
            let DepthSource::Sequence(sequence, number) = source else { continue };
            text.push_str(&match (sequence, sequence.file(*number)) {
                (Sequence::Clip(clip), _) => self.picture(clip, *number)?,
                (_, Some(path)) => self.file(&path)?,
                (_, None) => String::new(),
            });
        }
        let named: Vec<(String, PathBuf)> = embeddings::named(params, &self.embeddings).cloned().collect();
        for (name, path) in named {
            text.push_str(&format!(" embedding {name} {}", self.embedding(&path)?));
        }
        for path in Spoken::of(params)?.files(&self.painter.loras)? {
            text.push_str(&self.lora(&path)?);
        }
        let independent = independent(params);
        Ok(Expected { params: store::hash(text.as_bytes()), models, independent })
    }

    /// Hash of a depth network's files. One that is never looked through costs a hash, and no more.
    fn depth(&mut self, folder: &Option<PathBuf>) -> Result<String> {
        if let Some(hash) = self.depths.get(folder) {
            return Ok(hash.clone());
        }
        let hash = depth_network(folder.as_deref(), self.films)?.fingerprint()?.to_hex().to_string();
        self.depths.insert(folder.clone(), hash.clone());
        Ok(hash)
    }

    /// Hash of a textual inversion's file.
    fn embedding(&mut self, path: &Path) -> Result<String> {
        self.once(path, || {
            let bytes = std::fs::read(path)
                .map_err(|e| Error::model(path, format!("cannot read the embedding: {e}")))?;
            Ok(store::hash(&bytes))
        })
    }

    /// Hash of a LoRA's file.
    fn lora(&mut self, path: &Path) -> Result<String> {
        self.once(path, || {
            // What is no LoRA is better known now than at its frame.
            LoraFile::open(path)?;
            let cannot = |e: std::io::Error| Error::model(path, format!("cannot read this LoRA file: {e}"));
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(std::fs::File::open(path).map_err(cannot)?).map_err(cannot)?;
            Ok(hasher.finalize().to_hex()[..32].to_owned())
        })
    }

    /// Hash of the file that picture `number` of a video comes from: of a folder only that picture's, so that
    /// another one may change.
    fn picture(&mut self, clip: &Clip, number: u32) -> Result<String> {
        let path = self.clips.file(clip, number)?;
        if clip.path.is_dir() {
            return self.file(&path);
        }
        self.once(&path, || {
            let cannot = |e: std::io::Error| Error::input(&path, format!("cannot read the video: {e}"));
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(std::fs::File::open(&path).map_err(cannot)?).map_err(cannot)?;
            Ok(hasher.finalize().to_hex()[..32].to_owned())
        })
    }

    /// Hash of a picture.
    fn file(&mut self, path: &Path) -> Result<String> {
        self.once(path, || {
            let bytes =
                std::fs::read(path).map_err(|e| Error::input(path, format!("cannot read the file: {e}")))?;
            // Every file that a frame names is a picture.
            Canvas::open(path)?;
            Ok(store::hash(&bytes))
        })
    }

    fn once(&mut self, path: &Path, hash: impl FnOnce() -> Result<String>) -> Result<String> {
        if let Some(hash) = self.files.get(path) {
            return Ok(hash.clone());
        }
        let hash = hash()?;
        self.files.insert(path.to_owned(), hash.clone());
        Ok(hash)
    }
}

/// Pictures of videos beside those of the source.
fn clips(params: &FrameParams) -> Vec<(&Clip, u32)> {
    let hold = &params.hold;
    let trees = params.mask.iter().map(|mask| &mask.tree).chain(&hold.noise_mask).chain(&hold.sharpen_mask);
    let colours = match &hold.reference {
        ColourReference::Video(clip, number) => Some((clip, *number)),
        _ => None,
    };
    trees.flat_map(|tree| tree.clips()).chain(colours).collect()
}

/// The files whose content decides a frame's picture.
fn files(params: &FrameParams) -> Vec<&Path> {
    let source = match &params.source {
        FrameSource::Init(path) | FrameSource::Still(path) => Some(path),
        _ => None,
    };
    let depth = match &params.depth {
        DepthSource::Picture(path) => Some(path),
        DepthSource::Flat | DepthSource::Network(_) | DepthSource::Sequence(..) => None,
    };
    let controls = params.controls.iter().filter_map(|control| match &control.input {
        ControlInput::Picture(path) => Some(path),
        ControlInput::Canny { image, .. } | ControlInput::Reference { image, .. } => image.as_ref(),
        ControlInput::Depth => None,
    });
    let held = match &params.hold.reference {
        ColourReference::Picture(path) => Some(path),
        _ => None,
    };
    let held_masks =
        params.hold.noise_mask.iter().chain(&params.hold.sharpen_mask).flat_map(|mask| mask.files());
    let masks = params.mask.iter().flat_map(|mask| mask.tree.files());
    let guide = params.guide.iter().map(|guide| &guide.picture);
    let hybrid = params.hybrid.iter().filter_map(|hybrid| match &hybrid.video {
        HybridVideo::Still(path) => Some(path),
        HybridVideo::Clip(..) => None,
    });
    let pictures = source.into_iter().chain(depth).chain(controls).chain(guide);
    pictures.chain(masks).chain(held).chain(held_masks).chain(hybrid).map(PathBuf::as_path).collect()
}
