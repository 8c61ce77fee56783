"""Makes the reference data beside it, with PyTorch and OpenCV.

    python make.py [FOLDER]

FOLDER holds the diffusion oracles (`tests/oracles/diffusion` as a rule). For the small SDXL model there it makes a
ControlLLLite and a Control-LoRA with random weights, and what the network gives with them, written down from the
formulas of kohya's sd-scripts and of Stability's Control-LoRA. For pictures made by a formula it stores the edges
that OpenCV's Canny finds. Versions of the last run: torch 2.15, opencv-python-headless 5.0, safetensors 0.6.
"""

import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

HERE = Path(__file__).parent
ORACLES = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "oracles" / "diffusion"


class UNet:
    """A UNet in diffusers' names, for one forward pass. Hooks see the inputs of the attention's projections."""

    def __init__(self, folder):
        self.config = json.loads((folder / "config.json").read_text())
        weights = load_file(folder / "diffusion_pytorch_model.safetensors")
        self.w = {name: tensor.float() for name, tensor in weights.items()}
        self.shift = lambda block, projection, x, size: 0.0

    def linear(self, name, x):
        return F.linear(x, self.w[f"{name}.weight"].flatten(1), self.w.get(f"{name}.bias"))

    def conv(self, name, x, stride=1, padding=1):
        return F.conv2d(x, self.w[f"{name}.weight"], self.w.get(f"{name}.bias"), stride, padding)

    def norm(self, name, x, eps):
        groups = self.config["norm_num_groups"]
        return F.group_norm(x, groups, self.w[f"{name}.weight"], self.w[f"{name}.bias"], eps)

    def layer_norm(self, name, x):
        return F.layer_norm(x, x.shape[-1:], self.w[f"{name}.weight"], self.w[f"{name}.bias"], 1e-5)

    def sines(self, t, width):
        half = width // 2
        steps = torch.arange(half, dtype=torch.float32) / (half - self.config["freq_shift"])
        angles = t[:, None].float() * torch.exp(-torch.log(torch.tensor(10000.0)) * steps)[None]
        return torch.cat([angles.cos(), angles.sin()], 1)

    def embed(self, t, text_embeds, time_ids):
        c = self.config
        width = c["block_out_channels"][0]
        emb = self.linear("time_embedding.linear_2", F.silu(self.linear("time_embedding.linear_1", self.sines(t, width))))
        ids = self.sines(time_ids.flatten(), c["addition_time_embed_dim"]).reshape(len(time_ids), -1)
        vector = torch.cat([text_embeds, ids], 1)
        added = self.linear("add_embedding.linear_2", F.silu(self.linear("add_embedding.linear_1", vector)))
        return F.silu(emb + added)

    def resnet(self, name, x, emb):
        eps = self.config["norm_eps"]
        h = self.conv(f"{name}.conv1", F.silu(self.norm(f"{name}.norm1", x, eps)))
        h = h + self.linear(f"{name}.time_emb_proj", emb)[:, :, None, None]
        h = self.conv(f"{name}.conv2", F.silu(self.norm(f"{name}.norm2", h, eps)))
        if f"{name}.conv_shortcut.weight" in self.w:
            x = self.conv(f"{name}.conv_shortcut", x, padding=0)
        return x + h

    def attend(self, name, q, k, v, heads):
        q, k, v = (self.linear(f"{name}.to_{p}", x) for p, x in (("q", q), ("k", k), ("v", v)))
        split = lambda x: x.unflatten(-1, (heads, -1)).transpose(1, 2)
        out = F.scaled_dot_product_attention(split(q), split(k), split(v))
        return self.linear(f"{name}.to_out.0", out.transpose(1, 2).flatten(2))

    def transformer(self, name, x, context, heads):
        size = x.shape[2:]
        h = self.norm(f"{name}.norm", x, 1e-6).flatten(2).transpose(1, 2)
        h = self.linear(f"{name}.proj_in", h)
        block = 0
        while f"{name}.transformer_blocks.{block}.norm1.weight" in self.w:
            place = f"{name}.transformer_blocks.{block}"
            own = self.layer_norm(f"{place}.norm1", h)
            q, k, v = (own + self.shift(place, f"attn1_to_{p}", own, size) for p in "qkv")
            h = h + self.attend(f"{place}.attn1", q, k, v, heads)
            query = self.layer_norm(f"{place}.norm2", h)
            query = query + self.shift(place, "attn2_to_q", query, size)
            h = h + self.attend(f"{place}.attn2", query, context, context, heads)
            value, gate = self.linear(f"{place}.ff.net.0.proj", self.layer_norm(f"{place}.norm3", h)).chunk(2, -1)
            h = h + self.linear(f"{place}.ff.net.2", value * F.gelu(gate))
            block += 1
        h = self.linear(f"{name}.proj_out", h)
        return x + h.transpose(1, 2).reshape(x.shape)

    def stage(self, block, index, x, emb, context, level):
        x = self.resnet(f"{block}.resnets.{index}", x, emb)
        if f"{block}.attentions.{index}.norm.weight" in self.w:
            heads = self.config["attention_head_dim"]
            x = self.transformer(f"{block}.attentions.{index}", x, context, heads if isinstance(heads, int) else heads[level])
        return x

    def encode(self, x, emb, context):
        """From the first convolution's result to the middle's, and the skips."""
        skips, levels = [x], len(self.config["block_out_channels"])
        for level in range(levels):
            block = f"down_blocks.{level}"
            for i in range(self.config["layers_per_block"]):
                x = self.stage(block, i, x, emb, context, level)
                skips.append(x)
            if level + 1 < levels:
                x = self.conv(f"{block}.downsamplers.0.conv", x, stride=2)
                skips.append(x)
        x = self.stage("mid_block", 0, x, emb, context, levels - 1)
        return self.resnet("mid_block.resnets.1", x, emb), skips

    def forward(self, x, t, context, text_embeds, time_ids):
        emb = self.embed(t, text_embeds, time_ids)
        x, skips = self.encode(self.conv("conv_in", x), emb, context)
        levels = len(self.config["block_out_channels"])
        for up in range(levels):
            block = f"up_blocks.{up}"
            for i in range(self.config["layers_per_block"] + 1):
                x = self.stage(block, i, torch.cat([x, skips.pop()], 1), emb, context, levels - 1 - up)
            if up + 1 < levels:
                x = F.interpolate(x, size=skips[-1].shape[2:], mode="nearest")
                x = self.conv(f"{block}.upsamplers.0.conv", x)
        return self.conv("conv_out", F.silu(self.norm("conv_norm_out", x, self.config["norm_eps"])))


