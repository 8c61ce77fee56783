"""Tiny depth networks of every kind that kinora reads, run by transformers: what tests/depth_networks.rs compares with.

    pip install torch transformers safetensors && python make.py

Each `<case>.safetensors` holds one tensor, `predicted_depth`, and in its metadata what is needed to make the network and
its input again: `config` (config.json; empty when the network is one file whose config must be inferred), `file` (the
name of the weights' file) and `weights` (name, shape, and where the numbers come from). Numbers are not stored: each
is a function of the name of its tensor in transformers and of its place (`noise` below), times `scale`, plus
`offset`. The input is the noise of `pixel_values`, times 2, of the shape in `pixels`.

Original names follow the rules of transformers' conversion scripts (convert_depth_anything_to_hf.py,
convert_dpt_to_pytorch.py, convert_dpt_hybrid_to_pytorch.py), read backwards.
"""

import json
import math
import re

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import (
    BitConfig,
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    Dinov2Config,
    DPTConfig,
    DPTForDepthEstimation,
)

U64 = np.uint64


def noise(name, count):
    """-1 to 1, exact in f32: splitmix64 of FNV-1a of the name, counted up."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001B3) % 2**64
    with np.errstate(over="ignore"):
        x = U64(seed) + (np.arange(count, dtype=U64) + U64(1)) * U64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> U64(30))) * U64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> U64(27))) * U64(0x94D049BB133111EB)
        x = x ^ (x >> U64(31))
    return (x >> U64(40)).astype(np.float64) / 2**23 - 1.0


def spread(name, shape):
    """(scale, offset) that keep a network of noise lively."""
    if name.endswith("lambda1"):
        return 0.5, 0.7
    if name in ("head.conv3.bias", "head.head.4.bias"):
        return 0.1, 2.0
    if "norm" in name and name.endswith("weight"):
        return 0.3, 1.0
    if name.endswith("bias"):
        return 0.1, 0.0
    if "token" in name or "position" in name:
        return 0.5, 0.0
    return round(math.sqrt(3.0 / np.prod(shape[1:])), 6), 0.0


def fill(model):
    state = model.state_dict()
    for name, tensor in state.items():
        scale, offset = spread(name, tensor.shape)
        values = offset + scale * noise(name, tensor.numel())
        tensor.copy_(torch.from_numpy(values.astype(np.float32)).reshape(tensor.shape))
    return {name: list(tensor.shape) for name, tensor in state.items()}


# transformers 5.24 calls some of DINOv2's weights otherwise in memory than published files do.
PUBLISHED = {
    "attention.q_proj": "attention.attention.query",
    "attention.k_proj": "attention.attention.key",
    "attention.v_proj": "attention.attention.value",
    "attention.o_proj": "attention.output.dense",
}

# What original files keep in one.
JOINED = {
    "attention.q_proj": ("attention.qkv", ["attention.q_proj", "attention.k_proj", "attention.v_proj"]),
    "attention.attention.query": (
        "attention.qkv", ["attention.attention.query", "attention.attention.key", "attention.attention.value"],
    ),
    "mlp.gate_proj": ("mlp.weights_in", ["mlp.gate_proj", "mlp.up_proj"]),
}
PARTS = [part for _, parts in JOINED.values() for part in parts]


def published(name):
    for memory, file in PUBLISHED.items():
        name = name.replace(memory, file)
    return name


def entries(shapes, rename):
    """The file's tensors: of their own name, or renamed with query, key and value joined."""
    found = []
    for name, shape in shapes.items():
        scale, offset = spread(name, shape)
        entry = {"shape": shape, "scale": scale, "offset": offset}
        part = next((part for part in PARTS if part in name), None) if rename not in (None, published) else None
        if part is None:
            renamed = name if rename is None else rename(name)
            found.append({"name": renamed, "from": [name], **entry})
        elif part in JOINED:
            whole, parts = JOINED[part]
            sources = [name.replace(part, other) for other in parts]
            joined = {**entry, "shape": [len(parts) * shape[0], *shape[1:]]}
            found.append({"name": rename(name.replace(part, whole)), "from": sources, **joined})
    return found


def rules(pairs):
    def rename(name):
        for pattern, by in pairs:
            name = re.sub(pattern, by, name)
        return name

    return rename


SCRATCH = [
    (r"neck\.convs\.(\d)", lambda m: f"scratch.layer{int(m[1]) + 1}_rn"),
    (r"neck\.fusion_stage\.layers\.(\d)", lambda m: f"scratch.refinenet{4 - int(m[1])}"),
    (r"(scratch\.refinenet\d\.)projection", r"\1out_conv"),
    (r"residual_layer(\d)\.convolution", r"resConfUnit\1.conv"),
]

