//! How the keys of LoRA files are read: which network, which layer, which part of its change.

/// The network that a key belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// The UNet.
    Unet,
    /// A text encoder, counted from 0.
    Text(usize),
    /// The key does not say.
    Any,
}

/// A tensor's part in the change of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "named after the keys' own endings")]
pub(super) enum Part {
    Down,
    Up,
    Mid,
    UpBias,
    Alpha,
    /// LyCORIS' `dora_scale`; which axis it scales is told by its shape.
    DoraScale,
    /// PEFT's magnitude of each output.
    Magnitude,
    HadaW1a,
    HadaW1b,
    HadaW2a,
    HadaW2b,
    HadaT1,
    HadaT2,
    LokrW1,
    LokrW1a,
    LokrW1b,
    LokrW2,
    LokrW2a,
    LokrW2b,
    LokrT2,
    Diff,
    DiffBias,
    NormWeight,
    NormBias,
    Ia3,
    OnInput,
}

/// A key taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A part of the change of the layer `path`, which is written with dots or underscores.
    Part { scope: Scope, path: String, part: Part },
    /// A kind of change that is known and not supported, by its name.
    Unsupported(&'static str),
    /// Anything else.
    Unknown,
}

/// Endings of keys, each before those that it ends with.
const ENDINGS: [(&str, Part); 32] = [
    (".lora_linear_layer.down.weight", Part::Down),
    (".lora_linear_layer.up.weight", Part::Up),
    ("_lora.down.weight", Part::Down),
    ("_lora.up.weight", Part::Up),
    (".lora.down.weight", Part::Down),
    (".lora.up.weight", Part::Up),
    (".lora_down.weight", Part::Down),
    (".lora_up.weight", Part::Up),
    (".lora_mid.weight", Part::Mid),
    (".lora_up.bias", Part::UpBias),
    (".lora_A.weight", Part::Down),
    (".lora_B.weight", Part::Up),
    (".lora_B.bias", Part::UpBias),
    (".hada_w1_a", Part::HadaW1a),
    (".hada_w1_b", Part::HadaW1b),
    (".hada_w2_a", Part::HadaW2a),
    (".hada_w2_b", Part::HadaW2b),
    (".hada_t1", Part::HadaT1),
    (".hada_t2", Part::HadaT2),
    (".lokr_w1_a", Part::LokrW1a),
    (".lokr_w1_b", Part::LokrW1b),
    (".lokr_w2_a", Part::LokrW2a),
    (".lokr_w2_b", Part::LokrW2b),
    (".lokr_w1", Part::LokrW1),
    (".lokr_w2", Part::LokrW2),
    (".lokr_t2", Part::LokrT2),
    (".dora_scale", Part::DoraScale),
    (".alpha", Part::Alpha),
    (".diff_b", Part::DiffBias),
    (".diff", Part::Diff),
    (".w_norm", Part::NormWeight),
    (".b_norm", Part::NormBias),
];

/// Kinds that are refused, by what their keys hold.
const UNSUPPORTED: [(&str, &str); 9] = [
    (".oft_", "OFT"),
    (".boft_", "BOFT"),
    (".a1.weight", "GLoRA"),
    (".a2.weight", "GLoRA"),
    (".bias_indices", "sparse bias"),
    (".bias_values", "sparse bias"),
    (".vera_lambda", "VeRA"),
    (".set_weight", "replaced weights"),
    (".reshape_weight", "reshaped weights"),
];

/// Beginnings of keys that say the network, longer ones first where one begins with another.
const PREFIXES: [(&str, Scope); 17] = [
    ("lora_unet_", Scope::Unet),
    ("lycoris_", Scope::Any),
    ("lora_te1_", Scope::Text(0)),
    ("lora_te2_", Scope::Text(1)),
    ("lora_te_", Scope::Text(0)),
    ("model.diffusion_model.", Scope::Unet),
    ("diffusion_model.", Scope::Unet),
    ("unet.", Scope::Unet),
    ("text_encoder_2.", Scope::Text(1)),
    ("text_encoder.", Scope::Text(0)),
    ("text_encoders.clip_l.transformer.", Scope::Text(0)),
    ("text_encoders.clip_g.transformer.", Scope::Text(1)),
    ("text_encoders.clip_h.transformer.", Scope::Text(0)),
    ("cond_stage_model.transformer.", Scope::Text(0)),
    ("cond_stage_model.model.", Scope::Text(0)),
    ("te1.", Scope::Text(0)),
    ("te2.", Scope::Text(1)),
];

/// Takes a key apart.
pub(super) fn read(key: &str) -> Key {
    if let Some((_, name)) = UNSUPPORTED.iter().find(|(mark, _)| key.contains(mark)) {
        return Key::Unsupported(name);
    }
    let Some((module, part)) = ending(key) else { return Key::Unknown };
    if module.is_empty() {
        return Key::Unknown;
    }
    let (scope, path) = scope(module);
    Key::Part { scope, path: plain(path), part }
}