def blocks(unet):
    """Every transformer block: diffusers' name, LDM's name, width."""
    per_level = unet.config["layers_per_block"]
    for name in sorted(unet.w):
        if not name.endswith(".norm1.weight") or "transformer_blocks" not in name:
            continue
        place = name.removesuffix(".norm1.weight")
        words, tail = place.split("."), place.split(".transformer_blocks.")[1]
        if words[0] == "down_blocks":
            number = 1 + int(words[1]) * (per_level + 1) + int(words[3])
            ldm = f"input_blocks.{number}.1"
        elif words[0] == "mid_block":
            ldm = "middle_block.1"
        else:
            ldm = f"output_blocks.{int(words[1]) * (per_level + 1) + int(words[3])}.1"
        yield place, f"{ldm}.transformer_blocks.{tail}", unet.w[name].shape[0]


def random(*shape, scale=1.0):
    return (torch.randn(*shape) * scale).half()


def lllite(unet):
    """A ControlLLLite for the encoder and the middle, as kohya trains them; by LDM's names."""
    weights, embedded, narrow = {}, 8, 6
    for place, ldm, width in blocks(unet):
        if ldm.startswith("output"):
            continue
        # One of each kind of conditioning: 4x4 and 2x2, 4x4 twice, 4x4 twice and 2x2.
        depth = 3 if "middle" in ldm else 1 + int(place.split(".")[1]) % 2
        sides = {1: [4, 2], 2: [4, 4], 3: [4, 4, 2]}[depth]
        for projection in ["attn1_to_q", "attn1_to_k", "attn1_to_v", "attn2_to_q"]:
            name = "lllite_unet_" + ldm.replace(".", "_") + "_" + projection
            channels = 3
            for i, side in enumerate(sides):
                out = embedded if i + 1 == len(sides) else embedded // 2
                weights[f"{name}.conditioning1.{2 * i}.weight"] = random(out, channels, side, side, scale=0.3)
                weights[f"{name}.conditioning1.{2 * i}.bias"] = random(out, scale=0.2)
                channels = out
            for part, outputs, inputs in [("down", narrow, width), ("mid", narrow, narrow + embedded), ("up", width, narrow)]:
                weights[f"{name}.{part}.0.weight"] = random(outputs, inputs, scale=0.5)
                weights[f"{name}.{part}.0.bias"] = random(outputs, scale=0.2)
    return weights


