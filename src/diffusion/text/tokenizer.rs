//! CLIP's byte-level BPE, from the files that transformers writes.

use std::collections::BTreeMap;

use serde::Deserialize;
use tokenizers::models::bpe::{BPE, Merges};
use tokenizers::normalizers::{Lowercase, NFC, Replace, Sequence as Normalizers, replace::ReplacePattern};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior};

use super::clip::{Activation, ClipConfig};
use crate::error::{Error, Result};
use crate::models::ModelFolder;

/// How CLIP cuts text into words before BPE: contractions, runs of letters, single digits, runs of
/// anything else that is not blank (OpenAI's CLIP; transformers 5.23 `CLIPTokenizer`).
const WORDS: &str =
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// Text to token ids of a CLIP text encoder.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    start: u32,
    end: u32,
    pad: u32,
    comma: Option<u32>,
}

impl Tokenizer {
    /// Reads `vocab.json` with `merges.txt`, or `tokenizer.json`; and the special tokens from
    /// `tokenizer_config.json` and `special_tokens_map.json`, when there are such files.
    ///
    /// # Errors
    /// [`Error::Model`] when files are missing or contradict each other.
    pub fn load(folder: &ModelFolder) -> Result<Self> {
        Self::read(folder, &SpecialNames::load(folder)?)
    }

    /// As [`Tokenizer::load`], for a text encoder of this config. A model that brings no tokenizer gets CLIP's, which
    /// is compiled in, when its encoder has CLIP's vocabulary.
    ///
    /// # Errors
    /// As [`Tokenizer::load`].
    pub fn of_encoder(folder: &ModelFolder, encoder: &ClipConfig) -> Result<Self> {
        let brings = ["vocab.json", "merges.txt", "tokenizer.json"].iter().any(|file| folder.has(file));
        if brings || encoder.vocab_size != ClipConfig::default().vocab_size {
            return Self::load(folder);
        }
        let mut names = SpecialNames::load(folder)?;
        // OpenCLIP's networks, known by the exact GELU, saw token 0 behind the end.
        if encoder.hidden_act == Activation::Gelu && !folder.has("tokenizer_config.json") {
            "!".clone_into(&mut names.pad);
        }
        Self::read(&ModelFolder::clip_tokenizer(), &names)
    }

    fn read(folder: &ModelFolder, names: &SpecialNames) -> Result<Self> {
        let mut inner = if folder.has("vocab.json") && folder.has("merges.txt") {
            from_vocabulary(folder, names)?
        } else if folder.has("tokenizer.json") {
            from_json(folder)?
        } else {
            return Err(Error::model(
                &folder.label(),
                "expected vocab.json and merges.txt, or tokenizer.json: there are neither",
            )
            .with_hint("copy the tokenizer folder of the model too"));
        };
        let special = [&names.start, &names.end].map(|name| AddedToken::from(name.clone(), true));
        inner
            .add_special_tokens(special)
            .map_err(|e| Error::model(&folder.label(), format!("cannot add the special tokens: {e}")))?;
        Self::with_special(inner, names, folder)
    }

    fn with_special(
        inner: tokenizers::Tokenizer,
        names: &SpecialNames,
        folder: &ModelFolder,
    ) -> Result<Self> {
        let id = |name: &str| {
            inner.token_to_id(name).ok_or_else(|| {
                Error::model(&folder.label(), format!("expected a token `{name}`, the vocabulary has none"))
                    .with_hint("tokenizer_config.json and vocab.json belong to different models")
            })
        };
        let (start, end, pad) = (id(&names.start)?, id(&names.end)?, id(&names.pad)?);
        let comma = inner.token_to_id(",</w>");
        Ok(Self { inner, start, end, pad, comma })
    }

    /// Ids of a text, without start and end. Any text has some; blank text has none.
    ///
    /// # Errors
    /// [`Error::Bug`] when the tokenizer refuses, which no text is known to make it do.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self
            .inner
            .encode_fast(text, false)
            .map_err(|e| Error::Bug(format!("the tokenizer refused {text:?}: {e}")))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// How the vocabulary writes a token: `cat</w>` for a whole word, `ca` for its beginning.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The token that begins every chunk.
    pub fn start(&self) -> u32 {
        self.start
    }

    /// The token that ends every chunk.
    pub fn end(&self) -> u32 {
        self.end
    }

