//! Key pictures of composed zooms: what each is made of, and which of them a run still has to paint.

use crate::canvas::Size;
use crate::error::Result;
use crate::progress::{Progress, StopFlag};
use crate::render::frame_loop::{Planned, Studio};
use crate::render::journal::Expected;
use crate::render::store::{self, Store};
use crate::render::zoom::{self, Chain, Key, KeyShelf, PlannedKey};
use crate::run::caption::Captions;
use crate::run::hashes::Hashes;
use crate::timeline::frame::FrameParams;

/// Changes whenever the same key pictures would give other frames than before.
const COMPOSED: u32 = 2;
/// Changes whenever the same numbers would give another key picture than before.
const PAINTED: u32 = 2;

/// A scene that is composed, and what its key pictures are made of.
pub(super) struct Composed {
    pub chain: Chain,
    /// Of each key, the keys inside it included.
    made_of: Vec<Expected>,
    size: Size,
}

impl Composed {
    /// The composed scenes of a film with these frames.
    pub fn all(frames: &[FrameParams], size: Size, hashes: &mut Hashes<'_>) -> Result<Vec<Self>> {
        Chain::all(frames, size)?.into_iter().map(|chain| Self::new(chain, size, hashes)).collect()
    }

    fn new(chain: Chain, size: Size, hashes: &mut Hashes<'_>) -> Result<Self> {
        let mut made_of: Vec<Expected> = Vec::with_capacity(chain.keys.len());
        for (number, key) in chain.keys.iter().enumerate() {
            // Where in the film it stands is seen in its errors, not in the picture.
            let own = hashes.expected(&FrameParams { frame: 0, scene: 0, ..key.params.clone() }, size)?;
            let inner = made_of.last().map_or("", |inner: &Expected| inner.params.as_str());
            let over = key.over.map_or("", |over| made_of[over].params.as_str());
            let text = format!(
                "painted {PAINTED} {} {} {:?} {inner} {over}",
                own.params,
                own.models,
                chain.inner(number)
            );
            made_of.push(Expected { params: store::hash(text.as_bytes()), ..own });
        }
        Ok(Self { chain, made_of, size })
    }

    /// What the journal must say of a frame: it is made of the keys that it shows.
    pub fn expected(&self, frame: u32) -> Expected {
        let shown = self.chain.shown(frame);
        let keys: Vec<&str> = shown.iter().map(|(key, ..)| self.made_of[*key].params.as_str()).collect();
        let text =
            format!("composed {COMPOSED} {} {:?} {shown:?} {keys:?}", self.size, self.chain.compose.overlap);
        let models = shown.first().map(|(key, ..)| self.made_of[*key].models.clone()).unwrap_or_default();
        Expected { params: store::hash(text.as_bytes()), models, independent: true }
    }

    /// The keys that the missing frames of `plan` show and those inside them, the innermost first.
    pub fn needed(&self, plan: &[Planned], store: &Store, fresh: bool) -> Result<Vec<PlannedKey>> {
        let missing = plan.iter().filter(|planned| !planned.done);
        let count = self.chain.needed(missing.map(|planned| planned.params.frame));
        let shelf = KeyShelf::open(store)?;
        let planned = |(number, (key, expected)): (usize, (&Key, &Expected))| PlannedKey {
            key: key.clone(),
            planned: Planned {
                params: key.params.clone(),
                expected: expected.clone(),
                text: String::new(),
                done: !fresh && shelf.has(self.chain.scene, number, &expected.params),
            },
        };
        Ok(self.chain.keys.iter().zip(&self.made_of).take(count).enumerate().map(planned).collect())
    }
}

/// A composed scene and the key pictures that a run needs of it.
pub(super) struct Zoom<'a> {
    chain: &'a Chain,
    pub keys: Vec<PlannedKey>,
}

impl<'a> Zoom<'a> {
    /// Of every composed scene.
    pub fn all(composed: &'a [Composed], plan: &[Planned], store: &Store, fresh: bool) -> Result<Vec<Self>> {
        let zoom = |composed: &'a Composed| {
            Ok(Self { chain: &composed.chain, keys: composed.needed(plan, store, fresh)? })
        };
        composed.iter().map(zoom).collect()
    }

    /// Writes down what is said about the making of the key pictures.
    pub fn describe(&mut self, captions: &mut Captions<'_>, size: Size) -> Result<()> {
        self.keys.iter_mut().try_for_each(|key| captions.describe_key(&mut key.planned, size))
    }

    /// Number of the scene and of each key that is there.
    pub fn there(&self) -> impl Iterator<Item = (usize, usize)> {
        let there = self.keys.iter().enumerate().filter(|(_, key)| key.planned.done);
        there.map(|(number, _)| (self.chain.scene, number))
    }

    /// Every run of the model that is missing.
    pub fn paintings(&self) -> impl Iterator<Item = FrameParams> {
        self.keys.iter().filter(|key| !key.planned.done).flat_map(|key| key.key.paintings())
    }

    /// Paints the missing keys, and composes the scene's missing frames.
    pub fn run(
        &self,
        plan: &[Planned],
        store: &Store,
        studio: &mut Studio<'_>,
        progress: &dyn Progress,
        stop: &StopFlag,
    ) -> Result<()> {
        let own = plan.iter().filter(|planned| self.chain.has(planned.params.frame));
        let (frames, done) = own.fold((0, 0), |(n, done), planned| (n + 1, done + u64::from(planned.done)));
        if frames == done {
            return Ok(());
        }
        let mut shelf = KeyShelf::open(store)?;
        let there = self.keys.iter().filter(|key| key.planned.done).count();
        progress.begin("key pictures", self.keys.len() as u64, there as u64);
        zoom::paint(self.chain, &self.keys, &mut shelf, studio, progress, stop)?;
        progress.end();
        progress.begin("composing", frames, done);
        store.while_storing(|frames| zoom::compose(self.chain, plan, &shelf, frames, progress, stop))?;
        progress.end();
        Ok(())
    }
}
