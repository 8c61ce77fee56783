"""Makes the files of this folder: one LoRA file for each kind of change, and what it makes of some weights.

Run with torch 2.15, lycoris-lora 4.1.3 and peft 0.21.2:  python make.py
The changes are computed by LyCORIS' own functions and PEFT's own merge, in f64, from the numbers as the files hold
them. A strength other than 1 goes straight: W + strength * (W' - W).
"""

import torch
from lycoris.functional import general, locon, loha, lokr
from peft import LoraConfig, inject_adapter_in_model
from safetensors.torch import save_file

torch.manual_seed(4)
STRENGTHS = [1.0, 0.7, -0.4]
BLOCK = "down_blocks.0.attentions.0.transformer_blocks.0"
WIDE, SQUARE, FEED = f"{BLOCK}.attn2.to_k", f"{BLOCK}.attn1.to_q", f"{BLOCK}.ff.net.2"
CONV, NORM, IN = "down_blocks.0.resnets.0.conv1", "down_blocks.0.resnets.0.norm1", "conv_in"

base = {
    f"{WIDE}.weight": torch.randn(8, 6),
    f"{SQUARE}.weight": torch.randn(6, 6),
    f"{FEED}.weight": torch.randn(6, 12),
    f"{FEED}.bias": torch.randn(6),
    f"{CONV}.weight": torch.randn(6, 4, 3, 3),
    f"{CONV}.bias": torch.randn(6),
    f"{NORM}.weight": torch.randn(4),
    f"{NORM}.bias": torch.randn(4),
    f"{IN}.weight": torch.randn(8, 9, 3, 3),
    f"{IN}.bias": torch.randn(8),
}
base = {name: x.half().float() for name, x in base.items()}
golden = {f"base.{name}": x for name, x in base.items()}


def numbers(*shape, dtype=torch.float16):
    """Random numbers as a file holds them, and the same in f64."""
    stored = torch.randn(*shape).to(dtype)
    return stored, stored.double()


def told(kind, weight, merged):
    """What the weight is at each strength, `merged` being what it is at 1."""
    w = base[weight].double()
    for strength in STRENGTHS:
        golden[f"{kind}.{strength}.{weight}"] = (w + strength * (merged - w)).float()


def kohya(layer):
    return "lora_unet_" + layer.replace(".", "_")


def save(kind, tensors):
    save_file({k: v.contiguous() for k, v in tensors.items()}, f"{kind}.safetensors")


# LoCon with a small convolution between.
down, d = numbers(3, 4, 1, 1)
up, u = numbers(6, 3, 1, 1)
mid, m = numbers(3, 3, 3, 3)
save("tucker", {f"{kohya(CONV)}.lora_down.weight": down, f"{kohya(CONV)}.lora_up.weight": up,
                f"{kohya(CONV)}.lora_mid.weight": mid, f"{kohya(CONV)}.alpha": torch.tensor(2.0)})
told("tucker", f"{CONV}.weight", base[f"{CONV}.weight"].double() + locon.diff_weight(d, u, m, gamma=2 / 3))

# LoHa, plain on a convolution and with a core tensor; bf16.
bf16 = torch.bfloat16
w1a, a1 = numbers(6, 2, dtype=bf16)
w1b, b1 = numbers(2, 36, dtype=bf16)
w2a, a2 = numbers(6, 2, dtype=bf16)
w2b, b2 = numbers(2, 36, dtype=bf16)
save("loha_conv", {f"{kohya(CONV)}.hada_w1_a": w1a, f"{kohya(CONV)}.hada_w1_b": w1b, f"{kohya(CONV)}.hada_w2_a": w2a,
                   f"{kohya(CONV)}.hada_w2_b": w2b, f"{kohya(CONV)}.alpha": torch.tensor(1.0, dtype=bf16)})
delta = loha.diff_weight(b1, a1, b2, a2, None, None, gamma=0.5).reshape(6, 4, 3, 3)
told("loha_conv", f"{CONV}.weight", base[f"{CONV}.weight"].double() + delta)

