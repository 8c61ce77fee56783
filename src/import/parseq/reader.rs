//! The parts of a Parseq file: keyframes, rendered frames, the names of its fields.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::document::{Document, as_number};
use crate::schedule::deforum::ReadError;

/// Most frames of a document or manifest.
pub(super) const MOST_FRAMES: f64 = 1_000_000.0;

/// The keyframes, when the file has them.
pub(super) fn document(root: &Map<String, Json>, fps: f64, bpm: f64) -> Result<Option<Document>, ReadError> {
    let Some(Json::Array(list)) = root.get("keyframes") else { return Ok(None) };
    let mut keyframes = Vec::with_capacity(list.len());
    for (index, key) in list.iter().enumerate() {
        let key = key.as_object();
        let frame = key.and_then(|key| as_number(key.get("frame")?));
        match (key, frame) {
            (Some(key), Some(frame)) if (0.0..=MOST_FRAMES).contains(&frame) => {
                keyframes.push((frame.trunc(), key.clone()));
            }
            _ => {
                let message = format!("expected a frame number in keyframe {index}");
                return Err(ReadError::new(Default::default(), message));
            }
        }
    }
    keyframes.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok((!keyframes.is_empty()).then_some(Document { keyframes, fps, bpm }))
}

/// The rendered frames, one for each number; one that is left out is like the one before.
pub(super) fn rendered(root: &Map<String, Json>) -> Result<Vec<Map<String, Json>>, ReadError> {
    let Some(Json::Array(list)) = root.get("rendered_frames") else { return Ok(Vec::new()) };
    let mut found: Vec<(usize, Map<String, Json>)> = Vec::with_capacity(list.len());
    for (index, frame) in list.iter().enumerate() {
        match frame.as_object().and_then(|map| Some((as_number(map.get("frame")?)?, map))) {
            Some((number, map)) if (0.0..=MOST_FRAMES).contains(&number) => {
                found.push((number as usize, map.clone()))
            }
            // Parseq leaves the frames in front of a late first key empty.
            None if frame.is_null() => {}
            _ => {
                let message = format!("expected a frame number in rendered frame {index}");
                return Err(ReadError::new(Default::default(), message));
            }
        }
    }
    found.sort_by_key(|(number, _)| *number);
    let Some(first) = found.first().map(|(number, _)| *number) else { return Ok(Vec::new()) };
    let mut frames: Vec<Map<String, Json>> = Vec::new();
    for (number, map) in found {
        while frames.len() < number - first {
            frames.extend(frames.last().cloned());
        }
        frames.truncate(number - first);
        frames.push(map);
    }
    Ok(frames)
}

/// The fields that the file has.
pub(super) fn names(
    root: &Map<String, Json>,
    document: Option<&Document>,
    rendered: &[Map<String, Json>],
) -> BTreeSet<String> {
    if let Some(Json::Array(list)) = root.get("managedFields") {
        return list.iter().filter_map(Json::as_str).map(str::to_owned).collect();
    }
    let is_field = |name: &str| {
        !name.ends_with("_i")
            && !name.ends_with("_delta")
            && !name.ends_with("_pc")
            && !matches!(name, "frame" | "info" | "deforum_prompt" | "positive_prompt" | "negative_prompt")
    };
    let keys = document.into_iter().flat_map(|document| &document.keyframes).flat_map(|(_, map)| map.keys());
    let found: BTreeSet<String> = keys
        .map(|name| name.trim_end_matches("_i"))
        .filter(|name| is_field(name))
        .map(str::to_owned)
        .collect();
    if document.is_some() {
        return found;
    }
    let first = rendered.first().into_iter().flat_map(Map::keys);
    first
        .map(|name| name.trim_end_matches("_delta"))
        .filter(|name| is_field(name))
        .map(str::to_owned)
        .collect()
}