def lllite_shift(weights, ldm_names, hint, multiplier):
    weights = {name: tensor.float() for name, tensor in weights.items()}

    def shift(block, projection, x, size):
        name = "lllite_unet_" + ldm_names[block].replace(".", "_") + "_" + projection
        if f"{name}.down.0.weight" not in weights:
            return 0.0
        part = lambda p, x: F.linear(x, weights[f"{name}.{p}.weight"], weights[f"{name}.{p}.bias"])
        cx, i = hint * 2.0 - 1.0, 0
        while f"{name}.conditioning1.{i}.weight" in weights:
            weight = weights[f"{name}.conditioning1.{i}.weight"]
            cx = F.conv2d(F.relu(cx) if i else cx, weight, weights[f"{name}.conditioning1.{i}.bias"], weight.shape[-1])
            i += 2
        cx = F.interpolate(cx, tuple(size), mode="nearest-exact").flatten(2).transpose(1, 2)
        cx = cx.expand(len(x), -1, -1)
        inner = F.relu(part("mid.0", torch.cat([cx, F.relu(part("down.0", x))], 2)))
        return part("up.0", inner) * multiplier

    return shift


LDM_LAYERS = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}


def ldm_name(name, per_level):
    """LDM's name of a weight of the encoder; None for the decoder's."""
    words = name.split(".")
    fixed = {"conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2", "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2"}
    for own, ldm in fixed.items():
        if name.startswith(own + "."):
            return ldm + name[len(own):]
    if words[0] == "mid_block":
        if words[1] == "attentions":
            return "middle_block.1." + ".".join(words[3:])
        return f"middle_block.{2 * int(words[2])}.{LDM_LAYERS[words[3]]}.{words[-1]}"
    if words[0] != "down_blocks":
        return None
    first = 1 + int(words[1]) * (per_level + 1)
    if words[2] == "downsamplers":
        return f"input_blocks.{first + per_level}.0.op.{words[-1]}"
    number = first + int(words[3])
    if words[2] == "attentions":
        return f"input_blocks.{number}.1." + ".".join(words[4:])
    return f"input_blocks.{number}.0.{LDM_LAYERS[words[4]]}.{words[-1]}"


def control_lora(unet, rank=4):
    """A Control-LoRA as Stability publishes them: low rank for matrices and kernels, the rest whole."""
    weights = {"lora_controlnet": torch.zeros(0, dtype=torch.float16)}
    merged = dict(unet.w)
    channels = []
    for name, base in sorted(unet.w.items()):
        ldm = ldm_name(name, unet.config["layers_per_block"])
        if ldm is None:
            continue
        if base.dim() == 1:
            weights[ldm] = (base + torch.randn_like(base) * 0.05).half()
            merged[name] = weights[ldm].float()
            continue
        layer = ldm.removesuffix(".weight")
        up, down = random(base.shape[0], rank, scale=0.1), random(rank, *base.shape[1:], scale=0.1)
        if base.dim() == 4:
            up = up[:, :, None, None]
        # One layer is left to the model altogether.
        if ldm.startswith("input_blocks.2.0.in_layers"):
            continue
        weights[f"{layer}.up"], weights[f"{layer}.down"] = up.contiguous(), down.contiguous()
        merged[name] = base + (up.float().flatten(1) @ down.float().flatten(1)).reshape(base.shape)
    config = unet.config
    for level, width in enumerate(config["block_out_channels"]):
        last = level + 1 == len(config["block_out_channels"])
        channels += [width] * (config["layers_per_block"] + (0 if last else 1))
    channels.insert(0, config["block_out_channels"][0])
    for i, width in enumerate(channels):
        weights[f"zero_convs.{i}.0.weight"] = random(width, width, 1, 1, scale=0.2)
        weights[f"zero_convs.{i}.0.bias"] = random(width, scale=0.1)
    weights["middle_block_out.0.weight"] = random(channels[-1], channels[-1], 1, 1, scale=0.2)
    weights["middle_block_out.0.bias"] = random(channels[-1], scale=0.1)
    sizes = [3, 4, 4, 8, 8, 8, 8, 16, config["block_out_channels"][0]]
    for i, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        weights[f"input_hint_block.{2 * i}.weight"] = random(outputs, inputs, 3, 3, scale=0.2)
        weights[f"input_hint_block.{2 * i}.bias"] = random(outputs, scale=0.1)
    return weights, merged, channels


def control_residuals(unet, merged, weights, inputs, hint):
    copy = UNet.__new__(UNet)
    copy.config, copy.w, copy.shift = unet.config, merged, lambda *_: 0.0
    x, t, context, text_embeds, time_ids = inputs
    own = {name: tensor.float() for name, tensor in weights.items()}
    conv = lambda name, x, stride=1, padding=1: F.conv2d(x, own[f"{name}.weight"], own[f"{name}.bias"], stride, padding)
    h = hint
    for i in range(8):
        h = conv(f"input_hint_block.{2 * i}", h, stride=2 if i in (2, 4, 6) else 1)
        h = F.silu(h) if i < 7 else h
    emb = copy.embed(t, text_embeds, time_ids)
    mid, skips = copy.encode(copy.conv("conv_in", x) + h, emb, context)
    down = [conv(f"zero_convs.{i}.0", skip, padding=0) for i, skip in enumerate(skips)]
    return down, conv("middle_block_out.0", mid, padding=0)