w1a, a1 = numbers(2, 6)
w1b, b1 = numbers(2, 4)
w2a, a2 = numbers(2, 6)
w2b, b2 = numbers(2, 4)
t1, c1 = numbers(2, 2, 3, 3)
t2, c2 = numbers(2, 2, 3, 3)
save("loha_tucker", {f"{kohya(CONV)}.hada_w1_a": w1a, f"{kohya(CONV)}.hada_w1_b": w1b,
                     f"{kohya(CONV)}.hada_w2_a": w2a, f"{kohya(CONV)}.hada_w2_b": w2b,
                     f"{kohya(CONV)}.hada_t1": t1, f"{kohya(CONV)}.hada_t2": t2})
told("loha_tucker", f"{CONV}.weight", base[f"{CONV}.weight"].double() + loha.diff_weight(b1, a1, b2, a2, c1, c2))

# LyCORIS' function for LoKr takes alpha and finds the rank itself, but in the wrong side of a decomposed convolution;
# its modules, A1111 and ComfyUI divide by the rank.
# LoKr: whole factors; both decomposed; one decomposed, on a convolution, plain and with a core tensor.
w1, k1 = numbers(2, 3)
w2, k2 = numbers(4, 2)
save("lokr", {f"{kohya(WIDE)}.lokr_w1": w1, f"{kohya(WIDE)}.lokr_w2": w2, f"{kohya(WIDE)}.alpha": torch.tensor(9.0)})
told("lokr", f"{WIDE}.weight",
     base[f"{WIDE}.weight"].double() + lokr.diff_weight(k1, None, None, k2, None, None, None, gamma=9.0))

w1a, a1 = numbers(3, 2, dtype=torch.float32)
w1b, b1 = numbers(2, 3, dtype=torch.float32)
w2a, a2 = numbers(2, 2, dtype=torch.float32)
w2b, b2 = numbers(2, 4, dtype=torch.float32)
save("lokr_both", {f"{kohya(FEED)}.lokr_w1_a": w1a, f"{kohya(FEED)}.lokr_w1_b": w1b, f"{kohya(FEED)}.lokr_w2_a": w2a,
                   f"{kohya(FEED)}.lokr_w2_b": w2b, f"{kohya(FEED)}.alpha": torch.tensor(1.0)})
told("lokr_both", f"{FEED}.weight",
     base[f"{FEED}.weight"].double() + lokr.diff_weight(None, a1, b1, None, a2, b2, None, gamma=1.0))

w1, k1 = numbers(2, 2)
w2a, a2 = numbers(3, 2)
w2b, b2 = numbers(2, 2, 3, 3)
save("lokr_conv", {f"{kohya(CONV)}.lokr_w1": w1, f"{kohya(CONV)}.lokr_w2_a": w2a,
                   f"{kohya(CONV)}.lokr_w2_b": w2b.reshape(2, 18), f"{kohya(CONV)}.alpha": torch.tensor(3.0)})
told("lokr_conv", f"{CONV}.weight",
     base[f"{CONV}.weight"].double() + lokr.diff_weight(k1, None, None, None, a2, b2, None, gamma=3.0))

w2a, a2 = numbers(2, 3)
w2b, b2 = numbers(2, 2)
t, c = numbers(2, 2, 3, 3)
save("lokr_tucker", {f"{kohya(CONV)}.lokr_w1": w1, f"{kohya(CONV)}.lokr_w2_a": w2a, f"{kohya(CONV)}.lokr_w2_b": w2b,
                     f"{kohya(CONV)}.lokr_t2": t, f"{kohya(CONV)}.alpha": torch.tensor(3.0)})
told("lokr_tucker", f"{CONV}.weight",
     base[f"{CONV}.weight"].double() + lokr.diff_weight(k1, None, None, None, a2, b2, c, gamma=1.5 * a2.shape[1]))

