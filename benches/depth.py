"""Times a depth network of published size in PyTorch and in kinora, taking turns.

    cargo bench --bench depth --no-run     # prints the path of the binary
    python benches/depth.py BINARY [vits|vitb|vitl|dpt-large|dpt-hybrid] [passes]

Needs torch and transformers. Weights are random. Prints the seconds of each pass and the medians.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from transformers import (
    BitConfig, DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config, DPTConfig, DPTForDepthEstimation,
)


def anything(width, layers, heads, taps, neck, fusion):
    backbone = Dinov2Config(
        hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, image_size=518, patch_size=14,
        out_indices=taps, reshape_hidden_states=False, apply_layernorm=True,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=width, neck_hidden_sizes=neck, fusion_hidden_size=fusion,
    )
    return DepthAnythingForDepthEstimation(config), 518


def dpt(hybrid):
    if not hybrid:
        config = DPTConfig(
            hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096,
            backbone_out_indices=[5, 11, 17, 23], neck_hidden_sizes=[256, 512, 1024, 1024],
        )
    else:
        bit = BitConfig(
            global_padding="same", layer_type="bottleneck", depths=[3, 4, 9], embedding_dynamic_padding=True,
            out_features=["stage1", "stage2", "stage3"],
        )
        config = DPTConfig(
            is_hybrid=True, backbone_config=bit, neck_hidden_sizes=[256, 512, 768, 768],
            reassemble_factors=[1, 1, 1, 0.5], backbone_out_indices=[0, 1, 8, 11],
        )
    return DPTForDepthEstimation(config), 384


KINDS = {
    "vits": lambda: anything(384, 12, 6, [3, 6, 9, 12], [48, 96, 192, 384], 64),
    "vitb": lambda: anything(768, 12, 12, [3, 6, 9, 12], [96, 192, 384, 768], 128),
    "vitl": lambda: anything(1024, 24, 16, [5, 12, 18, 24], [256, 512, 1024, 1024], 256),
    "dpt-large": lambda: dpt(False),
    "dpt-hybrid": lambda: dpt(True),
}

binary = sys.argv[1]
kind = sys.argv[2] if len(sys.argv) > 2 else "vits"
passes = int(sys.argv[3]) if len(sys.argv) > 3 else 5
torch.manual_seed(0)
model, side = KINDS[kind]()
model.eval()
values = (torch.arange(3 * side * side) % 251).float() / 125.0 - 1.0
pixels = values.reshape(1, 3, side, side)
with tempfile.TemporaryDirectory() as folder:
    model.save_pretrained(folder)
    given = {**os.environ, "KINORA_DEPTH_MODEL": folder, "KINORA_DEPTH_SIDE": str(side)}
    kinora = subprocess.Popen(
        [binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=given,
    )
    print(kinora.stdout.readline().strip())
    times = {"kinora": [], "torch": []}
    for _ in range(passes):
        kinora.stdin.write("\n")
        kinora.stdin.flush()
        line = kinora.stdout.readline().split()
        times["kinora"].append(float(line[1]))
        with torch.no_grad():
            start = time.perf_counter()
            model(pixels)
            times["torch"].append(time.perf_counter() - start)
        print(" ".join(line), f"torch {times['torch'][-1]:.3f}")
    kinora.stdin.close()
    kinora.wait()
for name, seconds in times.items():
    print(f"{name}: median {statistics.median(seconds):.3f} s of {passes}")
print(f"kinora needs {statistics.median(times['kinora']) / statistics.median(times['torch']):.2f} of PyTorch's time")
