"""Makes the reference data of `src/diffusion/engine/golden.rs` with torch, diffusers and transformers.

    python make.py ../../oracles/diffusion/models .

Written from the rules (src/diffusion/text/editing.rs, compose.rs, chunk.rs; sd-webui 1.10), without a line of kinora
or sd-webui: prompts are given as what they stand for, and the run is a plain loop.

* Each case lists for each joined prompt (`AND`) its texts with the last call (from 0) at which each is in force,
  its weight, and so for the negative prompt. `prompt` and `negative` are what kinora reads instead.
* A text is a list of fragments with their weights. Tokens are multiplied by their weights, and each chunk is scaled
  so that the mean of all texts of a prompt, as often as the list names them, is what it was.
* Texts of one prompt are filled up with empty chunks to the longest; joined prompts by repeating the last embedding;
  prompt and negative prompt of unequal length go through the UNet separately.
* The prediction is the negative prompt's, plus weight times guidance times the difference, for each prompt.
* Textual inversions are rows added to the table of token embeddings.
* Euler and Heun steps over Karras' sigmas, from the noise of torch's CPU generator.

Made with torch 2.15.0, diffusers 0.42.1, transformers 5.24.0, tokenizers 0.23.3.
"""

import json
import sys

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, Regex
from transformers import CLIPTextModel, CLIPTextModelWithProjection

MODELS, OUT = sys.argv[1], sys.argv[2]
torch.set_grad_enabled(False)


