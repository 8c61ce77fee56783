use std::sync::Arc;

use candle_nn::VarBuilder;
use half::{bf16, f16};

use super::audit::audit;
use super::*;

/// A file of these tensors: name, type, shape, bytes.
fn file(tensors: &[(&str, &str, &[usize], Vec<u8>)]) -> Vec<u8> {
    let (mut head, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, dtype, shape, bytes) in tensors {
        let start = data.len();
        data.extend(bytes);
        let entry = serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": [start, data.len()]});
        head.insert((*name).to_owned(), entry);
    }
    let head = serde_json::to_vec(&head).unwrap();
    [(head.len() as u64).to_le_bytes().to_vec(), head, data].concat()
}

fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn f16s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect()
}

fn bf16s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect()
}

fn opened(bytes: Vec<u8>) -> Arc<WeightFile> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    std::fs::write(&path, bytes).unwrap();
    Arc::new(WeightFile::open(&path).unwrap())
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn halves_stay_halves_when_asked_for_and_are_floats_otherwise() {
    let file = opened(file(&[
        ("pad", "U8", &[1], vec![7]),
        ("a.weight", "F16", &[2], f16s(&[1.5, -2.0])),
        ("b.weight", "BF16", &[2], bf16s(&[0.5, 3.0])),
        ("c.weight", "F32", &[1], f32s(&[7.0])),
        ("n", "I64", &[2], [3_i64, -4].iter().flat_map(|v| v.to_le_bytes()).collect()),
    ]));
    let vb = Weights::of(&[file]).builder(&Device::Cpu);
    let a = stored(&vb.pp("a"), "weight").unwrap();
    assert_eq!((a.dtype(), values(&a)), (DType::F16, vec![1.5, -2.0]));
    let b = stored_shaped(&vb.pp("b"), 2, "weight").unwrap();
    assert_eq!((b.dtype(), values(&b)), (DType::BF16, vec![0.5, 3.0]));
    assert_eq!(stored(&vb, "c.weight").unwrap().dtype(), DType::F32);
    let wide = vb.get(2, "a.weight").unwrap();
    assert_eq!((wide.dtype(), values(&wide)), (DType::F32, vec![1.5, -2.0]));
    assert_eq!(values(&vb.get(2, "n").unwrap()), [3.0, -4.0]);
    assert!(vb.get(3, "a.weight").is_err() && stored(&vb, "d").is_err() && !vb.contains_tensor("d"));
    assert!(stored_shaped(&vb.pp("b"), 3, "weight").is_err());
}

#[test]
fn parts_and_transposed_matrices_are_cut_out() {
    let file = opened(file(&[("m", "F32", &[4, 2], f32s(&[0., 1., 2., 3., 4., 5., 6., 7.]))]));
    let mut weights = Weights::default();
    for part in 0..2 {
        weights.insert(format!("p{part}"), Source::new(&file, "m", Cut::Rows { part, of: 2 }));
    }
    weights.insert("t".to_owned(), Source::new(&file, "m", Cut::Transposed));
    weights.insert("odd".to_owned(), Source::new(&file, "m", Cut::Rows { part: 0, of: 3 }));
    assert_eq!(weights.shape("p1"), Some(vec![2, 2]));
    assert_eq!((weights.shape("t"), weights.shape("odd")), (Some(vec![2, 4]), None));
    let vb = weights.builder(&Device::Cpu);
    assert_eq!(values(&vb.get((2, 2), "p1").unwrap()), [4., 5., 6., 7.]);
    assert_eq!(values(&vb.get((2, 4), "t").unwrap()), [0., 2., 4., 6., 1., 3., 5., 7.]);
    assert!(vb.get((2, 2), "odd").is_err());
}

#[test]
fn what_is_no_safetensors_file_is_called_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let refusal = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        WeightFile::open(&path).unwrap_err()
    };
    assert!(refusal(b"").to_string().contains("0 bytes"));
    assert!(refusal(b"this is not a model at all").to_string().contains("a text file"));
    let torch = refusal(b"PK\x03\x04\0\0\0\0archive/data.pkl");
    assert!(
        torch.to_string().contains("PyTorch") && torch.hint().unwrap().contains("safetensors"),
        "{torch}"
    );
    assert!(WeightFile::open(folder.path()).is_err());
    assert!(WeightFile::open(&folder.path().join("nothing")).is_err());
}

#[test]
fn a_type_that_is_not_read_is_named() {
    let file = opened(file(&[("x", "F8_E4M3", &[2], vec![1, 2])]));
    let error = file.tensor("x", DType::F32, &Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("F8_E4M3") && error.contains("`x`"), "{error}");
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let weights = Weights::of(&[opened(file(&[
        ("level.0.good", "F32", &[1], f32s(&[1.0])),
        ("level.0.wide", "F32", &[2], f32s(&[1.0, 2.0])),
        ("other.0.x", "F32", &[1], f32s(&[1.0])),
        ("other.0.y", "F32", &[1], f32s(&[1.0])),
    ]))]);
    let build = |vb: VarBuilder<'static>| {
        let level = vb.pp("level.0");
        for name in ["good", "wide", "a", "b"] {
            level.get(1, name)?;
        }
        vb.get(1, "last")
    };
    let error = audit(Path::new("m"), "network", &weights, build).unwrap().to_string();
    assert_eq!(
        error,
        "model m: expected 5 weights of a network, 3 are missing: last, level.0.* (2), 1 is of another shape: \
         level.0.wide (expected [1], found [2]); 2 are not known: other.0.* (2)"
    );
    assert!(audit(Path::new("m"), "network", &weights, |vb| vb.get(1, "level.0.good")).is_none());
}

/// A whole file of a few tensors, damaged at fixed places: a panic, a hang or a huge allocation fails the test.
#[test]
fn damaged_files_never_panic() {
    let whole = file(&[
        ("a.weight", "F16", &[3, 2], f16s(&[0.0; 6])),
        ("b.weight", "F32", &[2], f32s(&[0.0; 2])),
        ("c", "I64", &[1], vec![0; 8]),
        ("d", "F8_E4M3", &[4], vec![0; 4]),
    ]);
    let mut refused = 0;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |n: usize| {
        // xorshift64*: a fixed stream, so that a failure can be repeated.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    };
    for _ in 0..6000 {
        let mut bytes = whole.clone();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            match random(5) {
                0 => bytes[at] = random(256) as u8,
                1 => bytes[at] = b"0123456789[]{},:\""[random(17)],
                2 => drop(bytes.drain(at..)),
                3 => bytes.insert(at, random(256) as u8),
                _ => bytes[random(8).min(at)] ^= 1 << random(8),
            }
            if bytes.is_empty() {
                break;
            }
        }
        match WeightFile::in_memory(Path::new("x"), bytes) {
            Err(_) => refused += 1,
            Ok(file) => {
                for name in file.header().tensors.keys() {
                    let _ = file.tensor(name, DType::F32, &Device::Cpu);
                }
            }
        }
    }
    assert!(refused > 1000, "the damage does not damage: {refused}");
}
