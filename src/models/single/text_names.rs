//! The names of a text encoder's weights, in OpenCLIP and in older files, as transformers calls them.

use crate::models::tensors::Cut;

/// Parts of OpenCLIP's fused attention weights, in their order.
const FUSED: [&str; 3] = ["q_proj", "k_proj", "v_proj"];

/// A weight of transformers' network and what it is of the file's tensor.
pub(super) type Named = (String, Cut);

/// transformers' weights in the OpenCLIP tensor `name`; none when the network has no use for it.
pub(super) fn open_clip(name: &str) -> Vec<Named> {
    let one = |name: String| vec![(name, Cut::Whole)];
    let model = |rest: &str| one(format!("text_model.{rest}"));
    match name {
        "positional_embedding" => model("embeddings.position_embedding.weight"),
        "token_embedding.weight" => model("embeddings.token_embedding.weight"),
        "ln_final.weight" => model("final_layer_norm.weight"),
        "ln_final.bias" => model("final_layer_norm.bias"),
        "text_projection" => vec![("text_projection.weight".to_owned(), Cut::Transposed)],
        "text_projection.weight" => one(name.to_owned()),
        _ => {
            let Some((layer, rest)) =
                name.strip_prefix("transformer.resblocks.").and_then(|rest| rest.split_once('.'))
            else {
                return Vec::new();
            };
            let layer = format!("text_model.encoder.layers.{layer}");
            if let Some(kind @ ("weight" | "bias")) = rest.strip_prefix("attn.in_proj_") {
                let part = |(part, name): (usize, &&str)| {
                    (format!("{layer}.self_attn.{name}.{kind}"), Cut::Rows { part, of: FUSED.len() })
                };
                return FUSED.iter().enumerate().map(part).collect();
            }
            let renamed = [
                ("ln_1.", "layer_norm1."),
                ("ln_2.", "layer_norm2."),
                ("attn.out_proj.", "self_attn.out_proj."),
                ("mlp.c_fc.", "mlp.fc1."),
                ("mlp.c_proj.", "mlp.fc2."),
            ];
            let found = renamed.iter().find_map(|(old, new)| Some((new, rest.strip_prefix(old)?)));
            found.map_or_else(Vec::new, |(new, tail)| one(format!("{layer}.{new}{tail}")))
        }
    }
}

/// transformers' weight in the tensor `name` of a file that keeps transformers' own names; older ones leave out
/// `text_model.`.
pub(super) fn transformers(name: &str) -> Vec<Named> {
    let known = ["embeddings.", "encoder.", "final_layer_norm."];
    // A buffer that counts from 0, no weight.
    if name.ends_with("position_ids") {
        return Vec::new();
    }
    if name.starts_with("text_model.") || name == "text_projection.weight" {
        return vec![(name.to_owned(), Cut::Whole)];
    }
    if known.iter().any(|known| name.starts_with(known)) {
        return vec![(format!("text_model.{name}"), Cut::Whole)];
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fused_weights_are_three_and_the_projection_is_transposed() {
        let parts = open_clip("transformer.resblocks.7.attn.in_proj_bias");
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[1].0, "text_model.encoder.layers.7.self_attn.k_proj.bias");
        assert_eq!(parts[1].1, Cut::Rows { part: 1, of: 3 });
        assert_eq!(open_clip("text_projection"), [("text_projection.weight".to_owned(), Cut::Transposed)]);
        let name = open_clip("transformer.resblocks.0.mlp.c_proj.weight").remove(0).0;
        assert_eq!(name, "text_model.encoder.layers.0.mlp.fc2.weight");
        assert!(open_clip("logit_scale").is_empty() && open_clip("transformer.resblocks.1").is_empty());
        assert_eq!(transformers("encoder.layers.0.x.bias")[0].0, "text_model.encoder.layers.0.x.bias");
        assert!(transformers("text_model.embeddings.position_ids").is_empty());
    }
}
