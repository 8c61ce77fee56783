//! Reading the cases: index files, pictures and NumPy arrays.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kinora::canvas::{Canvas, Plane, Size};
use serde_json::Value;

use crate::{Case, Verdict, within};

/// Every key that a case of these folders may have, except inside `params` and `files`.
const KEYS: &str = "name input border flip params matrix files depth depth_algorithm sampling_mode padding_mode \
    enable_perspective_flip aspect_ratio_use_old_formula rotation_matrix translation full_projection_new_rowvector \
    full_projection_old_rowvector reference mode amount seed noise_type perlin mask invert_mask kernel sigma threshold \
    contrast kind method note factor flow_of consistency_blur";
/// Every key of `params`. `near` and `far` have no effect in Deforum.
const PARAMS: &str = "angle zoom translation_x translation_y translation_z transform_center_x transform_center_y \
    perspective_flip_theta perspective_flip_phi perspective_flip_gamma perspective_flip_fv rotation_3d_x rotation_3d_y \
    rotation_3d_z near far fov aspect_ratio";
/// Every key of `files`.
const FILES: &str = "out out_exact float equalised randn perlin mask second flow forward backward reliable blurred \
    relative absolute";

/// One case of an index file.
#[derive(Clone)]
pub struct Entry {
    root: Arc<Path>,
    folder: Arc<str>,
    fields: Arc<Value>,
}