    /// The token that fills a chunk behind its end: the end token itself in Stable Diffusion 1 and in
    /// the first encoder of SDXL, token 0 in Stable Diffusion 2 and in SDXL's second.
    pub fn pad(&self) -> u32 {
        self.pad
    }

    /// The comma as a word, when the vocabulary has it.
    pub fn comma(&self) -> Option<u32> {
        self.comma
    }
}

/// Names of the special tokens.
struct SpecialNames {
    start: String,
    end: String,
    pad: String,
    unknown: String,
}

impl SpecialNames {
    fn load(folder: &ModelFolder) -> Result<Self> {
        let read = |file: &str| -> Result<SpecialFile> {
            if folder.has(file) { folder.json(file) } else { Ok(SpecialFile::default()) }
        };
        let (config, map) = (read("tokenizer_config.json")?, read("special_tokens_map.json")?);
        // Older files say it in the map, and their config may hold a stale pad token (Stable Diffusion
        // 2.1); newer ones list all added tokens in the config, and then the config counts.
        let (first, second) =
            if config.added_tokens_decoder.is_some() { (config, map) } else { (map, config) };
        let pick = |a: Option<SpecialToken>, b: Option<SpecialToken>| a.or(b).map(SpecialToken::content);
        let end = pick(first.eos_token, second.eos_token).unwrap_or_else(|| "<|endoftext|>".to_owned());
        Ok(Self {
            start: pick(first.bos_token, second.bos_token).unwrap_or_else(|| "<|startoftext|>".to_owned()),
            pad: pick(first.pad_token, second.pad_token).unwrap_or_else(|| end.clone()),
            unknown: pick(first.unk_token, second.unk_token).unwrap_or_else(|| end.clone()),
            end,
        })
    }
}

#[derive(Default, Deserialize)]
struct SpecialFile {
    bos_token: Option<SpecialToken>,
    eos_token: Option<SpecialToken>,
    pad_token: Option<SpecialToken>,
    unk_token: Option<SpecialToken>,
    added_tokens_decoder: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum SpecialToken {
    Name(String),
    Full { content: String },
}

impl SpecialToken {
    fn content(self) -> String {
        match self {
            Self::Name(content) | Self::Full { content } => content,
        }
    }
}

/// A tokenizer of CLIP's rules over the folder's vocabulary and merges.
fn from_vocabulary(folder: &ModelFolder, names: &SpecialNames) -> Result<tokenizers::Tokenizer> {
    let vocabulary: BTreeMap<String, u32> = folder.json("vocab.json")?;
    let merges = read_merges(folder)?;
    let bpe = BPE::builder()
        .vocab_and_merges(vocabulary.into_iter().collect::<tokenizers::models::bpe::Vocab>(), merges)
        .unk_token(names.unknown.clone())
        .continuing_subword_prefix(String::new())
        .end_of_word_suffix("</w>".to_owned())
        .build()
        .map_err(|e| {
            Error::model(&folder.label(), format!("vocab.json and merges.txt contradict each other: {e}"))
                .with_hint("copy both files from the same model")
        })?;
    clip_rules(bpe).map_err(|e| Error::Bug(format!("the rules of CLIP's tokenizer: {e}")))
}

/// Pairs of `merges.txt`, best first. Its first line names a version.
fn read_merges(folder: &ModelFolder) -> Result<Merges> {
    let path = folder.label().join("merges.txt");
    let bytes = folder.read("merges.txt")?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|e| Error::model(&path, format!("expected UTF-8 text, found other bytes: {e}")))?;
    let lines = text.lines().enumerate().filter(|(_, l)| !l.is_empty() && !l.starts_with("#version"));
    lines
        .map(|(number, line)| match line.split_once(' ') {
            Some((left, right)) => Ok((left.to_owned(), right.to_owned())),
            None => {
                let message = format!("line {}: expected two tokens and a blank, found {line:?}", number + 1);
                Err(Error::model(&path, message))
            }
        })
        .collect()
}

/// Lower case, composed, blanks run together; words of [`WORDS`], then bytes.
fn clip_rules(bpe: BPE) -> tokenizers::Result<tokenizers::Tokenizer> {
    let mut inner = tokenizers::Tokenizer::new(bpe);
    let blanks = Replace::new(ReplacePattern::Regex(r"\s+".to_owned()), " ")?;
    inner.with_normalizer(Some(Normalizers::new(vec![NFC.into(), blanks.into(), Lowercase.into()])))?;
    let words = Split::new(SplitPattern::Regex(WORDS.to_owned()), SplitDelimiterBehavior::Removed, true)?;
    let bytes = ByteLevel::new(false, true, true);
    inner.with_pre_tokenizer(Some(PreTokenizers::new(vec![words.into(), bytes.into()])));
    Ok(inner)
}

