use proptest::prelude::*;

use super::*;
use crate::diffusion::text::TextModel;
use crate::models::ModelFolder;

/// `torch.save({"string_to_token": {"*": 265}, "string_to_param": {"*": torch.arange(8.).reshape(2, 4) / 8},
/// "name": "x", "step": 5}, …)` with torch 2.15.
const DICT: &[u8] = include_bytes!("testdata/dict.pt");
/// The same with the transpose of its transpose in a `torch.nn.ParameterDict`, as early tools saved it, f16.
const PARAMETERS: &[u8] = include_bytes!("testdata/parameters.pt");
/// `torch.save({"<x>": torch.arange(4.)}, …)`, as diffusers saves a concept.
const CONCEPT: &[u8] = include_bytes!("testdata/concept.bin");

fn save(folder: &Path, name: &str, tensors: &[(&str, Tensor)]) -> PathBuf {
    let path = folder.join(name);
    let tensors = tensors.iter().map(|(name, tensor)| (*name, tensor.clone()));
    safetensors::serialize_to_file(tensors, None, &path).unwrap();
    path
}

fn vectors(count: usize, width: usize) -> Tensor {
    let values: Vec<f32> = (0..count * width).map(|i| i as f32 / 8.0).collect();
    Tensor::from_vec(values, (count, width), &Device::Cpu).unwrap()
}

fn one(path: &Path) -> Vec<Vec<f32>> {
    match read(path).unwrap() {
        EmbeddingFile::One(vectors) => vectors.to_vec2().unwrap(),
        two => panic!("{two:?}"),
    }
}

/// A text model of 96 channels that knows these embeddings.
fn model(list: Vec<(&str, PathBuf)>) -> TextModel {
    let folder = ModelFolder::embedded("kinora-tiny").unwrap();
    let mut model =
        TextModel::load(&folder.join("text_encoder"), &folder.join("tokenizer"), &Device::Cpu).unwrap();
    let list = list.into_iter().map(|(name, path)| (name.to_owned(), path)).collect();
    model.set_embeddings(&Arc::new(Embeddings::new(list)), Part::Only).unwrap();
    model
}

fn texts(model: &TextModel, prompt: &str) -> Vec<(String, usize, f64)> {
    let chunks = model.weighed_tokens(prompt).unwrap();
    chunks.into_iter().flatten().map(|t| (t.text, t.vectors, t.weight)).collect()
}

#[test]
fn every_layout_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let two = vectors(2, 4);
    let expected: Vec<Vec<f32>> = two.to_vec2().unwrap();
    assert_eq!(one(&save(folder.path(), "a.safetensors", &[("emb_params", two.clone())])), expected);
    assert_eq!(one(&save(folder.path(), "b.safetensors", &[("<cat>", two.clone())])), expected);
    let flat = vectors(1, 4).get(0).unwrap();
    assert_eq!(one(&save(folder.path(), "c.safetensors", &[("x", flat)])), [expected[0].clone()]);
    let half = two.to_dtype(candle_core::DType::F16).unwrap();
    assert_eq!(one(&save(folder.path(), "d.safetensors", &[("x", half)])), expected);
    let pair = [("clip_l", two.clone()), ("clip_g", vectors(2, 6))];
    let file = read(&save(folder.path(), "e.safetensors", &pair)).unwrap();
    assert!(matches!(file, EmbeddingFile::Two(l, g) if l.dims() == [2, 4] && g.dims() == [2, 6]));
    for (name, bytes) in [("f.pt", DICT), ("g.pt", PARAMETERS)] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
        assert_eq!(one(&folder.path().join(name)), expected, "{name}");
    }
    std::fs::write(folder.path().join("h.bin"), CONCEPT).unwrap();
    assert_eq!(one(&folder.path().join("h.bin")), [[0.0, 1.0, 2.0, 3.0]]);
}