/// Names of the folders in a folder, sorted.
pub fn subfolders(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a readable folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("a readable entry"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The cases of `root/name/index.json`.
pub fn entries(root: &Path, name: &str) -> Vec<Entry> {
    let text = std::fs::read_to_string(root.join(name).join("index.json")).expect("an index file");
    let mut index: Value = serde_json::from_str(&text).expect("an index file in JSON");
    let Value::Array(cases) = index["cases"].take() else { panic!("{name}/index.json has no list of cases") };
    let (root, folder): (Arc<Path>, Arc<str>) = (root.into(), name.into());
    let entry = |fields| Entry { root: root.clone(), folder: folder.clone(), fields: Arc::new(fields) };
    cases.into_iter().map(entry).collect()
}

impl Entry {
    /// A case for each key that we do not know, if there is any.
    pub fn unknown(&self) -> Option<Vec<Case>> {
        let strange = |value: &Value, known: &str| -> Vec<String> {
            let keys = value.as_object().into_iter().flat_map(|map| map.keys());
            keys.filter(|key| !known.split_whitespace().any(|k| k == *key)).cloned().collect()
        };
        let fields = &self.fields;
        let mut keys = strange(fields, KEYS);
        keys.extend(strange(&fields["params"], PARAMS));
        keys.extend(strange(&fields["files"], FILES));
        let report = |key: &String| self.unsupported(key, format!("unknown key `{key}`"));
        (!keys.is_empty()).then(|| keys.iter().map(report).collect())
    }

    /// `deforum/<folder>`.
    pub fn kind(&self) -> String {
        format!("deforum/{}", self.folder)
    }

    /// A comparison of this case called `what`.
    pub fn case(&self, what: &str, run: fn(&Self) -> Verdict) -> Case {
        self.case_of(self.kind(), what, run)
    }

    /// The same under another kind.
    pub fn case_of(&self, kind: String, what: &str, run: fn(&Self) -> Verdict) -> Case {
        let entry = self.clone();
        Case::new(kind, format!("{} {what}", self.text("name")), move || run(&entry))
    }

    /// Reports a comparison that we cannot make.
    pub fn unsupported(&self, what: &str, why: impl Into<String>) -> Case {
        Case::unsupported(self.kind(), format!("{} {what}", self.text("name")), why)
    }

    /// A field, null when absent.
    pub fn field(&self, key: &str) -> &Value {
        &self.fields[key]
    }

    /// A field that is text.
    pub fn text(&self, key: &str) -> &str {
        self.fields[key].as_str().unwrap_or_else(|| panic!("`{key}` is text"))
    }

    /// A field that is a number.
    pub fn number(&self, key: &str) -> f64 {
        self.fields[key].as_f64().unwrap_or_else(|| panic!("`{key}` is a number"))
    }

    /// A field that is true or false.
    pub fn flag(&self, key: &str) -> bool {
        self.fields[key].as_bool().unwrap_or_else(|| panic!("`{key}` is true or false"))
    }

    /// A number of `params`.
    pub fn param(&self, key: &str) -> f64 {
        self.fields["params"][key].as_f64().unwrap_or_else(|| panic!("parameter `{key}` is a number"))
    }

    /// Whether the case has such a file.
    pub fn has(&self, file: &str) -> bool {
        self.fields["files"][file].is_string()
    }

    fn file(&self, file: &str) -> PathBuf {
        let name = self.fields["files"][file].as_str().unwrap_or_else(|| panic!("file `{file}` is named"));
        self.root.join(&*self.folder).join(name)
    }

    /// The picture in a file of the case.
    pub fn picture(&self, file: &str) -> Canvas {
        Canvas::open(&self.file(file)).expect("a picture")
    }

    /// The array in a file of the case.
    pub fn array(&self, file: &str) -> Array {
        Array::open(&self.file(file))
    }

    /// The common input picture that `key` names.
    pub fn input(&self, key: &str) -> Canvas {
        Canvas::open(&self.root.join("inputs").join(format!("{}.png", self.text(key)))).expect("an input")
    }

    /// The common input array that `key` names; `None` when it is null.
    pub fn input_plane(&self, key: &str) -> Option<Plane> {
        let name = self.fields[key].as_str()?;
        Some(Array::open(&self.root.join("inputs").join(format!("{name}.npy"))).plane())
    }

    /// A mask file: 1 where the grey level is half of white or more.
    pub fn mask(&self, file: &str) -> Plane {
        let picture = self.picture(file);
        let values = picture.as_rgb8().as_chunks::<3>().0.iter().map(|p| f32::from(p[0] >= 128));
        Plane::from_values(picture.size(), values.collect())
    }
}

/// A NumPy array of `f32`.
pub struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

impl Array {
    /// Reads version 1 files of little-endian `f32` in C order, which is all that there is.
    fn open(path: &Path) -> Self {
        let bytes = std::fs::read(path).expect("an array file");
        let header_end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        let header = std::str::from_utf8(&bytes[10..header_end]).expect("a header in ASCII");
        assert!(bytes.starts_with(b"\x93NUMPY\x01"), "{path:?} is a version 1 NumPy file");
        assert!(header.contains("'<f4'") && header.contains("False"), "{path:?} holds f32 in C order");
        let (_, shape) = header.split_once("'shape': (").expect("a shape");
        let (shape, _) = shape.split_once(')').expect("an end of the shape");
        let shape = shape.split(',').filter_map(|n| n.trim().parse().ok()).collect();
        let values = bytes[header_end..].as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        Self { shape, values }
    }

    /// Rows by columns; further axes are left out.
    pub fn size(&self) -> Size {
        Size::new(self.shape[1], self.shape[0])
    }

    /// An array of rows by columns as a plane.
    pub fn plane(self) -> Plane {
        Plane::from_values(self.size(), self.values)
    }

    /// One of the values that stand at each pixel of an array of rows by columns by values.
    pub fn channel(&self, c: usize) -> Vec<f32> {
        self.values.iter().skip(c).step_by(self.shape[2]).copied().collect()
    }
}

/// Limits of a comparison of pictures, in grey levels.
#[derive(Clone, Copy)]
pub struct Limits {
    pub max: f64,
    pub mean: f64,
    /// Of the 99th percentile.
    pub high: f64,
    /// Largest share of values that may differ at all.
    pub share: f64,
}

impl Limits {
    /// Only the largest difference is limited.
    pub fn max(max: f64) -> Self {
        Self { max, mean: f64::INFINITY, high: f64::INFINITY, share: 1.0 }
    }
}

/// Compares two lists of values; lists of different lengths and values that are not numbers never agree.
pub fn compare(ours: &[f32], theirs: &[f32], limits: Limits) -> Verdict {
    if ours.len() != theirs.len() || ours.is_empty() {
        return Verdict::Fail(format!("{} values, expected {}", ours.len(), theirs.len()));
    }
    let mut errors: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| f64::from((a - b).abs())).collect();
    if errors.iter().any(|e| e.is_nan()) {
        return Verdict::Fail("a value is not a number".to_owned());
    }
    errors.sort_by(f64::total_cmp);
    let n = errors.len();
    let max = errors[n - 1];
    let mean = errors.iter().sum::<f64>() / n as f64;
    let high = errors[((n as f64 * 0.99) as usize).min(n - 1)];
    let share = errors.iter().filter(|e| **e > 0.0).count() as f64 / n as f64;
    if mean > limits.mean || high > limits.high || share > limits.share {
        return Verdict::Fail(format!(
            "mean {mean:.4}, 99th percentile {high}, {share:.3} differ, max {max}"
        ));
    }
    within(max, limits.max)
}

/// Compares two pictures.
pub fn compare_pictures(ours: &Canvas, theirs: &Canvas, limits: Limits) -> Verdict {
    if ours.size() != theirs.size() {
        return Verdict::Fail(format!("size {}, expected {}", ours.size(), theirs.size()));
    }
    compare(&levels(ours), &levels(theirs), limits)
}

/// All values of a picture.
pub fn levels(canvas: &Canvas) -> Vec<f32> {
    canvas.as_rgb8().iter().map(|v| f32::from(*v)).collect()
}

/// Largest difference relative to the expected number, or to `floor` where that is larger. NaN stays NaN.
pub fn relative_error(ours: impl IntoIterator<Item = f64>, theirs: &Value, floor: f64) -> f64 {
    let mut flat = Vec::new();
    flatten(theirs, &mut flat);
    let ours: Vec<f64> = ours.into_iter().collect();
    if ours.len() != flat.len() {
        return f64::NAN;
    }
    let errors = ours.iter().zip(&flat).map(|(a, b)| (a - b).abs() / b.abs().max(floor));
    errors.fold(0.0, |worst, e| if worst.is_nan() || worst > e { worst } else { e })
}

fn flatten(value: &Value, into: &mut Vec<f64>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| flatten(item, into)),
        other => into.push(other.as_f64().unwrap_or(f64::NAN)),
    }
}