# DoRA as LyCORIS writes it: the norm of each input (its first way), and of each output.
for kind, on_output in [("dora_in", False), ("dora_out", True)]:
    tensors = {}
    for layer, out, inside, window in [(SQUARE, 6, 6, ()), (CONV, 6, 4, (3, 3))]:
        ones = (1,) * len(window)
        down, d = numbers(2, inside, *window)
        up, u = numbers(out, 2, *ones)
        scale = torch.rand(*((out, 1) if on_output else (1, inside)), *ones).half() + 0.5
        key = kohya(layer)
        tensors |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up, f"{key}.alpha": torch.tensor(1.0),
                    f"{key}.dora_scale": scale}
        weight = base[f"{layer}.weight"].double()
        direction = weight + locon.diff_weight(d, u, None, gamma=0.5).reshape(weight.shape)
        told(kind, f"{layer}.weight", general._weight_decompose(direction, scale.double(), 1, on_output))
    save(kind, tensors)


# DoRA, and a bias beside the up matrix, as PEFT merges them.
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(12, 6)
        self.conv = torch.nn.Conv2d(4, 6, 3)
        self.linear.weight.data, self.linear.bias.data = base[f"{FEED}.weight"], base[f"{FEED}.bias"]
        self.conv.weight.data, self.conv.bias.data = base[f"{CONV}.weight"], base[f"{CONV}.bias"]


for kind, options in [("peft_dora", {"use_dora": True}), ("peft_bias", {"lora_bias": True})]:
    config = LoraConfig(r=2, lora_alpha=2, target_modules=["linear", "conv"], **options)
    net = inject_adapter_in_model(config, Net().double())
    tensors = {}
    for name, parameter in net.named_parameters():
        if "lora_" not in name:
            continue
        parameter.data = (torch.randn(parameter.shape).abs() + 0.2).half().double()
        name = name.replace("linear.", f"{FEED}.").replace("conv.", f"{CONV}.")
        # PEFT's own name for the adapter in a file is none.
        tensors["unet." + name.replace(".default", "")] = parameter.data.half()
    save(kind, tensors)
    for part, layer in [(net.linear, FEED), (net.conv, CONV)]:
        part.merge()
        merged = part.base_layer
        told(kind, f"{layer}.weight", merged.weight.data)
        if kind == "peft_bias":
            told(kind, f"{layer}.bias", merged.bias.data)

# Whole differences, of a norm too, and IA3 (LyCORIS: W * w).
diff, x = numbers(6, 4, 3, 3)
diff_b, y = numbers(6)
w_norm, v = numbers(4)
b_norm, z = numbers(4)
save("full", {f"{kohya(CONV)}.diff": diff, f"{kohya(CONV)}.diff_b": diff_b, f"{kohya(NORM)}.w_norm": w_norm,
              f"{kohya(NORM)}.b_norm": b_norm})
for name, change in [(f"{CONV}.weight", x), (f"{CONV}.bias", y), (f"{NORM}.weight", v), (f"{NORM}.bias", z)]:
    told("full", name, base[name].double() + change)

on_in, i = numbers(6)
on_out, o = numbers(6)
save("ia3", {f"{kohya(WIDE)}.weight": on_in, f"{kohya(WIDE)}.on_input": torch.tensor(1),
             f"{kohya(FEED)}.weight": on_out, f"{kohya(FEED)}.on_input": torch.tensor(0)})
told("ia3", f"{WIDE}.weight", base[f"{WIDE}.weight"].double() * (1 + i))
told("ia3", f"{FEED}.weight", base[f"{FEED}.weight"].double() * (1 + o[:, None]))

# The first convolution of a base model's LoRA in an inpainting model: five more inputs, which stay.
down, d = numbers(2, 4, 3, 3)
up, u = numbers(8, 2, 1, 1)
save("inpaint", {f"{kohya(IN)}.lora_down.weight": down, f"{kohya(IN)}.lora_up.weight": up})
delta = torch.nn.functional.pad(locon.diff_weight(d, u, None).reshape(8, 4, 3, 3), (0, 0, 0, 0, 0, 5))
told("inpaint", f"{IN}.weight", base[f"{IN}.weight"].double() + delta)

save_file(golden, "golden.safetensors")