class Text:
    """A text encoder, its tokenizer, and textual inversions by name."""

    def __init__(self, model, number, inversions):
        suffix = "" if number == 1 else "_2"
        kind = CLIPTextModel if number == 1 else CLIPTextModelWithProjection
        self.net = kind.from_pretrained(f"{MODELS}/{model}/text_encoder{suffix}", dtype=torch.float32).eval()
        folder = f"{MODELS}/{model}/tokenizer{suffix}"
        vocab = json.load(open(f"{folder}/vocab.json"))
        merges = [tuple(line.split()) for line in open(f"{folder}/merges.txt").read().splitlines()[1:] if line]
        tok = Tokenizer(models.BPE(vocab, merges, end_of_word_suffix="</w>", continuing_subword_prefix=""))
        tok.normalizer = normalizers.Lowercase()
        words = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
        tok.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split(words, "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        )
        self.tok = tok
        config = json.load(open(f"{folder}/tokenizer_config.json"))
        name = lambda key: config[key] if isinstance(config[key], str) else config[key]["content"]
        self.start, self.end, self.pad = (vocab[name(k)] for k in ("bos_token", "eos_token", "pad_token"))
        self.inversions = {}
        table = (self.net.text_model if hasattr(self.net, "text_model") else self.net).embeddings.token_embedding
        for word, vectors in inversions.items():
            first = table.weight.shape[0]
            table.weight = torch.nn.Parameter(torch.cat([table.weight, vectors.float()]))
            table.num_embeddings = table.weight.shape[0]
            self.inversions[tuple(self.ids(word))] = list(range(first, first + len(vectors)))

    def ids(self, text):
        return self.tok.encode(text, add_special_tokens=False).ids

    def chunks(self, text):
        """Tokens and weights of each chunk."""
        chunk, chunks = [], []
        for fragment, weight in text:
            assert not {"(", "[", ":", "\\", ","} & set(fragment.replace(", fog", ""))
            ids, i = self.ids(fragment), 0
            while i < len(ids):
                rows, used = [ids[i]], 1
                for name, vectors in sorted(self.inversions.items(), key=lambda item: -len(item[0])):
                    if tuple(ids[i : i + len(name)]) == name:
                        rows, used = vectors, len(name)
                        break
                if len(chunk) + len(rows) > 75:
                    chunks.append(chunk)
                    chunk = []
                chunk, i = chunk + [(row, weight) for row in rows], i + used
        if chunk or not chunks:
            chunks.append(chunk)
        return chunks

    def encode(self, texts, xl):
        """All texts of a prompt, equally long: embeddings and pooled embedding of each."""
        chunks = [self.chunks(text) for text in texts]
        longest = max(map(len, chunks))
        states, weights, pooled = [], [], []
        for text in chunks:
            text = text + [[]] * (longest - len(text))
            ids = [[self.start, *(row for row, _ in c), self.end] + [self.pad] * (75 - len(c)) for c in text]
            weights.append(torch.tensor([[1.0, *(weight for _, weight in c)] + [1.0] * (76 - len(c)) for c in text]))
            out = self.net(torch.tensor(ids), output_hidden_states=True)
            states.append(out.hidden_states[-2] if xl else out.last_hidden_state)
            pooled.append(out.text_embeds[:1] if hasattr(out, "text_embeds") else None)
        before, weights = torch.stack(states), torch.stack(weights)[..., None]
        after = before * weights
        scale = before.double().mean((0, 2, 3), keepdim=True) / after.double().mean((0, 2, 3), keepdim=True)
        scaled = torch.where((weights == 1).all(), before, (after * scale).float())
        return [(x.reshape(1, -1, x.shape[-1]), p) for x, p in zip(scaled, pooled)]


class Model:
    def __init__(self, name, inversions):
        self.xl = name == "sdxl"
        keys = ["clip_l", "clip_g"] if self.xl else ["emb_params"]
        self.texts = [
            Text(name, n + 1, {word: file[key] for word, file in inversions.items()}) for n, key in enumerate(keys)
        ]
        self.unet = UNet2DConditionModel.from_pretrained(f"{MODELS}/{name}/unet", torch_dtype=torch.float32).eval()
        b = json.load(open(f"{MODELS}/{name}/scheduler/scheduler_config.json"))
        betas = torch.linspace(b["beta_start"] ** 0.5, b["beta_end"] ** 0.5, 1000, dtype=torch.float64) ** 2
        alphas = torch.cumprod(1 - betas, 0)
        self.sigmas = ((1 - alphas) / alphas) ** 0.5

    def schedule(self, texts, negative=False):
        """The texts of one prompt, all equally long: [(last call, embeddings, pooled)]."""
        fragments = [[(text, 1.0)] if isinstance(text, str) else text for _, text in texts]
        parts = [t.encode(fragments, self.xl) for t in self.texts]
        found = [(torch.cat([e for e, _ in part], 2), part[-1][1]) for part in zip(*parts)]
        if negative and self.xl and all(text == "" for _, text in texts):
            found = [(e * 0, p * 0) for e, p in found]
        return [(last, *both) for (last, _), both in zip(texts, found)]

    def predict(self, x, sigma, row, size):
        logs = self.sigmas.log()
        high = int((logs <= torch.tensor(sigma, dtype=torch.float64).log()).sum().clamp(1, 999))
        part = ((torch.tensor(sigma).double().log() - logs[high - 1]) / (logs[high] - logs[high - 1])).clamp(0, 1)
        t = (high - 1) + part
        added = None
        if self.xl:
            ids = torch.tensor([[size[1], size[0], 0, 0, size[1], size[0]]], dtype=torch.float32)
            added = {"text_embeds": row[1], "time_ids": ids}
        scaled = x / (sigma**2 + 1) ** 0.5
        return self.unet(scaled, t.float(), row[0], added_cond_kwargs=added).sample


def karras(sigmas, n):
    low, high = float(sigmas[0]) ** (1 / 7), float(sigmas[-1]) ** (1 / 7)
    return [(high + i / (n - 1) * (low - high)) ** 7 for i in range(n)] + [0.0]


def at(schedule, call):
    return next((row for row in schedule if call <= row[0]), schedule[0])[1:]


def run(case, model):
    prompts = [(p["weight"], model.schedule(p["texts"])) for p in case["positive"]]
    against = model.schedule(case["against"], negative=True)
    width, height = case["size"]
    noise = torch.randn((1, 4, height // 8, width // 8), generator=torch.Generator().manual_seed(case["seed"]))
    sigmas, call = karras(model.sigmas, case["steps"]), 0
    x = noise * sigmas[0]

    def denoise(x, sigma):
        nonlocal call
        rows = [at(schedule, call) for _, schedule in prompts]
        longest = max(row[0].shape[1] for row in rows)
        rows = [(torch.cat([e, e[:, -1:].repeat(1, longest - e.shape[1], 1)], 1), p) for e, p in rows]
        none = model.predict(x, sigma, at(against, call), case["size"])
        out = none.clone()
        for (weight, _), row in zip(prompts, rows):
            out += weight * case["guidance"] * (model.predict(x, sigma, row, case["size"]) - none)
        call += 1
        return x - sigma * out

    for sigma, after in zip(sigmas, sigmas[1:]):
        slope = (x - denoise(x, sigma)) / sigma
        there = x + slope * (after - sigma)
        if case["sampler"] == "heun" and after > 0:
            slope = (slope + (there - denoise(there, after)) / after) / 2
        x = x + slope * (after - sigma)
    return x


LONG = " ".join(["a red fox in the snow under a cold moon"] * 12)
ALL = 10**6


def case(name, model, prompt, positive, negative="fog", against=None, **more):
    given = {"sampler": "euler", "steps": 5, "guidance": 6.0, "seed": 7, "size": [64, 48]} | more
    positive = [p if isinstance(p, dict) else {"weight": p[0], "texts": p[1]} for p in positive]
    against = against or [[ALL, negative]]
    return {"name": name, "model": model, "prompt": prompt, "negative": negative, "positive": positive, "against": against} | given


def swap(a, b, calls):
    # The text of call c is that of the 1-based step max(c, 1).
    return [[c, a if max(c, 1) % 2 == 1 else b] for c in range(1, calls + 1)]


CASES = [
    case("plain", "sd15", "a red fox", [(1.0, [[ALL, "a red fox"]])]),
    case("long", "sd15", LONG, [(1.0, [[ALL, LONG]])]),
    case("edited", "sd15", "a [red:blue:2] fox", [(1.0, [[2, "a red fox"], [ALL, "a blue fox"]])]),
    case("edited.share", "sd15", "a [red:blue:0.7] fox", [(1.0, [[3, "a red fox"], [ALL, "a blue fox"]])]),
    case("edited.heun", "sd15", "a [red:blue:0.5] fox", [(1.0, [[5, "a red fox"], [ALL, "a blue fox"]])], sampler="heun"),
    case("alternated", "sd15", "a [red|blue] fox", [(1.0, swap("a red fox", "a blue fox", 5))]),
    case("edited.negative", "sd15", "a fox", [(1.0, [[ALL, "a fox"]])], "[fog:rain:1] AND snow",
         [[1, "fog AND snow"], [ALL, "rain AND snow"]]),
    case("edited.long", "sd15", f"a fox [::1][{LONG}:2]", [(1.0, [[1, "a fox "], [2, "a fox "], [ALL, f"a fox {LONG}"]])]),
    case("and", "sd15", "a red fox AND the snow:0.5", [(1.0, [[ALL, "a red fox"]]), (0.5, [[ALL, "the snow"]])]),
    case("and.against", "sd15", "a fox:1.1 AND red:-0.4", [(1.1, [[ALL, "a fox"]]), (-0.4, [[ALL, "red"]])]),
    case("and.long", "sd15", f"{LONG} AND the snow", [(1.0, [[ALL, LONG]]), (1.0, [[ALL, "the snow"]])]),
    case("and.edited", "sd15", "a [red:blue:3] fox AND the [snow|moon]:0.8",
         [(1.0, [[3, "a red fox"], [ALL, "a blue fox"]]), (0.8, swap("the snow", "the moon", 5))]),
    case("weight", "sd15", "a red fox:0.6", [(0.6, [[ALL, "a red fox"]])], guidance=1.0),
    case("weighed", "sd15", "a (red:1.6) fox [in the snow]",
         [(1.0, [[ALL, [["a ", 1.0], ["red", 1.6], [" fox ", 1.0], ["in the snow", 1 / 1.1]]]])]),
    case("weighed.edited", "sd15", "a [(red:1.6):blue:2] fox",
         [(1.0, [[2, [["a ", 1.0], ["red", 1.6], [" fox", 1.0]]], [ALL, "a blue fox"]])]),
    case("weighed.alternated", "sd15", "a [red|(blue:1.4)] fox",
         [(1.0, swap("a red fox", [["a ", 1.0], ["blue", 1.4], [" fox", 1.0]], 5))]),
    case("weighed.long", "sd15", f"a (fox:1.5) [{LONG}::3]",
         [(1.0, [[3, [["a ", 1.0], ["fox", 1.5], [f" {LONG}", 1.0]]], [ALL, [["a ", 1.0], ["fox", 1.5], [" ", 1.0]]]])]),
    case("weighed.inversion", "sd15", "a (weird place:0.7) fox",
         [(1.0, [[ALL, [["a ", 1.0], ["weird place", 0.7], [" fox", 1.0]]]])]),
    case("inversion", "sd15", "a red fox in weird place", [(1.0, [[ALL, "a red fox in weird place"]])], "badthing, fog"),
    case("inversion.chunk", "sd15", f"{'fox ' * 73}weird place", [(1.0, [[ALL, f"{'fox ' * 73}weird place"]])]),
    case("xl.plain", "sdxl", "a red fox", [(1.0, [[ALL, "a red fox"]])], ""),
    case("xl.long", "sdxl", LONG, [(1.0, [[ALL, LONG]])], ""),
    case("xl.and", "sdxl", "a [red:blue:2] fox AND the snow:0.5",
         [(1.0, [[2, "a red fox"], [ALL, "a blue fox"]]), (0.5, [[ALL, "the snow"]])]),
    case("xl.negative", "sdxl", "a fox", [(1.0, [[ALL, "a fox"]])], "[:fog:2]", [[2, ""], [ALL, "fog"]]),
    case("xl.weighed", "sdxl", "a [(red:1.6):blue:2] fox",
         [(1.0, [[2, [["a ", 1.0], ["red", 1.6], [" fox", 1.0]]], [ALL, "a blue fox"]])]),
    case("xl.inversion", "sdxl", "a red fox in weird place", [(1.0, [[ALL, "a red fox in weird place"]])], "badthing"),
]

draw = torch.Generator().manual_seed(3)
normal = lambda *shape: torch.randn(shape, generator=draw).half() * 0.05
INVERSIONS = {
    "sd15": {"weird place": {"emb_params": normal(3, 32)}, "badthing": {"emb_params": normal(1, 32)}},
    "sdxl": {
        "weird place": {"clip_l": normal(2, 32), "clip_g": normal(2, 48)},
        "badthing": {"clip_l": normal(4, 32), "clip_g": normal(4, 48)},
    },
}

if __name__ == "__main__":
    for model, files in INVERSIONS.items():
        for word, file in files.items():
            save_file(file, f"{OUT}/{model}.{word}.safetensors")
    loaded = {model: Model(model, files) for model, files in INVERSIONS.items()}
    save_file({c["name"]: run(c, loaded[c["model"]]).contiguous() for c in CASES}, f"{OUT}/golden.safetensors")
    for c in CASES:
        del c["positive"], c["against"]
    json.dump(CASES, open(f"{OUT}/golden.json", "w"), indent=1)
