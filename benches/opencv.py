"""Processor time of OpenCV's warpPerspective and unsharp mask at 768x512 on one thread, as JSON in ms (median).

Run by `cargo bench --bench warp` with the interpreter that KINORA_OPENCV_PYTHON names, beside kinora's own figures.
"""

import json
import time

import cv2
import numpy as np

cv2.setNumThreads(1)
rng = np.random.default_rng(1)
picture = rng.integers(0, 256, (512, 768, 3), dtype=np.uint8)
picture = cv2.GaussianBlur(picture, (5, 5), 1.0)
turn = np.eye(3)
turn[:2] = cv2.getRotationMatrix2D((384, 256), 0.5, 1.02)
shift = np.array([[1, 0, 3.0], [0, 1, -1.5], [0, 0, 1]])
matrix = turn @ shift


def median(work, runs=60):
    for _ in range(5):
        work()
    times = []
    for _ in range(runs):
        start = time.thread_time()
        work()
        times.append((time.thread_time() - start) * 1e3)
    return float(np.median(times))


def unsharp():
    blurred = cv2.GaussianBlur(picture, (5, 5), 1.0)
    return cv2.addWeighted(picture, 1.1, blurred, -0.1, 0)


def warp():
    return cv2.warpPerspective(picture, matrix, (768, 512), borderMode=cv2.BORDER_REPLICATE)


print(json.dumps({"version": cv2.__version__, "warp_2d": median(warp), "unsharp_k5": median(unsharp)}))
