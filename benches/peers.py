"""Times one function of OpenCV or of Deforum at 768x512 on one thread, in turns with kinora.

    python benches/peers.py                  # OpenCV's own functions
    python benches/peers.py DEFORUM_FOLDER   # Deforum's functions, out of a checkout of sd-webui-deforum

Run by `cargo bench --bench warp`. Reads the name of a task a line and answers with the processor time of one run in
ms, or with `none` when it has no such task. The first line says what is timed.
"""

import sys
import time
import types

import cv2
import numpy as np

WIDTH, HEIGHT = 768, 512
cv2.setNumThreads(1)


def picture(seed):
    """Smooth colours with some grain, as frames have: those of the bench."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    grain = np.random.default_rng(seed).standard_normal((HEIGHT, WIDTH, 3)) * 8
    channels = [(x * (c + 1) + y * 2) // 4 % 256 for c in range(3)]
    return np.clip(np.stack(channels, axis=-1) + grain, 0, 255).astype(np.uint8)


FIRST, SECOND = picture(1), picture(2)


def opencv():
    turn = np.eye(3)
    turn[:2] = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 0.5, 1.02)
    matrix = turn @ np.array([[1, 0, 3.0], [0, 1, -1.5], [0, 0, 1]])

    def warp(flags):
        return cv2.warpPerspective(FIRST, matrix, (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REPLICATE)

    def unsharp():
        blurred = cv2.GaussianBlur(FIRST, (5, 5), 1.0)
        return cv2.addWeighted(FIRST, 1.1, blurred, -0.1, 0)

    tasks = {
        "warp_2d": lambda: warp(cv2.INTER_LINEAR),
        "warp_2d_bicubic": lambda: warp(cv2.INTER_CUBIC),
        "warp_2d_lanczos": lambda: warp(cv2.INTER_LANCZOS4),
        "unsharp_k5": unsharp,
    }
    return f"OpenCV {cv2.__version__}", tasks


class Same:
    """A schedule with one value for all frames."""

    def __init__(self, value):
        self.value = value

    def __getitem__(self, _):
        return self.value


def deforum(folder):
    # Deforum's modules look for the web UI around them; of that only these names are read here.
    def given(name, **names):
        module = sys.modules.setdefault(name, types.ModuleType(name))
        vars(module).update(names)

    given("modules")
    given("modules.shared", state=types.SimpleNamespace(), opts=types.SimpleNamespace(data={}))
    given("modules.modelloader", load_file_from_url=None)
    given("pkg_resources")
    helpers = f"{folder}/scripts/deforum_helpers"
    sys.path.insert(0, f"{helpers}/src")
    package = types.ModuleType("deforum_helpers")
    package.__path__ = [helpers]
    sys.modules["deforum_helpers"] = package
    import torch
    from deforum_helpers import animation, colors, image_sharpening, noise

    torch.set_num_threads(1)
    cpu = torch.device("cpu")
    keys = types.SimpleNamespace(**{f"{name}_series": Same(value) for name, value in {
        "angle": 0.5, "zoom": 1.02, "translation_x": 3.0, "translation_y": -1.5, "translation_z": 10.0,
        "transform_center_x": 0.5, "transform_center_y": 0.5, "rotation_3d_x": 0.3, "rotation_3d_y": -0.5,
        "rotation_3d_z": 0.2, "aspect_ratio": 1.0, "near": 200, "far": 10000, "fov": 70.0,
    }.items()})
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    depth = torch.from_numpy(np.hypot(x - WIDTH / 2, y - HEIGHT / 2))
    size = types.SimpleNamespace(W=WIDTH, H=HEIGHT)

    def settings(sampling):
        return types.SimpleNamespace(
            animation_mode="3D", enable_perspective_flip=False, border="replicate", sampling_mode=sampling,
            padding_mode="border", depth_algorithm="midas-3-hybrid", aspect_ratio_use_old_formula=False,
        )

    def deep(sampling, relief):
        return animation.anim_frame_warp_3d(cpu, FIRST, relief, settings(sampling), keys, 0)

    def noisy(kind):
        return noise.add_noise(FIRST, 0.065, 42, kind, (8, 8, 4, 0.5))

    tasks = {
        "warp_2d": lambda: animation.anim_frame_warp_2d(FIRST, size, settings("bilinear"), keys, 0),
        "warp_3d_bicubic_depth": lambda: deep("bicubic", depth),
        "warp_3d_bilinear_depth": lambda: deep("bilinear", depth),
        "warp_3d_bicubic_no_depth": lambda: deep("bicubic", None),
        "depth_equalisation": lambda: animation.prepare_depth_tensor(depth),
        "color_match_lab": lambda: colors.maintain_colors(FIRST, SECOND, "LAB"),
        "color_match_hsv": lambda: colors.maintain_colors(FIRST, SECOND, "HSV"),
        "color_match_rgb": lambda: colors.maintain_colors(FIRST, SECOND, "RGB"),
        "noise_perlin_octaves4": lambda: noisy("perlin"),
        "noise_uniform": lambda: noisy("uniform"),
        "unsharp_k5": lambda: image_sharpening.unsharp_mask(FIRST, (5, 5), 1.0, 0.1, 0),
    }
    return f"Deforum with OpenCV {cv2.__version__}, PyTorch {torch.__version__}, NumPy {np.__version__}", tasks


# Functions of others may print; only answers go to the pipe.
answers, sys.stdout = sys.stdout, sys.stderr
about, tasks = deforum(sys.argv[1]) if len(sys.argv) > 1 else opencv()
print(about, file=answers, flush=True)
for line in sys.stdin:
    task = tasks.get(line.strip())
    if task is None:
        print("none", file=answers, flush=True)
        continue
    start = time.process_time()
    task()
    print((time.process_time() - start) * 1e3, file=answers, flush=True)