/// The layer and the part.
fn ending(key: &str) -> Option<(&str, Part)> {
    if let Some(found) = ENDINGS.iter().find_map(|(end, part)| Some((key.strip_suffix(end)?, *part))) {
        return Some(found);
    }
    // PEFT puts the adapter's name between: `.lora_A.default.weight`.
    for (mark, part) in [(".lora_A.", Part::Down), (".lora_B.", Part::Up)] {
        if let Some((module, adapter)) = key.split_once(mark) {
            let part = if adapter.ends_with(".bias") { Part::UpBias } else { part };
            let known = adapter.ends_with(".weight") || (part == Part::UpBias && mark == ".lora_B.");
            return known.then_some((module, part));
        }
    }
    if let Some((module, _)) = key.split_once(".lora_magnitude_vector") {
        return Some((module, Part::Magnitude));
    }
    let ia3 = |end: &str, part| Some((key.strip_suffix(end)?, part));
    ia3(".on_input", Part::OnInput).or_else(|| ia3(".weight", Part::Ia3))
}

/// The network and the rest of the path.
fn scope(module: &str) -> (Scope, &str) {
    let module = module.strip_prefix("base_model.model.").unwrap_or(module);
    let found = PREFIXES.iter().find_map(|(prefix, scope)| Some((*scope, module.strip_prefix(prefix)?)));
    found.unwrap_or((Scope::Any, module))
}

/// The path as today's diffusers would write it: the first files hung their layers below a `processor`
/// (`attn1.processor.to_q`), and called those of the text encoder as those of the UNet.
fn plain(path: &str) -> String {
    let path = path.replace(".processor.", ".");
    let renamed = |ends: [(&str, &str); 4]| {
        let found =
            ends.iter().find_map(|(old, new)| path.strip_suffix(old).map(|head| format!("{head}{new}")));
        found.unwrap_or_else(|| path.clone())
    };
    if path.contains(".self_attn.") {
        renamed([(".to_q", ".q_proj"), (".to_k", ".k_proj"), (".to_v", ".v_proj"), (".to_out", ".out_proj")])
    } else if path.ends_with(".to_out") {
        format!("{path}.0")
    } else {
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(key: &str) -> (Scope, String, Part) {
        match read(key) {
            Key::Part { scope, path, part } => (scope, path, part),
            other => panic!("{key}: {other:?}"),
        }
    }

    #[test]
    fn every_trainers_names_are_read() {
        for (key, scope, path, found) in [
            ("lora_unet_conv_in.lora_down.weight", Scope::Unet, "conv_in", Part::Down),
            ("lora_te2_text_projection.alpha", Scope::Text(1), "text_projection", Part::Alpha),
            ("lora_te_text_model_a.hada_w1_a", Scope::Text(0), "text_model_a", Part::HadaW1a),
            ("lora_unet_x.lokr_w1", Scope::Unet, "x", Part::LokrW1),
            ("lora_unet_x.lokr_w1_a", Scope::Unet, "x", Part::LokrW1a),
            ("lora_unet_x.diff", Scope::Unet, "x", Part::Diff),
            ("lora_unet_x.diff_b", Scope::Unet, "x", Part::DiffBias),
            ("lora_unet_x.weight", Scope::Unet, "x", Part::Ia3),
            ("unet.a.attn1.to_q.lora.down.weight", Scope::Unet, "a.attn1.to_q", Part::Down),
            ("unet.a.attn1.processor.to_q_lora.up.weight", Scope::Unet, "a.attn1.to_q", Part::Up),
            ("a.attn1.processor.to_out_lora.up.weight", Scope::Any, "a.attn1.to_out.0", Part::Up),
            ("text_encoder.a.self_attn.to_k_lora.up.weight", Scope::Text(0), "a.self_attn.k_proj", Part::Up),
            (
                "text_encoder.a.self_attn.q_proj.lora_linear_layer.down.weight",
                Scope::Text(0),
                "a.self_attn.q_proj",
                Part::Down,
            ),
            ("base_model.model.unet.a.lora_A.weight", Scope::Unet, "a", Part::Down),
            ("base_model.model.mid_block.a.lora_B.default.weight", Scope::Any, "mid_block.a", Part::Up),
            ("unet.a.lora_B.bias", Scope::Unet, "a", Part::UpBias),
            ("unet.a.lora_magnitude_vector.default.weight", Scope::Unet, "a", Part::Magnitude),
            (
                "diffusion_model.input_blocks.1.1.x.lora_A.weight",
                Scope::Unet,
                "input_blocks.1.1.x",
                Part::Down,
            ),
        ] {
            assert_eq!(part(key), (scope, path.to_owned(), found), "{key}");
        }
    }

    #[test]
    fn other_kinds_are_called_by_their_names() {
        assert_eq!(read("lora_unet_x.oft_blocks"), Key::Unsupported("OFT"));
        assert_eq!(read("lora_unet_x.a1.weight"), Key::Unsupported("GLoRA"));
        assert_eq!(read("step"), Key::Unknown);
        assert_eq!(read(".alpha"), Key::Unknown);
    }
}