/// A whole tokenizer file. Its cutting and filling are switched off: chunks are ours.
fn from_json(folder: &ModelFolder) -> Result<tokenizers::Tokenizer> {
    let broken = |e| {
        let path = folder.label().join("tokenizer.json");
        Error::model(&path, format!("cannot understand this file: {e}"))
    };
    let mut inner = tokenizers::Tokenizer::from_bytes(folder.read("tokenizer.json")?).map_err(broken)?;
    inner.with_truncation(None).map_err(broken)?;
    inner.with_padding(None);
    Ok(inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tiny() -> Tokenizer {
        Tokenizer::load(&ModelFolder::embedded("kinora-tiny").unwrap().join("tokenizer")).unwrap()
    }

    #[test]
    fn both_kinds_of_file_give_the_same_ids() {
        let folder = tempfile::tempdir().unwrap();
        let embedded = ModelFolder::embedded("kinora-tiny").unwrap().join("tokenizer");
        std::fs::write(folder.path().join("tokenizer.json"), embedded.read("tokenizer.json").unwrap())
            .unwrap();
        let whole = Tokenizer::load(&ModelFolder::open(folder.path()).unwrap()).unwrap();
        for text in ["Misty  mountains,\n8k!! don't", "Ünïcödé 🐉 <|endoftext|> 12", ""] {
            assert_eq!(whole.ids(text).unwrap(), tiny().ids(text).unwrap(), "{text}");
        }
    }

    #[test]
    fn an_older_pad_token_is_taken_from_the_map() {
        let folder = tempfile::tempdir().unwrap();
        let embedded = ModelFolder::embedded("kinora-tiny").unwrap().join("tokenizer");
        for file in ["vocab.json", "merges.txt", "tokenizer_config.json"] {
            std::fs::write(folder.path().join(file), embedded.read(file).unwrap()).unwrap();
        }
        let map = r#"{"pad_token": "!", "eos_token": {"content": "<|endoftext|>", "lstrip": false}}"#;
        std::fs::write(folder.path().join("special_tokens_map.json"), map).unwrap();
        let tokenizer = Tokenizer::load(&ModelFolder::open(folder.path()).unwrap()).unwrap();
        assert_eq!(tokenizer.pad(), 0);
        // The mark in a prompt stays a word: padding with it does not make it special.
        assert_ne!(tokenizer.ids("wow!").unwrap().last(), Some(&0));
    }

    #[test]
    fn a_model_without_a_tokenizer_gets_clips_when_it_has_its_vocabulary() {
        let folder = tempfile::tempdir().unwrap();
        let none = ModelFolder::open(folder.path()).unwrap().join("tokenizer");
        let of = |hidden_act| {
            Tokenizer::of_encoder(&none, &ClipConfig { hidden_act, ..ClipConfig::default() }).unwrap()
        };
        let (openai, open_clip) = (of(Activation::QuickGelu), of(Activation::Gelu));
        assert_eq!(openai.ids("a cat").unwrap(), [320, 2368]);
        assert_eq!((openai.start(), openai.end(), openai.pad()), (49406, 49407, 49407));
        assert_eq!((open_clip.end(), open_clip.pad()), (49407, 0));
        let other = ClipConfig { vocab_size: 1134, ..ClipConfig::default() };
        assert!(Tokenizer::of_encoder(&none, &other).unwrap_err().to_string().contains("there are neither"));
    }

    #[test]
    fn files_that_contradict_each_other_are_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("vocab.json"), r#"{"a": 0}"#).unwrap();
        std::fs::write(folder.path().join("merges.txt"), "#version: 0.2\nin g\n").unwrap();
        let error = Tokenizer::load(&ModelFolder::open(folder.path()).unwrap()).unwrap_err().to_string();
        assert!(error.contains("contradict"), "{error}");
    }

    proptest! {
        #[test]
        fn any_text_has_ids_of_the_vocabulary(text in "\\PC{0,60}|[\\x00-\\x7f]{0,60}") {
            let tokenizer = tiny();
            for id in tokenizer.ids(&text).unwrap() {
                prop_assert!(tokenizer.token(id).is_some());
            }
        }
    }
}