#[test]
fn what_is_no_embedding_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let nan = Tensor::full(f32::NAN, (1, 4), &Device::Cpu).unwrap();
    for (path, part) in [
        (folder.path().join("none.pt"), "cannot read"),
        (write("empty.pt", b""), "empty"),
        (write("text.safetensors", b"easynegative"), "safetensors"),
        (write("old.pt", b"\x80\x02\x8a\nl\xfc"), "old PyTorch"),
        (write("cut.pt", &DICT[..DICT.len() - 30]), "cut short"),
        (write("huge.pt", &vec![b'x'; (16 << 20) + 1]), "larger"),
        (
            save(folder.path(), "two.safetensors", &[("a", vectors(1, 4)), ("b", vectors(1, 4))]),
            "found 2: a, b",
        ),
        (save(folder.path(), "deep.safetensors", &[("a", vectors(2, 4).unsqueeze(0).unwrap())]), "[1, 2, 4]"),
        (
            save(
                folder.path(),
                "none.safetensors",
                &[("a", Tensor::zeros((0, 4), candle_core::DType::F32, &Device::Cpu).unwrap())],
            ),
            "[0, 4]",
        ),
        (save(folder.path(), "nan.safetensors", &[("a", nan)]), "not finite"),
        (
            save(folder.path(), "odd.safetensors", &[("clip_l", vectors(1, 4)), ("clip_g", vectors(2, 4))]),
            "1 and 2",
        ),
    ] {
        let error = read(&path).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn an_embedding_for_another_family_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let sd1 = save(folder.path(), "bad.safetensors", &[("emb_params", vectors(1, 768))]);
    let xl =
        save(folder.path(), "xl.safetensors", &[("clip_l", vectors(1, 768)), ("clip_g", vectors(1, 1280))]);
    let model = model(vec![("sea", sd1), ("snow", xl)]);
    let error = model.chunks("sea").unwrap_err().to_string();
    assert!(error.contains("96 numbers") && error.contains("768") && error.contains("SD 1.x"), "{error}");
    let error = model.chunks("snow").unwrap_err().to_string();
    assert!(error.contains("found one for SDXL"), "{error}");
    // Nobody names it, nobody reads it.
    assert!(model.chunks("fog").is_ok());
}

#[test]
fn names_are_found_by_their_tokens_the_longest_first() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, count| save(folder.path(), name, &[("emb_params", vectors(count, 96))]);
    let model = model(vec![("sea", file("a", 1)), ("sea snow", file("b", 3)), ("Fog", file("c", 2))]);
    let names = |prompt: &str| -> Vec<(String, usize)> {
        texts(&model, prompt).into_iter().map(|(text, vectors, _)| (text, vectors)).collect()
    };
    assert_eq!(names("SEA"), [("sea".to_owned(), 1)]);
    assert_eq!(names("sea   snow"), [("sea snow".to_owned(), 3)]);
    assert_eq!(names("fog fog"), [("Fog".to_owned(), 2), ("Fog".to_owned(), 2)]);
    assert_eq!(names("seas").iter().map(|n| n.1).sum::<usize>(), 0);
    // Emphasis tears a name apart, and weighs each vector of a whole one.
    assert_eq!(names("sea (snow)")[0], ("sea".to_owned(), 1));
    let weighed = model.chunks("(fog:1.5)").unwrap();
    assert_eq!(weighed[0].weights[..4], [1.0, 1.5, 1.5, 1.0]);
}