ANYTHING = rules(
    [
        (r"^backbone\.embeddings\.mask_token", "pretrained.mask_token"),
        (r"^backbone\.embeddings\.cls_token", "pretrained.cls_token"),
        (r"^backbone\.embeddings\.position_embeddings", "pretrained.pos_embed"),
        (r"^backbone\.embeddings\.patch_embeddings\.projection", "pretrained.patch_embed.proj"),
        (r"^backbone\.encoder\.layer\.", "pretrained.blocks."),
        (r"^backbone\.layernorm", "pretrained.norm"),
        (r"attention\.qkv", "attn.qkv"),
        (r"attention\.o_proj", "attn.proj"),
        (r"layer_scale(\d)\.lambda1", r"ls\1.gamma"),
        (r"mlp\.weights_in", "mlp.w12"),
        (r"mlp\.down_proj", "mlp.w3"),
        (r"neck\.reassemble_stage\.layers\.(\d)\.projection", r"depth_head.projects.\1"),
        (r"neck\.reassemble_stage\.layers\.(\d)\.resize", r"depth_head.resize_layers.\1"),
        *SCRATCH,
        (r"^scratch", "depth_head.scratch"),
        (r"^head\.conv1", "depth_head.scratch.output_conv1"),
        (r"^head\.conv2", "depth_head.scratch.output_conv2.0"),
        (r"^head\.conv3", "depth_head.scratch.output_conv2.2"),
    ]
)

MIDAS = rules(
    [
        (r"^dpt\.embeddings\.cls_token", "pretrained.model.cls_token"),
        (r"^dpt\.embeddings\.position_embeddings", "pretrained.model.pos_embed"),
        (r"^dpt\.embeddings\.(patch_embeddings\.)?projection", "pretrained.model.patch_embed.proj"),
        (r"^dpt\.embeddings\.backbone\.bit\.embedder\.convolution", "pretrained.model.patch_embed.backbone.stem.conv"),
        (r"^dpt\.embeddings\.backbone\.bit\.embedder\.norm", "pretrained.model.patch_embed.backbone.stem.norm"),
        (
            r"^dpt\.embeddings\.backbone\.bit\.encoder\.stages\.(\d)\.layers\.",
            r"pretrained.model.patch_embed.backbone.stages.\1.blocks.",
        ),
        (r"^dpt\.encoder\.layer\.", "pretrained.model.blocks."),
        (r"^dpt\.layernorm", "pretrained.model.norm"),
        (r"attention\.qkv", "attn.qkv"),
        (r"attention\.output\.dense", "attn.proj"),
        (r"intermediate\.dense", "mlp.fc1"),
        (r"output\.dense", "mlp.fc2"),
        (r"layernorm_before", "norm1"),
        (r"layernorm_after", "norm2"),
        (
            r"neck\.reassemble_stage\.readout_projects\.(\d)\.0",
            lambda m: f"pretrained.act_postprocess{int(m[1]) + 1}.0.project.0",
        ),
        (r"neck\.reassemble_stage\.layers\.(\d)\.projection", lambda m: f"pretrained.act_postprocess{int(m[1]) + 1}.3"),
        (r"neck\.reassemble_stage\.layers\.(\d)\.resize", lambda m: f"pretrained.act_postprocess{int(m[1]) + 1}.4"),
        *SCRATCH,
        (r"^head\.head", "scratch.output_conv"),
    ]
)


def wide_dpt(model, pixels):
    """A DPT on a picture that is not square: transformers' own modules, told the grid that it only guesses."""
    config = model.config
    height, width = pixels.shape[2] // config.patch_size, pixels.shape[3] // config.patch_size
    embed = model.dpt.embeddings
    out = embed(pixels, interpolate_pos_encoding=True) if config.is_hybrid else embed(pixels)
    maps = list(out.intermediate_activations or [])
    x = out.last_hidden_states
    own = config.backbone_out_indices[2:] if config.is_hybrid else config.backbone_out_indices
    for index, layer in enumerate(model.dpt.encoder.layer):
        x = layer(x)
        maps += [x] if index in own else []
    return model.head(model.neck(maps, height, width))


def save(case, model, pixels, rename=None, file="model.safetensors"):
    shapes = fill(model.eval())
    x = torch.from_numpy((2.0 * noise("pixel_values", math.prod(pixels))).astype(np.float32)).reshape(pixels)
    is_dpt = isinstance(model, DPTForDepthEstimation)
    with torch.no_grad():
        if is_dpt and pixels[2] == pixels[3]:
            depth = model(x).predicted_depth
            assert torch.allclose(depth, wide_dpt(model, x), rtol=1e-5, atol=1e-5)
        else:
            depth = wide_dpt(model, x) if is_dpt else model(x).predicted_depth
    print(f"{case}: {tuple(depth.shape)} {depth.min():.3f} to {depth.max():.3f}, deviation {depth.std():.3f}")
    assert depth.std() > 0.02 and (depth > 0).float().mean() > 0.3
    config = json.dumps(model.config.to_dict(), default=str) if rename in (None, published) else ""
    metadata = {
        "config": config,
        "file": file,
        "pixels": json.dumps(pixels),
        "weights": json.dumps(entries(shapes, rename), separators=(",", ":")),
    }
    save_file({"predicted_depth": depth.contiguous()}, f"{case}.safetensors", metadata=metadata)