def picture(kind, width, height):
    """Pictures by integer formulas: smooth, hard-edged, noisy, coloured."""
    import numpy as np

    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    if kind == 0:
        channels = [(x * 7 + y * 3) % 256, (x * x // 9 + y * 5) % 256, (y * y // 7 + x) % 256]
    elif kind == 1:
        disc = ((x - width // 2) ** 2 + (y - height // 2) ** 2 < (min(width, height) // 3) ** 2) * 170
        channels = [disc + 30, disc // 2 + 60, 200 - disc]
    elif kind == 2:
        seed = (x * 1103515245 + y * 12345 + x * y * 40503) % 2147483648
        channels = [seed // 65536 % 256, seed // 4096 % 256, seed // 256 % 256]
    else:
        channels = [((x // 5 + y // 4) % 2) * 90 + x % 7, ((x // 6) % 2) * 60 + 20, ((y // 3) % 2) * 110 + 9]
    return np.stack([c % 256 for c in channels], -1).astype(np.uint8)


def canny():
    """Edges by OpenCV, of each picture at each pair of thresholds, a bit a pixel."""
    import cv2
    import numpy as np

    cases = []
    for kind in range(4):
        for width, height in [(33, 21), (64, 40), (5, 9), (1, 4)]:
            for low, high in [(100, 200), (50.7, 150.2), (0, 0), (300, 40), (400, 900)]:
                edges = cv2.Canny(picture(kind, width, height), low, high)
                bits = np.packbits(edges.flatten() == 255).tobytes().hex()
                cases.append({"picture": kind, "size": [width, height], "low": low, "high": high, "edges": bits})
    (HERE / "canny.json").write_text(json.dumps(cases, indent=0) + "\n")


def networks():
    torch.manual_seed(20240731)
    torch.set_grad_enabled(False)
    unet = UNet(ORACLES / "models/sdxl/unet")
    known = load_file(ORACLES / "golden/unet.safetensors")
    c = unet.config
    width, added = c["cross_attention_dim"], c["projection_class_embeddings_input_dim"] - 6 * c["addition_time_embed_dim"]
    x = torch.randn(2, 4, 8, 8)
    inputs = (x, torch.tensor([437.0, 437.0]), torch.randn(2, 77, width), torch.randn(2, added), torch.tensor([[64.0, 64, 0, 0, 64, 64]] * 2))
    if "sdxl.t500" in known and "x" in known:
        n = known["sdxl.t500"].shape[0]
        own = unet.forward(known["x"][:n], torch.full((n,), 500.0), known["sdxl.ctx"][:n], known["sdxl.text_embeds"][:n], known["sdxl.time_ids"][:n])
        error = (own - known["sdxl.t500"]).abs().max() / known["sdxl.t500"].abs().max()
        print(f"this UNet against diffusers': {error:.1e}")
        assert error < 1e-5
    hint = torch.rand(1, 3, 64, 64)
    odd = torch.randn(2, 4, 9, 10)
    odd_hint = torch.rand(1, 3, 72, 80)
    golden = {"x": x, "x_odd": odd, "context": inputs[2], "text_embeds": inputs[3], "time_ids": inputs[4], "hint": hint, "hint_odd": odd_hint, "plain": unet.forward(*inputs)}
    small = lllite(unet)
    save_file(small, HERE / "lllite.safetensors")
    names = {place: ldm for place, ldm, _ in blocks(unet)}
    for multiplier in [1.0, 0.4]:
        unet.shift = lllite_shift(small, names, hint, multiplier)
        golden[f"lllite.w{multiplier}"] = unet.forward(*inputs)
    unet.shift = lllite_shift(small, names, odd_hint, 1.0)
    golden["lllite.odd"] = unet.forward(odd, *inputs[1:])
    unet.shift = lambda *_: 0.0
    low_rank, merged, channels = control_lora(unet)
    save_file(low_rank, HERE / "control_lora.safetensors")
    down, mid = control_residuals(unet, merged, low_rank, inputs, hint)
    for i, residual in enumerate(down):
        golden[f"lora.down{i}"] = residual
    golden["lora.mid"] = mid
    save_file({name: tensor.contiguous() for name, tensor in golden.items()}, HERE / "golden.safetensors")


networks()
canny()
