"""PyTorch's side of the benchmark: Stable Diffusion 1.5 in plain functions over diffusers' weights, f32, two threads.

Usage: peer.py FOLDER; reads the name of a task a line, answers with seconds, processor time and 64 numbers of the result.
"""

import math
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

torch.set_num_threads(2)
FOLDER = Path(sys.argv[1])


class Weights:
    def __init__(self, part):
        self.all = {k: v.float() for k, v in load_file(next((FOLDER / part).glob("*.safetensors"))).items()}

    def linear(self, x, name):
        weight = self.all[name + ".weight"]
        return F.linear(x, weight.reshape(weight.shape[:2]), self.all.get(name + ".bias"))

    def conv(self, x, name, stride=1, padding=1):
        return F.conv2d(x, self.all[name + ".weight"], self.all[name + ".bias"], stride, padding)

    def group_norm(self, x, name, eps):
        return F.group_norm(x, 32, self.all[name + ".weight"], self.all[name + ".bias"], eps)

    def layer_norm(self, x, name):
        weight = self.all[name + ".weight"]
        return F.layer_norm(x, weight.shape, weight, self.all[name + ".bias"], 1e-5)

    def has(self, name):
        return name in self.all


def attend(w, x, context, name, heads, mask=False, names=("to_q", "to_k", "to_v", "to_out.0")):
    batch, length, _ = x.shape
    split = lambda y: y.reshape(batch, -1, heads, y.shape[-1] // heads).transpose(1, 2)
    q, k, v = (split(w.linear(s, f"{name}.{n}")) for s, n in zip((x, context, context), names))
    out = F.scaled_dot_product_attention(q, k, v, is_causal=mask)
    return w.linear(out.transpose(1, 2).reshape(batch, length, -1), f"{name}.{names[3]}")


def resnet(w, x, name, time, eps):
    h = w.conv(F.silu(w.group_norm(x, name + ".norm1", eps)), name + ".conv1")
    if time is not None:
        h = h + w.linear(F.silu(time), name + ".time_emb_proj")[:, :, None, None]
    h = w.conv(F.silu(w.group_norm(h, name + ".norm2", eps)), name + ".conv2")
    if w.has(name + ".conv_shortcut.weight"):
        x = w.conv(x, name + ".conv_shortcut", padding=0)
    return x + h


def transformer(w, x, context, name):
    batch, channels, height, width = x.shape
    h = w.group_norm(x, name + ".norm", 1e-6)
    h = w.conv(h, name + ".proj_in", padding=0).permute(0, 2, 3, 1).reshape(batch, height * width, channels)
    b = name + ".transformer_blocks.0"
    y = w.layer_norm(h, b + ".norm1")
    h = attend(w, y, y, b + ".attn1", 8) + h
    h = attend(w, w.layer_norm(h, b + ".norm2"), context, b + ".attn2", 8) + h
    value, gate = w.linear(w.layer_norm(h, b + ".norm3"), b + ".ff.net.0.proj").chunk(2, dim=-1)
    h = w.linear(value * F.gelu(gate), b + ".ff.net.2") + h
    h = h.reshape(batch, height, width, channels).permute(0, 3, 1, 2).contiguous()
    return w.conv(h, name + ".proj_out", padding=0) + x


def unet(w, x, t, context):
    frequencies = torch.exp(-math.log(10000) * torch.arange(160) / 160)
    angles = torch.full((x.shape[0], 1), t) * frequencies
    time = torch.cat([angles.cos(), angles.sin()], -1)
    time = w.linear(F.silu(w.linear(time, "time_embedding.linear_1")), "time_embedding.linear_2")
    x = w.conv(x, "conv_in")
    skips = [x]
    for level in range(4):
        for i in range(2):
            x = resnet(w, x, f"down_blocks.{level}.resnets.{i}", time, 1e-5)
            if level < 3:
                x = transformer(w, x, context, f"down_blocks.{level}.attentions.{i}")
            skips.append(x)
        if level < 3:
            x = w.conv(x, f"down_blocks.{level}.downsamplers.0.conv", stride=2)
            skips.append(x)
    x = resnet(w, x, "mid_block.resnets.0", time, 1e-5)
    x = transformer(w, x, context, "mid_block.attentions.0")
    x = resnet(w, x, "mid_block.resnets.1", time, 1e-5)
    for up in range(4):
        for i in range(3):
            x = resnet(w, torch.cat([x, skips.pop()], 1), f"up_blocks.{up}.resnets.{i}", time, 1e-5)
            if up > 0:
                x = transformer(w, x, context, f"up_blocks.{up}.attentions.{i}")
        if up < 3:
            x = w.conv(F.interpolate(x, scale_factor=2.0), f"up_blocks.{up}.upsamplers.0.conv")
    return w.conv(F.silu(w.group_norm(x, "conv_norm_out", 1e-5)), "conv_out")


def middle(w, x, name):
    x = resnet(w, x, name + ".resnets.0", None, 1e-6)
    batch, channels, height, width = x.shape
    h = w.group_norm(x, name + ".attentions.0.group_norm", 1e-6).reshape(batch, channels, -1).transpose(1, 2)
    h = attend(w, h, h, name + ".attentions.0", 1).transpose(1, 2).reshape(x.shape)
    return resnet(w, x + h, name + ".resnets.1", None, 1e-6)


def decode(w, latent):
    x = w.conv(latent / 0.18215, "post_quant_conv", padding=0)
    x = middle(w, w.conv(x, "decoder.conv_in"), "decoder.mid_block")
    for up in range(4):
        for i in range(3):
            x = resnet(w, x, f"decoder.up_blocks.{up}.resnets.{i}", None, 1e-6)
        if up < 3:
            x = w.conv(F.interpolate(x, scale_factor=2.0), f"decoder.up_blocks.{up}.upsamplers.0.conv")
    return w.conv(F.silu(w.group_norm(x, "decoder.conv_norm_out", 1e-6)), "decoder.conv_out")


def encode(w, image):
    x = w.conv(image, "encoder.conv_in")
    for level in range(4):
        for i in range(2):
            x = resnet(w, x, f"encoder.down_blocks.{level}.resnets.{i}", None, 1e-6)
        if level < 3:
            x = F.pad(x, (0, 1, 0, 1))
            x = w.conv(x, f"encoder.down_blocks.{level}.downsamplers.0.conv", stride=2, padding=0)
    x = middle(w, x, "encoder.mid_block")
    x = w.conv(F.silu(w.group_norm(x, "encoder.conv_norm_out", 1e-6)), "encoder.conv_out")
    return w.conv(x, "quant_conv", padding=0)[:, :4] * 0.18215


def text(w, tokens):
    names = ("q_proj", "k_proj", "v_proj", "out_proj")
    x = w.all["text_model.embeddings.token_embedding.weight"][tokens]
    x = x + w.all["text_model.embeddings.position_embedding.weight"]
    for i in range(12):
        layer = f"text_model.encoder.layers.{i}"
        y = w.layer_norm(x, layer + ".layer_norm1")
        x = attend(w, y, y, layer + ".self_attn", 12, True, names) + x
        y = w.linear(w.layer_norm(x, layer + ".layer_norm2"), layer + ".mlp.fc1")
        x = w.linear(y * torch.sigmoid(1.702 * y), layer + ".mlp.fc2") + x
    return w.layer_norm(x, "text_model.final_layer_norm")


def sawtooth(*shape):
    count = math.prod(shape)
    return ((torch.arange(count) * 7919 % 10007).float() / 5003.0 - 1.0).reshape(shape)


def task(name):
    """The network's function without arguments; weights are loaded once a task."""
    if name.startswith("unet"):
        w, batch = Weights("unet"), int(name[4:])
        x, context = sawtooth(batch, 4, 64, 64), sawtooth(batch, 77, 768)
        return lambda: unet(w, x, 500.0, context)
    if name == "text":
        w = Weights("text_encoder")
        tokens = (torch.arange(77) * 617 % 49406).repeat(2, 1)
        return lambda: text(w, tokens)
    w = Weights("vae")
    x = sawtooth(1, 4, 64, 64) if name == "decode" else sawtooth(1, 3, 512, 512)
    return (lambda: decode(w, x)) if name == "decode" else (lambda: encode(w, x))


def main():
    current, run = None, None
    for line in sys.stdin:
        name = line.strip()
        if name != current:
            run = None
            current, run = name, task(name)
        with torch.inference_mode():
            start, busy = time.perf_counter(), time.process_time()
            out = run()
            seconds, busy = time.perf_counter() - start, time.process_time() - busy
        flat = out.reshape(-1)
        some = flat[:: len(flat) // 64][:64].tolist()
        print(seconds, busy, *some, flush=True)


main()