def anything(width, layers, taps, heads, side, **more):
    own = {key: more.pop(key) for key in ("mlp_ratio", "use_swiglu_ffn", "apply_layernorm") if key in more}
    patch = more.get("patch_size", 14)
    backbone = Dinov2Config(
        hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, image_size=side, patch_size=patch,
        out_indices=taps, reshape_hidden_states=False, **own,
    )
    sizes = {"neck_hidden_sizes": [8, 12, 16, 24], "fusion_hidden_size": 12, "head_hidden_size": 10}
    sizes["reassemble_hidden_size"] = width
    return DepthAnythingForDepthEstimation(DepthAnythingConfig(backbone_config=backbone, **{**sizes, **more}))


def dpt(width, layers, taps, heads, side, bit=None, **more):
    sizes = {"neck_hidden_sizes": [8, 12, 16, 24], "fusion_hidden_size": 16}
    sizes["intermediate_size"] = 2 * width
    if bit is not None:
        backbone = BitConfig(
            global_padding="same", layer_type="bottleneck", embedding_dynamic_padding=True,
            out_features=["stage1", "stage2", "stage3"], **bit,
        )
        sizes |= {
            "is_hybrid": True, "backbone_config": backbone, "reassemble_factors": [1, 1, 1, 0.5],
            "backbone_featmap_shape": [1, bit["hidden_sizes"][2], side // 16, side // 16],
            "neck_hidden_sizes": [*bit["hidden_sizes"][:2], 20, 24],
        }
    return DPTForDepthEstimation(
        DPTConfig(
            hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, image_size=side,
            backbone_out_indices=taps, **{**sizes, **more},
        )
    )


torch.manual_seed(0)
save("anything_relative", anything(32, 4, [1, 2, 3, 4], 2, 56), [1, 3, 56, 70], published)
save(
    "anything_metric",
    anything(
        48, 5, [0, 2, 5], 3, 35, mlp_ratio=2, use_swiglu_ffn=True, apply_layernorm=False, patch_size=7,
        neck_hidden_sizes=[6, 10, 14], reassemble_factors=[2, 1, 0.5], fusion_hidden_size=8, head_hidden_size=6,
        depth_estimation_type="metric", max_depth=20,
    ),
    [1, 3, 63, 35],
)
save(
    "anything_original", anything(64, 4, [1, 2, 3, 4], 1, 42), [1, 3, 56, 42], ANYTHING,
    "depth_anything_v2_vits.safetensors",
)
save(
    "anything_original_metric",
    anything(128, 24, [5, 12, 18, 24], 2, 42, mlp_ratio=1, depth_estimation_type="metric", max_depth=80),
    [1, 3, 42, 56], ANYTHING, "depth_anything_v2_metric_vkitti_vitl.safetensors",
)
save("dpt_large", dpt(32, 4, [0, 1, 2, 3], 2, 64), [1, 3, 64, 64])
save("dpt_wide", dpt(48, 6, [1, 2, 4, 5], 3, 64, readout_type="add", patch_size=8), [1, 3, 40, 72])
BIT = {"embedding_size": 16, "hidden_sizes": [32, 64, 96], "depths": [1, 2, 1], "num_groups": 4}
save("dpt_hybrid", dpt(32, 4, [0, 1, 2, 3], 2, 64, BIT), [1, 3, 64, 64])
BIT = {"embedding_size": 24, "hidden_sizes": [48, 64, 80], "depths": [2, 1, 3], "num_groups": 8}
save("dpt_hybrid_wide", dpt(48, 3, [0, 1, 1, 2], 3, 96, BIT), [1, 3, 80, 112])
save(
    "dpt_original", dpt(64, 4, [0, 1, 2, 3], 1, 64, layer_norm_eps=1e-6), [1, 3, 64, 96], MIDAS,
    "dpt_large_384.safetensors",
)
BIT = {"embedding_size": 32, "hidden_sizes": [128, 128, 256], "depths": [1, 2, 2], "num_groups": 32}
save(
    "dpt_hybrid_original", dpt(128, 4, [0, 1, 2, 3], 2, 64, BIT, layer_norm_eps=1e-6), [1, 3, 96, 64], MIDAS,
    "dpt_hybrid_384.safetensors",
)