#[test]
fn vectors_stay_in_one_chunk() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, count| save(folder.path(), name, &[("emb_params", vectors(count, 96))]);
    let model = model(vec![("fog", file("a", 10)), ("snow", file("b", 76))]);
    let places = |prompt: &str| -> Vec<Vec<usize>> {
        let chunks = model.chunks(prompt).unwrap();
        assert!(chunks.iter().all(|c| c.tokens.len() == 77 && c.weights.len() == 77));
        chunks.iter().map(|c| c.insertions.iter().map(|i| i.at).collect()).collect()
    };
    assert_eq!(places(&format!("{} fog", "sea ".repeat(65))), [vec![66]]);
    assert_eq!(places(&format!("{} fog", "sea ".repeat(66))), [vec![], vec![1]]);
    // What a comma near the end takes along keeps its vectors.
    let moved = format!("{}, fog {}", "sea ".repeat(60), "sea ".repeat(10));
    assert_eq!(places(&moved), [vec![], vec![1]]);
    let error = model.chunks("snow").unwrap_err().to_string();
    assert!(error.contains("at most 75 vectors, found 76"), "{error}");
}

#[test]
fn vectors_that_are_tokens_embeddings_give_what_the_tokens_give() {
    let folder = tempfile::tempdir().unwrap();
    let weights =
        ModelFolder::embedded("kinora-tiny").unwrap().join("text_encoder").weights(&Device::Cpu).unwrap();
    let table = weights.pp("text_model.embeddings.token_embedding");
    let table = table.get((1134, 96), "weight").unwrap();
    let plain = model(Vec::new());
    let ids = plain.tokenizer().ids("sea fog").unwrap();
    let rows = table.index_select(&Tensor::new(ids, &Device::Cpu).unwrap(), 0).unwrap();
    let with = model(vec![("castle", save(folder.path(), "x", &[("emb_params", rows)]))]);
    for (named, written) in [("castle", "sea fog"), ("a (castle:1.3), snow", "a (sea fog:1.3), snow")] {
        let values = |model: &TextModel, prompt| -> Vec<f32> {
            model.encode(prompt, 1).unwrap().embeddings.flatten_all().unwrap().to_vec1().unwrap()
        };
        assert_eq!(values(&with, named), values(&plain, written), "{named}");
    }
}

proptest! {
    #[test]
    fn broken_files_never_panic(
        which in 0_usize..3,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = [DICT, PARAMETERS, CONCEPT][which].to_vec();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = pickle::tensors(&bytes);
    }

    #[test]
    fn any_pickle_ends(pickle in prop::collection::vec(
        prop_oneof![any::<u8>(), prop::sample::select(&b"()]}tulasbRQ.hqKXc\n\x85\x86\x81\x94N"[..])], 0..200)) {
        let _ = pickle::tensors(&zip(&[("x/data.pkl", &pickle)]));
    }
}

/// A ZIP file as PyTorch writes it, as far as it is looked at.
fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let at = out.len() as u32;
        let (length, size) = (name.len() as u16, content.len() as u32);
        out.extend(b"PK\x03\x04".iter().chain(&[0; 22]));
        out.extend(length.to_le_bytes().iter().chain(&[0; 2]).chain(name.as_bytes()).chain(*content));
        directory.extend(
            b"PK\x01\x02".iter().chain(&[0; 16]).chain(&size.to_le_bytes()).chain(&size.to_le_bytes()),
        );
        directory.extend(
            length.to_le_bytes().iter().chain(&[0; 12]).chain(&at.to_le_bytes()).chain(name.as_bytes()),
        );
    }
    let at = out.len() as u32;
    out.extend(&directory);
    out.extend(b"PK\x05\x06".iter().chain(&[0; 6]).chain(&(files.len() as u16).to_le_bytes()));
    out.extend((directory.len() as u32).to_le_bytes().iter().chain(&at.to_le_bytes()).chain(&[0; 2]));
    out
}

#[test]
fn a_pickle_that_doubles_itself_takes_no_more_memory_than_its_bytes() {
    // A tuple of two of what lies on the stack, thousands of times over.
    let mut pickle = b"\x80\x02Nq\x00".to_vec();
    (0..20_000).for_each(|_| pickle.extend(b"h\x00h\x00\x86q\x00"));
    pickle.extend(b"h\x00.");
    let error = pickle::tensors(&zip(&[("x/data.pkl", &pickle)])).unwrap_err();
    assert!(error.contains("no dictionary"), "{error}");
}
